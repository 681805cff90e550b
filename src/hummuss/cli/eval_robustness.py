"""Corrupt detections alike for several trained runs: joints hidden, frames missing, noise, sides swapped."""

import argparse
import csv

from hummuss.cli.eval import command
from hummuss.evaluation.contestants import load_contestants, load_data
from hummuss.evaluation.robustness import COLUMNS, compare_corruptions
from hummuss.evaluation.robustness_page import write_page


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """None but those of every comparison."""


def run(arguments: argparse.Namespace) -> int:
    """Write OUT.csv, OUT.md and OUT.png."""
    contestants = load_contestants(arguments.ckpt)
    data = load_data(arguments.config, contestants)
    rows = []
    for row in compare_corruptions(contestants, data, arguments.split, arguments.windows):
        rows.append(row)
        print(
            f"{row['dataset']} {row['corruption']} {row['level']:g} {row['model']}: {row['mpjpe_mm']:.1f} mm",
            flush=True,
        )
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    with open(arguments.out.with_suffix(".csv"), "w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
    write_page(arguments.out, rows, command("robustness", arguments))
    print(f"wrote {arguments.out.with_suffix('.md')}, its CSV and its picture")
    return 0
