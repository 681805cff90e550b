"""``hummuss prepare``: official files in, a memory-mapped store out."""

import argparse
import contextlib
import os
import platform
import shlex
import signal
import sys
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from types import FrameType

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table

from hummuss import __version__
from hummuss.body.skeleton import H36M17
from hummuss.data.preparing import Summary, prepare
from hummuss.data.readers.registry import READERS
from hummuss.data.residual_report import write_residual_report
from hummuss.data.store import StoreWriter
from hummuss.errors import InputError
from hummuss.provenance import git_commit

# The shell's convention for a process ended by Ctrl-C.
INTERRUPTED = 130


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``hummuss prepare``, for each dataset its own."""
    datasets = parser.add_subparsers(dest="dataset", metavar="NAME", required=True)
    for name, reader in READERS.items():
        own = datasets.add_parser(name, help=reader.describe, description=reader.describe)
        own.add_argument("raw", type=Path, metavar="RAW", help="where the official files are")
        own.add_argument(
            "out", type=Path, metavar="OUT", help="folder of the store to write; an older store is replaced"
        )
        for flag, settings in reader.options.items():
            own.add_argument(flag, **settings)
        own.add_argument(
            "--workers",
            type=_positive,
            default=os.cpu_count() or 1,
            help="processes that read files (default: %(default)s)",
        )
        own.add_argument(
            "--report",
            type=Path,
            metavar="PREFIX",
            help="write how far body labels miss the capture to PREFIX.csv/.md/.png",
        )


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} must be a whole number above 0")
    return int(text)


def run(args: argparse.Namespace) -> int:
    """Prepare a dataset.

    Returns:
        0: every file is in the store; 1: some failed, each named, the rest is in the store; 130: interrupted,
        and nothing was written.

    Raises:
        InputError: no file could be used, or RAW or OUT can't be; nothing was written.
    """
    console = Console()
    try:
        with _terminate_as_interrupt():
            summary = _prepare(args, console)
    except KeyboardInterrupt:
        console.print("[yellow]interrupted: nothing was written")
        return INTERRUPTED
    if args.report is not None:
        for path in write_residual_report(summary.residuals.rows(), args.report, _origin(args.workers)):
            console.print(f"wrote {path}", highlight=False)
    return 1 if summary.failed else 0


def _origin(workers: int) -> str:
    """One line on how, when and where the report was made."""
    command = shlex.join(["hummuss", *sys.argv[1:]])
    commit = git_commit() or "unknown"
    machine = f"{platform.machine()} CPU, {workers} worker(s)"
    return f"Made by `{command}` on {date.today().isoformat()}, commit {commit}, {machine}."


def _prepare(args: argparse.Namespace, console: Console) -> Summary:
    reader = READERS[args.dataset]
    options = {name: getattr(args, name) for name in (flag.strip("-").replace("-", "_") for flag in reader.options)}
    raw = reader.read(args.raw, **options)
    source: dict[str, object] = {"dataset": args.dataset, "hummuss": __version__}
    with StoreWriter(args.out, source) as writer:
        with _progress(console) as bar:
            task = bar.add_task(f"preparing {args.dataset}", total=raw.total)
            summary = prepare(raw.files, writer, args.dataset, args.workers, lambda: bar.advance(task))
        _print_summary(summary, console)
        if not summary.clips:
            raise InputError(f"none of the {raw.total} files of {args.raw} could be used: see the reasons above")
        source["residual_mm"] = summary.residuals.rows()
        source["failed"] = [[failure.file, failure.reason] for failure in summary.failed]
    console.print(f"store: {args.out}", highlight=False, soft_wrap=True)
    return summary


def _progress(console: Console) -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    return Progress(*columns, TimeElapsedColumn(), TimeRemainingColumn(), console=console)


@contextlib.contextmanager
def _terminate_as_interrupt() -> Iterator[None]:
    """Clean up after SIGTERM, a batch system's way to end a job, as after Ctrl-C."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _print_summary(summary: Summary, console: Console) -> None:
    table = Table("files", "split", "clips", "frames", "hours")
    for key in sorted(summary.clips):
        hours = summary.seconds[key] / 3600
        table.add_row(*key, str(summary.clips[key]), str(summary.frames[key]), f"{hours:.2f}")
    hours = sum(summary.seconds.values()) / 3600
    clips, frames = sum(summary.clips.values()), sum(summary.frames.values())
    table.add_section()
    table.add_row("all", "", str(clips), str(frames), f"{hours:.2f}")
    console.print(table)
    rows = {(row["group"], row["joint"]): row for row in summary.residuals.rows()}
    groups = sorted({group for group, _ in rows})
    if groups:
        residuals = Table("joint", *groups, title="body labels miss the capture by (mean / p95, mm)")
        for joint in (*H36M17.joints, "all"):
            cells = (f"{rows[group, joint]['mean_mm']:.1f} / {rows[group, joint]['p95_mm']:.1f}" for group in groups)
            residuals.add_row(joint, *cells, end_section=joint == H36M17.joints[-1])
        console.print(residuals)
    for failure in summary.failed:
        console.print(f"[red]failed[/red] {failure.file}: {failure.reason}", highlight=False, soft_wrap=True)
