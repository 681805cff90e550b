"""What a comparison that was cut off has computed already: the next call goes on from there."""

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from hummuss.errors import InputError
from hummuss.provenance import SHORT_HASH, code_hash

Row = dict[str, Any]


class KeptRows:
    """Rows in a file until their table is whole, so that none is computed twice.

    A line of the file holds a piece of work and what it was computed from. What a killed process wrote of a line is cut
    off.

    Args:
        path: the file, of an earlier call too; None keeps nothing.

    Attributes:
        pieces: how many the file had.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.path = path
        self._code = code_hash(".")
        self._known: dict[str, list[Row]] = {}
        if path is not None and path.is_file():
            os.truncate(path, self._read(path))
        self.pieces = len(self._known)

    def rows(self, facts: Mapping[str, Any], computed: Iterable[Row]) -> Iterator[Row]:
        """A piece of work: what the file has of it, else what is ``computed`` now, and written down once that is all.

        Args:
            facts: all that decides what is computed but for the package's code, as JSON knows it.
            computed: asked for rows where the file has none.

        Raises:
            InputError: the file cannot be written.
        """
        if self.path is None:
            yield from computed
            return
        of = json.dumps([dict(facts), self._code], sort_keys=True)
        key = hashlib.sha256(of.encode()).hexdigest()[:SHORT_HASH]
        if key not in self._known:
            made = []
            for row in computed:
                made.append(row)
                yield row
            self._append(self.path, key, made)
        else:
            yield from self._known[key]

    def remove(self) -> None:
        """Take the file away: the table has all of it."""
        if self.path is not None:
            self.path.unlink(missing_ok=True)

    def _read(self, path: Path) -> int:
        """Where the whole lines end."""
        end = 0
        with open(path, "rb") as file:
            for line in file:
                try:
                    piece = json.loads(line)
                    known = {piece["of"]: piece["rows"]}
                except (ValueError, KeyError, TypeError):
                    break
                if not line.endswith(b"\n"):
                    break
                self._known |= known
                end += len(line)
        return end

    def _append(self, path: Path, key: str, rows: list[Row]) -> None:
        self._known[key] = rows
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with open(path, "a", encoding="utf-8") as file:
                file.write(json.dumps({"of": key, "rows": rows}) + "\n")
        except OSError as error:
            raise InputError(
                f"{path} could not be written ({error.strerror}): make room, or give another --out"
            ) from error


def digest(arrays: Iterable[Tensor]) -> str:
    """The first digits of a hash of shapes and values."""
    found = hashlib.sha256()
    for array in arrays:
        found.update(f"{array.dtype} {tuple(array.shape)}\0".encode())
        found.update(array.numpy().tobytes())
    return found.hexdigest()[:SHORT_HASH]
