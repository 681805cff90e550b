"""What the benchmark of speed finds in fresh processes: peak memory, which never falls within one, and streaming."""

import json
import signal
import subprocess
import sys
from typing import Any

import torch

from hummuss.allocator import give_back_freed_memory, keep_freed_memory
from hummuss.evaluation.speed import (
    Entry,
    Row,
    Setting,
    machine_rates,
    make_run,
    measure_streaming,
    memory_mb,
    with_floors,
)
from hummuss.inference.memory import free_bytes
from hummuss.process_memory import limit_memory, resident_mb

# Share of the free memory that a run may take: the process that times it afterwards holds other models, too.
SHARE = 0.95


def peak_memory(entry: Entry, setting: Setting) -> int | None:
    """Megabytes that model, gradients and one step take at most; None where the free memory does not hold them."""
    try:
        return _afresh("peak", *entry, *map(str, setting))
    except subprocess.CalledProcessError as error:
        if error.returncode != -signal.SIGKILL:
            raise
        return None  # so the system ends it where others have taken what was free at its start


def stream_afresh(frames: int, device: str) -> list[Row]:
    """`measure_streaming` in a process of its own. The rates for its floors would grow that process: they are ours."""
    before = machine_rates(device, "32")
    rows = _afresh("stream", str(frames), device)
    return with_floors(rows, before.best(machine_rates(device, "32")))


def _afresh(*arguments: str) -> Any:
    """What `_find` finds in a process that exists for nothing else."""
    give_back_freed_memory()  # what this process keeps of its own runs is as much as the other needs
    command = [sys.executable, "-m", "hummuss.evaluation.speed_process", *arguments]
    return json.loads(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout)


def _peak(model: str, intervals: str, mode: str, frames: str, batch: str, device: str, precision: str) -> int | None:
    """Peak memory of one run in this process, which may never take more than is free."""
    before = 0.0
    if device == "cpu":
        before, free = resident_mb(), free_bytes(torch.device(device))
        if free is not None:
            limit_memory(int(SHARE * free))
    try:
        make_run(Entry(model, intervals), Setting(mode, int(frames), int(batch), device, precision))()
    except (MemoryError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and "tried to allocate" not in str(error).lower():
            raise  # not what torch's allocators say where there is no room
        return None
    return round(memory_mb(device) - before)


def _find(what: str, *arguments: str) -> Any:
    return _peak(*arguments) if what == "peak" else measure_streaming(int(arguments[0]), arguments[1])


if __name__ == "__main__":
    keep_freed_memory()
    print(json.dumps(_find(*sys.argv[1:])))
