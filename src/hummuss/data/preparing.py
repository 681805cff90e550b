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
from itertools import chain

import numpy as np
import torch

from hummuss.data.motion import MotionClip
from hummuss.data.readers.task import FailedFile, LeftOut, ReadTask
from hummuss.data.residuals import label_residuals
from hummuss.data.store import StoreWriter
from hummuss.data.summary import Summary
from hummuss.errors import InputError

# Files in flight per worker: enough to keep it busy, few enough to keep memory low.
AHEAD = 2
RawFile = ReadTask | FailedFile | LeftOut


@dataclass
class _FileResult:
    """The clips of one file with their label residuals and what was left out of it, or why there are none."""

    file: str
    clips: list[MotionClip]
    residuals: list[np.ndarray | None]
    failure: FailedFile | None = None
    left_out: list[LeftOut] = field(default_factory=list)


def skip_finished(files: Iterable[RawFile], writer: StoreWriter) -> Iterator[RawFile]:
    """The files that the store does not hold yet; they continue those it holds.

    Where RAW lists other files than it did when the store was begun, everything behind the first difference is
    forgotten, so that what comes out is what an uninterrupted run would have written.

    Args:
        files: from a reader.
        writer: an open store, perhaps continued.
    """
    files, same = iter(files), 0
    for file in files:
        if same == len(writer.finished) or writer.finished[same].file != file.file:
            files = chain([file], files)
            break
        same += 1
    writer.rewind(same)
    return files


def prepare(
    files: Iterable[RawFile],
    writer: StoreWriter,
    dataset: str,
    workers: int,
    on_file: Callable[[], None] = lambda: None,
) -> Summary:
    """Read files and write their clips in order, each file committed on its own.

    Clips are grouped by the first part of their sequence name where it has several, by dataset otherwise.

    Args:
        files: what is left of a reader's, see `skip_finished`.
        writer: an open store.
        dataset: its name.
        workers: processes that read; 1 reads in this one.
        on_file: called after each file.

    Returns:
        The summary of all files, those that an earlier run finished too.

    Raises:
        InputError: a worker process was killed.
    """
    whole = Summary()
    for finished in writer.finished:
        whole.merge(Summary.from_json(finished.note))
    for result in _results(files, workers):
        summary = _write(result, writer, dataset)
        writer.commit(result.file, summary.to_json())
        whole.merge(summary)
        on_file()
    return whole


def _write(result: _FileResult, writer: StoreWriter, dataset: str) -> Summary:
    """Add the clips of one file to the store."""
    summary = Summary()
    if result.failure is not None:
        summary.failed.append(result.failure)
    for left in result.left_out:
        summary.leave_out(left)
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
    return summary


def _read(task: ReadTask) -> _FileResult:
    try:
        found = task.read()
    except InputError as error:
        return _unread(FailedFile(task.file, str(error)))
    clips = [clip for clip in found if isinstance(clip, MotionClip)]
    left_out = [left for left in found if isinstance(left, LeftOut)]
    residuals = [label_residuals(clip) if task.captured else None for clip in clips]
    return _FileResult(task.file, clips, residuals, left_out=left_out)


def _unread(file: FailedFile | LeftOut) -> _FileResult:
    if isinstance(file, FailedFile):
        return _FileResult(file.file, [], [], file)
    return _FileResult(file.file, [], [], left_out=[file])


def _results(files: Iterable[RawFile], workers: int) -> Iterator[_FileResult]:
    """Results in the order of the files."""
    if workers == 1:
        for file in files:
            yield _read(file) if isinstance(file, ReadTask) else _unread(file)
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


def _submit(pool: ProcessPoolExecutor, file: RawFile) -> "Future[_FileResult]":
    if isinstance(file, ReadTask):
        return pool.submit(_read, file)
    known: Future[_FileResult] = Future()
    known.set_result(_unread(file))
    return known


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
