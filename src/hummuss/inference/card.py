"""The model card of a shared model: how to use it, what was measured, where it comes from."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hummuss.metrics.units import BASELINES, place, unit

HEADER = """---
library_name: hummuss
tags:
- human-pose-estimation
- state-space-model
---
"""

# What predictions have of heads of some classes.
SAID = {
    ("PoseHead", "PretrainHead", "MeshHead"): (
        "prediction.joints3d  # (frames, 17, 3), metres, relative to the pelvis, camera axes"
    ),
    ("MeshHead",): "prediction.smpl_pose, prediction.betas  # (frames, 24, 3) axis-angle, and shape",
    ("ActionHead",): "prediction.actions  # probability of each class, by its name",
    ("EmbeddingHead",): "prediction.embedding  # of length 1: clips of one action are near by cosine",
}


def card_facts(name: str, summary: Mapping[str, Any], checkpoint: Path, sha256: str) -> dict[str, Any]:
    """What a card tells of a run, as entry ``card`` of config.json.

    Args:
        name: of the run.
        summary: its summary.json.
        checkpoint: file that is shared.
        sha256: first digits of that file's hash; figures of other checkpoints are left out.

    Returns:
        Plain values: ``name``, ``provenance`` and ``figures``, (split -> key of a summary -> figure).
    """
    measured = {
        split: summary[split]
        for split in ("val", "test")
        if split in summary and summary.get("checkpoints", {}).get(split) == sha256
    }
    known = ("parameters", "multiply_adds_per_frame", "seconds", "frames_per_second", "seed", "commit", "device")
    provenance = {"checkpoint": checkpoint.name, "sha256": sha256}
    provenance |= {
        key: summary[key]
        for key in (*known, "dataset", "protocol", "test_data", "frame_rate", "inference", "selected_on_test")
        if summary.get(key) is not None
    }
    return {"name": name, "provenance": provenance, "figures": measured}


def model_card(config: Mapping[str, Any]) -> str:
    """README.md of a shared model, from its config.json."""
    card, heads = config["card"], config["heads"]
    rates = config["frame_rates"]
    trained = f"{rates[0]:g} to {rates[1]:g} frames per second" if rates else "rates that its run does not tell"
    lines = [
        f"{HEADER}",
        f"# {card.get('name', 'hummuss')}",
        "",
        f"{' and '.join(heads)} from 2D keypoints over time, at any frame rate: a {config['backbone']['class']} "
        f"backbone with {', '.join(entry['class'] for entry in heads.values())}.",
        "",
        "```python",
        "import hummuss",
        "from hummuss.data import read_keypoints",
        "",
        'model = hummuss.load("this folder, or its id on the hub")',
        'prediction = model.predict(read_keypoints("walk.npz"))',
        *(line for kind, line in SAID.items() if any(entry["class"] in kind for entry in heads.values())),
        "```",
        "",
        f"Input: the 17 joints of the layout {config['layout']} with confidence, normalised by the "
        f"{config['view']['normalisation']}, and the seconds between frames. Trained on windows of up to "
        f"{config['trained_frames']} frames at {trained}.",
        "",
        "## Measured",
        "",
        *_tables(card.get("figures", {})),
        "## Where it comes from",
        "",
        *(f"- {key.replace('_', ' ')}: {value}" for key, value in card.get("provenance", {}).items()),
        "",
        "The licence of the data that it was trained on also binds these weights.",
        "",
    ]
    return "\n".join(lines)


def _tables(figures: Mapping[str, Mapping[str, float | None]]) -> list[str]:
    """One table per split: the model beside its trivial baseline."""
    if not any(figures.values()):
        return ["No figures were recorded for this checkpoint.", ""]
    lines = []
    for split, values in figures.items():
        known = [name for name in BASELINES if any(name in key.split("/") for key in values)]
        heads = ["part", "metric", "model", *(name.replace("_", " ") for name in known)]
        lines += [f"### {split}", "", f"| {' | '.join(heads)} |", "|---|---|---:" + "|---:" * len(known) + "|"]
        for key in sorted((key for key in values if not set(key.split("/")) & set(BASELINES)), key=_place):
            *part, metric = key.split("/")
            baselines = [values.get("/".join([*part, name, metric])) for name in known]
            shown = " | ".join([f"{metric}, {unit(metric)}", *map(_figure, (values[key], *baselines))])
            lines.append(f"| {'/'.join(part) or 'all'} | {shown} |")
        lines.append("")
    return lines


def _place(key: str) -> tuple[str, int]:
    *part, metric = key.split("/")
    return "/".join(part), place(metric)


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}"
