"""The page of a comparison over frame rates: sentences and tables computed from its rows, and a picture."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import mean, stdev

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from hummuss.evaluation.framerate import AT_RATE, Row
from hummuss.evaluation.framerate_lines import Lines, line_of, lines_of
from hummuss.evaluation.framerate_targets import judge
from hummuss.evaluation.pages import COLORS, finish, spread, table, trained, values, windows_of
from hummuss.evaluation.rates import BASE, STRIDES, UPSAMPLED, Rate
from hummuss.evaluation.strides import Strides

# Panels from left to right, and tables: what a rate of each kind is.
KINDS = {
    "stride": "stride, in frames at the base rate",
    "upsample": "stride: 0.5 is the capture's own rate",
    "dropped": "% of the frames dropped",
    "jitter": "jitter, % of an interval",
}
MARKS = {"dt": "-o", "dt-ignored": "--x", "subsampled": "-s", "interpolated": "--^", AT_RATE: ":*"}
WIDTHS = {"stride": 2.2, "upsample": 0.8}  # of panels, beside those of width 1


def write_page(
    out: Path,
    rows: Sequence[Row],
    command: str,
    clips: Mapping[str, str],
    still: Mapping[str, Mapping[Rate, float]],
    kept: Sequence[str] = (),
    beside: Sequence[str] = (),
) -> None:
    """Write OUT.md and OUT.png.

    Args:
        out: path without an ending.
        rows: of `compare_rates`.
        command: what wrote them, in full.
        clips: of each dataset, see `clips_scored`.
        still: of each dataset, see `velocity_of_standing_still`.
        kept: checkpoints whose rows are those of an earlier comparison.
        beside: tables of other comparisons that rows of models of one rate come from.
    """
    strides = _varied(rows)
    lines = [
        "# Any frame rate",
        "",
        f"Written by `{command}`; every model's figures are in {out.name}.csv. Root-relative MPJPE in mm at one frame "
        f"per window, of {windows_of(rows)}. At every rate these are the same moments of the same clips, seen by the "
        f"same camera with the same detections, amid frames that span as much time as {values(rows, 'span_frames')} "
        "frames at the base rate do: only the rate changes. evaluation.md has the protocol. Mean ± standard deviation "
        f"over seeds {values(rows, 'seed')}. {len({row['checkpoint'] for row in rows})} checkpoints; commit "
        f"{values(rows, 'commit')}; {values(rows, 'device')}.",
        "",
        f"*Varied rate*: trained at random strides ({strides.describe() if strides else 'none here'}). "
        "*One rate*: trained at stride 1 alone, but where another stride is named. "
        "Rates that training cannot have drawn are in italics. *dt-ignored*: the model is told that every interval is "
        "that of the base rate. *interpolated*: keypoints are interpolated back to the base rate first. dstformer "
        "takes at most as many frames as in training, from the window's middle. hummuss-causal sees the frames before "
        "the scored one alone: half the window. Behind the difference of two models stands ± the standard deviation of "
        "the seeds' own differences and, where single seeds are divided over a target, how many of them reach it. "
        "*Velocity error*: MPJVE of the step that ends at the scored frame, from the frame "
        f"before it at that rate, of *interpolated* at the base rate. {trained(rows)}",
        "",
    ]
    if kept:
        told = "Kept from an earlier page on the same moments, as these checkpoints were not at hand"
        lines += [f"{told}: {', '.join(kept)}.", ""]
    if beside:
        lines += [f"Models trained at that rate: by the same moments in {', '.join(beside)}.", ""]
    for dataset in dict.fromkeys(row["dataset"] for row in rows):
        own = [row for row in rows if row["dataset"] == dataset]
        found = lines_of(own)
        multiply_adds = {
            row["model"]: row["multiply_adds_per_frame"] for row in own if row["trained_with_augmentation"]
        }
        lines += [f"## {dataset}", "", f"Moments of {clips[dataset]}.", ""]
        lines += [*(f"- {sentence}" for sentence in judge(found, multiply_adds, strides)), ""]
        for kind, unit in KINDS.items():
            lines += _table(own, found, kind, f"{kind} ({unit}):")
        moving = {"a pose that never moves": still[dataset]}
        lines += _table(own, lines_of(own, "mpjve_mm_s"), "stride", "velocity error, mm/s, by stride:", moving)
    lines += [f"![error of every model against the frame rate]({out.name}.png)", ""]
    out.with_suffix(".md").write_text("\n".join(lines))
    draw(out.with_suffix(".png"), rows)


def draw(path: Path, rows: Sequence[Row]) -> None:
    """Write a PNG: for each dataset and way of training one panel per kind, mean error against rate with deviations."""
    parts = [
        (dataset, augmented)
        for dataset in dict.fromkeys(row["dataset"] for row in rows)
        for augmented in (True, False)
        # Lines of models at their own rate alone stand beside the others.
        if any(
            (row["dataset"], row["trained_with_augmentation"]) == (dataset, augmented) and row["variant"] != AT_RATE
            for row in rows
        )
    ]
    figure = Figure(figsize=(16, 3.8 * len(parts)), dpi=100, layout="constrained")
    subfigures = figure.subfigures(len(parts), 1, squeeze=False)[:, 0]
    for subfigure, (dataset, augmented) in zip(subfigures, parts, strict=True):
        found = lines_of([row for row in rows if row["dataset"] == dataset])
        shown = {line: own for line, own in found.items() if line.augmented == augmented or line.variant == AT_RATE}
        how = "trained at varied rates" if augmented else "trained at one rate"
        subfigure.suptitle(f"{dataset}, {how}: MPJPE, mm", fontsize=11)
        kinds = [kind for kind in KINDS if any(rate.kind == kind for own in shown.values() for rate in own)]
        widths = [WIDTHS.get(kind, 1.0) for kind in kinds]
        panels = subfigure.subplots(1, len(kinds), sharey=True, width_ratios=widths, squeeze=False)[0]
        for axes, kind in zip(panels, kinds, strict=True):
            _panel(axes, kind, shown)
        handles, labels = panels[0].get_legend_handles_labels()
        subfigure.legend(handles, labels, loc="outside right center", fontsize=8, frameon=False)
    figure.savefig(path)


def _panel(axes: Axes, kind: str, lines: Lines) -> None:
    for line, own in lines.items():
        rates = _rates(own, kind)
        if kind != "stride" and len(rates) < 2:  # the base rate alone
            continue
        figures = [list(own[rate].values()) for rate in rates]
        deviations = [stdev(each) if len(each) > 1 else 0.0 for each in figures]
        where = [_place(rate) if rate.kind == kind or kind == "upsample" else 0.0 for rate in rates]
        means, color = [mean(each) for each in figures], COLORS[line.model]
        if line.stride != 1:  # they are many and lie close: the table has each
            label = f"{line.model}, each other stride alone"
            known = axes.get_legend_handles_labels()[1]
            axes.plot(where, means, color=color, lw=0.8, alpha=0.4, label=None if label in known else label)
            continue
        axes.errorbar(
            where, means, deviations, color=color, lw=1.2, elinewidth=0.8, capsize=2, label=line.label,
            fmt=MARKS[line.variant], ms=9 if line.variant == AT_RATE else 4,
        )  # fmt: skip
    if kind in ("stride", "upsample"):
        axes.set_xscale("log", base=2)
        places = STRIDES if kind == "stride" else (UPSAMPLED, 1.0)
        axes.set_xticks(places, [f"{place:g}" for place in places])
        axes.minorticks_off()
    finish(axes, kind, KINDS[kind])


def _rates(own: dict[Rate, dict[int, float]], kind: str) -> list[Rate]:
    """A line's rates of a kind, lowest first; the base rate among them, or that of the upsampled moments alone."""
    rates = [rate for rate in own if rate.kind == kind]
    if kind != "stride" and BASE in own and Rate(kind, 1.0) not in own:
        rates.append(BASE)
    return sorted(rates, key=lambda rate: 0.0 if rate == BASE and kind in ("dropped", "jitter") else rate.rate)


