"""Compare finished runs of a study: means and spreads over seeds, against what each variant costs."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from statistics import mean
from typing import Any

from matplotlib.figure import Figure

from hummuss.evaluation.pages import COLORS, spread, table
from hummuss.metrics.units import BASELINES, unit

METRICS = ("mpjpe", "pa_mpjpe", "mpjve", "accel")
FACTS = ("seed", "parameters", "multiply_adds_per_frame", "seconds", "commit", "device")
COLUMNS = ("variant", "split", "group", "metric", "value", "unit", *FACTS)

Row = dict[str, Any]


@dataclass(frozen=True)
class Variant:
    """One of the things compared.

    Attributes:
        configs: what it is trained with.
        arguments: further ones of ``hummuss fit``.
    """

    configs: list[str]
    arguments: list[str]


@dataclass(frozen=True)
class Study:
    """What is compared, over which seeds; see `hummuss.cli.study` for the file.

    Attributes:
        configs: of every variant that has none of its own.
        arguments: common to all variants.
        tested: variants that are also scored on the test split.
        metrics: what is tabulated: a metric's name, or a head's and its metric's with a slash between.
        note: a paragraph on how to read the page.
    """

    title: str
    configs: list[str]
    arguments: list[str]
    seeds: list[int]
    tested: list[str]
    variants: dict[str, Variant]
    metrics: Sequence[str] = METRICS
    note: str = ""


def rows_of(variant: str, summary: dict[str, Any], metrics: Sequence[str] = METRICS) -> list[Row]:
    """One row per split, part of the split and metric of one run's summary.

    What was not scored (null) has none. A summary of several heads has their names in its keys, one of a single head
    has them not; a metric that names its head is found in both.
    """
    facts = {fact: summary.get(fact) for fact in FACTS}
    heads, rows = summary.get("heads", []), []
    for split in ("val", "test"):
        for key, value in summary.get(split, {}).items():
            *group, metric = key.split("/")
            if value is None or set(group) & set(BASELINES):
                continue
            several = len(heads) > 1 and bool(group) and group[-1] in heads
            head = group[-1] if several else heads[0] if len(heads) == 1 else ""
            if f"{head}/{metric}" in metrics:
                group, metric = group[:-1] if several else group, f"{head}/{metric}"
            if metric in metrics:
                place = {"variant": variant, "split": split, "group": "/".join(group) or "all"}
                rows.append(place | {"metric": metric, "value": value, "unit": unit_of(metric)} | facts)
    return rows


def unit_of(metric: str) -> str:
    """Unit of a metric that may name its head.

    >>> unit_of("action/mean_class")
    '%'
    """
    return unit(metric.rpartition("/")[2])


def write_page(out: Path, study: Study, command: str, rows: list[Row], kept: Sequence[tuple[str, int]] = ()) -> None:
    """Write OUT.md and OUT.png; the page says which ``command`` wrote it.

    Args:
        kept: variants and seeds whose rows are those of an earlier page.
    """
    facts = {key: sorted({str(row[key]) for row in rows}) for key in ("commit", "device")}
    common = f", with `{' '.join(study.arguments)}`" if study.arguments else ""
    lines = [
        f"# {study.title}",
        "",
        f"Written by `{command}` on {date.today()}; every figure is in {out.name}.csv. "
        f"Configs: {', '.join(f'`{config}`' for config in study.configs)}{common}; "
        f"seeds {', '.join(str(seed) for seed in study.seeds)} "
        f"(the column says how many have run). Commit {', '.join(facts['commit'])}; {', '.join(facts['device'])}.",
        "",
        "Mean ± standard deviation over seeds. What a variant changes stands in the study's file.",
        "",
        *([study.note, ""] if study.note else []),
        *_own_configs(study),
        *_not_run(study, rows),
        *_kept(kept),
    ]
    for split in ("val", "test"):
        for group in dict.fromkeys(row["group"] for row in rows if row["split"] == split):
            chosen = [row for row in rows if (row["split"], row["group"]) == (split, group)]
            lines += _table(split, group, chosen, study.metrics)
    validated = [row for row in rows if row["split"] == "val"]
    if validated:
        lines += [f"![validation error of every variant]({out.name}.png)", ""]
        _draw(out.with_suffix(".png"), validated, study.metrics)
    out.with_suffix(".md").write_text("\n".join(lines))


def _own_configs(study: Study) -> list[str]:
    """A paragraph on variants that have configs of their own; nothing where none has."""
    own = {name: variant.configs for name, variant in study.variants.items() if variant.configs != study.configs}
    if not own:
        return []
    said = (f"{name}: {', '.join(f'`{config}`' for config in configs)}" for name, configs in own.items())
    return [f"Of their own configs are {'; '.join(said)}.", ""]


def _not_run(study: Study, rows: list[Row]) -> list[str]:
    """A paragraph on variants that the page does not show; nothing where it shows all."""
    lacking = [name for name in study.variants if not any(row["variant"] == name for row in rows)]
    untested = [
        name
        for name in study.tested
        if name not in lacking and not any((row["variant"], row["split"]) == (name, "test") for row in rows)
    ]
    said = [f"Not run, or without these figures: {', '.join(lacking)}."] if lacking else []
    said += [f"Not tested yet: {', '.join(untested)}."] if untested else []
    return [" ".join(said), ""] if said else []


def _kept(runs: Sequence[tuple[str, int]]) -> list[str]:
    """A paragraph on figures of an earlier page; nothing where there are none."""
    if not runs:
        return []
    seeds: dict[str, list[str]] = {}
    for variant, seed in runs:
        seeds.setdefault(variant, []).append(str(seed))
    said = "; ".join(f"{variant} {', '.join(own)}" for variant, own in seeds.items())
    return [f"Kept from an earlier page, as the folders of the runs were not at hand (variant and seeds): {said}.", ""]


def _table(split: str, group: str, rows: list[Row], metrics: Sequence[str]) -> list[str]:
    shown = [metric for metric in metrics if any(row["metric"] == metric for row in rows)]
    head = ["variant", "seeds", "parameters, M", "multiply-adds per frame, M", "minutes"]
    lines = []
    for variant, figures in _by_variant(rows).items():
        own = [row for row in rows if row["variant"] == variant]
        minutes = mean(row["seconds"] for row in own) / 60
        costs = [
            f"{own[0]['parameters'] / 1e6:.2f}",
            f"{own[0]['multiply_adds_per_frame'] / 1e6:.1f}",
            f"{minutes:.0f}",
        ]
        cells = [spread(figures.get(metric, [])) for metric in shown]
        lines.append([variant, str(len({row["seed"] for row in own})), *costs, *cells])
    columns = [*head, *(f"{metric}, {unit_of(metric)}" for metric in shown)]
    return [f"## {split}, {group}", "", *table(columns, lines)]


def _by_variant(rows: list[Row]) -> dict[str, dict[str, list[float]]]:
    """Variant -> metric -> its figure for each seed that has it."""
    found: dict[str, dict[str, list[float]]] = {}
    for row in rows:
        found.setdefault(row["variant"], {}).setdefault(row["metric"], []).append(row["value"])
    return found


def _draw(path: Path, rows: list[Row], metrics: Sequence[str]) -> None:
    """The first metric of every head that has one, a picture each: all runs' validation figures, a line a variant, best
    on top.
    """
    found_metrics = [metric for metric in metrics if any(row["metric"] == metric for row in rows)]
    leading = {metric.rpartition("/")[0]: metric for metric in reversed(found_metrics)}
    shown = [metric for metric in found_metrics if metric in leading.values()]
    figures = _by_variant(rows)
    work = {row["variant"]: row["multiply_adds_per_frame"] / 1e6 for row in rows}
    figure = Figure(figsize=(2 + 6 * len(shown), 1.5 + 0.3 * len(figures)), layout="constrained")
    for axes, metric in zip(figure.subplots(1, len(shown), squeeze=False)[0], shown, strict=True):
        found = {variant: values[metric] for variant, values in figures.items() if metric in values}
        percent = unit_of(metric) == "%"  # of what is right: the higher the better
        ordered = sorted(found, key=lambda variant: mean(found[variant]), reverse=not percent)
        for place, variant in enumerate(ordered):
            colour = COLORS["dstformer" if variant.startswith("dstformer") else "hummuss"]
            axes.plot(found[variant], [place] * len(found[variant]), "o", color=colour, alpha=0.4, markeredgewidth=0)
            axes.plot(mean(found[variant]), place, "|", color=colour, markersize=14)
        axes.set_yticks(range(len(ordered)), [f"{variant} ({work[variant]:.1f} M)" for variant in ordered])
        name = metric.upper() if "/" not in metric else metric
        axes.set_xlabel(f"validation {name}, {unit_of(metric)} (dots: seeds; bars: their mean)")
        axes.grid(axis="x", alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
    figure.supylabel("variant (multiply-adds per frame)", fontsize="medium")
    figure.savefig(path, dpi=120)
