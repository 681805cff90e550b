"""Compare action recognition with the majority class and with a regression on per-frame statistics."""

import argparse
from collections.abc import Sequence
from datetime import date
from pathlib import Path

import numpy as np

from hummuss.cli.eval import command
from hummuss.cli.pages import write_rows
from hummuss.data.datamodules import MotionDataModule
from hummuss.evaluation.actions import (
    REGULARISATIONS,
    TRAINING_VIEWS,
    Judged,
    judge_majority,
    judge_runs,
    judge_statistics,
    refuse_other_classes,
)
from hummuss.evaluation.contestants import read_data
from hummuss.evaluation.pages import spread
from hummuss.evaluation.trained import load_trained, refuse_alike, refuse_other_normalisation
from hummuss.heads.action import ActionHead
from hummuss.inference.runs import Run
from hummuss.provenance import commit_name, file_hash, selection
from hummuss.viz.charts import save_confusions


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """It has no arguments of its own."""


def run(arguments: argparse.Namespace) -> int:
    """Write OUT.csv, OUT.png and OUT.md."""
    data = read_data(arguments.config)
    data.test_windows = arguments.windows
    runs = [load_trained(path, arguments.device, ActionHead) for path in arguments.ckpt]
    refuse_other_classes(runs, data)
    refuse_other_normalisation(runs, data)
    refuse_alike(runs, lambda own: own.model)
    print(f"reading {len(data.sources('train'))} training clips, by {TRAINING_VIEWS} cameras each, for the regression")
    statistics = judge_statistics(data, arguments.split)  # first: it may lack a package
    judged = judge_runs(runs, data, arguments.split)
    judged += [statistics, judge_majority(data, judged[0].label)]
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    _write_csv(arguments.out.with_suffix(".csv"), judged, data.classes)
    shown: dict[str, np.ndarray] = {}
    for one in judged:
        if one.model != "majority class":
            shown[one.model] = shown.get(one.model, np.zeros_like(one.confusion)) + one.confusion
    save_confusions(arguments.out.with_suffix(".png"), shown, data.classes)
    typed = command("action", arguments)
    page = _page(judged, data, [trained.run for trained in runs], arguments.split, typed, arguments.out.name)
    arguments.out.with_suffix(".md").write_text(page)
    print("\n".join(line for line in page.splitlines() if line.startswith("|")))
    print(f"wrote {arguments.out.with_suffix('.md')}, its CSV and its picture")
    return 0


def _write_csv(path: Path, judged: Sequence[Judged], classes: Sequence[str]) -> None:
    """One line per model, seed and true class, and one of all classes."""
    taken_for = [f"taken for {name}" for name in classes]
    columns = ("model", "seed", "class", "clips", "recognised (%)", "balanced (%)", *taken_for)
    lines: list[tuple[object, ...]] = []
    for one in judged:
        top1, balanced = round(one.top1, 2), round(one.balanced, 2)
        lines.append((one.model, one.seed, "all", len(one.label), top1, balanced, *one.confusion.sum(0)))
        for name, row in zip(classes, one.confusion, strict=True):
            share = round(100 * row[classes.index(name)] / row.sum(), 2) if row.sum() else None
            lines.append((one.model, one.seed, name, row.sum(), share, None, *row))
    write_rows(path, columns, [dict(zip(columns, line, strict=True)) for line in lines])


def _page(
    judged: Sequence[Judged], data: MotionDataModule, runs: Sequence[Run], split: str, typed: str, name: str
) -> str:
    clips = np.bincount(judged[0].label, minlength=len(data.classes))
    known = list(data.labels("train"))
    counts = [f"{own} {known.count(own)} / {tested}" for own, tested in zip(data.classes, clips, strict=True)]
    inference = list(dict.fromkeys(own.model.inference.describe() for own in runs))
    lines = [
        "# Action recognition",
        "",
        f"Written by `{typed}` on {date.today()}, commit {commit_name()}; every figure is in {name}.csv.",
        "",
        f"- data: {data.dataset}, split {split}, whole clips; training / {split} clips: {', '.join(counts)}",
        "- checkpoints: "
        + ", ".join(f"{file_hash(own.checkpoint)} ({selection(own.checkpoint)})" for own in runs)
        + f"; predicted as {', '.join(inference)}",
        f"- imbalance: training windows balanced over the classes: {'yes' if data.balance_classes else 'no'}; "
        "the regression weights the classes; balanced accuracy counts every class the same",
        "- regression: mean, standard deviation, minimum and maximum over the frames of every joint's place and "
        f"speed, from the same training clips, {TRAINING_VIEWS} cameras each; its C, one of "
        f"{', '.join(map(str, REGULARISATIONS))}, chosen on the validation clips",
        "",
        "| model | seeds | balanced accuracy, % | top-1, % | " + " | ".join(f"{own}, %" for own in data.classes) + " |",
        "|---|---:|---:|---:" + "|---:" * len(data.classes) + "|",
    ]
    for model in dict.fromkeys(one.model for one in judged):
        own = [one for one in judged if one.model == model]
        recalls = np.array([np.diag(one.confusion) / np.maximum(clips, 1) for one in own]).mean(0) * 100
        cells = [model, str(len(own)), spread([one.balanced for one in own]), spread([one.top1 for one in own])]
        cells += [f"{recall:.0f}" if count else "-" for recall, count in zip(recalls, clips, strict=True)]
        lines.append("| " + " | ".join(cells) + " |")
    note = "The classes' columns: share of their clips that are recognised, mean over the seeds."
    return "\n".join([*lines, "", note, "", f"![confusion matrices]({name}.png)", ""])
