"""Corrupt detections alike for several trained runs: joints hidden, frames missing, noise, sides swapped.

What is computed is kept in OUT.partial.jsonl until the page is written: a comparison that was cut off goes on there.
"""

import argparse

from hummuss.cli.eval import command
from hummuss.cli.pages import kept_rows, write_rows
from hummuss.evaluation.contestants import load_contestants, load_data
from hummuss.evaluation.robustness import COLUMNS, compare_corruptions
from hummuss.evaluation.robustness_page import write_page


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """None but those of every comparison."""


def run(arguments: argparse.Namespace) -> int:
    """Write OUT.csv, OUT.md and OUT.png."""
    kept = kept_rows(arguments.out)
    contestants = load_contestants(arguments.ckpt, arguments.device)
    data = load_data(arguments.config, contestants)
    rows = []
    for row in compare_corruptions(contestants, data, arguments.split, arguments.windows, kept):
        rows.append(row)
        print(
            f"{row['dataset']} {row['corruption']} {row['level']:g} {row['model']}: {row['mpjpe_mm']:.1f} mm",
            flush=True,
        )
    write_rows(arguments.out.with_suffix(".csv"), COLUMNS, rows)
    write_page(arguments.out, rows, command("robustness", arguments))
    kept.finish()
    print(f"wrote {arguments.out.with_suffix('.md')}, its CSV and its picture")
    return 0
