"""The table of a test: printed, and written as CSV, JSON and Markdown with where it comes from."""

import csv
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.table import Table as RichTable

from hummuss.console import make_console
from hummuss.metrics.units import ORDER, unit
from hummuss.protocols.base import Result, Row
from hummuss.protocols.scoring import Results


@dataclass(frozen=True)
class ResultTable:
    """What a protocol found, and the facts without which it means nothing.

    Attributes:
        title: what was tested.
        facts: name -> value, on every row of the CSV.
        results: head -> model and baseline -> result.
    """

    title: str
    facts: dict[str, Any]
    results: Results

    def print(self) -> None:
        """To the terminal."""
        console = make_console()
        for head, (columns, rows) in self._tables().items():
            table = RichTable(*columns, title=f"{self.title}, {head}")
            for row in rows:
                table.add_row(*row)
            console.print(table)
        for line in [*self._fact_lines(), *self._notes()]:
            console.print(line, highlight=False, markup=False)

    def write(self, path: Path, pictures: list[Path]) -> None:
        """PATH.csv, PATH.json and PATH.md, which shows the pictures beside it."""
        self._write_csv(path.with_suffix(".csv"))
        entries = [
            {"head": head, "model": model, "part": row.part, self.results[head][model].counted: row.count}
            | {"figures": {metric: _number(figure) for metric, figure in row.figures.items()}}
            for head, models in self.results.items()
            for model, row in _rows(models)
        ]
        whole = {"title": self.title, "facts": self.facts, "notes": self._notes(), "rows": entries}
        path.with_suffix(".json").write_text(json.dumps(whole, indent=2, ensure_ascii=False))
        path.with_suffix(".md").write_text("\n".join(self._markdown(pictures)))

    def _write_csv(self, path: Path) -> None:
        lines = [
            {"head": head, "model": model, "part": row.part, self.results[head][model].counted: row.count}
            | {f"{metric} ({unit(metric)})": _number(figure) for metric, figure in row.figures.items()}
            | self.facts
            for head, models in self.results.items()
            for model, row in _rows(models)
        ]
        with open(path, "w", newline="") as file:
            writer = csv.DictWriter(file, list(dict.fromkeys(key for line in lines for key in line)))
            writer.writeheader()
            writer.writerows(lines)

    def _tables(self) -> dict[str, tuple[list[str], list[list[str]]]]:
        """Head -> column heads and rows of text: each part's model, and its baseline below."""
        tables = {}
        for head, models in self.results.items():
            metrics = sorted(
                dict.fromkeys(metric for _, row in _rows(models) for metric in row.figures),
                key=lambda metric: ORDER.index(metric) if metric in ORDER else len(ORDER),
            )
            parts = list(dict.fromkeys(row.part for _, row in _rows(models)))
            rows = [
                [row.part, model.replace("_", " "), str(row.count)]
                + [_text(row.figures.get(metric, math.nan)) for metric in metrics]
                for model, row in sorted(_rows(models), key=lambda one: parts.index(one[1].part))
            ]
            counted = next(iter(models.values())).counted
            tables[head] = (["part", "model", counted, *(f"{metric} ({unit(metric)})" for metric in metrics)], rows)
        return tables

    def _markdown(self, pictures: list[Path]) -> list[str]:
        lines = [f"# {self.title}", "", *(f"- {line}" for line in [*self._fact_lines(), *self._notes()]), ""]
        for head, (columns, rows) in self._tables().items():
            lines += [f"## {head}", "", f"| {' | '.join(columns)} |", "|---|---" + "|---:" * (len(columns) - 2) + "|"]
            lines += [f"| {' | '.join(row)} |" for row in rows] + [""]
        return lines + [f"![{picture.stem.replace('_', ' ')}]({picture.name})\n" for picture in pictures]

    def _fact_lines(self) -> list[str]:
        return [f"{name.replace('_', ' ')}: {'-' if value is None else value}" for name, value in self.facts.items()]

    def _notes(self) -> list[str]:
        """Every note once: a baseline sees the same data as the model."""
        found = (note for models in self.results.values() for result in models.values() for note in result.notes)
        return list(dict.fromkeys(found))


def _rows(models: dict[str, Result]) -> list[tuple[str, Row]]:
    """The model's rows, then the baseline's."""
    return [(model, row) for model, result in models.items() for row in result.rows]


def _number(figure: float) -> float | None:
    """A number JSON knows: NaN (nothing was scored) becomes null."""
    return round(figure, 4) if math.isfinite(figure) else None


def _text(figure: float) -> str:
    return f"{figure:.1f}" if math.isfinite(figure) else "-"
