"""What a comparison that was cut off has computed already: the next call goes on from there."""

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from hummuss.errors import InputError
from hummuss.provenance import SHORT_HASH, code_hash
from hummuss.whole_file import whole_file

REMEDY = ": make room, or give another --out"

Row = dict[str, Any]


class KeptRows:
    """Rows in a file until their table is written, so that none is computed twice.

    A line of the file holds a piece of work, what it was computed from and by which code: this package's and torch's.
    Pieces of other code are left aside, and what a killed process wrote of a line is cut off.

    Args:
        path: the file, of an earlier call too; None keeps nothing.

    Attributes:
        pieces: how many the file had.
        outdated: how many of other code.

    Raises:
        InputError: the file cannot be read or cut off.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.path = path
        self.pieces = self.outdated = 0
        self._known: dict[str, list[Row]] = {}
        if path is None:
            return
        self.code = f"{code_hash('.')}, torch {torch.__version__}"
        if path.is_file():
            try:
                end = self._read(path)
                if end < path.stat().st_size:
                    os.truncate(path, end)
            except OSError as error:
                raise InputError(f"{path} cannot be gone on with ({error.strerror}): move it away") from error

    def rows(self, facts: Mapping[str, Any], computed: Iterable[Row]) -> Iterator[Row]:
        """A piece of work: what the file has of it, else what is ``computed`` now, and written down once that is all.

        Args:
            facts: all that decides what is computed but for the code, as JSON knows it.
            computed: asked for rows where the file has none.

        Raises:
            InputError: the file cannot be written.
        """
        if self.path is None:
            yield from computed
            return
        key = hashlib.sha256(json.dumps(dict(facts), sort_keys=True).encode()).hexdigest()[:SHORT_HASH]
        if key in self._known:
            yield from self._known.pop(key)
            return
        made = []
        for row in computed:
            made.append(row)
            yield row
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with open(self.path, "ab") as file:
                file.write(self._line(key, made))
        except OSError as error:
            raise InputError(f"{self.path} could not be written ({error.strerror}){REMEDY}") from error

    def finish(self) -> None:
        """Take out what was asked for, for the table has it; the file with it, unless another comparison's is left."""
        if self.path is None:
            return
        if not self._known:
            self.path.unlink(missing_ok=True)
            return
        with whole_file(self.path, REMEDY) as file:
            file.writelines(self._line(key, rows) for key, rows in self._known.items())

    def _read(self, path: Path) -> int:
        """Where the whole lines end."""
        end = 0
        with open(path, "rb") as file:
            for line in file:
                try:
                    piece = json.loads(line)
                    code, key, rows = piece["code"], piece["of"], piece["rows"]
                except (ValueError, KeyError, TypeError):
                    break
                if not line.endswith(b"\n"):
                    break
                end += len(line)
                self.pieces += 1
                if code == self.code:
                    self._known[key] = rows
                else:
                    self.outdated += 1
        return end

    def _line(self, key: str, rows: list[Row]) -> bytes:
        return json.dumps({"code": self.code, "of": key, "rows": rows}).encode() + b"\n"


def digest(arrays: Iterable[Tensor]) -> str:
    """The first digits of a hash of shapes and values."""
    found = hashlib.sha256()
    for array in arrays:
        found.update(f"{array.dtype} {tuple(array.shape)}\0".encode())
        found.update(array.numpy().tobytes())
    return found.hexdigest()[:SHORT_HASH]