def _place(rate: Rate) -> float:
    return rate.rate if rate.kind in ("stride", "upsample") else 100 * rate.rate


def _table(
    rows: Sequence[Row], lines: Lines, kind: str, title: str, beside: Mapping[str, Mapping[Rate, float]] | None = None
) -> list[str]:
    """A row per line, a column per rate; below them, what is no model's."""
    rates = sorted({rate for own in lines.values() for rate in own if rate.kind == kind})
    if not rates:
        return []
    seen = {line_of(row): Strides.read(row["trained_strides"]) for row in rows}
    shown = []
    for line, own in lines.items():
        cells = []
        for rate in rates:
            cell = spread(list(own.get(rate, {}).values()))
            apart = line.variant != AT_RATE and kind in ("stride", "upsample") and not seen[line].cover(rate.rate)
            cells.append(f"*{cell}*" if apart else cell)
        if any(cell not in ("-", "*-*") for cell in cells):
            shown.append([line.label, *cells])
    for label, figures in (beside or {}).items():
        shown.append([label, *(spread([figures[rate]] if rate in figures else []) for rate in rates)])
    return [title, "", *table(["model", *(f"{_place(rate):g}" for rate in rates)], shown)]


def _varied(rows: Sequence[Row]) -> Strides | None:
    """The strides of the runs trained at varied rates: `compare_rates` takes those of one range."""
    own = (row["trained_strides"] for row in rows if row["trained_with_augmentation"])
    return next((Strides.read(text) for text in own), None)
