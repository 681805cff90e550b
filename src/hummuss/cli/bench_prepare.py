"""Measure what preparing costs whatever the size: a made-up dataset, peak memory, frames per second, opening."""

import argparse
from datetime import date
from pathlib import Path

import torch

from hummuss.cli.arguments import count
from hummuss.cli.pages import add_out, write_rows
from hummuss.evaluation.preparing import CLIP_FRAMES, FILE_CLIPS, SUBJECT_CLIPS, Row, measure
from hummuss.provenance import commit_name, device_name

HEADS = {
    "frames": "frames",
    "clips": "clips",
    "files": "files",
    "before_mb": "MB before",
    "peak_mb": "peak MB",
    "seconds": "s",
    "frames_per_second": "frames per s",
    "store_mb": "store, MB",
    "index_mb": "index, MB",
    "open_ms": "ms to open",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    add_out(parser, Path("docs/results/preparing"))
    parser.add_argument(
        "--frames", nargs="+", type=count, default=[20_000, 200_000, 2_000_000], help="sizes to measure"
    )


def run(arguments: argparse.Namespace) -> int:
    """Measure each size in a process of its own; write OUT.csv and OUT.md."""
    rows = []
    for frames in arguments.frames:
        rows.append(measure(frames))
        print(rows[-1])
    _write(arguments.out, rows)
    print(f"wrote {arguments.out.with_suffix('.md')} and its CSV")
    return 0


def _write(out: Path, rows: list[Row]) -> None:
    commit, device = commit_name(), device_name(torch.device("cpu"))
    whole = [row | {"device": device, "commit": commit} for row in rows]
    write_rows(out.with_suffix(".csv"), [*HEADS, "device", "commit"], whole)
    lines = [
        "# Preparing a dataset of any size",
        "",
        f"Written by `hummuss bench prepare` on {date.today()}, commit {commit}, {device}. A made-up dataset stands in "
        f"for AMASS: the free body in motion, {CLIP_FRAMES} frames in a clip, {FILE_CLIPS} clips in a file, "
        f"{SUBJECT_CLIPS} clips of a subject; reading a file poses the body, and the preparation poses it again to say "
        "how far the labels miss the joints. One process reads and writes; each size has a process of its own. `MB "
        "before` is what Python and torch take, `peak MB` the most that the process ever held, both included. `ms to "
        "open` is the median of five openings of the finished store.",
        "",
        f"| {' | '.join(HEADS.values())} |",
        "|" + "---:|" * len(HEADS),
    ]
    lines += ["| " + " | ".join(str(row[name]) for name in HEADS) + " |" for row in rows]
    out.with_suffix(".md").write_text("\n".join([*lines, ""]))
