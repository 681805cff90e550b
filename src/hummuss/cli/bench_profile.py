"""Tell which operators the backbones at base size spend their time in, beside attention, by torch's profiler."""

import argparse
from collections.abc import Sequence
from datetime import date
from pathlib import Path

from hummuss.cli.arguments import count
from hummuss.cli.pages import add_out, write_rows
from hummuss.cli.run_setting import add_run_setting
from hummuss.evaluation.operators import OUTSIDE, OperatorRow, profile_run
from hummuss.evaluation.pages import table
from hummuss.evaluation.speed import BASE, BASELINE, MODELS, Entry, Setting, default_clips, entries_of, precision_name
from hummuss.provenance import commit_name

SHOWN = 8  # operators of each run that the page names


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    add_out(parser, Path("docs/results/profile"))
    parser.add_argument("--models", nargs="+", choices=MODELS, default=[BASE, BASELINE])
    parser.add_argument("--frames", nargs="+", type=count, default=[243], help="clip lengths")
    add_run_setting(parser)


def run(arguments: argparse.Namespace) -> int:
    """Write OUT.csv, with every operator, and OUT.md, with the longest."""
    rows: list[OperatorRow] = []
    for frames in arguments.frames:
        for mode in arguments.modes:
            clips = arguments.clips or default_clips(frames)
            for entry in entries_of(arguments.models):
                found = profile_run(entry, Setting(mode, frames, clips, arguments.device, arguments.precision))
                rows += found
                print(f"{mode}, {frames} frames, {_named(entry)}: {found[0].run_ms:.0f} ms", flush=True)
    write_rows(arguments.out.with_suffix(".csv"), OperatorRow._fields, [row._asdict() for row in rows])
    arguments.out.with_suffix(".md").write_text(page(rows, arguments.out.name))
    print(f"wrote {arguments.out.with_suffix('.md')} and its CSV")
    return 0


def page(rows: Sequence[OperatorRow], name: str) -> str:
    """Tables of the longest operators of each run, a column a model."""
    first = rows[0]
    lines = [
        "# Where the time goes",
        "",
        f"Written by `hummuss bench profile` on {date.today()}, commit {commit_name()}; {first.device}, "
        f"{precision_name(first.precision)}; "
        f"every operator is in {name}.csv. One run of each after another under torch's profiler, which takes time too: "
        "without it they take what [the page of speed](speed.md) says. Time, ms, in each operator without those that "
        f"it calls, and how often it was called. *{OUTSIDE}*: Python, and on a GPU waiting for what it launches.",
        "",
    ]
    for frames, mode in dict.fromkeys(row.run for row in rows):
        own = [row for row in rows if row.run == (frames, mode)]
        entries = list(dict.fromkeys(row.entry for row in own))
        found = {(row.entry, row.operator): row for row in own}
        of_entry = [[row.operator for row in own if row.entry == entry][:SHOWN] for entry in entries]
        longest = dict.fromkeys(operator for operators in of_entry for operator in operators)
        body = [
            [operator, *(_cell(found.get((entry, operator))) for entry in entries)]
            for operator in sorted(longest, key=lambda name: -max(_ms(found.get((entry, name))) for entry in entries))
        ]
        others = [sum(row.ms for row in own if row.entry == entry and row.operator not in longest) for entry in entries]
        whole = [next(row.run_ms for row in own if row.entry == entry) for entry in entries]
        body += [["all others", *(f"{ms:.1f}" for ms in others)], ["**all**", *(f"**{ms:.1f}**" for ms in whole)]]
        title = f"## {'Train step' if mode == 'train' else 'Inference'}, {own[0].batch} x {frames} frames"
        lines += [title, "", *table(["operator", *map(_named, entries)], body)]
    return "\n".join(lines)


def _named(entry: Entry) -> str:
    return f"{entry.model}, {entry.intervals}"


def _cell(row: OperatorRow | None) -> str:
    if row is None:
        return "-"
    return f"{row.ms:.1f}" if row.operator == OUTSIDE else f"{row.ms:.1f} ({row.calls})"


def _ms(row: OperatorRow | None) -> float:
    return 0.0 if row is None else row.ms
