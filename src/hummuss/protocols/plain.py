"""The default protocol: every head's own metrics, over all test data, its groups and its actions."""

import warnings

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torchmetrics import SumMetric

from hummuss.heads.base import Batch, Head, Prediction
from hummuss.protocols.base import Evaluation, Protocol, Result, Row, TestClips
from hummuss.protocols.confusion import Confusion
from hummuss.protocols.spread import JointSpread

ALL = "all"


class Plain(Protocol):
    """Every metric of the head on all test data, on each named group of it and on each action.

    Every counted joint of every counted frame weighs the same; windows are scored as the loaders show them. For data
    without an official protocol: synthetic motion, CMU motion capture, your own.
    """

    name = "plain"

    def evaluation(self, head: Head, clips: TestClips) -> Evaluation:
        return _PlainEvaluation(head, clips)


class _Part(nn.Module):
    """The head's metrics on one part of the data, and how much of it was seen."""

    def __init__(self, name: str, log: str | None, clips: Bool[Tensor, " clips"], head: Head) -> None:
        super().__init__()
        self.name, self.log = name, log
        self.register_buffer("clips", clips, persistent=False)
        self.metrics, self.count = head.metrics(), SumMetric()

    clips: Tensor

    def update(self, clip: Int[Tensor, " B"], counted: Tensor, arguments: dict[str, Tensor]) -> None:
        chosen = self.clips[clip]
        if chosen.any():
            # All of a batch is no rare case, and its vertices are large: they are not copied for it.
            rows = slice(None) if chosen.all() else chosen
            self.metrics.update(**{name: value[rows] for name, value in arguments.items()})
            self.count.update(counted[rows].sum())

    def row(self) -> Row:
        figures = {name: float(value) for name, value in self.metrics.compute().items()}
        return Row(self.name, figures, int(self.count.compute()), self.log)


class _PlainEvaluation(Evaluation):
    """All parts; what they are is known beforehand and the same in every process."""

    def __init__(self, head: Head, clips: TestClips) -> None:
        super().__init__()
        self._compare = head.comparison
        actions = [clips[number].label or "unlabelled" for number in range(len(clips))]
        groups = [clips.group(number) for number in range(len(clips))]
        parts = [_Part(ALL, "", torch.ones(len(clips), dtype=torch.bool), head)]
        for group in dict.fromkeys(group for group in groups if group):
            parts.append(_Part(group, group, torch.tensor([own == group for own in groups]), head))
        for action in sorted(set(actions)):
            parts.append(_Part(f"action {action}", None, torch.tensor([own == action for own in actions]), head))
        self.parts = parts
        self.modules_of_parts = nn.ModuleList(parts)  # moves them to the device
        self.spread = JointSpread(actions)
        self.confusion = Confusion(clips.classes)

    def update(self, prediction: Prediction, batch: Batch, clip: Int[Tensor, " B"]) -> Float[Tensor, "B F"] | None:
        arguments = self._compare(prediction, batch)
        if "logits" in arguments:
            self.confusion.update(arguments["logits"], arguments["label"], arguments["has_label"])
        errors = None
        if "predicted" in arguments:
            errors = self.spread.update(clip, **{key: arguments[key] for key in ("predicted", "target", "valid")})
        counted = arguments["has_label"] if errors is None else ~errors.isnan()
        for part in self.parts:
            part.update(clip, counted, arguments)
        return errors

    def result(self) -> Result:
        with warnings.catch_warnings():
            # A part of which nothing was seen (few windows were asked for) is a row of NaN.
            warnings.filterwarnings("ignore", "The ``compute`` method of metric")
            rows = [part.row() for part in self.parts]
            pictures = self.spread.pictures() | self.confusion.pictures()
        return Result(rows, counted="frames" if "curve" in pictures else "clips", **pictures)
