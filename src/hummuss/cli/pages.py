"""Pages that commands write: OUT.md beside its table OUT.csv and its picture OUT.png."""

import argparse
import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any


def add_out(parser: argparse.ArgumentParser, default: Path | None = None) -> None:
    """``--out``, required where there is no default."""
    text = "page to write, without an ending"
    parser.add_argument("--out", type=page_path, default=default, required=default is None, help=text)


def page_path(text: str) -> Path:
    """A path without an ending, for argparse: the endings of a page's files would take the place of one.

    >>> page_path("runs/page").name
    'page'
    """
    path = Path(text)
    if path.suffix:
        raise argparse.ArgumentTypeError(
            f"{text} ends in {path.suffix}: give the page's path without an ending, and without a dot in its name"
        )
    return path


def write_rows(path: Path, columns: Sequence[str], rows: Sequence[dict[str, Any]]) -> None:
    """Write a table whole or not at all: what was there stays until there is more."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.tmp")
    with open(temporary, "w", newline="") as file:
        writer = csv.DictWriter(file, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    temporary.replace(path)
