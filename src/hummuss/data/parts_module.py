"""What data modules that are made of others have in common."""

from abc import ABC
from bisect import bisect_right
from collections.abc import Sequence
from typing import Any

import numpy as np

from hummuss.body.smpl import BodyModel
from hummuss.data.datamodules import MotionDataModule
from hummuss.data.windows import MotionSource
from hummuss.errors import InputError


class PartsDataModule(MotionDataModule, ABC):
    """All motion of several data modules, one after another.

    Args:
        parts: name -> data module.
        options: see `MotionDataModule`.

    Raises:
        InputError: no parts.
    """

    def __init__(self, parts: dict[str, MotionDataModule], **options: Any) -> None:
        super().__init__(**options)
        if not parts:
            raise InputError("data.init_args.parts is empty: name one data module or more")
        self.parts = parts
        self.classes = self.classes or list(dict.fromkeys(name for part in parts.values() for name in part.classes))
        self.dataset = "+".join(dict.fromkeys(part.dataset for part in parts.values()))

    def sources(self, split: str) -> Sequence[MotionSource]:
        return _Chain([part.sources(split) for part in self._having(split).values()])

    def seconds(self, split: str) -> list[float]:
        return [seconds for part in self.parts.values() for seconds in part.seconds(split)]

    def labels(self, split: str) -> list[str | None]:
        return [label for part in self.parts.values() for label in part.labels(split)]

    def carries(self, field: str) -> bool:
        return super().carries(field) and any(part.carries(field) for part in self.parts.values())

    @property
    def bodies(self) -> dict[str, BodyModel]:
        """The bodies of all parts that have body parameters."""
        posing = [part for part in self.parts.values() if part.carries("smpl_pose")]
        return {name: body for part in posing for name, body in part.bodies.items()}

    def groups(self, split: str) -> dict[str, Sequence[MotionSource]]:
        """Every part, and within it the groups that it names."""
        return {
            "/".join(filter(None, (name, group))): sources
            for name, part in self._having(split).items()
            for group, sources in part.groups(split).items()
        }

    def _having(self, split: str) -> dict[str, MotionDataModule]:
        """Parts with clips in a split: all of them in training, any in evaluation, where 2D to learn from needs none.

        Raises:
            InputError: none has.
        """
        found = {name: part for name, part in self.parts.items() if split == "train" or part.seconds(split)}
        if not found:
            raise InputError(f"no part of {self.dataset} has a clip in its {split!r} split: {', '.join(self.parts)}")
        return found


class _Chain(Sequence[MotionSource]):
    """Sequences one after another, whose entries are made when asked for."""

    def __init__(self, parts: Sequence[Sequence[MotionSource]]) -> None:
        self.parts, self.ends = parts, np.cumsum([len(part) for part in parts]).tolist()

    def __len__(self) -> int:
        return self.ends[-1]

    def __getitem__(self, index: Any) -> Any:
        if not 0 <= index < len(self):
            raise IndexError(index)
        place = bisect_right(self.ends, index)
        return self.parts[place][index - (self.ends[place - 1] if place else 0)]
