"""Predict sequences far longer than the training windows: in windows, in one piece, and streamed.

What is computed is kept in OUT.partial.jsonl until the page is written: a comparison that was cut off goes on there.
"""

import argparse

from hummuss.cli.arguments import count
from hummuss.cli.eval import command
from hummuss.cli.pages import kept_rows, write_rows
from hummuss.evaluation.contestants import load_contestants, load_data
from hummuss.evaluation.long import COLUMNS, compare_lengths
from hummuss.evaluation.long_page import write_page


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Lengths, how many clips are made that long, and how long a stream may be."""
    shown = "(default: %(default)s)"
    text = f"frames of clips played forwards and backwards in turn, and of long synthetic performances {shown}"
    parser.add_argument("--lengths", type=count, nargs="+", default=[4000, 16000], help=text)
    parser.add_argument("--clips", type=count, default=4, help=f"how many of either, of each dataset {shown}")
    text = f"stream no sequence of more frames, each of which takes some milliseconds {shown}"
    parser.add_argument("--streamed", type=count, default=16000, help=text)


def run(arguments: argparse.Namespace) -> int:
    """Write OUT.csv, OUT.md and OUT.png."""
    kept = kept_rows(arguments.out)
    contestants = load_contestants(arguments.ckpt, arguments.device)
    data = load_data(arguments.config, contestants)
    rows = []
    asked = (arguments.split, arguments.windows, arguments.lengths, arguments.clips, arguments.streamed)
    for row in compare_lengths(contestants, data, *asked, kept):
        rows.append(row)
        if row["position_s"] is None:
            what = f"{row['dataset']} {row['source']} {row['frames']} frames {row['mode']} {row['model']}"
            error = row["mpjpe_mm"]
            print(f"{what}: {'no frame is scored' if error is None else f'{error:.1f} mm'}", flush=True)
    write_rows(arguments.out.with_suffix(".csv"), COLUMNS, rows)
    own = ["--lengths", *map(str, arguments.lengths), "--clips", str(arguments.clips)]
    own += ["--streamed", str(arguments.streamed)]
    write_page(arguments.out, rows, command("long", arguments, *own))
    kept.finish()
    print(f"wrote {arguments.out.with_suffix('.md')}, its CSV and its picture")
    return 0
