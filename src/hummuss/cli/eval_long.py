"""Predict sequences far longer than the training windows: in windows, in one piece, and streamed."""

import argparse
import csv

from hummuss.cli.eval import command
from hummuss.evaluation.contestants import load_contestants, load_data
from hummuss.evaluation.long import COLUMNS, compare_lengths
from hummuss.evaluation.long_page import write_page


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Lengths, and how many clips are made that long."""
    text = "frames of clips played forwards and backwards in turn, and of long synthetic performances"
    parser.add_argument("--lengths", type=int, nargs="+", default=[4000, 16000], help=text)
    parser.add_argument("--clips", type=int, default=4, help="how many of either, of each dataset")


def run(arguments: argparse.Namespace) -> int:
    """Write OUT.csv, OUT.md and OUT.png."""
    contestants = load_contestants(arguments.ckpt)
    data = load_data(arguments.config, contestants)
    rows = []
    asked = (arguments.split, arguments.windows, arguments.lengths, arguments.clips)
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    with open(arguments.out.with_suffix(".csv"), "w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        for row in compare_lengths(contestants, data, *asked):
            rows.append(row)
            writer.writerow(row)
            if row["position_s"] is None:
                what = f"{row['dataset']} {row['source']} {row['frames']} frames {row['mode']} {row['model']}"
                print(f"{what}: {row['mpjpe_mm']:.1f} mm", flush=True)
    own = ["--lengths", *map(str, arguments.lengths), "--clips", str(arguments.clips)]
    write_page(arguments.out, rows, command("long", arguments, *own))
    print(f"wrote {arguments.out.with_suffix('.md')}, its CSV and its picture")
    return 0
