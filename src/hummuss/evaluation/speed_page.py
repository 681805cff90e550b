"""The page of the benchmark of speed: tables and what follows from them, computed from its rows, and a picture."""

import math
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from hummuss.evaluation.pages import COLORS, finish, table, values
from hummuss.evaluation.speed import (
    BASE,
    BASELINE,
    BATCH_FRAMES,
    EVEN,
    IRREGULAR,
    ROUNDS,
    SLOW_ROUNDS,
    SLOW_SECONDS,
    Entry,
    default_clips,
    precision_name,
)

TITLES = {"train": "Train step", "infer": "Offline inference", "stream": "Streaming"}
TWIN = "hummuss-e1"  # the same model as BASE
# What BASE set out to reach on a processor: how many times as quick as attention, by frames; times its memory.
TIMES_AS_QUICK = {27: 1.0, 81: 1.0, 243: 1.5, 729: 2.0, 2187: 3.5}
MOST_MEMORY = 1.2
STEEPEST = 1.15  # log-log slope against frames
FIRST = 243  # frames from which on all batches are of one clip, so that slopes compare like with like
STYLES = {
    Entry(BASE): (COLORS["hummuss"], "-"),
    Entry(BASE, IRREGULAR): (COLORS["hummuss"], ":"),
    Entry("hummuss-e2"): (COLORS["hummuss-causal"], "-"),
    Entry("hummuss-e4"): ("#009E73", "-"),
    Entry(BASELINE): (COLORS["dstformer"], "-"),
}

Row = dict[str, str]


class Place(NamedTuple):
    """Where rows were measured: only rows of one place are compared."""

    device: str
    threads: str
    precision: str
    clips: str  # in a batch, empty where they are as many as by default

    def __str__(self) -> str:
        threads = "" if self.device.endswith(" threads") else f", {self.threads} threads"
        return f"{self.device}{threads}, {precision_name(self.precision)}" + (
            f", batches of {self.clips}" if self.clips else ""
        )


def write_page(out: Path, rows: Sequence[Row]) -> None:
    """Write OUT.md and OUT.png.

    Args:
        out: path without an ending.
        rows: of the table OUT.csv, in the order in which they are shown.
    """
    places = {place: [row for row in rows if place_of(row) == place] for place in dict.fromkeys(map(place_of, rows))}
    lines = [*_introduction(out.name), ""]
    for place, here in places.items():
        lines += [f"## {place}, commit {values(here, 'commit')}", ""]
        for mode in TITLES:
            lines += _table(mode, [row for row in here if row["mode"] == mode])
        notes = [*_targets(here), *_slopes(here), *_noise(here), *_gaps(here)]
        lines += [*notes, ""] if notes else []
    out.with_suffix(".md").write_text("\n".join([*lines, f"![time against frames]({out.name}.png)", ""]))
    _draw(out.with_suffix(".png"), places)


def place_of(row: Row) -> Place:
    """Where a row was measured."""
    asked = row["mode"] != "stream" and int(row["batch"]) != default_clips(int(row["frames"]))
    return Place(row["device"], row["threads"], row["precision"], str(row["batch"]) if asked else "")


def _introduction(name: str) -> list[str]:
    return [
        "# Speed and memory against attention",
        "",
        f"Written by `hummuss bench speed` on {date.today()}; every figure is in {name}.csv. All models 256 wide, "
        "five layers, representation of 512; the baseline is DSTformer at MotionBERT-Lite's size through 4-D "
        "scaled_dot_product_attention. A section for each device, number of threads and precision, and for each size "
        f"of batches other than the default, as many clips as {BATCH_FRAMES} frames hold.",
        "",
        "- **Times**: a train step is forward and backward without the optimiser. All models of a length and mode are "
        f"interleaved in one process, warmed up, in at least {ROUNDS} rounds, {SLOW_ROUNDS} where the slowest takes "
        f"{SLOW_SECONDS:.0f} s or more. `ratio` is DSTformer's median time over the row's, of the same rounds: above 1 "
        "is quicker than attention.",
        f"- **The same model twice**: {BASE} has e = 1, it is {TWIN}. What differs between their rows of one "
        "commit is noise.",
        f"- **Targets**, set for a processor and told of every device: {BASE} at least "
        f"{_listed([f'{times:g}' for times in TIMES_AS_QUICK.values()])} times as quick as attention at "
        f"{_listed(list(map(str, TIMES_AS_QUICK)))} frames, in at most {MOST_MEMORY:g} times its memory; log-log "
        f"slopes of time and of memory against frames of at most {STEEPEST:g}, where 1 is linear.",
        f"- **Intervals**: `{EVEN}` frames are 1/50 s apart, and HumMUSS convolves; `{IRREGULAR}` ones are 0.5 to 1.5 "
        "times that, drawn for each frame, and it scans. DSTformer looks at no interval: its one row is what both are "
        "compared with.",
        f"- **The longest clip** is run by {BASE} alone, evenly spaced and in inference: attention's time grows "
        "with the square of the frames, and training keeps what the backward pass needs of every frame, at that length "
        "more than a machine of 24 GB holds. So the slope of a train step ends where attention does.",
        "- **Peak memory** is that of one run in a fresh process, above what Python and torch take. What free memory "
        "does not hold is not timed.",
        "- **Streaming** has one fresh process, whose memory is told after as many frames.",
        "- **`floor`** is what the machine allows: the matrix products of a run such as those that are timed (kernels "
        "that inference keeps are not made in it) at the rate of one large product, or the bytes that its operators "
        "read and write, unfused, at the rate of one large copy, whichever takes longer. Both rates are measured "
        "before and after the rounds, and the best that was reached counts. Operators whose operands fit a cache can "
        "move them quicker than that.",
    ]


