"""Pages that commands write: OUT.md beside its table OUT.csv and its picture OUT.png."""

import argparse
import csv
import io
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from hummuss.errors import InputError
from hummuss.evaluation.kept_rows import KeptRows
from hummuss.whole_file import whole_file


def add_out(parser: argparse.ArgumentParser, default: Path | None = None) -> None:
    """``--out``, required where there is no default."""
    text = "page to write, without an ending" + ("" if default is None else " (default: %(default)s)")
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


def read_rows(path: Path, columns: Sequence[str], types: Mapping[str, Callable[[str], Any]]) -> list[dict[str, Any]]:
    """The rows of a table that this command has written before.

    Args:
        path: of the table.
        columns: that it must have.
        types: what makes values of a column's texts, where they are no texts.

    Raises:
        InputError: the file has other columns, or a value that its column's type cannot be.
    """
    with open(path, newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        if tuple(reader.fieldnames or ()) != tuple(columns):
            raise InputError(f"{path} has other columns than this comparison: move it away, or give another --out")
        try:
            return [{column: types.get(column, str)(row[column] or "") for column in columns} for row in reader]
        except (TypeError, ValueError) as error:
            raise InputError(
                f"{path}, line {reader.line_num} is damaged ({error}): take it out, move the file away, or give "
                "another --out"
            ) from error


def kept_rows(out: Path) -> KeptRows:
    """Where a page's rows stand until there are all of them: an earlier table stays whole until then."""
    kept = KeptRows(out.with_name(f"{out.name}.partial.jsonl"))
    if usable := kept.pieces - kept.outdated:
        print(f"going on from {kept.path}: what it has of these checkpoints and frames ({usable} in all) stays")
    if kept.outdated:
        print(f"{kept.outdated} of the {kept.pieces} pieces in {kept.path} are of other code: computed anew")
    return kept


def write_rows(path: Path, columns: Sequence[str], rows: Sequence[dict[str, Any]]) -> None:
    """Write a table whole or not at all: what was there stays until there is more."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    with whole_file(path, ": make room, or name another place") as file:
        file.write(text.getvalue().encode())
