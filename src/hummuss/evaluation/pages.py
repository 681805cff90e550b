"""What the pages of comparisons share: colours, panels, tables, means with spreads, and what their rows agree in."""

from collections.abc import Mapping, Sequence
from statistics import mean, stdev
from typing import Any

from matplotlib.axes import Axes

# Okabe and Ito's blue, sky blue, vermilion and grey, as in the other pictures.
COLORS = {"hummuss": "#0072B2", "hummuss-causal": "#56B4E9", "dstformer": "#D55E00", "per-frame": "0.5"}


def spread(figures: Sequence[float]) -> str:
    """Mean ± standard deviation, or what there is of them.

    >>> spread([1.0, 3.0]), spread([1.0]), spread([])
    ('2.0 ± 1.4', '1.0', '-')
    """
    if not figures:
        return "-"
    return f"{mean(figures):.1f}" + (f" ± {stdev(figures):.1f}" if len(figures) > 1 else "")


def shared_means(first: Mapping[int, float], second: Mapping[int, float]) -> tuple[float, float, list[int]] | None:
    """Means of two models' figures by seed, over the seeds that both have, and those; None where they share none.

    >>> shared_means({0: 1.0, 1: 9.0}, {0: 2.0, 2: 9.0})
    (1.0, 2.0, [0])
    """
    seeds = sorted(first.keys() & second.keys())
    if not seeds:
        return None
    return mean(first[seed] for seed in seeds), mean(second[seed] for seed in seeds), seeds


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Lines of a Markdown table and the empty one behind it."""
    first, *others = (f"| {' | '.join(cells)} |" for cells in (head, *rows))
    return [first, "|---" * len(head) + "|", *others, ""]


def finish(axes: Axes, title: str, unit: str) -> None:
    """What every panel of a comparison has: its title, what its x axis counts, a grid."""
    axes.set_title(title, fontsize=10)
    axes.set_xlabel(unit, fontsize=8)
    axes.tick_params(labelsize=8)
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)


def values(rows: Sequence[dict[str, Any]], column: str) -> str:
    """All that stand in a column, each once."""
    return ", ".join(sorted({str(row[column]) for row in rows}))


def whose(what: str, subjects: str) -> list[str]:
    """A line on whose motion this is and the empty one behind it; none where clips do not say.

    >>> whose("Windows", "2 of subject 07"), whose("Windows", "")
    (['Windows: 2 of subject 07.', ''], [])
    """
    return [f"{what}: {subjects}.", ""] if subjects else []


def trained(rows: Sequence[dict[str, Any]]) -> str:
    """A sentence on how the runs were trained: once where all were trained alike, by model where they differ."""
    found: dict[str, dict[str, None]] = {}
    for row in rows:
        found.setdefault(row["recipe"], {})[row["model"]] = None
    if len(found) == 1:
        return f"All were trained with {next(iter(found))}."
    said = (f"{' and '.join(models)} with {recipe}" for recipe, models in found.items())
    return f"Not all were trained alike: {'; '.join(said)}."


def windows_of(rows: Sequence[dict[str, Any]]) -> str:
    """How many windows of each dataset its first row is of."""
    first = {row["dataset"]: row["windows"] for row in reversed(rows)}
    return ", ".join(f"{first[dataset]} windows of {dataset}" for dataset in reversed(first))
