"""Errors of trained runs under corrupted detections: every model sees the same windows, corrupted alike."""

from collections.abc import Iterator, Sequence
from dataclasses import fields
from typing import Any

from torch import Tensor
from torch.utils.data import DataLoader

from hummuss.data.datamodules import MotionDataModule
from hummuss.data.windows import EvaluationWindows, MotionSource, View
from hummuss.evaluation.contestants import Contestant, refuse_alike, refuse_short
from hummuss.evaluation.corruption import CorruptedView, Corruption, all_corruptions
from hummuss.evaluation.moments import datasets
from hummuss.heads.base import root_relative
from hummuss.inference.strategy import FRAMES_AT_ONCE
from hummuss.metrics.per_joint import position_errors

COLUMNS = (
    "dataset", "model", "trained_with_augmentation", "trained_with_masking", "corruption", "level", "mpjpe_mm", "seed",
    # What the page says of them.
    "unseen_mpjpe_mm", "unseen_share", "windows", "frames", "recipe", "checkpoint", "commit", "device",
)  # fmt: skip

Row = dict[str, Any]


def compare_corruptions(
    contestants: Sequence[Contestant], data: MotionDataModule, split: str, windows: int
) -> Iterator[Row]:
    """One row per dataset, corruption and contestant: every frame of the windows is scored, and every joint.

    ``unseen_mpjpe_mm`` is of the joints that a model did not see, hidden or missed by the detector (None where it saw
    all), ``unseen_share`` their share.

    Args:
        contestants: from `load_contestants`.
        data: from `load_data`; windows are as long as in its training.
        split: which of its splits.
        windows: test windows of each dataset, evenly spaced.

    Raises:
        InputError: a run that takes no windows of that length, or two runs that would share their rows.
    """
    refuse_short(contestants, data.frames)
    refuse_alike(contestants, lambda own: (own.model, own.augmented, own.masked))
    for dataset, sources in datasets(data, split).items():
        for corruption in all_corruptions():
            batches = list(_batches(data, sources, windows, corruption))
            for contestant in contestants:
                place: Row = {"dataset": dataset, "model": contestant.model}
                place |= {"trained_with_augmentation": contestant.augmented, "trained_with_masking": contestant.masked}
                place |= {"corruption": corruption.kind, "level": corruption.level}
                place |= {"seed": contestant.seed, "checkpoint": contestant.checkpoint}
                yield place | _errors(contestant, batches) | contestant.origin


def _batches(
    data: MotionDataModule, sources: Sequence[MotionSource], windows: int, corruption: Corruption
) -> Iterator[dict[str, Tensor]]:
    seen = {entry.name: getattr(data.view, entry.name) for entry in fields(View)}
    view = CorruptedView(**seen, corruption=corruption)
    chosen = EvaluationWindows(sources, data.frames, windows, data.max_fps, view, data.bodies, ())
    yield from DataLoader(chosen, batch_size=max(1, FRAMES_AT_ONCE // data.frames))


def _errors(contestant: Contestant, batches: Sequence[dict[str, Tensor]]) -> Row:
    """Mean errors over all joints of all frames, mm, and over those that were not seen."""
    total = unseen_total = 0.0
    count = unseen_count = windows = frames = 0
    for batch in batches:
        valid = batch["valid"]
        joints = contestant.joints(batch["keypoints"], batch["dt"], valid)
        errors = position_errors(joints, root_relative(batch["joints3d"]))[valid]
        unseen = (batch["keypoints"][..., 2] == 0)[valid]
        total, count = total + float(errors.double().sum()), count + errors.numel()
        unseen_total += float(errors[unseen].double().sum())
        unseen_count += int(unseen.sum())
        windows, frames = windows + len(valid), frames + int(valid.sum())
    return {
        "mpjpe_mm": round(total / count, 4),
        "unseen_mpjpe_mm": round(unseen_total / unseen_count, 4) if unseen_count else None,
        "unseen_share": round(unseen_count / count, 4),
        "windows": windows,
        "frames": frames,
    }
