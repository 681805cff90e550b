"""The page of a comparison on long sequences: verdicts and tables computed from its rows, and a picture."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import mean
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from hummuss.evaluation.kept_rows import Row
from hummuss.evaluation.long import SPANS
from hummuss.evaluation.long_errors import (
    Errors,
    Model,
    Pair,
    Way,
    by_model,
    by_position,
    model_of,
    pairs,
    streams_for_whole,
)
from hummuss.evaluation.pages import COLORS, finish, spread, table, trained, values, whose

MOST_WORSE = 2.0  # per cent that target (b) of the claims allows spans
SOURCES = {
    "capture": "real spans",
    "ping-pong": "clips played forwards and backwards in turn",
    "synthetic": "long performances",
}
# As drawn; a stream equals one piece.
MODES: dict[str, str | tuple[int, tuple[int, ...]]] = {
    "windows": ":",
    "adjacent": "-.",
    "adjacent-mirrored": (0, (4, 1, 1, 1, 1, 1)),
    "whole": "-",
    "mirrored": "--",
}
CALLED = {
    "windows": "windows",
    "adjacent": "adjacent windows",
    "adjacent-mirrored": "adjacent windows, mirrored too",
    "whole": "one piece",
    "mirrored": "one piece, mirrored too",
}


def write_page(out: Path, rows: Sequence[Row], command: str) -> None:
    """Write OUT.md and OUT.png.

    Args:
        out: path without an ending.
        rows: of `compare_lengths`.
        command: what wrote them, in full.
    """
    lines = [
        "# Long sequences",
        "",
        f"Written by `{command}`; every figure is in {out.name}.csv. Root-relative MPJPE in mm; mean ± standard "
        f"deviation over seeds. Models were trained on windows of {values(rows, 'window')} frames. Every sequence is "
        "seen once, by one camera that holds all of it in view; spans are cut from the same frames, so all are scored "
        "at the same moments on the same detections. *Windows* are as long as in training, half overlapping and "
        "averaged, as `hummuss predict` makes them, which costs twice as much as *one piece*, the sequence at once. "
        "*Adjacent* windows predict a frame once, as one piece does: between the two kinds of windows lies what "
        "averaging brings. *Mirrored too*: the mean of a prediction and of the mirrored sequence's, mirrored back: "
        "two for each frame. How much worse one piece is stands with the standard deviation of that over "
        "seeds. *Ping-pong*: a clip played forwards and backwards in turn, with detection "
        "errors drawn afresh for every frame: longer than any capture, but no real motion of that length. "
        f"{trained(rows)} Seeds {values(rows, 'seed')}. Commit {values(rows, 'commit')}; {values(rows, 'device')}.",
        "",
    ]
    for dataset in dict.fromkeys(row["dataset"] for row in rows):
        own = [row for row in rows if row["dataset"] == dataset]
        people = {SOURCES[row["source"]]: row["subjects"] for row in own if row["subjects"]}
        clips = "; ".join(f"{source} {subjects}" for source, subjects in people.items())
        lines += [f"## {dataset}", "", *whose("Clips", clips)]
        lines += [*(f"- {sentence}" for sentence in sentences(own)), "", *_table(own)]
    lines += [f"![error against span, and against position in a sequence]({out.name}.png)", ""]
    out.with_suffix(".md").write_text("\n".join(lines))
    draw(out.with_suffix(".png"), rows)


def sentences(rows: Sequence[Row]) -> list[str]:
    """What the rows of one dataset show, by their means: target (b) for each model, drift, and streaming."""
    window = rows[0]["window"]
    said = []
    if not any(row["frames"] == max(SPANS) * window for row in rows):
        said.append(f"No clip has {max(SPANS) * window} frames at the base rate: there are no real spans.")
    for model, errors in by_model(rows).items():
        found = pairs(errors)
        if not found:
            said.append(f"**{model.label}** takes no sequence longer than its windows in one piece.")
        elif not_run := _not_run(errors):
            said.append(f"**{model.label}**: not run in one piece, which the memory did not hold: {not_run}.")
        adjacent = pairs(errors, against="adjacent")
        mirrored = pairs(errors, "mirrored", against="adjacent-mirrored")
        for source in dict.fromkeys(way.source for way in found):
            own = {way.frames: pair for way, pair in found.items() if way.source == source}
            once = {way.frames: pair for way, pair in adjacent.items() if way.source == source}
            twice = {way.frames: pair for way, pair in mirrored.items() if way.source == source}
            spans = [size * window for size in SPANS[1:] if size * window in own]
            if spans:
                told = " and ".join(f"{own[frames]} at {frames:,} frames" for frames in spans)
                holds = _holds(max(own[frames].worse for frames in spans) <= MOST_WORSE)
                said.append(
                    f"**{model.label}**, {SOURCES[source]} in one piece against windows: {told}; at most "
                    f"{MOST_WORSE:g} % worse {holds}.{_at_equal_cost(once, twice, spans)}"
                )
            longest = max(own)
            if longest > max(SPANS) * window:
                way = Way(source, longest, "whole")
                drift = " and ".join(
                    f"{_drift(rows, model, way._replace(mode=mode)):+.1f} % {name}"
                    for mode, name in (("whole", "in one piece"), ("windows", "in windows"))
                )
                said.append(
                    f"**{model.label}**, {longest:,} frames ({SOURCES[source]}): {own[longest].whole:.1f} mm in one "
                    f"piece, {own[longest].windows:.1f} mm in windows ({own[longest]}); "
                    f"no worse in one piece {_holds(own[longest].worse <= 0)}. From the first to the last fifth of the "
                    f"sequence the error changes by {drift}.{_at_equal_cost(once, twice, [longest])}"
                )
        said += _streamed([row for row in rows if model_of(row) == model and row["mode"] == "stream"], model)
        streams = pairs(errors, "stream")
        said += [
            f"**{model.label}**, {way.frames:,} frames ({SOURCES[way.source]}) that the memory did not hold in one "
            f"piece: {streams[way].whole:.1f} mm streamed, {streams[way].windows:.1f} mm in windows "
            f"({streams[way]}). From the first to the last fifth of the stream the error changes by "
            f"{_drift(rows, model, way):+.1f} %."
            for way in streams_for_whole(rows, model)
            if way in streams
        ]
    return said


def _at_equal_cost(once: dict[int, Pair], twice: dict[int, Pair], lengths: Sequence[int]) -> str:
    """How one piece compares with windows at equal cost, where they were run: each frame predicted once, or once more
    mirrored.
    """
    told = ""
    for pairs_of, name in ((once, "Against adjacent windows"), (twice, "Both mirrored too")):
        found = " and ".join(str(pairs_of[frames]) for frames in lengths if frames in pairs_of)
        told += f" {name}: {found}." if found else ""
    return told


def _not_run(errors: Errors) -> str:
    """Sequences that some or all seeds were given in windows alone."""
    told = []
    for way, own in errors.items():
        lacking = sorted(own.keys() - errors.get(way._replace(mode="whole"), {}).keys())
        if way.mode == "windows" and lacking:
            which = "" if len(lacking) == len(own) else f" of seed {', '.join(map(str, lacking))}"
            told.append(f"{way.frames:,} frames ({SOURCES[way.source]}){which}")
    return "; ".join(told)


def draw(path: Path, rows: Sequence[Row]) -> None:
    """Write a PNG: for each dataset, error against the length, and against position in the longest of each source."""
    datasets = list(dict.fromkeys(row["dataset"] for row in rows))
    sources = [source for source in SOURCES if any(row["source"] == source for row in rows)]
    columns = 1 + len(sources)
    figure = Figure(figsize=(4.2 * columns, 3.4 * len(datasets) + 0.6), dpi=110, layout="constrained")
    grid = figure.subplots(len(datasets), columns, squeeze=False, sharey="row")
    for dataset, line in zip(datasets, grid, strict=True):
        own = [row for row in rows if row["dataset"] == dataset]
        _lengths(line[0], own)
        line[0].set_ylabel(f"{dataset}: MPJPE, mm")
        for source, axes in zip(sources, line[1:], strict=True):
            _positions(axes, source, own)
    entries = grid[0, 0].get_legend_handles_labels()
    figure.legend(*entries, loc="outside lower center", ncols=3, fontsize=8, handlelength=5)
    figure.savefig(path)


def _lengths(axes: Axes, rows: Sequence[Row]) -> None:
    spans = max(SPANS) * rows[0]["window"]
    source = next((row["source"] for row in rows if row["frames"] == spans), rows[0]["source"])
    for model, errors in by_model(rows).items():
        for mode, line in MODES.items():
            ways = [way for way in errors if way.mode == mode and way.source == source]
            if not ways:  # attention, in one piece
                continue
            frames = [way.frames for way in ways]
            label = f"{model.label}, {CALLED[mode]}"
            axes.plot(frames, [mean(errors[way].values()) for way in ways], ls=line, label=label, **_look(model))
    axes.set_xscale("log")
    ticks = sorted({row["frames"] for row in rows if row["source"] == source})
    axes.set_xticks(ticks, [f"{frames:,}" for frames in ticks])
    axes.minorticks_off()
    finish(axes, source, "frames")


def _positions(axes: Axes, source: str, rows: Sequence[Row]) -> None:
    longest = max((row["frames"] for row in rows if row["source"] == source), default=0)
    for model in by_model(rows):
        stream = Way(source, longest, "stream")
        streamed = stream in streams_for_whole(rows, model)
        for mode, line in MODES.items():
            way = stream if streamed and mode == "whole" else stream._replace(mode=mode)
            found = by_position(rows, model, way)
            axes.plot(list(found), list(found.values()), ls=line, **_look(model))
    finish(axes, f"{source}, {longest:,} frames", "position, s")


def _look(model: Model) -> dict[str, Any]:
    marker, alpha = ("o", 1.0) if model.augmented else ("s", 0.4)
    return {"color": COLORS[model.name], "marker": marker, "ms": 4, "alpha": alpha}


def _table(rows: Sequence[Row]) -> list[str]:
    """A row per sequence, a column per model and mode."""
    errors = by_model(rows)
    columns = [(model, mode) for model, own in errors.items() for mode in MODES if any(w.mode == mode for w in own)]
    names = [f"{model.label}, {CALLED[mode]}" for model, mode in columns]
    lines = []
    for source, frames in dict.fromkeys((row["source"], row["frames"]) for row in rows):
        cells = [spread(list(errors[model].get(Way(source, frames, mode), {}).values())) for model, mode in columns]
        lines.append([f"{_count(rows, source, frames)} {source}", str(frames), *cells])
    return table(["sequences", "frames", *names], lines)


def _count(rows: Sequence[Row], source: str, frames: int) -> int:
    return next(row["sequences"] for row in rows if (row["source"], row["frames"]) == (source, frames))


def _drift(rows: Sequence[Row], model: Model, way: Way) -> float:
    """Per cent by which the error of the last fifth of the positions differs from that of the first fifth."""
    errors = list(by_position(rows, model, way).values())
    fifth = max(1, len(errors) // 5)
    return 100 * (mean(errors[-fifth:]) / mean(errors[:fifth]) - 1)


def _streamed(rows: Sequence[Row], model: Model) -> Iterator[str]:
    """How far a stream is from one piece, and where its state goes, for the longest that was streamed."""
    if not rows:
        return
    off = max((row["stream_off_mm"] for row in rows if row["stream_off_mm"] is not None), default=None)
    longest = max(row["frames"] for row in rows)
    source = next(row["source"] for row in rows if row["frames"] == longest)
    norms: dict[float, list[float]] = {}
    for row in rows:
        if (row["frames"], row["source"]) == (longest, source) and row["position_s"] is not None:
            norms.setdefault(row["position_s"], []).append(row["state_norm"])
    apart = "" if off is None else f", never more than {off:.2g} mm from one piece"
    if not norms:  # too short to be told by position
        yield f"**{model.label}**, {longest:,} frames streamed one by one ({SOURCES[source]}){apart}."
        return
    first, last = (mean(norms[position]) for position in (min(norms), max(norms)))
    yield (
        f"**{model.label}**, streamed frame by frame{apart}: the norm of its state is {first:.3g} after a "
        f"{len(norms)}th of {longest:,} frames ({SOURCES[source]}) and {last:.3g} after all of them."
    )


def _holds(whether: bool) -> str:
    return "holds" if whether else "does not hold"
