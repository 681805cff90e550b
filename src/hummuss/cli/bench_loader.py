"""Measure whether feeding keeps up with training: the loader's windows per second beside the training step's."""

import argparse
import os
from datetime import date
from pathlib import Path
from typing import Any

import torch
from matplotlib.figure import Figure

from hummuss.cli.arguments import add_device, count_or_none
from hummuss.cli.pages import add_out, write_rows
from hummuss.evaluation.loader import BATCH, FRAMES, SIZES, data_module, feeding_rate, training_rate
from hummuss.provenance import commit_name, device_name

COLUMNS = ("kind", "name", "workers", "windows_per_second", "load", "device", "commit")

Row = dict[str, Any]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    add_out(parser, Path("docs/results/loader"))
    parser.add_argument("--store", default="data/cmu", help="prepared store to feed from, beside synthetic motion")
    parser.add_argument("--workers", nargs="+", type=count_or_none, default=[0, 1, 2], help="loader processes")
    parser.add_argument("--seconds", type=float, default=20.0, help="time for each measurement")
    add_device(parser, "training steps run")


def run(arguments: argparse.Namespace) -> int:
    """Measure, write OUT.csv, OUT.md and OUT.png."""
    name = Path(arguments.store).name
    batch = next(iter(data_module(arguments.store, 0).train_dataloader()))
    rows: list[Row] = []

    def record(kind: str, name: str, workers: int | None, rate: float, device: str) -> None:
        row = {"kind": kind, "name": name, "workers": workers, "windows_per_second": float(f"{rate:.3g}")}
        row["load"] = round(os.getloadavg()[0], 1)
        rows.append(row | {"device": device_name(torch.device(device)), "commit": commit_name()})
        print(row)

    for size in SIZES:
        rate = training_rate(size, batch, arguments.device, arguments.seconds)
        record("training step", size, None, rate, arguments.device)
    for label, root in ((name, arguments.store), ("synthetic", None)):
        for workers in arguments.workers:
            rate = feeding_rate(data_module(root, workers), arguments.seconds)
            record("feeding", label, workers, rate, "cpu")
    _write(arguments.out, rows)
    print(f"wrote {arguments.out.with_suffix('.md')}, its CSV and its picture")
    return 0


def _write(out: Path, rows: list[Row]) -> None:
    write_rows(out.with_suffix(".csv"), COLUMNS, rows)
    steps = {row["name"]: row["windows_per_second"] for row in rows if row["kind"] == "training step"}
    devices = ", ".join(dict.fromkeys(f"{row['kind']} on {row['device']}" for row in rows))
    lines = [
        "# Feeding against training",
        "",
        f"Written by `hummuss bench loader` on {date.today()}, commit {rows[0]['commit']}; {devices}; {_load(rows)}. "
        f"Windows of {FRAMES} frames in batches of {BATCH}, with virtual cameras, detection noise and random frame "
        "rates. A training step is forward, backward and AdamW of HumMUSS with the pose head, its batch ready. Feeding "
        "is the loader alone, waited for by a process that does nothing else; with 0 workers that process makes the "
        "windows itself, and a training run would do both in turn. Above 1, feeding is quicker than the step.",
        "",
        "| training step | windows per s |",
        "|---|---:|",
        *(f"| {size} | {rate} |" for size, rate in steps.items()),
        "",
        f"| feeding from | workers | windows per s | {' | '.join(f'of {size} steps' for size in steps)} |",
        "|---|---:|---:|" + "---:|" * len(steps),
    ]
    for row in rows:
        if row["kind"] == "feeding":
            ratios = (f"{row['windows_per_second'] / rate:.1f}" for rate in steps.values())
            cells = (row["name"], str(row["workers"]), str(row["windows_per_second"]), *ratios)
            lines.append("| " + " | ".join(cells) + " |")
    out.with_suffix(".md").write_text("\n".join([*lines, "", f"![windows per second]({out.name}.png)", ""]))
    _draw(out.with_suffix(".png"), rows)


def _load(rows: list[Row]) -> str:
    """How busy the machine was: whatever else runs on it slows all of this down."""
    loads = [row["load"] for row in rows]
    return f"load average {min(loads):g} to {max(loads):g} on {os.cpu_count()} processors"


def _draw(path: Path, rows: list[Row]) -> None:
    """A bar for each way of feeding, a line for each training step."""
    feeding = [row for row in rows if row["kind"] == "feeding"]
    figure = Figure(figsize=(7, 1.6 + 0.35 * len(feeding)), dpi=110, layout="constrained")
    axes = figure.add_subplot()
    labels = [f"{row['name']}, {row['workers']} workers" for row in feeding]
    axes.barh(range(len(feeding)), [row["windows_per_second"] for row in feeding], height=0.62, color="#0072B2")
    axes.set_yticks(range(len(feeding)), labels)
    axes.invert_yaxis()
    for row, style in zip((row for row in rows if row["kind"] == "training step"), ("-", "--"), strict=True):
        axes.axvline(row["windows_per_second"], color="#D55E00", ls=style, label=f"training step, {row['name']}")
    axes.set_xlabel("windows per second")
    axes.set_xlim(left=0)
    axes.spines[["top", "right"]].set_visible(False)
    figure.legend(loc="outside lower center", ncols=2, frameon=False)
    figure.savefig(path, format="png")
