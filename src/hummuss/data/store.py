"""Prepared motion on disk: one flat file per field, memory-mapped, and a clip index that is written last."""

import json
import shutil
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

import numpy as np

from hummuss.data.clip_index import ClipIndex, clip_entry, pack_entries
from hummuss.data.journal import FinishedFile, Journal, checksum, field_bytes
from hummuss.data.motion import FRAME_SHAPES, MotionClip
from hummuss.errors import InputError

INDEX = "index.json"
VERSION = 2


class StoreWriter:
    """Write clips one after another into a new store; nothing appears at ``path`` before ``with`` ends well.

    Clips stream to the neighbouring folder ``<path>.partial`` that becomes ``path`` in one rename, so an interrupted
    run leaves no store at all, and memory holds one clip at a time.

    Args:
        path: folder of the store; an older store there is replaced.
        source: what the store says of itself; may be filled until ``with`` ends.
        key: makes the writer resumable: what is written, and by which code. After an interruption the partial folder
            stays, and the next writer with an equal key continues behind the last file that was committed.

    Attributes:
        partial: the folder that is written to.

    Raises:
        InputError: ``path`` exists and is not a store, or another process is writing it; two clips share a name.
    """

    def __init__(
        self, path: str | Path, source: dict[str, Any] | None = None, key: dict[str, Any] | None = None
    ) -> None:
        # Of a link, the place that it leads to: the folder is renamed into place at the end.
        self.path = Path(path).resolve()
        if self.path.is_file() or self.path.is_mount():
            kind = "a file" if self.path.is_file() else "a mount point, which cannot be replaced as a whole"
            raise InputError(f"{path} is {kind}: name a folder, or one below it")
        if self.path.exists() and not (self.path / INDEX).exists() and any(self.path.iterdir()):
            raise InputError(f"{self.path} exists and is not a prepared store: choose an empty or new folder")
        self.partial = self.path.with_name(f"{self.path.name}.partial")
        self._replaced = self.path.with_name(f"{self.path.name}.replaced")
        self._key, self._source = key, source or {}
        self._files: dict[str, BinaryIO] = {}
        self._fields: dict[str, dict[str, Any]] = {}
        self._clips: dict[str, dict[str, Any]] = {}
        self._new: list[dict[str, Any]] = []  # entries of clips since the last commit

    def __enter__(self) -> "StoreWriter":
        self._journal = Journal(self.partial, self._key)
        if self._replaced.exists():  # killed between the two renames at the end
            shutil.rmtree(self._replaced) if self.path.exists() else self._replaced.rename(self.path)
        self._restore()
        return self

    @property
    def finished(self) -> Sequence[FinishedFile]:
        """The raw files that an interrupted run left safely in the store, in order."""
        return self._journal.finished

    @property
    def files(self) -> int:
        """How many raw files are finished, this run's too."""
        return self._journal.files

    @property
    def discarded(self) -> str | None:
        """Why what an interrupted run left is not continued; None where it is, or there was nothing."""
        return self._journal.discarded

    @property
    def resumable(self) -> bool:
        """Whether a later run could continue, should this one end now."""
        return self._journal.resumable

    def add(self, clip: MotionClip) -> None:
        """Append one clip."""
        if clip.name in self._clips:
            raise InputError(f"two clips are named {clip.name!r}: clip names are unique in a store")
        arrays = dict(clip.frame_arrays())
        if clip.timestamps is not None:
            arrays["timestamps"] = clip.timestamps
        for key, array in arrays.items():
            self._check_layout(key, array)
        entry = clip_entry(clip, {key: self._append(key, array) for key, array in arrays.items()})
        self._clips[clip.name] = entry
        self._new.append(entry)

    def commit(self, file: str, note: dict[str, Any] | None = None) -> None:
        """Everything added since the last commit came from raw ``file``, which is finished.

        Args:
            file: its name.
            note: whatever the next run needs to know of it, as JSON.
        """
        for stream in self._files.values():
            stream.flush()
        fields = {key: dict(layout) for key, layout in self._fields.items()}
        self._journal.commit(FinishedFile(file, self._new, fields, note or {}))
        self._new = []

    def rewind(self, count: int) -> None:
        """Forget all but the first ``count`` finished files, before any clip is added."""
        self._journal.rewind(count)
        self._restore()

    def _restore(self) -> None:
        """Take up the state after the last finished file."""
        self._clips = {entry["name"]: entry for done in self.finished for entry in done.clips}
        fields = self.finished[-1].fields if self.finished else {}
        self._fields = {key: dict(layout) for key, layout in fields.items()}

    def _check_layout(self, key: str, array: np.ndarray) -> None:
        layout = {"dtype": array.dtype.str, "shape": list(array.shape[1:])}
        known = self._fields.get(key, layout)
        if {name: known[name] for name in layout} != layout:
            raise InputError(f"field {key!r} is {layout} here but {known} in earlier clips of this store")

    def _append(self, key: str, array: np.ndarray) -> int:
        """Write an array to the end of its field's file; return the row it starts at."""
        if key not in self._files:
            self._files[key] = open(self.partial / f"{key}.bin", "ab")  # noqa: SIM115  (closed by __exit__)
        content = np.ascontiguousarray(array).tobytes()
        self._files[key].write(content)
        empty = {"dtype": array.dtype.str, "shape": list(array.shape[1:]), "rows": 0, "crc32": 0}
        known = self._fields.setdefault(key, empty)
        start = known["rows"]
        known["rows"] += len(array)
        known["crc32"] = zlib.crc32(content, known["crc32"])
        return start

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for file in self._files.values():
            file.close()
        if kind is not None:
            self._journal.close()
            return
        index = {
            "version": VERSION,
            "source": self._source,
            "fields": self._fields,
            "clips": pack_entries(list(self._clips.values())),
        }
        (self.partial / INDEX).write_text(json.dumps(index))
        # The old store moves aside first: at no instant does a mixture of both stand at ``path``.
        if self.path.exists():
            self.path.rename(self._replaced)
        self._journal.move(self.path)
        shutil.rmtree(self._replaced, ignore_errors=True)


