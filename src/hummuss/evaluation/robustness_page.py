"""The page of a comparison under corruption: sentences and tables computed from its rows, and a picture."""

from collections.abc import Sequence
from pathlib import Path
from statistics import mean, stdev
from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from hummuss.evaluation.corruption import CLEAN, HIDES, LEVELS, Corruption, all_corruptions
from hummuss.evaluation.kept_rows import Row
from hummuss.evaluation.pages import COLORS, finish, shared_means, spread, table, trained, values, whose, windows_of

COLUMNS = 4  # panels side by side
UNITS = dict.fromkeys(LEVELS, "% of the time hidden") | {
    "frames": "% of the frames",
    "gaussian": "% of the person, standard deviation",
    "heavy-tailed": "% of the person, standard deviation",
    "swaps": "% of the time",
}


class Model(NamedTuple):
    """What rows of several seeds have in common."""

    name: str
    augmented: bool
    masked: bool

    @property
    def label(self) -> str:
        """As tables and pictures call it."""
        parts = ["varied rate"] * self.augmented + ["masked"] * self.masked
        return " ".join([self.name, f"({', '.join(parts)})"]) if parts else self.name


# Model -> corruption -> seed -> error, mm.
Errors = dict[Model, dict[Corruption, dict[int, float]]]


def write_page(out: Path, rows: Sequence[Row], command: str) -> None:
    """Write OUT.md and OUT.png.

    Args:
        out: path without an ending.
        rows: of `compare_corruptions`.
        command: what wrote them, in full.
    """
    lines = [
        "# Corrupted detections",
        "",
        f"Written by `{command}`; every figure is in {out.name}.csv. Root-relative MPJPE in mm over every joint of "
        f"every frame, seen or not, of {windows_of(rows)}; mean ± standard deviation over seeds, comparisons over the "
        "seeds that both models have. All models see the same windows, corrupted alike. "
        "`hummuss.evaluation.corruption` says what each corruption does; models are not told of it, but for hidden "
        "joints, which are zeros of confidence 0. *masked*: joints were hidden in training, in episodes that "
        "`hummuss.data.Occlusion` draws; *varied rate*: trained at random strides. "
        f"{trained(rows)} Seeds {values(rows, 'seed')}. Commit {values(rows, 'commit')}; {values(rows, 'device')}.",
        "",
    ]
    for dataset in dict.fromkeys(row["dataset"] for row in rows):
        own = [row for row in rows if row["dataset"] == dataset]
        errors = by_model(own)
        lines += [f"## {dataset}", "", *whose("Windows", own[0]["subjects"])]
        lines += [*(f"- {sentence}" for sentence in sentences(errors)), ""]
        lines += _table(errors)
        lines += ["Joints that were not seen, alone:", "", *_table(by_model(own, "unseen_mpjpe_mm"), HIDES)]
    lines += [f"![error of every model against the level of each corruption]({out.name}.png)", ""]
    out.with_suffix(".md").write_text("\n".join(lines))
    draw(out.with_suffix(".png"), rows)


def by_model(rows: Sequence[Row], figure: str = "mpjpe_mm") -> Errors:
    """The figures of one dataset's rows."""
    found: Errors = {}
    for row in rows:
        model = Model(row["model"], row["trained_with_augmentation"], row["trained_with_masking"])
        if row[figure] is not None:
            own = found.setdefault(model, {})
            own.setdefault(Corruption(row["corruption"], row["level"]), {})[row["seed"]] = row[figure]
    return found


