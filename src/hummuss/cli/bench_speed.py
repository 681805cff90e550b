"""Measure the backbones at base size beside MotionBERT-Lite's attention: time, memory, streaming."""

import argparse
import csv
import math
from datetime import date
from pathlib import Path

import torch
from matplotlib.figure import Figure

from hummuss.cli.pages import add_out, write_rows
from hummuss.errors import InputError
from hummuss.evaluation.speed import BASELINE, COLUMNS, MODELS, Row, measure, peak_memory, stream_afresh
from hummuss.provenance import git_commit

KEY = ("model", "mode", "frames", "batch", "device", "threads", "precision")
ORDER = ("hummuss-causal", *MODELS)
COUNTS = ("frames", "batch", "params", "multiply_adds_per_frame")
ALL_COLUMNS = (*COLUMNS, "state_bytes", "commit")
STYLES = {"hummuss-base": "#0072B2", "hummuss-e2": "#56B4E9", "hummuss-e4": "#009E73", BASELINE: "#D55E00"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    add_out(parser, Path("docs/results/speed"))
    parser.add_argument("--models", nargs="+", default=list(MODELS), help="without dstformer-lite there is no ratio")
    parser.add_argument("--frames", nargs="*", type=int, default=[27, 81, 243, 729, 2187], help="clip lengths")
    parser.add_argument("--modes", nargs="+", default=["train", "infer"], choices=["train", "infer"])
    parser.add_argument("--stream", type=int, default=100_000, help="frames streamed before the second timing; 0: none")
    parser.add_argument("--seconds", type=float, default=60.0, help="time for the rounds of one length and mode")
    parser.add_argument("--no-memory", action="store_true", help="leave out peak memory, a process per cell")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--precision", default="32", choices=["32", "bf16"])


def run(arguments: argparse.Namespace) -> int:
    """Measure, merge into OUT.csv (a cell measured again replaces its row), write OUT.md and OUT.png."""
    table = arguments.out.with_suffix(".csv")
    known = _read(table) if table.exists() else []  # first: a table that cannot be read costs no hours
    models = list(dict.fromkeys(arguments.models))
    place = (arguments.device, arguments.precision)
    rows: list[Row] = []
    for frames in arguments.frames:
        for mode in arguments.modes:
            batch = max(1, 243 // frames)
            found = measure(models, mode, frames, batch, *place, arguments.seconds)
            for row in found:
                if not arguments.no_memory:
                    row["peak_mb"] = peak_memory(row["model"], mode, frames, batch, *place)
                print(
                    {key: row[key] for key in ("model", "mode", "frames", "ms_median", "ratio_to_dstformer", "peak_mb")}
                )
            rows += found
    if arguments.stream:
        rows += stream_afresh(arguments.stream, arguments.device)
    rows = _merge(table, known, [row | {"commit": git_commit()} for row in rows])
    _write(arguments.out, rows)
    print(f"wrote {arguments.out.with_suffix('.md')}, its CSV and its picture")
    return 0


def _merge(path: Path, known: list[dict[str, str]], rows: list[Row]) -> list[dict[str, str]]:
    """Write the rows of the table, sorted, after the new ones took their places."""
    new = [{column: "" if row.get(column) is None else str(row[column]) for column in ALL_COLUMNS} for row in rows]
    merged = {tuple(row[key] for key in KEY): row for row in [*known, *new]}
    ordered = sorted(
        merged.values(),
        key=lambda row: (row["device"], row["precision"], row["mode"], int(row["frames"]), ORDER.index(row["model"])),
    )
    write_rows(path, ALL_COLUMNS, ordered)
    return ordered


def _read(path: Path) -> list[dict[str, str]]:
    """Rows of earlier measurements; a column that an older version did not write is empty.

    Raises:
        InputError: a row that cannot be shown, and so would be lost or end the page half written.
    """
    with open(path, newline="") as file:
        reader = csv.DictReader(file)
        rows = [{column: row.get(column) or "" for column in ALL_COLUMNS} for row in reader]
    for number, row in enumerate(rows, 2):
        if row["model"] not in ORDER or not all(row[column].isdigit() for column in COUNTS):
            raise InputError(
                f"{path}, row {number} is no measurement of {', '.join(ORDER)} with whole {', '.join(COUNTS)}: "
                "mend it, move the file away, or give another --out"
            )
    return rows


def _write(out: Path, rows: list[dict[str, str]]) -> None:
    lines = [
        "# Speed and memory against attention",
        "",
        f"Written by `hummuss bench speed` on {date.today()}; every figure is in {out.name}.csv. All models 256 wide, "
        "five layers, representation of 512; the baseline is DSTformer at MotionBERT-Lite's size through 4-D "
        "scaled_dot_product_attention. A train step is forward and backward without the optimiser. Models interleaved "
        "in one process; peak memory of a fresh process per cell, above what Python and torch take. `ratio` is "
        "DSTformer's median time over the row's, measured in the same rounds: above 1 is quicker than attention. "
        "Streaming has one fresh process, whose memory is told after as many frames. "
        "`floor` is what the machine allows: the run's matrix products at the rate of one large product, or the bytes "
        "that its operators read and write, unfused, at the rate of one large copy, whichever takes longer; both rates "
        "measured just before. Operators whose operands fit a cache can move them quicker than that.",
        "",
    ]
    for device, precision in dict.fromkeys((row["device"], row["precision"]) for row in rows):
        here = [row for row in rows if (row["device"], row["precision"]) == (device, precision)]
        commits = ", ".join(sorted({row["commit"] for row in here}))
        lines += [f"## {device}, {precision} bit, commit {commits}".replace("bf16 bit", "bf16"), ""]
        for mode, title in {"train": "Train step", "infer": "Offline inference", "stream": "Streaming"}.items():
            lines += _table(title, [row for row in here if row["mode"] == mode])
        lines += _slopes(here)
    lines += [f"![time against frames]({out.name}.png)", ""]
    out.with_suffix(".md").write_text("\n".join(lines))
    _draw(out.with_suffix(".png"), rows)


def _table(title: str, rows: list[dict[str, str]]) -> list[str]:
    if not rows:
        return []
    lines = [
        f"### {title}",
        "",
        "| frames | batch | model | params, M | multiply-adds per frame, M | ms, median | ms, min |",
    ]
    lines[-1] += " rounds | floor, ms | peak, MB | ratio |" + (" state, bytes |" if title == "Streaming" else "")
    lines.append("|---|---|---|---|---|---|---|---|---|---|---|" + ("---|" if title == "Streaming" else ""))
    for row in rows:
        cells = [row["frames"], row["batch"], row["model"], f"{int(row['params']) / 1e6:.1f}"]
        cells += [f"{int(row['multiply_adds_per_frame']) / 1e6:.0f}", row["ms_median"], row["ms_min"], row["rounds"]]
        cells += [row["floor_ms"] or "-", row["peak_mb"] or "-", row["ratio_to_dstformer"] or "-"]
        cells += [row["state_bytes"] or "-"] if title == "Streaming" else []
        lines.append("| " + " | ".join(cells) + " |")
    return [*lines, ""]


def _slopes(rows: list[dict[str, str]]) -> list[str]:
    """How time grows with frames, as the log-log slope between 243 and the longest clip at one batch size."""
    lines = []
    for mode in ("train", "infer"):
        times = {
            int(r["frames"]): float(r["ms_median"]) for r in rows if (r["model"], r["mode"]) == ("hummuss-base", mode)
        }
        longest = max(times, default=0)
        if longest > 243 and 243 in times:
            slope = math.log(times[longest] / times[243]) / math.log(longest / 243)
            lines.append(f"- {mode}: log-log slope of hummuss-base between 243 and {longest} frames: {slope:.2f}")
    return [*lines, ""] if lines else []


def _draw(path: Path, rows: list[dict[str, str]]) -> None:
    """Milliseconds per frame against frames, one panel a mode."""
    figure = Figure(figsize=(9, 4), layout="constrained")
    for axes, mode in zip(figure.subplots(1, 2), ("train", "infer"), strict=True):
        for model, colour in STYLES.items():
            points = [row for row in rows if (row["model"], row["mode"]) == (model, mode)]
            if not points:
                continue
            frames = [int(row["frames"]) for row in points]
            per_frame = [float(row["ms_median"]) / int(row["batch"]) / int(row["frames"]) for row in points]
            axes.plot(frames, per_frame, "o-", color=colour, label=model)
        axes.set_xscale("log")
        shown = sorted({int(row["frames"]) for row in rows if row["mode"] == mode})
        axes.set_xticks(shown, [str(frames) for frames in shown])
        axes.minorticks_off()
        axes.set_ylim(bottom=0)
        axes.set_title({"train": "train step", "infer": "offline inference"}[mode])
        axes.set_xlabel("frames in a clip")
        axes.set_ylabel("ms per frame")
        axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    figure.savefig(path, dpi=120)
