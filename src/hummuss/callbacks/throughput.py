"""Frames per second and memory, as training goes."""

import time
from typing import Any

import lightning as L
import torch

from hummuss.callbacks.loggers import log_numbers, steps_done
from hummuss.process_memory import peak_resident_mb
from hummuss.tasks import TrainingBatch, batches_of


class Throughput(L.Callback):
    """Logs ``train/frames_per_second`` and ``train/memory_gib``; the progress bar shows the first.

    Frames are the valid ones of all batches since the last entry, over the wall clock without validation: loading the
    data counts. Memory is the peak so far, of the GPU's tensors, or else of the whole process.

    Args:
        every_n_steps: optimiser steps from one entry to the next.
    """

    def __init__(self, every_n_steps: int = 10) -> None:
        self.every_n_steps = every_n_steps
        self._frames: Any = 0  # a tensor on the device: reading it every step would wait for the device
        self._since, self._logged = 0.0, 0

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self._frames, self._since, self._logged = 0, time.perf_counter(), trainer.global_step

    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, batch: TrainingBatch, batch_idx: int
    ) -> None:
        self._frames = self._frames + sum(own["valid"].sum() for own in batches_of(batch).values())
        if trainer.global_step - self._logged < self.every_n_steps:
            return
        now = time.perf_counter()
        rate = float(self._frames) * trainer.world_size / (now - self._since)
        numbers = {"train/frames_per_second": rate, "train/memory_gib": peak_gib(pl_module.device)}
        log_numbers(trainer, numbers, steps_done(trainer))
        pl_module.log("frames/s", round(rate), prog_bar=True, logger=False)
        self._frames, self._since, self._logged = 0, now, trainer.global_step

    def on_validation_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self._paused = time.perf_counter()

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self._since += time.perf_counter() - self._paused


def peak_gib(device: torch.device) -> float:
    """Most memory in use so far, GiB: of tensors on a GPU, else of this process.

    >>> 0.05 < peak_gib(torch.device("cpu")) < 100
    True
    """
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**30
    return peak_resident_mb() * 1e6 / 2**30
