"""Which operators a run spends its time in, by torch's profiler: what holds a time up that the table of speed tells."""

import time
from typing import NamedTuple

import torch
from torch.autograd import DeviceType
from torch.profiler import ProfilerActivity, profile

from hummuss.evaluation.speed import Entry, Setting, make_run, synchronise
from hummuss.provenance import device_name

OUTSIDE = "outside operators"


class OperatorRow(NamedTuple):
    """One operator in one run.

    Attributes:
        model, intervals, mode, frames, batch, precision: as in the table of speed.
        device: what it ran on.
        operator: torch's name, or `OUTSIDE`: what the run took beyond its operators, Python on a processor, waiting for
            launches on a GPU.
        calls: how often it ran.
        ms: milliseconds in it, without the operators that it calls; of a GPU, in its kernels.
        run_ms: the whole run's.
    """

    model: str
    intervals: str
    mode: str
    frames: int
    batch: int
    precision: str
    device: str
    operator: str
    calls: int
    ms: float
    run_ms: float

    @property
    def run(self) -> tuple[int, str]:
        """What tables stand side by side: runs of one length and mode."""
        return self.frames, self.mode

    @property
    def entry(self) -> Entry:
        """The model, and whether its frames were evenly spaced."""
        return Entry(self.model, self.intervals)


def profile_run(entry: Entry, setting: Setting) -> list[OperatorRow]:
    """The operators of one training step without the optimiser, or of one inference; the longest first.

    The run before it, which makes what later ones keep, is not counted. The profiler itself takes time, of short
    operators most.
    """
    run, on_gpu = make_run(entry, setting), setting.device != "cpu"
    run()
    synchronise(setting.device)
    activities = [ProfilerActivity.CPU, *[ProfilerActivity.CUDA] * on_gpu]
    began = time.perf_counter()
    with profile(activities=activities, acc_events=True) as profiler:
        run()
        synchronise(setting.device)
        run_ms = 1000 * (time.perf_counter() - began)
    device = device_name(torch.device(setting.device))
    place = (*entry, setting.mode, setting.frames, setting.batch, setting.precision, device)
    found = [
        (event.key, event.count, (event.self_device_time_total if on_gpu else event.self_cpu_time_total) / 1000)
        for event in profiler.key_averages()
        if event.device_type == DeviceType.CPU  # a GPU's kernels stand beside the operators that launched them
    ]
    found = [(name, calls, ms) for name, calls, ms in found if ms > 0]
    found.append((OUTSIDE, 1, max(0.0, run_ms - sum(ms for *_, ms in found))))
    rows = [OperatorRow(*place, name, calls, round(ms, 3), round(run_ms, 3)) for name, calls, ms in found]
    return sorted(rows, key=lambda row: -row.ms)