def _table(mode: str, rows: Sequence[Row]) -> list[str]:
    if not rows:
        return []
    columns: dict[str, Callable[[Row], str]] = {
        "frames": lambda row: row["frames"],
        "batch": lambda row: row["batch"],
        "model": lambda row: row["model"],
        "intervals": lambda row: row["intervals"],
        "params, M": lambda row: f"{int(row['params']) / 1e6:.1f}",
        "multiply-adds per frame, M": lambda row: f"{int(row['multiply_adds_per_frame']) / 1e6:.0f}",
        "ms, median": lambda row: row["ms_median"],
        "ms, min": lambda row: row["ms_min"],
        "rounds": lambda row: row["rounds"],
        "floor, ms": lambda row: row["floor_ms"] or "-",
        "peak, MB": lambda row: row["peak_mb"] or "-",
        "ratio": lambda row: row["ratio_to_dstformer"] or "-",
    }
    if mode == "stream":
        columns["state, bytes"] = lambda row: row["state_bytes"] or "-"
    cells = [[show(row) for show in columns.values()] for row in rows]
    return [f"### {TITLES[mode]}", "", *table(list(columns), cells)]


def _targets(rows: Sequence[Row]) -> list[str]:
    """Times as quick as attention, at the frames of the targets, and the share of its memory, wherever it is known."""
    lines = []
    for mode in ("train", "infer"):
        of_entry: dict[Entry, dict[int, Row]] = {}
        for row in rows:
            if row["mode"] == mode:
                of_entry.setdefault(_entry(row), {})[int(row["frames"])] = row
        for intervals in (EVEN, IRREGULAR):
            own = of_entry.get(Entry(BASE, intervals), {})
            told = [*_quickness(own), *_memory(own, of_entry.get(Entry(BASELINE), {}))]
            lines += [f"- {mode}, {intervals} intervals, {BASE}: {'; '.join(told)}"] if told else []
    return lines


def _quickness(own: Mapping[int, Row]) -> list[str]:
    """How many times as quick as attention, by frames; nothing where that is known at no length."""
    ratios = {frames: own[frames]["ratio_to_dstformer"] for frames in TIMES_AS_QUICK if frames in own}
    told = [_judged(f"{ratio} at {at}", float(ratio) >= TIMES_AS_QUICK[at]) for at, ratio in ratios.items() if ratio]
    missing = [str(frames) for frames in TIMES_AS_QUICK if not ratios.get(frames)]
    gaps = [f"not measured in the same rounds at {', '.join(missing)}"] if missing else []
    return [f"times as quick as attention: {', '.join([*told, *gaps])}"] if told else []


def _memory(own: Mapping[int, Row], attention: Mapping[int, Row]) -> list[str]:
    """How many times attention's peak memory, by frames; nothing where that is known at no length."""
    told = []
    for frames in own:
        if own[frames]["peak_mb"] and frames in attention and attention[frames]["peak_mb"]:
            share = float(own[frames]["peak_mb"]) / float(attention[frames]["peak_mb"])
            told.append(_judged(f"{share:.2f} at {frames}", share <= MOST_MEMORY))
    return [f"times its memory: {', '.join(told)}"] if told else []


def _judged(figure: str, reached: bool) -> str:
    return figure if reached else f"{figure} **no**"


def _listed(words: Sequence[str]) -> str:
    """Words as a sentence has them.

    >>> _listed(["a", "b", "c"])
    'a, b and c'
    """
    return f"{', '.join(words[:-1])} and {words[-1]}"


