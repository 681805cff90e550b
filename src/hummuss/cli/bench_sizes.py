"""Count parameters and multiply-adds per frame of every backbone at every size in configs/."""

import argparse
from datetime import date
from pathlib import Path

from hummuss.cli.pages import add_out, write_rows
from hummuss.evaluation.sizes import FRAMES, SizeRow, size_rows
from hummuss.provenance import commit_name


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    parser.add_argument("--configs", type=Path, default=Path("configs"), help="folder with backbone/ and size/")
    add_out(parser, Path("docs/results/sizes"))


def run(arguments: argparse.Namespace) -> int:
    """Write OUT.csv and OUT.md."""
    rows = size_rows(arguments.configs)
    write_rows(arguments.out.with_suffix(".csv"), SizeRow._fields, [row._asdict() for row in rows])
    arguments.out.with_suffix(".md").write_text(_page(rows, arguments.out.name))
    print(f"wrote {arguments.out.with_suffix('.md')} and its CSV")
    return 0


def _page(rows: list[SizeRow], name: str) -> str:
    lines = [
        "# What the backbones cost",
        "",
        f"Written by `hummuss bench sizes` on {date.today()}, commit {commit_name()}; the same figures are "
        f"in {name}.csv. Without heads. Multiply-adds of matrix products for one frame of one person, in clips of "
        f"{' and '.join(map(str, FRAMES))} frames; `hummuss fit` prints those of the run at hand.",
        "",
        "| size | backbone | channels | layers | parameters, M | "
        + " | ".join(f"multiply-adds at {frames}, M" for frames in FRAMES)
        + " |",
        "|---|---|---:|---:|---:" + "|---:" * len(FRAMES) + "|",
    ]
    for row in rows:
        cells = [row.size, row.backbone, str(row.dim), str(row.depth), f"{row.parameters / 1e6:.2f}"]
        cells += [f"{count / 1e6:.1f}" for count in (row.multiply_adds_81, row.multiply_adds_243)]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join([*lines, ""])
