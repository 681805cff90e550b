"""What an evaluation protocol is: which data it takes, what it compares, how that is averaged and shown."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, Shaped
from torch import Tensor, nn

from hummuss.body.skeleton import H36M17
from hummuss.data.motion import MotionClip
from hummuss.data.windows import MotionSource
from hummuss.errors import InputError
from hummuss.heads.base import Batch, Head, Prediction
from hummuss.viz.charts import Bar

# extras[...]: which frames are scored, for datasets that mark them.
VALID = "valid_frame"


def official_frames(clip: MotionSource) -> Bool[np.ndarray, " F"]:
    """Which of a clip's own frames are scored: all, where it does not mark them.

    >>> official_frames(MotionClip("a", "a", "", "test", fps=50.0, joints3d=np.zeros((3, 17, 3), np.float32)))
    array([ True,  True,  True])
    """
    marked = getattr(clip, "extras", {}).get(VALID, np.ones(len(clip.times)))
    return marked.reshape(-1).astype(bool)


# The joints of MPI-INF-3DHP's official evaluation and of 3DPW's rows: 1-6, 8 and 10-16 of Human3.6M's.
FOURTEEN = tuple(index for index, joint in enumerate(H36M17.joints) if joint not in ("pelvis", "spine", "nose"))


@dataclass(frozen=True)
class Row:
    """Figures of one part of the test data.

    Attributes:
        part: what stands before the row: an action, a sequence, a mean over them.
        figures: metric -> figure in its unit (`metrics.units`); NaN where nothing counted.
        count: how many frames or clips the figures are of.
        log: the part's name in logs and summaries, empty for the headline; None: in the table only.
    """

    part: str
    figures: dict[str, float]
    count: int
    log: str | None = None


@dataclass(frozen=True)
class Result:
    """What came out for one head, or for its trivial baseline.

    Attributes:
        rows: the table, top to bottom.
        counted: what a row's count is of.
        notes: what must be known to read the table, found in the data.
        bars: name of a bar chart -> its bars by name.
        curve: threshold in mm -> PCK in %; empty where no joints are compared.
        confusion: (classes, classes) clips by true and by predicted class; None where there are no classes.
        classes: their names.
    """

    rows: list[Row]
    counted: str = "frames"
    notes: list[str] = field(default_factory=list)
    bars: dict[str, dict[str, Bar]] = field(default_factory=dict)
    curve: dict[float, float] = field(default_factory=dict)
    confusion: np.ndarray | None = None
    classes: Sequence[str] = ()


class TestClips:
    """Every clip of the test data, whichever loader shows it, numbered in one row.

    Args:
        groups: name of a loader -> its clips, in the loaders' order; the empty name for data that is not divided.
        classes: names of the action classes.

    >>> clips = TestClips({"a": [None, None], "b": [None]})
    >>> clips.numbers(1, torch.tensor([0, 0])), clips.group(2)
    (tensor([2, 2]), 'b')
    """

    __test__ = False  # pytest: this is no test

    def __init__(self, groups: Mapping[str, Sequence[MotionSource | None]], classes: Sequence[str] = ()) -> None:
        self.groups, self.classes = dict(groups), list(classes)
        self._starts = np.cumsum([0, *(len(clips) for clips in self.groups.values())])

    def __len__(self) -> int:
        return int(self._starts[-1])

    def __getitem__(self, number: int) -> Any:
        loader = self._loader(number)
        return list(self.groups.values())[loader][number - int(self._starts[loader])]

    def group(self, number: int) -> str:
        """Name of the group that a clip is in."""
        return list(self.groups)[self._loader(number)]

    def numbers(self, loader: int, index: Int[Tensor, " B"]) -> Int[Tensor, " B"]:
        """Numbers of a loader's clips, which itself numbers them from 0."""
        return index + int(self._starts[loader])

    def recorded(self) -> list[MotionClip]:
        """All clips, as official protocols need them: recorded ones, with subject, sequence and extras.

        Raises:
            InputError: motion that was not recorded.
        """
        clips = [self[number] for number in range(len(self))]
        for clip in clips:
            if not isinstance(clip, MotionClip):
                raise InputError(f"{clip.name} is no recording: this protocol is for a dataset's own test clips")
        return clips

    def official_count(self) -> int:
        """How many frames the clips' official protocol scores."""
        return sum(int(official_frames(clip).sum()) for clip in self.recorded())

    def extra(self, name: str, number: Int[Tensor, " B"], frame: Int[Tensor, "B F"]) -> Shaped[Tensor, "B F *shape"]:
        """A clip's further per-frame array at the frames of a batch; every clip must have it."""
        values = [self[int(clip)].extras[name][rows.cpu().numpy()] for clip, rows in zip(number, frame, strict=True)]
        return torch.from_numpy(np.stack(values)).to(frame.device)

    def _loader(self, number: int) -> int:
        return int(np.searchsorted(self._starts, number, side="right")) - 1


