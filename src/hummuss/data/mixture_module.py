"""The data module that draws from several others, each with a weight, which may change from epoch to epoch."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from torch.utils.data import Dataset

from hummuss.data.datamodules import MotionDataModule
from hummuss.data.parts_module import PartsDataModule
from hummuss.data.transforms.occlusion import Occlusion
from hummuss.data.windows import Sample, TrainingWindows
from hummuss.errors import InputError


@dataclass(frozen=True)
class Stage:
    """What training is like from an epoch on.

    Attributes:
        from_epoch: the first epoch of the stage, counted from 0.
        weights: part -> weight, as `MixtureDataModule` takes them; without any, those of before stay.
        occlusion: hides joints; without one, that of before stays. One with ``windows: 0`` hides nothing.
    """

    from_epoch: int
    weights: dict[str, float] | None = None
    occlusion: Occlusion | None = None


class MixtureDataModule(PartsDataModule):
    """Windows of several data modules' motion in the same batches.

    A part gives its motion, labels, bodies and named test groups; everything else (length of windows, camera and noise,
    frame rates, the sizes of splits) is the mixture's. Parts may pose different bodies, unless a mesh is learnt.

    Item n of the training is a function of the seed and n alone, as with any data module: the stage of the curriculum
    follows from n, so resumed runs and loader processes need nothing told.

    Args:
        parts: name -> data module.
        weights: part -> how often a training window is drawn from it, relative to the others; within a part, clips are
            drawn as the part itself would. 0 leaves a part out.
        curriculum: stages in the order of their first epochs; before the first, weights and occlusion as given here.
        options: see `MotionDataModule`. Without ``classes``, those of all parts in their order.

    Raises:
        InputError: weights or stages that do not name every part, or are below 0 or all 0; stages out of order; a part
            that is a mixture with stages of its own.
    """

    def __init__(
        self,
        parts: dict[str, MotionDataModule],
        weights: dict[str, float],
        curriculum: Sequence[Stage] = (),
        **options: Any,
    ) -> None:
        super().__init__(parts, balance_classes=False, body_path=None, h36m_regressor=None, **options)
        self.weights, self.curriculum = weights, list(curriculum)
        for where, given in (("", weights), *((f" from epoch {s.from_epoch}", s.weights) for s in self.curriculum)):
            if given is not None:
                _check_weights(given, parts, where)
        for name, part in parts.items():
            if isinstance(part, MixtureDataModule) and part.curriculum:
                raise InputError(
                    f"data.init_args.parts.{name} is a mixture with a curriculum of its own, which nobody would "
                    "follow: give the outer mixture the stages"
                )
        for earlier, later in pairwise([-1, *(stage.from_epoch for stage in self.curriculum)]):
            if later <= earlier:
                raise InputError(
                    f"data.init_args.curriculum: a stage from epoch {later} comes after one from epoch {earlier}: "
                    "give stages in the order of their first epochs, counted from 0"
                )

    def _training_windows(self, per_epoch: int) -> Dataset[Sample]:
        weights, occlusion = self.weights, self.occlusion
        stages = [self._drawn(self._shares_with(weights), occlusion)]
        for stage in self.curriculum:
            weights, occlusion = stage.weights or weights, stage.occlusion or occlusion
            stages.append(self._drawn(self._shares_with(weights), occlusion))
        return _StagedWindows(stages, [stage.from_epoch * per_epoch for stage in self.curriculum])

    def _shares(self, recordings: Sequence[Sequence[int]] | None = None) -> list[float]:
        """As a part of another mixture: by its own weights."""
        return self._shares_with(self.weights)

    def _shares_with(self, weights: dict[str, float]) -> list[float]:
        """Of every training source: its share of its part, times the part's weight."""
        shares: list[float] = []
        for name, part in self.parts.items():
            own = np.asarray(part._shares(), np.float64)
            shares += (weights[name] * own / own.sum()).tolist()
        return shares


class _StagedWindows(Dataset[Sample]):
    """Training windows whose settings change at certain numbers; ``starts`` is one shorter than ``stages``."""

    def __init__(self, stages: Sequence[TrainingWindows], starts: Sequence[int]) -> None:
        self.stages, self.starts = stages, starts
        self.sources = stages[0].sources

    def __getitem__(self, draw: int) -> Sample:
        return self.rows(draw)[0]

    def rows(self, draw: int) -> list[Sample]:
        """See `TrainingWindows.rows`."""
        return self.stages[bisect_right(self.starts, draw)].rows(draw)


def _check_weights(weights: dict[str, float], parts: dict[str, MotionDataModule], where: str) -> None:
    if set(weights) != set(parts):
        raise InputError(
            f"data.init_args{where} weighs {', '.join(sorted(weights))}, but the parts are {', '.join(sorted(parts))}: "
            "give every part one weight, 0 to leave it out"
        )
    if min(weights.values()) < 0 or not 0 < sum(weights.values()) < np.inf:
        raise InputError(f"data.init_args{where} has the weights {weights}: give none below 0 and one above")