class MotionStore:
    """A prepared store, opened instantly: arrays stay on disk until a clip's frames are read.

    Index by position or by clip name; iterate for all clips.

    Args:
        path: the folder that ``hummuss prepare`` wrote.

    Raises:
        InputError: no such folder, no store in it, a store of another version, a damaged or an empty one.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        if not self.path.is_dir():
            raise InputError(f"no prepared store at {self.path}: write one with `hummuss prepare NAME RAW {self.path}`")
        if not (self.path / INDEX).is_file():
            raise InputError(
                f"{self.path} has no {INDEX}, so it is not a prepared store: "
                f"if it holds raw files, run `hummuss prepare NAME {self.path} OUT` and point at OUT"
            )
        try:
            index = json.loads((self.path / INDEX).read_text())
            self.version, self.source, self._fields = index["version"], index["source"], index["fields"]
            if self.version not in (1, VERSION):
                raise InputError(
                    f"{self.path} is a store of version {self.version}, this hummuss reads {VERSION}: prepare again"
                )
            # Version 1 had one object per clip.
            self._index = ClipIndex(pack_entries(index["clips"]) if self.version == 1 else index["clips"])
        except InputError:
            raise
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise InputError(f"{self.path / INDEX} is damaged ({error!r}): run `hummuss prepare` again") from error
        if not self._index.names:
            raise InputError(f"{self.path} holds no clips: see the summary of the `hummuss prepare` that wrote it")
        self._arrays = {key: self._map(key, layout) for key, layout in self._fields.items()}

    def _map(self, key: str, layout: dict[str, Any]) -> np.ndarray:
        file = self.path / f"{key}.bin"
        shape, dtype = (layout["rows"], *layout["shape"]), np.dtype(layout["dtype"])
        expected = field_bytes(layout)
        found = file.stat().st_size if file.is_file() else 0
        if found != expected:
            raise InputError(f"{file} has {found} bytes, expected {expected}: the store is damaged, prepare it again")
        return np.memmap(file, dtype, "r", shape=shape) if expected else np.zeros(shape, dtype)

    def __reduce__(self) -> tuple[type["MotionStore"], tuple[Path]]:
        """Opened anew by another process: pickled, the arrays would be copied in full."""
        return MotionStore, (self.path,)

    def __len__(self) -> int:
        return len(self._index.names)

    def __getitem__(self, key: int | str) -> MotionClip:
        if isinstance(key, str):
            try:
                key = self._index.position(key)
            except KeyError:
                raise KeyError(f"no clip named {key!r} in {self.path}") from None
        frames = self._index.frames[key]
        rows: dict[str, Any] = {
            name: self._arrays[name][start : start + frames] for name, start in self._index.offsets(key).items()
        }
        return MotionClip(
            **self._index.values(key),
            timestamps=rows.pop("timestamps", None),
            extras={name: array for name, array in rows.items() if name not in FRAME_SHAPES},
            **{name: array for name, array in rows.items() if name in FRAME_SHAPES},
        )

    def __iter__(self) -> Iterator[MotionClip]:
        return (self[i] for i in range(len(self)))

    def frames(self, name: str) -> int:
        """How many frames a clip has; reads none."""
        return self._index.frames[self._index.position(name)]

    def fps(self, name: str) -> float | None:
        """Frames per second of a clip; None for one with time stamps."""
        return self._index.fps(self._index.position(name))

    def seconds(self, name: str) -> float:
        """Duration of a clip, from the index and its time stamps alone."""
        fps = self.fps(name)
        if fps is not None:
            return self.frames(name) / fps
        first, last = self.span(name)
        return last - first

    def span(self, name: str) -> tuple[float, float]:
        """First and last second of a clip, from the index and its time stamps alone."""
        position = self._index.position(name)
        frames, fps = self._index.frames[position], self._index.fps(position)
        if fps is not None:
            return 0.0, (frames - 1) / fps
        start = self._index.offsets(position)["timestamps"]
        first, last = self._arrays["timestamps"][[start, start + frames - 1]]
        return float(first), float(last)

    def sequence(self, name: str) -> str:
        """What a clip was recorded in, from the index alone."""
        return self._index.sequence(self._index.position(name))

    def person(self, name: str) -> str | None:
        """Who of those in its sequence a clip shows, from the index alone."""
        return self._index.person(self._index.position(name))

    def label(self, name: str) -> str | None:
        """Action of a clip, from the index alone."""
        return self._index.label(self._index.position(name))

    @property
    def fields(self) -> list[str]:
        """Names of the per-frame arrays that any clip has."""
        return list(self._fields)

    def names(self, split: str | None = None) -> list[str]:
        """Names of the clips of one split, or of all, in stored order; reads no frames."""
        pairs = zip(self._index.names, self._index.splits, strict=True)
        return [name for name, own in pairs if split in (None, own)]

    def verify(self) -> list[str]:
        """Read every field's file and compare its checksum (CRC-32) with the index.

        Returns:
            One line per file that differs or has no checksum, with what to do; none if all are whole.
        """
        problems = []
        for key, layout in self._fields.items():
            file = self.path / f"{key}.bin"
            if "crc32" not in layout:
                problems.append(f"{file} has no checksum: it was prepared by an older hummuss, prepare it again")
            elif checksum(file, field_bytes(layout)) != layout["crc32"]:
                problems.append(f"{file} differs from its checksum: the store is damaged, prepare it again")
        return problems