def scored_frames(
    clips: Sequence[MotionSource] | TestClips, clip: Int[Tensor, " B"], batch: Batch
) -> Bool[Tensor, "B F"]:
    """Which frames of a batch count: no padding, and none that their clip's official protocol leaves out.

    Args:
        clips: the motion that was shown.
        clip: number in ``clips`` of each sample's.
        batch: valid frames, and which of their clip's they are.
    """
    scored = batch["valid"].clone()
    for row, (number, frames) in enumerate(zip(clip.tolist(), batch["frame_index"].cpu(), strict=True)):
        scored[row] &= torch.from_numpy(official_frames(clips[number]))[frames].to(scored.device)
    return scored


class Evaluation(nn.Module, ABC):
    """Gathers one head's predictions (or its baseline's) over the test data."""

    @abstractmethod
    def update(self, prediction: Prediction, batch: Batch, clip: Int[Tensor, " B"]) -> Float[Tensor, "B F"] | None:
        """Add a batch; ``clip`` numbers the clips in `TestClips`.

        Returns:
            Each frame's error in mm, NaN where it does not count; None where there is no such thing.
        """

    @abstractmethod
    def result(self) -> Result:
        """The figures; the same in every process."""


class Protocol(ABC):
    """How a dataset is scored. A config names one by its class_path.

    Attributes:
        name: what tables call it.
        needs: entry of a head's prediction that it compares; empty: it takes every head.
    """

    name: ClassVar[str]
    needs: str = ""

    def options(self) -> dict[str, str]:
        """Settings that change the figures, for the table."""
        return {}

    def check(self, clips: TestClips) -> None:
        """Refuse data that the protocol is not made for, before anything is computed.

        Raises:
            InputError: which clip, and why not.
        """
        return

    @abstractmethod
    def evaluation(self, head: Head, clips: TestClips) -> Evaluation:
        """What gathers the predictions of a head that predicts what the protocol needs."""


def incomplete(found: int, official: Sequence[int], unit: str) -> list[str]:
    """A note for the table where the test data are not as many as the official ones; they may come in several extents.

    >>> incomplete(235, [236], "clips"), incomplete(236, [236], "clips")
    (['235 clips; the official test has 236'], [])
    """
    if not official or found in official:
        return []
    return [f"{found:,} {unit}; the official test has {' or '.join(f'{number:,}' for number in official)}"]


def reference(name: str, found: Sequence[str], wanted: Sequence[str], what: str) -> None:
    """Check that the test data has exactly the official parts.

    Raises:
        InputError: what is missing and what is foreign.

    >>> reference("h36m", ["S9"], ["S9", "S11"], "subjects")
    Traceback (most recent call last):
    hummuss.errors.InputError: h36m: the official test subjects are S9, S11; the data lacks S11
    """
    missing = [part for part in wanted if part not in found]
    foreign = sorted(set(found) - set(wanted))
    if missing or foreign:
        wrong = [f"lacks {', '.join(missing)}"] if missing else []
        wrong += [f"has {', '.join(foreign)} besides"] if foreign else []
        raise InputError(f"{name}: the official test {what} are {', '.join(wanted)}; the data {' and '.join(wrong)}")
