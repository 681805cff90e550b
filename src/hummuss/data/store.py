"""Prepared motion on disk: one flat file per field, memory-mapped, and a clip index that is written last."""

import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

import numpy as np

from hummuss.data.motion import CLIP_SCALARS, FRAME_SHAPES, Camera, MotionClip
from hummuss.errors import InputError

INDEX = "index.json"
VERSION = 1


class StoreWriter:
    """Write clips one after another into a new store; nothing appears at ``path`` before ``with`` ends well.

    Clips stream to a neighbouring folder that becomes ``path`` in one rename, so an interrupted run leaves no
    store at all, and memory holds one clip at a time.

    Raises:
        InputError: ``path`` exists and is not a store (an older store is replaced), or two clips share a name.
    """

    def __init__(self, path: str | Path, source: dict[str, Any] | None = None) -> None:
        self.path = Path(path)
        if self.path.exists() and not (self.path / INDEX).exists() and any(self.path.iterdir()):
            raise InputError(f"{self.path} exists and is not a prepared store: choose an empty or new folder")
        self._partial = self.path.with_name(f".{self.path.name}.partial-{os.getpid()}")
        self._files: dict[str, BinaryIO] = {}
        self._fields: dict[str, dict[str, Any]] = {}
        self._clips: dict[str, dict[str, Any]] = {}
        self._source = source or {}

    def __enter__(self) -> "StoreWriter":
        shutil.rmtree(self._partial, ignore_errors=True)
        self._partial.mkdir(parents=True)
        return self

    def add(self, clip: MotionClip) -> None:
        """Append one clip."""
        if clip.name in self._clips:
            raise InputError(f"two clips are named {clip.name!r}: clip names are unique in a store")
        entry: dict[str, Any] = {key: getattr(clip, key) for key in CLIP_SCALARS}
        entry["frames"] = len(clip)
        entry["camera"] = None if clip.camera is None else _camera_to_json(clip.camera)
        entry["betas"] = None if clip.betas is None else clip.betas.tolist()
        arrays = dict(clip.frame_arrays())
        if clip.timestamps is not None:
            arrays["timestamps"] = clip.timestamps
        entry["offsets"] = {key: self._append(key, array) for key, array in arrays.items()}
        self._clips[clip.name] = entry

    def _append(self, key: str, array: np.ndarray) -> int:
        """Write an array to the end of its field's file; return the row it starts at."""
        layout = {"dtype": array.dtype.str, "shape": list(array.shape[1:])}
        known = self._fields.setdefault(key, {**layout, "rows": 0})
        if {name: known[name] for name in layout} != layout:
            raise InputError(f"field {key!r} is {layout} here but {known} in earlier clips of this store")
        if key not in self._files:
            self._files[key] = open(self._partial / f"{key}.bin", "wb")  # noqa: SIM115  (closed by __exit__)
        self._files[key].write(np.ascontiguousarray(array).tobytes())
        start = known["rows"]
        known["rows"] += len(array)
        return start

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for file in self._files.values():
            file.close()
        if kind is not None:
            shutil.rmtree(self._partial, ignore_errors=True)
            return
        index = {
            "version": VERSION,
            "source": self._source,
            "fields": self._fields,
            "clips": list(self._clips.values()),
        }
        (self._partial / INDEX).write_text(json.dumps(index))
        # The old store moves aside first: at no instant does a mixture of both stand at ``path``.
        replaced = self.path.with_name(f".{self.path.name}.replaced-{os.getpid()}")
        if self.path.exists():
            self.path.rename(replaced)
        self._partial.rename(self.path)
        shutil.rmtree(replaced, ignore_errors=True)


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
            self.version, self.source = index["version"], index["source"]
            self._fields, self._entries = index["fields"], index["clips"]
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(f"{self.path / INDEX} is damaged ({error!r}): run `hummuss prepare` again") from error
        if self.version != VERSION:
            raise InputError(
                f"{self.path} is a store of version {self.version}, this hummuss reads {VERSION}: prepare again"
            )
        if not self._entries:
            raise InputError(f"{self.path} holds no clips: see the summary of the `hummuss prepare` that wrote it")
        self._arrays = {key: self._map(key, layout) for key, layout in self._fields.items()}
        self._position = {entry["name"]: i for i, entry in enumerate(self._entries)}

    def _map(self, key: str, layout: dict[str, Any]) -> np.ndarray:
        file = self.path / f"{key}.bin"
        shape, dtype = (layout["rows"], *layout["shape"]), np.dtype(layout["dtype"])
        expected = int(np.prod(shape)) * dtype.itemsize
        found = file.stat().st_size if file.is_file() else 0
        if found != expected:
            raise InputError(f"{file} has {found} bytes, expected {expected}: the store is damaged, prepare it again")
        return np.memmap(file, dtype, "r", shape=shape) if expected else np.zeros(shape, dtype)

    def __len__(self) -> int:
        return len(self._entries)

    def __getitem__(self, key: int | str) -> MotionClip:
        if isinstance(key, str):
            if key not in self._position:
                raise KeyError(f"no clip named {key!r} in {self.path}")
            key = self._position[key]
        entry = self._entries[key]
        rows: dict[str, Any] = {
            name: self._arrays[name][start : start + entry["frames"]] for name, start in entry["offsets"].items()
        }
        return MotionClip(
            **{name: entry[name] for name in CLIP_SCALARS},
            camera=None if entry["camera"] is None else _camera_from_json(entry["camera"]),
            betas=None if entry["betas"] is None else np.asarray(entry["betas"], np.float32),
            timestamps=rows.pop("timestamps", None),
            extras={name: array for name, array in rows.items() if name not in FRAME_SHAPES},
            **{name: array for name, array in rows.items() if name in FRAME_SHAPES},
        )

    def __iter__(self) -> Iterator[MotionClip]:
        return (self[i] for i in range(len(self)))

    @property
    def fields(self) -> list[str]:
        """Names of the per-frame arrays that any clip has."""
        return list(self._fields)

    def frames(self, name: str) -> int:
        """How many frames a clip has; reads none."""
        return self._entries[self._position[name]]["frames"]

    def fps(self, name: str) -> float | None:
        """Frames per second of a clip; None for one with time stamps."""
        return self._entries[self._position[name]]["fps"]

    def seconds(self, name: str) -> float:
        """Duration of a clip, from the index and its time stamps alone."""
        entry = self._entries[self._position[name]]
        if entry["fps"] is not None:
            return entry["frames"] / entry["fps"]
        start = entry["offsets"]["timestamps"]
        first, last = self._arrays["timestamps"][[start, start + entry["frames"] - 1]]
        return float(last - first)

    def names(self, split: str | None = None) -> list[str]:
        """Names of the clips of one split, or of all, in stored order; reads no frames."""
        return [entry["name"] for entry in self._entries if split in (None, entry["split"])]


def _camera_to_json(camera: Camera) -> dict[str, Any]:
    return {key: value.tolist() if isinstance(value, np.ndarray) else value for key, value in asdict(camera).items()}


def _camera_from_json(values: dict[str, Any]) -> Camera:
    arrays: dict[str, Any] = {key: np.asarray(v) if isinstance(v, list) else v for key, v in values.items()}
    return Camera(**arrays)
