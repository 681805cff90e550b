"""Measure the backbones at base size beside MotionBERT-Lite's attention: time, memory, streaming."""

import argparse
import csv
import math
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import repeat
from pathlib import Path

from hummuss.cli.arguments import count, count_or_none
from hummuss.cli.pages import add_out, write_rows
from hummuss.cli.run_setting import add_run_setting
from hummuss.errors import InputError
from hummuss.evaluation.speed import (
    BASE,
    CAUSAL,
    COLUMNS,
    EVEN,
    IRREGULAR,
    MODELS,
    Entry,
    Row,
    Setting,
    default_clips,
    entries_of,
    entry_cost,
    measure,
)
from hummuss.evaluation.speed_page import TITLES, place_of, write_page
from hummuss.evaluation.speed_process import peak_memory, stream_afresh
from hummuss.provenance import commit_name

KEY = ("model", "mode", "intervals", "frames", "batch", "device", "threads", "precision")
ORDER = (CAUSAL, *MODELS)
COUNTS = ("frames", "batch", "threads", "params", "multiply_adds_per_frame")
TIMES = ("ms_median", "ms_min")
GPU_PROCESSES = 8  # that find their peak memory at a time
ALL_COLUMNS = (*COLUMNS, "state_bytes", "commit")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    add_out(parser, Path("docs/results/speed"))
    parser.add_argument("--models", nargs="+", default=list(MODELS), help="without dstformer-lite there is no ratio")
    parser.add_argument("--frames", nargs="*", type=count, default=[27, 81, 243, 729, 2187], help="clip lengths")
    text = f"one more clip length, for inference of {BASE} alone; 0: none"
    parser.add_argument("--longest", type=count_or_none, default=8192, help=text)
    parser.add_argument(
        "--stream", type=count_or_none, default=100_000, help="frames streamed before the second timing; 0: none"
    )
    parser.add_argument("--seconds", type=float, default=20.0, help="time for the rounds of one length and mode")
    parser.add_argument("--no-memory", action="store_true", help="leave out peak memory, a process per row")
    add_run_setting(parser)


def run(arguments: argparse.Namespace) -> int:
    """Measure, merge into OUT.csv after every length and mode (a row measured again is replaced), write the page.

    Raises:
        InputError: a table that cannot be read, or nothing to show.
    """
    path = arguments.out.with_suffix(".csv")
    table = _read(path) if path.exists() else []  # first: a table that cannot be read costs no hours
    commit = commit_name()
    for rows in _measure(arguments):
        table = _merge(table, [row | {"commit": commit} for row in rows])
        write_rows(path, ALL_COLUMNS, table)
    if not table:
        raise InputError("nothing was measured: give --frames or --stream, or a machine with more free memory")
    write_page(arguments.out, table)
    print(f"wrote {arguments.out.with_suffix('.md')}, its CSV and its picture")
    return 0


def _measure(arguments: argparse.Namespace) -> Iterator[list[Row]]:
    """Rows of one length and mode after the other, then those of streaming; says what was found, and when."""
    began = time.monotonic()

    def tell(setting: Setting, entry: Entry, text: str) -> None:
        place = f"{setting.mode}, {setting.frames} frames, {entry.model}, {entry.intervals}"
        print(f"{(time.monotonic() - began) / 60:6.1f} min: {place}: {text}", flush=True)

    for frames, modes, entries in _plan(arguments):
        costs = {entry: entry_cost(entry, frames, arguments.device) for entry in entries}
        clips = arguments.clips or default_clips(frames)
        for mode in modes:
            setting = Setting(mode, frames, clips, arguments.device, arguments.precision)
            peaks = {} if arguments.no_memory else _peaks(entries, setting)
            for entry, peak in peaks.items():
                tell(setting, entry, "no room in memory" if peak is None else f"{peak} MB at most")
            fitting = [entry for entry in entries if arguments.no_memory or peaks[entry] is not None]
            rows = measure(fitting, setting, costs, arguments.seconds) if fitting else []
            for entry, row in zip(fitting, rows, strict=True):
                tell(setting, entry, f"{row['ms_median']} ms in {row['rounds']} rounds, floor {row['floor_ms']} ms")
            yield [row | {"peak_mb": peaks.get(entry)} for entry, row in zip(fitting, rows, strict=True)]
    if arguments.stream:
        rows = stream_afresh(arguments.stream, arguments.device)
        for row in rows:
            setting = Setting("stream", row["frames"], 1, arguments.device, "32")
            tell(setting, Entry(row["model"]), f"{row['ms_median']} ms, floor {row['floor_ms']} ms")
        yield rows


def _peaks(entries: Sequence[Entry], setting: Setting) -> dict[Entry, int | None]:
    """Peak memory of each entry. A GPU counts it by process: there several, which take long to start, run at a time."""
    if setting.device == "cpu":
        return {entry: peak_memory(entry, setting) for entry in entries}
    with ThreadPoolExecutor(GPU_PROCESSES) as pool:
        found = list(pool.map(peak_memory, entries, repeat(setting)))
    # Side by side they may have left each other no room.
    return {
        entry: peak_memory(entry, setting) if peak is None else peak for entry, peak in zip(entries, found, strict=True)
    }


def _plan(arguments: argparse.Namespace) -> Iterator[tuple[int, list[str], list[Entry]]]:
    """Lengths, and what is run at each."""
    for frames in arguments.frames:
        yield frames, arguments.modes, entries_of(arguments.models)
    longest = arguments.longest
    if longest and longest not in arguments.frames and BASE in arguments.models and "infer" in arguments.modes:
        yield longest, ["infer"], [Entry(BASE)]


def _merge(known: Sequence[dict[str, str]], rows: Sequence[Row]) -> list[dict[str, str]]:
    """The rows of the table, sorted, after the new ones took their places."""
    new = [{column: "" if row.get(column) is None else str(row[column]) for column in ALL_COLUMNS} for row in rows]
    # Streaming is one measurement, told at whatever frames were asked for: a new one replaces all of the last.
    streamed = {place_of(row) for row in new if row["mode"] == "stream"}
    kept = [row for row in known if row["mode"] != "stream" or place_of(row) not in streamed]
    merged = {tuple(row[key] for key in KEY): row for row in [*kept, *new]}
    return sorted(
        merged.values(),
        key=lambda row: (
            *(row["device"], int(row["threads"]), row["precision"], row["mode"], int(row["frames"])),
            *(ORDER.index(row["model"]), row["intervals"], int(row["batch"])),
        ),
    )


def _read(path: Path) -> list[dict[str, str]]:
    """Rows of earlier measurements; a column that an older version did not write is empty, its intervals were even.

    Raises:
        InputError: a row that cannot be shown, and so would be lost or end the page half written.
    """
    with open(path, newline="") as file:
        reader = csv.DictReader(file)
        rows = [{column: row.get(column) or "" for column in ALL_COLUMNS} for row in reader]
    for number, row in enumerate(rows, 2):
        row["intervals"] = row["intervals"] or EVEN
        known = row["model"] in ORDER and row["intervals"] in (EVEN, IRREGULAR) and row["mode"] in TITLES
        counted = all(row[column].isdigit() for column in COUNTS)
        if not known or not counted or not all(_is_number(row[column]) for column in TIMES):
            raise InputError(
                f"{path}, row {number} is no measurement of {', '.join(ORDER)}, {EVEN} or {IRREGULAR}, of "
                f"{', '.join(TITLES)}, with whole {', '.join(COUNTS)} and {' and '.join(TIMES)} in numbers: mend it, "
                "move the file away, or give another --out"
            )
    return rows


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False
