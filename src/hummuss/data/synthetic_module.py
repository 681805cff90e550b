"""The data module of procedural motion: the embedded default."""

from collections.abc import Sequence
from typing import Any

from hummuss.body.smpl import BodyModel
from hummuss.data.datamodules import MotionDataModule, check_at_least_one
from hummuss.data.synthetic import ACTIONS, SyntheticMotion, action_of
from hummuss.errors import InputError


class SyntheticDataModule(MotionDataModule):
    """Procedural motion on the free body: the embedded default, needs no file.

    Args:
        train_clips, val_clips, test_clips: performances in each split.
        duration: seconds of a performance.
        options: see `MotionDataModule`; ``classes`` are the procedural actions.
    """

    dataset = "synthetic"

    def __init__(
        self,
        train_clips: int = 4096,
        val_clips: int = 48,
        test_clips: int = 96,
        duration: float = 6.0,
        **options: Any,
    ) -> None:
        check_at_least_one({"train_clips": train_clips, "val_clips": val_clips, "test_clips": test_clips})
        if not duration > 0:
            raise InputError(f"data.init_args.duration is {duration}, expected seconds above 0")
        super().__init__(classes=ACTIONS, **options)
        self.clips = {"train": train_clips, "val": val_clips, "test": test_clips}
        self.duration = duration

    def sources(self, split: str) -> Sequence[SyntheticMotion]:
        return _Performances(split, self.clips[split], self.body, self.duration)

    def seconds(self, split: str) -> list[float]:
        return [self.duration] * self.clips[split]

    def labels(self, split: str) -> list[str]:
        return [action_of(number) for number in range(self.clips[split])]


class _Performances(Sequence[SyntheticMotion]):
    """Performances made when asked for; nothing but their number is kept."""

    def __init__(self, split: str, clips: int, body: BodyModel, duration: float) -> None:
        self.split, self.clips, self.body, self.duration = split, clips, body, duration

    def __len__(self) -> int:
        return self.clips

    def __getitem__(self, index: Any) -> Any:
        if not 0 <= index < self.clips:
            raise IndexError(index)
        return SyntheticMotion(index, self.split, body=self.body, duration=self.duration)
