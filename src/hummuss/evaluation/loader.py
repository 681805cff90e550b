"""How many windows per second the data loader feeds, and how many a training step takes."""

import statistics
import time
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

import torch

from hummuss.backbones.hummuss import HumMUSS
from hummuss.data.datamodules import MotionDataModule
from hummuss.data.store_module import StoreDataModule
from hummuss.data.synthetic_module import SyntheticDataModule
from hummuss.data.transforms.frame_rate import FrameRateAugmentation
from hummuss.evaluation.speed import synchronise
from hummuss.heads.base import Batch
from hummuss.heads.pose import PoseHead

# The windows of configs/data/cmu.yaml, and two of the sizes in configs/size.
FRAMES, BATCH, STRIDES = 81, 16, (1.0, 4.0)
SIZES: dict[str, dict[str, Any]] = {
    "tiny": {"dim": 64, "depth": 3, "dim_rep": 64},
    "base": {"dim": 256, "depth": 5, "dim_rep": 256},
}


def data_module(root: str | None, workers: int) -> MotionDataModule:
    """Training windows of the store at ``root``, or of synthetic motion where it is None."""
    augmentation = FrameRateAugmentation(strides=STRIDES)
    windows = 10**6 * BATCH  # more than is ever drawn: no epoch ends while time is taken
    if root is None:
        return SyntheticDataModule(
            frames=FRAMES, batch_size=BATCH, windows_per_epoch=windows, frame_rate=augmentation, num_workers=workers
        )
    return StoreDataModule(
        root, frames=FRAMES, batch_size=BATCH, windows_per_epoch=windows, frame_rate=augmentation, num_workers=workers
    )


def feeding_rate(data: MotionDataModule, seconds: float) -> float:
    """Windows per second of the training loader, waited for by a process that does nothing else.

    The first batches, which wait for workers to start, do not count; at least two others do.
    """
    batches: Iterator[Batch] = iter(data.train_dataloader())
    ahead = 2 * max(1, data.num_workers)
    for _ in islice(batches, ahead + 1):  # what workers have ready by now was not made in the time that is taken
        pass
    taken, began = 0, time.perf_counter()
    while taken < 2 or time.perf_counter() - began < seconds:
        next(batches)
        taken += 1
    return taken * data.batch_size / (time.perf_counter() - began)


def training_rate(size: str, batch: Batch, device: str, seconds: float) -> float:
    """Windows per second of the training step (forward, backward, AdamW) of HumMUSS with the pose head.

    Args:
        size: name in `SIZES`.
        batch: a batch of the loader.
        device: where it runs.
        seconds: how long rounds are timed, at least two; the median counts.
    """
    torch.manual_seed(0)
    backbone = HumMUSS(**SIZES[size]).to(device)
    head = PoseHead(SIZES[size]["dim_rep"]).to(device)
    optimiser = torch.optim.AdamW([*backbone.parameters(), *head.parameters()], lr=1e-3)
    batch = {name: values.to(device) for name, values in batch.items()}

    def step() -> None:
        optimiser.zero_grad(set_to_none=True)
        prediction = head(backbone(batch["keypoints"], batch["dt"], batch["valid"]), batch)
        sum(head.loss(prediction, batch).values(), torch.zeros((), device=device)).backward()
        optimiser.step()

    return len(batch["dt"]) / statistics.median(_times(step, device, seconds))


def _times(step: Callable[[], None], device: str, seconds: float) -> list[float]:
    step()
    times: list[float] = []
    while len(times) < 2 or sum(times) < seconds:
        synchronise(device)
        start = time.perf_counter()
        step()
        synchronise(device)
        times.append(time.perf_counter() - start)
    return times
