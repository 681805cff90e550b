"""The folder of an unfinished store and the journal of what is safely in it, so that an interrupted run continues.

A line of the journal follows every raw file whose clips are written. What a killed run wrote after its last line is
cut off when the next one continues: only the file it was at is lost. Checksums tell whether what the journal vouches
for is really there, after a power failure for instance: nothing is forced to the disk before the store is whole.
"""

import fcntl
import json
import math
import os
import shutil
import zlib
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any

import numpy as np

from hummuss.errors import InputError

JOURNAL = "journal.jsonl"
CHUNK = 1 << 24


@dataclass(frozen=True)
class FinishedFile:
    """One line of the journal: a raw file and the store as it stood after it.

    Attributes:
        file: the raw file's name.
        clips: the index entries of its clips.
        fields: of the whole store so far, see `field_bytes`.
        note: what else the run wants to know again.
    """

    file: str
    clips: list[dict[str, Any]] = field(default_factory=list)
    fields: dict[str, dict[str, Any]] = field(default_factory=dict)
    note: dict[str, Any] = field(default_factory=dict)


def field_bytes(layout: dict[str, Any]) -> int:
    """Bytes of a field's file: its rows times the shape of one times the size of a number."""
    return math.prod((layout["rows"], *layout["shape"])) * np.dtype(layout["dtype"]).itemsize


class Journal:
    """An unfinished store's folder, held by one process at a time.

    Args:
        folder: where the store is written before it is renamed into place.
        key: what is being written and by which code, as JSON knows it. A folder left behind under the same key is
            continued, one of another key is emptied. None: always emptied, and never left behind.

    Attributes:
        finished: the files that an interrupted run finished; those of this run are counted alone, to save memory.
        files: how many are finished by now.
        discarded: why what an interrupted run left is not continued; None where it is, or there was nothing.

    Raises:
        InputError: another process writes to the folder.
    """

    def __init__(self, folder: Path, key: dict[str, Any] | None) -> None:
        self.folder, self.key = folder, key
        self.finished: list[FinishedFile] = []
        self.files = 0
        self.discarded: str | None = None
        self._ends: list[int] = []  # of each finished file's line, in bytes
        self._file = self._lock()
        header, end = self._read()
        if header is not None:
            self.discarded = self._difference(header)
        if header is None or self.discarded:
            self.finished, self._ends = [], []
            self._file.truncate(0)
            end = self._append({"key": key})
        self._header_end = end
        self.rewind(len(self.finished))

    def commit(self, done: FinishedFile) -> None:
        """Write down that a file is finished; its bytes must have left this process's buffers."""
        self._append(asdict(done))
        self.files += 1
        self._holds_clips |= bool(done.clips)

    def rewind(self, count: int) -> None:
        """Keep the first ``count`` of the finished files; cut the journal and the fields off behind them."""
        self.finished, self._ends, self.files = self.finished[:count], self._ends[:count], count
        self._holds_clips = any(done.clips for done in self.finished)
        self._file.truncate(self._ends[-1] if self._ends else self._header_end)
        fields = self.finished[-1].fields if self.finished else {}
        for path in self.folder.iterdir():
            if path.name == JOURNAL:
                continue
            if path.stem in fields and path.suffix == ".bin":
                os.truncate(path, field_bytes(fields[path.stem]))
            else:
                path.unlink()

    @property
    def resumable(self) -> bool:
        """Whether there is something to continue should this run end now."""
        return self.key is not None and self._holds_clips

    def close(self) -> None:
        """Let the folder go, and remove it unless a later run can continue it."""
        if not self.resumable:
            shutil.rmtree(self.folder)
        self._file.close()

    def move(self, path: Path) -> None:
        """Rename the folder into place, without its journal; it is on the disk when this returns."""
        for file in self.folder.iterdir():
            _force(file)
        _force(self.folder)
        self.folder.rename(path)
        _force(path.parent)
        (path / JOURNAL).unlink()  # last: until here, the journal could have continued
        self._file.close()

    def _lock(self) -> IO[bytes]:
        """The journal, open for appending and locked; the system lets go of it even if this process is killed."""
        path = self.folder / JOURNAL
        while True:
            self.folder.mkdir(parents=True, exist_ok=True)
            try:
                file = open(path, "ab")  # noqa: SIM115  (closed by close and move)
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if os.fstat(file.fileno()).st_ino == path.stat().st_ino:
                    return file
                file.close()
            except FileNotFoundError:
                continue  # another process finished with the folder in between: start over
            except BlockingIOError as error:
                file.close()
                raise InputError(
                    f"another process is writing to {self.folder}: wait until it ends, or write to another OUT"
                ) from error
            except OSError as error:  # a network's file system may have no locks
                raise InputError(
                    f"{self.folder} cannot be locked ({error.strerror}): prepare on a local disk, then copy the store"
                ) from error

    def _append(self, line: dict[str, Any]) -> int:
        """Add a line; return where it ends."""
        self._file.write(json.dumps(line).encode() + b"\n")
        self._file.flush()
        return self._file.tell()

    def _read(self) -> tuple[dict[str, Any] | None, int]:
        """Header and where it ends, the finished files aside; a torn or damaged line ends the journal."""
        header, end, place = None, 0, 0
        with open(self.folder / JOURNAL, "rb") as file:
            for line in file:
                place += len(line)
                try:
                    values = json.loads(line)
                    if not line.endswith(b"\n"):
                        break
                    if header is None:
                        header, end = values["key"], place
                        continue
                    self.finished.append(FinishedFile(**values))
                    self._ends.append(place)
                except (ValueError, KeyError, TypeError):
                    break
        return header, end

    def _difference(self, key: dict[str, Any]) -> str | None:
        """Why what was left behind can't be continued."""
        if self.key is None:
            return "it belongs to another command"
        wanted = json.loads(json.dumps(self.key))
        for name in wanted | key:
            if wanted.get(name) != key.get(name):
                return f"{name} was {key.get(name)}, is now {wanted.get(name)}"
        fields = self.finished[-1].fields if self.finished else {}
        for name, layout in fields.items():
            if checksum(self.folder / f"{name}.bin", field_bytes(layout)) != layout["crc32"]:
                return f"{name}.bin isn't what the journal says"
        return None


def _force(path: Path) -> None:
    """Write what the system holds of a file or folder to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def checksum(path: Path, size: int) -> int | None:
    """CRC-32 of a file's first ``size`` bytes; None if it has fewer or isn't there."""
    if not path.is_file() or path.stat().st_size < size:
        return None
    found = 0
    with open(path, "rb") as file:
        while size > 0:
            block = file.read(min(CHUNK, size))
            found = zlib.crc32(block, found)
            size -= len(block)
    return found
