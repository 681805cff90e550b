"""Preparation: memory does not grow with the dataset; what is left out is remembered."""

import tracemalloc
from functools import partial
from pathlib import Path

import numpy as np

from hummuss.data.motion import MotionClip
from hummuss.data.preparing import prepare, skip_finished
from hummuss.data.readers.task import LeftOut, ReadTask
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


def test_an_interrupted_run_remembers_what_it_left_out(tmp_path) -> None:
    files = [LeftOut("a", "a ghost"), ReadTask("b", partial(read, "b")), LeftOut("c", "a ghost"), LeftOut("d", "alone")]

    def interrupted():
        yield from files[:3]
        raise KeyboardInterrupt

    key = {"made": 1}
    try:
        with StoreWriter(tmp_path / "store", key=key) as writer:
            prepare(skip_finished(interrupted(), writer), writer, "made", workers=1)
    except KeyboardInterrupt:
        pass
    with StoreWriter(tmp_path / "store", key=key) as writer:
        rest = list(skip_finished(iter(files), writer))
        assert rest == files[3:]
        summary = prepare(rest, writer, "made", workers=1)
    assert summary.left_out == {"a ghost": ["a", "c"], "alone": ["d"]}
    assert MotionStore(tmp_path / "store").names() == ["b"]