def sentences(errors: Errors) -> list[str]:
    """What the figures of one dataset show, by their means; two models are compared over the seeds that both have."""
    said = []
    corrupted = [corruption for corruption in all_corruptions() if corruption != CLEAN]
    for model, own in errors.items():
        means = {corruption: mean(by_seed.values()) for corruption, by_seed in own.items()}
        worst, least = max(corrupted, key=means.__getitem__), min(corrupted, key=means.__getitem__)
        said.append(
            f"**{model.label}**: {means[CLEAN]:.1f} mm clean; from {means[least]:.1f} ({_name(least)}) to "
            f"{means[worst]:.1f} mm ({_name(worst)}) corrupted."
        )
    for model in errors:
        other = model._replace(name="dstformer")
        if model.name == "hummuss" and (both := _pairs(errors, model, other)):
            ahead = [corruption for corruption in corrupted if both[corruption][0] < both[corruption][1]]
            behind = [_name(corruption) for corruption in corrupted if corruption not in ahead]
            said.append(
                f"{model.label} has a lower mean error than {other.label} in {len(ahead)} of {len(corrupted)} "
                "corrupted conditions" + (f", not in: {', '.join(behind)}." if behind else ".")
            )
        other = model._replace(masked=False)
        if model.masked and (both := _pairs(errors, other, model)):
            hidden = [both[corruption] for corruption in corrupted if corruption.kind in HIDES]
            before, after = (mean(figures) for figures in zip(*hidden, strict=True))
            said.append(
                f"Hiding joints in training takes {other.label} from {before:.1f} to {after:.1f} mm, the mean over the "
                f"conditions that hide something, and from {both[CLEAN][0]:.1f} to {both[CLEAN][1]:.1f} mm on clean "
                "detections."
            )
    return said


def _pairs(errors: Errors, first: Model, second: Model) -> dict[Corruption, tuple[float, float]]:
    """Mean errors of two models in each condition, over the seeds that both have; empty where they share none."""
    found = {}
    for corruption, ours in errors[first].items():
        means = shared_means(ours, errors.get(second, {}).get(corruption, {}))
        if means is not None:
            found[corruption] = means[:2]
    return found


def draw(path: Path, rows: Sequence[Row]) -> None:
    """Write a PNG with one panel per corruption and dataset: mean error against level, bands of a deviation."""
    datasets = list(dict.fromkeys(row["dataset"] for row in rows))
    height = -(-(len(LEVELS) + 1) // COLUMNS)
    figure = Figure(figsize=(3.1 * COLUMNS, 2.6 * height * len(datasets)), dpi=110, layout="constrained")
    parts = figure.subfigures(len(datasets), 1, squeeze=False)[:, 0]
    for part, dataset in zip(parts, datasets, strict=True):
        errors = by_model([row for row in rows if row["dataset"] == dataset])
        part.suptitle(f"{dataset}: MPJPE, mm", fontsize=11)
        grid = part.subplots(height, COLUMNS, sharey=True).ravel()
        for axes, (kind, levels) in zip(grid, LEVELS.items(), strict=False):
            _panel(axes, kind, [CLEAN, *(Corruption(kind, level) for level in levels)], errors)
        for axes in grid[len(LEVELS) :]:
            axes.set_axis_off()
        handles, labels = grid[0].get_legend_handles_labels()
        grid[len(LEVELS)].legend(handles, labels, loc="center", fontsize=8, frameon=False)
    figure.savefig(path)


def _panel(axes: Axes, kind: str, corruptions: Sequence[Corruption], errors: Errors) -> None:
    levels = [100 * corruption.level for corruption in corruptions]
    for model, own in errors.items():
        figures = [list(own[corruption].values()) for corruption in corruptions]
        means = [mean(by_seed) for by_seed in figures]
        deviations = [stdev(by_seed) if len(by_seed) > 1 else 0.0 for by_seed in figures]
        color = COLORS[model.name]
        line, marker = "-" if model.masked else "--", "o" if model.augmented else "s"
        axes.plot(levels, means, line + marker, color=color, ms=4, label=model.label)
        low, high = (
            [middle + sign * deviation for middle, deviation in zip(means, deviations, strict=True)] for sign in (-1, 1)
        )
        axes.fill_between(levels, low, high, color=color, alpha=0.15, lw=0)
    axes.set_xticks(levels)
    finish(axes, kind, UNITS[kind])


def _table(errors: Errors, kinds: Sequence[str] = ("clean", *LEVELS)) -> list[str]:
    """A row per corruption, a column per model."""
    lines = []
    for corruption in all_corruptions():
        if corruption.kind in kinds:
            cells = [spread(list(own.get(corruption, {}).values())) for own in errors.values()]
            lines.append([_name(corruption), *cells])
    return table(["corruption", *(model.label for model in errors)], lines)


def _name(corruption: Corruption) -> str:
    return corruption.kind if corruption == CLEAN else f"{corruption.kind} {100 * corruption.level:g} %"
