"""From raw files to a store: read in parallel, written in order, with every failure named."""

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field

import numpy as np
import torch

from hummuss.data.motion import MotionClip
from hummuss.data.readers.task import FailedFile, ReadTask
from hummuss.data.residuals import ResidualTable, label_residuals
from hummuss.data.store import StoreWriter
from hummuss.errors import InputError

# Files in flight per worker: enough to keep it busy, few enough to keep memory low.
AHEAD = 2


@dataclass
class _FileResult:
    """The clips of one file with their label residuals, or why there are none."""

    clips: list[MotionClip]
    residuals: list[np.ndarray | None]
    failure: FailedFile | None = None


@dataclass
class Summary:
    """What a preparation did.

    Attributes:
        clips, frames, seconds: by (group, split).
        residuals: of the body labels, by group.
        failed: the files that gave nothing.
    """

    clips: dict[tuple[str, str], int] = field(default_factory=dict)
    frames: dict[tuple[str, str], int] = field(default_factory=dict)
    seconds: dict[tuple[str, str], float] = field(default_factory=dict)
    residuals: ResidualTable = field(default_factory=ResidualTable)
    failed: list[FailedFile] = field(default_factory=list)

    def count(self, clip: MotionClip, group: str) -> None:
        """Count one written clip."""
        key = (group, clip.split)
        self.clips[key] = self.clips.get(key, 0) + 1
        self.frames[key] = self.frames.get(key, 0) + len(clip)
        self.seconds[key] = self.seconds.get(key, 0.0) + clip.duration


def prepare(
    files: Iterable[ReadTask | FailedFile],
    writer: StoreWriter,
    dataset: str,
    workers: int,
    on_file: Callable[[], None] = lambda: None,
) -> Summary:
    """Read files and write their clips in order.

    Clips are grouped by the first part of their sequence name where it has several, by dataset otherwise.

    Args:
        files: from a reader.
        writer: an open store.
        dataset: its name.
        workers: processes that read; 1 reads in this one.
        on_file: called after each file.

    Raises:
        InputError: a worker process was killed.
    """
    summary = Summary()
    for result in _results(files, workers):
        if result.failure is not None:
            summary.failed.append(result.failure)
        for clip, residuals in zip(result.clips, result.residuals, strict=True):
            group = clip.sequence.split("/")[0] if "/" in clip.sequence else dataset
            try:
                writer.add(clip)
            except InputError as error:
                summary.failed.append(FailedFile(clip.name, str(error)))
                continue
            summary.count(clip, group)
            if residuals is not None:
                summary.residuals.add(group, residuals)
        on_file()
    return summary


def _read(task: ReadTask) -> _FileResult:
    try:
        clips = task.read()
    except InputError as error:
        return _FileResult([], [], FailedFile(task.file, str(error)))
    return _FileResult(clips, [label_residuals(clip) if task.captured else None for clip in clips])


def _results(files: Iterable[ReadTask | FailedFile], workers: int) -> Iterator[_FileResult]:
    """Results in the order of the files."""
    if workers == 1:
        for file in files:
            yield _read(file) if isinstance(file, ReadTask) else _FileResult([], [], file)
        return
    # spawn: a forked child would inherit torch's threads in an undefined state.
    context = multiprocessing.get_context("spawn")
    pending: deque[Future[_FileResult]] = deque()
    pool = ProcessPoolExecutor(workers, context, _start_worker)
    try:
        for file in files:
            pending.append(_submit(pool, file))
            if len(pending) > AHEAD * workers:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    except BrokenProcessPool as error:
        raise InputError("a worker process was killed, perhaps for want of memory: use fewer --workers") from error
    finally:
        pool.shutdown(cancel_futures=True)


def _submit(pool: ProcessPoolExecutor, file: ReadTask | FailedFile) -> "Future[_FileResult]":
    if isinstance(file, ReadTask):
        return pool.submit(_read, file)
    failed: Future[_FileResult] = Future()
    failed.set_result(_FileResult([], [], file))
    return failed


def _start_worker() -> None:
    """One thread per worker, which leaves interrupts to its parent and does not outlive it."""
    torch.set_num_threads(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    assert parent is not None

    def follow() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=follow, daemon=True).start()