def _slopes(rows: Sequence[Row]) -> list[str]:
    """How time and memory grow with frames, from 243 to the longest clip at one batch size."""
    lines = []
    for mode in ("train", "infer"):
        for intervals in (EVEN, IRREGULAR):
            entry = Entry(BASE, intervals)
            told = [
                *_slope("time", _times(rows, mode, entry)),
                *_slope("peak memory", _figures(rows, mode, entry, "peak_mb")),
            ]
            lines += [f"- {mode}, {intervals} intervals, log-log slopes of {BASE}: {'; '.join(told)}"] if told else []
    return lines


def _slope(what: str, figures: Mapping[int, float]) -> list[str]:
    """The log-log slope of figures against frames; nothing where they are known at no two lengths."""
    longest = max(figures, default=0)
    if longest <= FIRST or FIRST not in figures:
        return []
    slope = math.log(figures[longest] / figures[FIRST]) / math.log(longest / FIRST)
    return [_judged(f"{what} {slope:.2f} from {FIRST} to {longest} frames", slope <= STEEPEST)]


def _noise(rows: Sequence[Row]) -> list[str]:
    """How far the two rows of one model are apart, where they are of one commit."""
    apart = []
    for commit in dict.fromkeys(row["commit"] for row in rows):
        own = [row for row in rows if row["commit"] == commit]
        for mode in ("train", "infer"):
            one, other = (_times(own, mode, Entry(model)) for model in (BASE, TWIN))
            apart += [abs(one[frames] / other[frames] - 1) for frames in one.keys() & other.keys()]
    return [f"- {BASE} and {TWIN}, one model, are up to {100 * max(apart):.0f} % apart in time"] if apart else []


def _gaps(rows: Sequence[Row]) -> list[str]:
    """What is missing beside attention, of the entries that there are at other lengths."""
    lines = []
    for mode in ("train", "infer"):
        there = {(int(row["frames"]), _entry(row)) for row in rows if row["mode"] == mode}
        entries = dict.fromkeys(_entry(row) for row in rows if row["mode"] != "stream")
        for frames in sorted(frames for frames, entry in there if entry.model == BASELINE):
            missing = [entry for entry in entries if (frames, entry) not in there]
            if missing:
                names = ", ".join(entry.model if entry.intervals == EVEN else " ".join(entry) for entry in missing)
                lines.append(f"- {mode}: not measured at {frames} frames: {names}")
    return lines


def _times(rows: Sequence[Row], mode: str, entry: Entry) -> dict[int, float]:
    """Median milliseconds of an entry by frames."""
    return _figures(rows, mode, entry, "ms_median")


def _figures(rows: Sequence[Row], mode: str, entry: Entry, column: str) -> dict[int, float]:
    """A column of an entry by frames, where it has been measured."""
    chosen = (row for row in rows if row["mode"] == mode and _entry(row) == entry and row[column])
    return {int(row["frames"]): float(row[column]) for row in chosen}


def _entry(row: Row) -> Entry:
    return Entry(row["model"], row["intervals"])


def _draw(path: Path, places: dict[Place, list[Row]]) -> None:
    """Milliseconds per frame against frames, a row of panels for each place, one panel a mode."""
    figure = Figure(figsize=(9, 4 * len(places)), layout="constrained")
    for pair, (place, rows) in zip(figure.subplots(len(places), 2, squeeze=False), places.items(), strict=True):
        for axes, mode in zip(pair, ("train", "infer"), strict=True):
            _panel(axes, [row for row in rows if row["mode"] == mode])
            finish(axes, f"{TITLES[mode]}\n{place}", "frames in a clip")
    shown = {label: line for axes in figure.axes for line, label in zip(*axes.get_legend_handles_labels(), strict=True)}
    if shown:
        figure.legend(shown.values(), shown.keys(), loc="outside lower center", ncols=3, fontsize=8, frameon=False)
    figure.savefig(path, dpi=120)


def _panel(axes: Axes, rows: Sequence[Row]) -> None:
    for entry, (color, line) in STYLES.items():
        points = [row for row in rows if _entry(row) == entry]
        if points:
            frames = [int(row["frames"]) for row in points]
            per_frame = [float(row["ms_median"]) / int(row["batch"]) / int(row["frames"]) for row in points]
            label = entry.model if entry.intervals == EVEN else f"{entry.model}, {entry.intervals} intervals"
            axes.plot(frames, per_frame, color=color, ls=line, marker="o", label=label)
    axes.set_xscale("log")
    shown = sorted({int(row["frames"]) for row in rows})
    axes.set_xticks(shown, [str(frames) for frames in shown])
    axes.minorticks_off()
    axes.set_ylim(bottom=0)
    axes.set_ylabel("ms per frame", fontsize=8)
