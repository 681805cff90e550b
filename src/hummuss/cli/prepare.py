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
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from hummuss import __version__
from hummuss.body.skeleton import H36M17
from hummuss.cli.messages import INTERRUPTED
from hummuss.cli.progress import progress
from hummuss.console import make_console
from hummuss.data.download import download
from hummuss.data.preparing import prepare, skip_finished
from hummuss.data.readers.fingerprint import fingerprint
from hummuss.data.readers.registry import READERS
from hummuss.data.readers.task import Archive
from hummuss.data.residual_report import write_residual_report
from hummuss.data.store import VERSION, StoreWriter
from hummuss.data.summary import Summary
from hummuss.errors import InputError
from hummuss.provenance import code_hash, commit_name


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
        if reader.archive is not None:
            own.add_argument(
                "--download", action="store_true", help=f"fetch {reader.archive.file} into RAW first, if it isn't there"
            )
            own.add_argument(
                "--download-from", default=reader.archive.url, metavar="URL", help="a mirror (default: %(default)s)"
            )
        own.add_argument(
            "--workers",
            type=_positive,
            default=_allowed_cores(),
            help="processes that read files (default: the cores that this process may use, here %(default)s)",
        )
        own.add_argument(
            "--report",
            type=Path,
            metavar="PREFIX",
            help="write how far body labels miss the capture to PREFIX.csv/.md/.png",
        )


def _allowed_cores() -> int:
    """A batch system lends few of a machine's many."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} must be a whole number above 0")
    return int(text)


def run(args: argparse.Namespace) -> int:
    """Prepare a dataset.

    Returns:
        0: every file is in the store; 1: some failed, each named, the rest is in the store; 130: interrupted, no
        store was written, and the same command continues.

    Raises:
        InputError: no file could be used, or RAW or OUT can't be; no store was written.
    """
    console = make_console()
    try:
        with _terminate_as_interrupt():
            summary = _prepare(args, console)
    except KeyboardInterrupt:
        console.print("[yellow]interrupted: no store was written")
        return INTERRUPTED
    if args.report is not None:
        for path in write_residual_report(summary.residuals.rows(), args.report, _origin(args.workers)):
            console.print(f"wrote {path}", highlight=False)
    return 1 if summary.failed else 0


def _origin(workers: int) -> str:
    """One line on how, when and where the report was made."""
    command = shlex.join(["hummuss", *sys.argv[1:]])
    commit = commit_name()
    machine = f"{platform.machine()} CPU, {workers} worker(s)"
    return f"Made by `{command}` on {date.today().isoformat()}, commit {commit}, {machine}."


def _prepare(args: argparse.Namespace, console: Console) -> Summary:
    reader = READERS[args.dataset]
    options = {name: getattr(args, name) for name in (flag.strip("-").replace("-", "_") for flag in reader.options)}
    if reader.archive is not None and args.download:
        _download(reader.archive, args, console)
    raw = reader.read(args.raw, **options)
    source: dict[str, object] = {"dataset": args.dataset, "hummuss": __version__}
    key = _key(args.dataset, args.raw, options) | {"what RAW holds": raw.fingerprint}
    with StoreWriter(args.out, source, key) as writer:
        try:
            before = writer.files
            files = skip_finished(raw.files, writer)
            if writer.files < before:
                again = f"{before - writer.files} of {before} finished ones are read anew"
                console.print(f"RAW lists other files than before: {again}", highlight=False)
            _print_start(writer, raw.total, console)
            with progress(console, f"preparing {args.dataset}", raw.total, writer.files) as advance:
                summary = prepare(files, writer, args.dataset, args.workers, lambda: advance(1))
        except BaseException:
            _print_kept(writer, raw.total, console)
            raise
        _print_summary(summary, console)
        for note in raw.notes:
            console.print(f"[yellow]note[/yellow] {escape(note)}", highlight=False, soft_wrap=True)
        if not summary.clips:
            raise InputError(f"none of the {raw.total} files of {args.raw} could be used: see the reasons above")
        source["notes"] = list(raw.notes)
        source["residual_mm"] = summary.residuals.rows()
        source["failed"] = [[failure.file, failure.reason] for failure in summary.failed]
        source["left_out"] = summary.left_out
    console.print(f"store: {args.out}", highlight=False, markup=False, soft_wrap=True)
    return summary


def _download(archive: Archive, args: argparse.Namespace, console: Console) -> None:
    path = args.raw / archive.file
    if path.exists():
        console.print(f"{path} is there already", highlight=False, markup=False, soft_wrap=True)
        return
    console.print(f"fetching {args.download_from}", highlight=False, markup=False, soft_wrap=True)
    show = partial(progress, console, f"fetching {archive.file}", data=True)
    download(args.download_from, path, archive.check, show)


def _key(dataset: str, raw: Path, options: dict[str, Any]) -> dict[str, Any]:
    """What decides the content of a store: an interrupted run is continued where all of it is the same."""
    given = {
        name: [str(value.resolve()), fingerprint([value])] if isinstance(value, Path) else str(value)
        for name, value in options.items()
    }
    code = code_hash("data", "body")
    return {"dataset": dataset, "RAW": str(raw.resolve()), "options": given, "code": code, "store version": VERSION}


def _print_start(writer: StoreWriter, total: int, console: Console) -> None:
    if writer.discarded is not None:
        line = f"starting afresh: {writer.partial}, left by an interrupted run, is of no use ({writer.discarded})"
    elif writer.files:
        line = f"continuing an interrupted run: {writer.files} of {total} files are already done"
    else:
        return
    console.print(line, highlight=False, markup=False, soft_wrap=True)


def _print_kept(writer: StoreWriter, total: int, console: Console) -> None:
    if writer.resumable:
        line = f"{writer.files} of {total} files are done and kept in {writer.partial}: the same command continues"
        console.print(line, highlight=False, markup=False, soft_wrap=True)


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
    for reason, names in summary.left_out.items():
        console.print(
            f"left out {len(names)}: {reason} ({names[0]}{', ...' * (len(names) > 1)})", highlight=False, markup=False
        )
    for failure in summary.failed:
        said = escape(f"{failure.file}: {failure.reason}")
        console.print(f"[red]failed[/red] {said}", highlight=False, soft_wrap=True)
