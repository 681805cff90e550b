"""Errors of trained runs under corrupted detections: every model sees the same windows, corrupted alike."""

from collections.abc import Iterator, Sequence
from dataclasses import fields

from jaxtyping import Bool
from torch import Tensor
from torch.utils.data import DataLoader

from hummuss.data.datamodules import MotionDataModule
from hummuss.data.windows import EvaluationWindows, MotionSource, View
from hummuss.errors import InputError
from hummuss.evaluation.contestants import Contestant, refuse_short
from hummuss.evaluation.corruption import CorruptedView, Corruption, all_corruptions
from hummuss.evaluation.kept_rows import KeptRows, Row, digest
from hummuss.evaluation.moments import datasets, subjects_of
from hummuss.evaluation.trained import refuse_alike
from hummuss.heads.base import root_relative
from hummuss.inference.strategy import FRAMES_AT_ONCE
from hummuss.metrics.per_joint import position_errors
from hummuss.protocols.base import scored_frames

COLUMNS = (
    "dataset", "model", "trained_with_augmentation", "trained_with_masking", "corruption", "level", "mpjpe_mm", "seed",
    # What the page says of them.
    "unseen_mpjpe_mm", "unseen_share", "windows", "subjects", "frames", "recipe", "checkpoint", "commit", "device",
)  # fmt: skip
# Of a batch, what decides a figure.
SHOWN = ("keypoints", "dt", "valid", "joints3d")


def compare_corruptions(
    contestants: Sequence[Contestant],
    data: MotionDataModule,
    split: str,
    windows: int,
    kept: KeptRows | None = None,
) -> Iterator[Row]:
    """One row per dataset, corruption and contestant: every joint is scored, of every frame of the windows but those
    that a clip's official protocol leaves out.

    ``unseen_mpjpe_mm`` is of the joints that a model did not see, hidden or missed by the detector (None where it saw
    all), ``unseen_share`` their share; ``subjects`` says whose the windows are.

    Args:
        contestants: from `load_contestants`.
        data: from `load_data`; windows are as long as in its training.
        split: which of its splits.
        windows: test windows of each dataset, evenly spaced.
        kept: rows of a comparison that was cut off.

    Raises:
        InputError: a run that takes no windows of that length, two runs that would share their rows, or windows without
            a frame that is scored.
    """
    refuse_short(contestants, data.frames)
    refuse_alike(contestants, lambda own: (own.model, own.augmented, own.masked))
    kept = kept or KeptRows()
    for dataset, sources in datasets(data, split).items():
        for corruption in all_corruptions():
            batches = list(_batches(data, sources, windows, corruption))
            if not any(bool(scored.any()) for _, scored in batches):
                raise InputError(
                    f"the official protocol scores no frame of the windows of {dataset}: choose more of them, --windows"
                )
            shown = digest(part for batch, scored in batches for part in (*(batch[name] for name in SHOWN), scored))
            subjects = subjects_of(sources[clip] for batch, _ in batches for clip in batch["clip"].tolist())
            for contestant in contestants:
                place: Row = {"dataset": dataset, "model": contestant.model}
                place |= {"trained_with_augmentation": contestant.augmented, "trained_with_masking": contestant.masked}
                place |= {"corruption": corruption.kind, "level": corruption.level}
                place |= {"seed": contestant.seed, "checkpoint": contestant.checkpoint}
                place |= {"subjects": subjects}
                facts = place | {"shown": shown} | contestant.computes
                yield from kept.rows(facts, _rows(contestant, batches, place))


def _batches(
    data: MotionDataModule, sources: Sequence[MotionSource], windows: int, corruption: Corruption
) -> Iterator[tuple[dict[str, Tensor], Bool[Tensor, "B F"]]]:
    """Batches of windows, and which of their frames are scored."""
    seen = {entry.name: getattr(data.view, entry.name) for entry in fields(View)}
    view = CorruptedView(**seen, corruption=corruption)
    chosen = EvaluationWindows(sources, data.frames, windows, data.max_fps, view, data.bodies, ())
    for batch in DataLoader(chosen, batch_size=max(1, FRAMES_AT_ONCE // data.frames)):
        yield batch, scored_frames(sources, batch["clip"], batch)


def _rows(
    contestant: Contestant, batches: Sequence[tuple[dict[str, Tensor], Bool[Tensor, "B F"]]], place: Row
) -> Iterator[Row]:
    yield place | _errors(contestant, batches) | contestant.origin


def _errors(contestant: Contestant, batches: Sequence[tuple[dict[str, Tensor], Bool[Tensor, "B F"]]]) -> Row:
    """Mean errors over all joints of all scored frames, mm, and over those that were not seen."""
    total = unseen_total = 0.0
    count = unseen_count = windows = frames = 0
    for batch, scored in batches:
        joints = contestant.joints(batch["keypoints"], batch["dt"], batch["valid"])
        errors = position_errors(joints, root_relative(batch["joints3d"]))[scored]
        unseen = (batch["keypoints"][..., 2] == 0)[scored]
        total, count = total + float(errors.double().sum()), count + errors.numel()
        unseen_total += float(errors[unseen].double().sum())
        unseen_count += int(unseen.sum())
        windows, frames = windows + len(scored), frames + int(scored.sum())
    return {
        "mpjpe_mm": round(total / count, 4),
        "unseen_mpjpe_mm": round(unseen_total / unseen_count, 4) if unseen_count else None,
        "unseen_share": round(unseen_count / count, 4),
        "windows": windows,
        "frames": frames,
    }
