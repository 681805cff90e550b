"""Collect finished runs into one results page: CSV with every figure, Markdown table, their pictures."""

import argparse
import json
import shutil
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

import yaml

from hummuss.cli.pages import add_out, write_rows
from hummuss.errors import InputError
from hummuss.evaluation.trained import MODELS
from hummuss.inference.runs import training_data
from hummuss.metrics.units import BASELINES, place, unit

FACTS = (
    "steps", "parameters", "multiply_adds_per_frame", "seconds", "frames_per_second", "protocol", "test_data",
    "frame_rate", "inference", "selected_on_test", "seed", "commit", "device",
)  # fmt: skip


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    parser.add_argument("runs", nargs="+", type=Path, help="run folders, such as runs/mesh/1")
    add_out(parser)
    parser.add_argument("--title", required=True, help="heading of the page")
    parser.add_argument("--note", default="", help="a paragraph for under the heading")


def run(arguments: argparse.Namespace) -> int:
    """Write OUT.csv, OUT.md and OUT_<run>_<split>_<head>.png."""
    runs = [_read(folder, name) for folder, name in zip(arguments.runs, _names(arguments.runs), strict=True)]
    rows = [row for one in runs for row in _rows(one)]
    write_rows(arguments.out.with_suffix(".csv"), list(rows[0]), rows)
    lines = [f"# {arguments.title}", ""]
    lines += [arguments.note, ""] if arguments.note else []
    lines += [
        f"Written by `hummuss report` on {date.today()}; every figure is in {arguments.out.name}.csv.",
        "",
    ]
    for one in runs:
        lines += _section(one, arguments.out)
    arguments.out.with_suffix(".md").write_text("\n".join(lines))
    print(f"wrote {arguments.out.with_suffix('.md')}, its CSV and its pictures")
    return 0


def _names(folders: Sequence[Path]) -> list[str]:
    """What the page and its pictures call each run: as many of its folders' names, from the end, as tell all apart.

    Raises:
        InputError: a folder that is given twice, or names that are alike however many are joined.
    """
    paths = [folder.resolve() for folder in folders]
    for number, path in enumerate(paths):
        if path in paths[:number]:
            raise InputError(f"{folders[number]} is given twice: its rows would stand twice, give it once")
    for length in range(2, max(len(path.parts) for path in paths) + 1):
        names = ["-".join(path.parts[-length:]) for path in paths]
        if len(names) == len(set(names)):
            return names
    raise InputError(f"{', '.join(map(str, folders))}: their names are alike once joined by -, rename a folder")


def _read(folder: Path, name: str) -> dict[str, Any]:
    """A run's summary, configuration, folder and name."""
    for file in ("summary.json", "config.yaml"):
        if not (folder / file).is_file():
            raise InputError(f"{folder} has no {file}: is it the folder of a finished run, such as runs/mesh/1?")
    summary = json.loads((folder / "summary.json").read_text())
    if not summary.get("val") and not summary.get("test"):
        raise InputError(f"{folder}/summary.json has no figures: let `hummuss fit` end, or run `hummuss validate`")
    config = yaml.safe_load((folder / "config.yaml").read_text())
    return {
        "folder": folder,
        "summary": summary,
        "config": config,
        "name": name,
    }


def _rows(one: dict[str, Any]) -> list[dict[str, Any]]:
    """One row per split, part of the split and metric."""
    summary, rows = one["summary"], []
    facts = {fact: summary.get(fact) for fact in FACTS}
    for split in ("val", "test"):
        for key, value in summary.get(split, {}).items():
            *parts, metric = key.split("/")
            model = next((part for part in parts if part in BASELINES), _model(one["config"]))
            group = "/".join(part for part in parts if part not in BASELINES) or "all"
            rows.append(
                {
                    "run": one["name"],
                    "data": one["config"]["data"]["class_path"],
                    "split": split,
                    "group": group,
                }
                | {"model": model, "metric": metric, "value": value, "unit": unit(metric)}
                | facts
            )
    return rows


def _model(config: dict[str, Any]) -> str:
    """What tables call a run's backbone."""
    backbone = config["model"]["init_args"]["backbone"]
    name = backbone["class_path"].rpartition(".")[2]
    return MODELS.get(name, name) + ("-causal" if (backbone.get("init_args") or {}).get("causal") else "")


def _windows(config: dict[str, Any]) -> str:
    """What a training step sees, of each task where tasks have data of their own."""
    shown = {
        task: f"batches of {data['batch_size']} windows of up to {data['frames']} frames"
        for task, data in training_data(config).items()
    }
    return ", ".join(text if task is None else f"{task}: {text}" for task, text in shown.items())


def _section(one: dict[str, Any], out: Path) -> list[str]:
    rows = _rows(one)
    metrics = sorted(dict.fromkeys(row["metric"] for row in rows), key=place)
    facts = ", ".join(f"{fact.replace('_', ' ')} {rows[0][fact]}" for fact in FACTS if rows[0][fact] is not None)
    lines = [
        f"## {one['name']}",
        "",
        f"{_windows(one['config'])}; {facts}.",
        "",
        "| split | part | model | " + " | ".join(f"{metric}, {unit(metric)}" for metric in metrics) + " |",
        "|---|---|---|" + "---|" * len(metrics),
    ]
    values = {(row["split"], row["group"], row["model"], row["metric"]): row["value"] for row in rows}
    for split, group, model in dict.fromkeys(key[:3] for key in values):
        figures = [values.get((split, group, model, metric)) for metric in metrics]
        shown = ["-" if figure is None else f"{figure:.1f}" for figure in figures]
        lines.append(f"| {split} | {group} | {model.replace('_', ' ')} | " + " | ".join(shown) + " |")
    lines.append("")
    for picture in sorted(one["folder"].glob("*.png")):
        target = out.with_name(f"{out.name}_{one['name']}_{picture.name}")
        shutil.copyfile(picture, target)
        lines += [f"![{picture.stem.replace('_', ' ')}]({target.name})", ""]
    return lines
