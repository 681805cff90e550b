"""Compare finished runs of a study: means and spreads over seeds, against what each variant costs."""

from datetime import date
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from matplotlib.figure import Figure

from hummuss.heads.base import BASELINES
from hummuss.metrics.units import unit

METRICS = ("mpjpe", "pa_mpjpe", "mpjve", "accel")
FACTS = ("seed", "parameters", "multiply_adds_per_frame", "seconds", "commit", "device")
COLUMNS = ("variant", "split", "group", "metric", "value", "unit", *FACTS)
# Okabe and Ito's blue and vermilion, as in the other pictures.
OURS, THEIRS = "#0072B2", "#D55E00"

Row = dict[str, Any]


def rows_of(variant: str, summary: dict[str, Any]) -> list[Row]:
    """One row per split, part of the split and metric of one run's summary."""
    facts = {fact: summary.get(fact) for fact in FACTS}
    rows = []
    for split in ("val", "test"):
        for key, value in summary.get(split, {}).items():
            *group, metric = key.split("/")
            if metric in METRICS and not set(group) & set(BASELINES):
                place = {"variant": variant, "split": split, "group": "/".join(group) or "all"}
                rows.append(place | {"metric": metric, "value": value, "unit": unit(metric)} | facts)
    return rows


def write_page(out: Path, study: dict[str, Any], source: Path, rows: list[Row]) -> None:
    """Write OUT.md and OUT.png."""
    facts = {key: sorted({str(row[key]) for row in rows}) for key in ("commit", "device")}
    lines = [
        f"# {study['title']}",
        "",
        f"Written by `hummuss study {source} --out {out}` on {date.today()}; every figure is in {out.name}.csv. "
        f"Configs: {', '.join(f'`{config}`' for config in study['configs'])}, "
        f"with `{' '.join(study['arguments'])}`; seeds {', '.join(str(seed) for seed in study['seeds'])} "
        f"(the column says how many have run). Commit {', '.join(facts['commit'])}; {', '.join(facts['device'])}.",
        "",
        "Mean ± standard deviation over seeds. What a variant changes stands in the study's file.",
        "",
    ]
    for split in ("val", "test"):
        for group in dict.fromkeys(row["group"] for row in rows if row["split"] == split):
            lines += _table(split, group, [row for row in rows if (row["split"], row["group"]) == (split, group)])
    lines += [f"![validation error of every variant]({out.name}.png)", ""]
    out.with_suffix(".md").write_text("\n".join(lines))
    _draw(out.with_suffix(".png"), [row for row in rows if row["split"] == "val"])


def _table(split: str, group: str, rows: list[Row]) -> list[str]:
    header = "| variant | seeds | parameters, M | multiply-adds per frame, M | minutes |"
    lines = [f"## {split}, {group}", "", header + " " + " | ".join(f"{m}, {unit(m)}" for m in METRICS) + " |"]
    lines.append("|" + "---|" * (5 + len(METRICS)))
    for variant, figures in _by_variant(rows).items():
        own = [row for row in rows if row["variant"] == variant]
        minutes = mean(row["seconds"] for row in own) / 60
        costs = f"{own[0]['parameters'] / 1e6:.2f} | {own[0]['multiply_adds_per_frame'] / 1e6:.1f} | {minutes:.0f}"
        cells = [_spread(figures[metric]) for metric in METRICS]
        lines.append(f"| {variant} | {len(figures['mpjpe'])} | {costs} | " + " | ".join(cells) + " |")
    return [*lines, ""]


def _by_variant(rows: list[Row]) -> dict[str, dict[str, list[float]]]:
    """Variant -> metric -> its figure for each seed."""
    found: dict[str, dict[str, list[float]]] = {}
    for row in rows:
        found.setdefault(row["variant"], {metric: [] for metric in METRICS})[row["metric"]].append(row["value"])
    return found


def _spread(values: list[float]) -> str:
    if not values:
        return "-"
    return f"{mean(values):.1f}" + (f" ± {stdev(values):.1f}" if len(values) > 1 else "")


def _draw(path: Path, rows: list[Row]) -> None:
    """Validation MPJPE of every run, a line a variant, best mean on top."""
    found = {variant: figures["mpjpe"] for variant, figures in _by_variant(rows).items()}
    work = {row["variant"]: row["multiply_adds_per_frame"] / 1e6 for row in rows}
    ordered = sorted(found, key=lambda variant: mean(found[variant]), reverse=True)
    figure = Figure(figsize=(8, 1.5 + 0.3 * len(ordered)), layout="constrained")
    axes = figure.add_subplot()
    for place, variant in enumerate(ordered):
        colour = THEIRS if variant.startswith("dstformer") else OURS
        axes.plot(found[variant], [place] * len(found[variant]), "o", color=colour, alpha=0.4, markeredgewidth=0)
        axes.plot(mean(found[variant]), place, "|", color=colour, markersize=14)
    axes.set_yticks(range(len(ordered)), [f"{variant} ({work[variant]:.1f} M)" for variant in ordered])
    axes.set_xlabel("validation MPJPE, mm (dots: seeds; bars: their mean)")
    axes.set_ylabel("variant (multiply-adds per frame)")
    axes.grid(axis="x", alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=120)
