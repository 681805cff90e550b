"""Preparation: memory does not grow with the dataset."""

import tracemalloc
from functools import partial
from pathlib import Path

import numpy as np

from hummuss.data.motion import MotionClip
from hummuss.data.preparing import prepare
from hummuss.data.readers.task import ReadTask
from hummuss.data.store import MotionStore, StoreWriter

FRAMES = 500
CLIP_BYTES = FRAMES * 17 * 3 * 4


def read(name: str) -> list[MotionClip]:
    return [MotionClip(name, name, "1", "train", fps=50.0, joints3d=np.zeros((FRAMES, 17, 3), np.float32))]


def peak_bytes(path: Path, clips: int) -> int:
    """Most memory that Python and numpy held at once while a store of so many clips was written."""
    files = (ReadTask(str(number), partial(read, str(number))) for number in range(clips))
    tracemalloc.start()
    try:
        with StoreWriter(path, key={"clips": clips}) as writer:
            prepare(files, writer, "made", workers=1)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_memory_does_not_grow_with_the_dataset(tmp_path) -> None:
    few, many = (peak_bytes(tmp_path / str(clips), clips) for clips in (20, 120))
    assert len(MotionStore(tmp_path / "120")) == 120
    # A clip's arrays are 102 kB; what stays of it is its line in the index.
    assert (many - few) / 100 < CLIP_BYTES / 20
