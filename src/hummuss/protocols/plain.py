"""The default protocol: every head's own metrics, over all test data, its groups and its actions."""

import warnings

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torchmetrics import MetricCollection, SumMetric

from hummuss.heads.base import Batch, Head, Prediction
from hummuss.metrics.pose import MeanOverJoints
from hummuss.protocols.base import Evaluation, Protocol, Result, Row, TestClips, scored_frames
from hummuss.protocols.confusion import Confusion
from hummuss.protocols.frames import FrameFigures, Frames
from hummuss.protocols.spread import JointSpread

ALL = "all"


class Plain(Protocol):
    """Every metric of the head on all test data, on each named group of it and on each action.

    Every counted joint of every counted frame weighs the same; frames that the data marks as not to be scored do not
    count. For data without an official protocol: synthetic motion, CMU motion capture, your own.
    """

    name = "plain"

    def evaluation(self, head: Head, clips: TestClips) -> Evaluation:
        return _PlainEvaluation(head, clips)


class _Part(nn.Module):
    """A part of the data: which clips are in it, and what only whole clips have figures of (accuracies)."""

    clips: Tensor

    def __init__(self, name: str, log: str | None, clips: list[bool], metrics: MetricCollection) -> None:
        super().__init__()
        self.name, self.log = name, log
        self.register_buffer("clips", torch.tensor(clips), persistent=False)
        self.metrics, self.count = metrics, SumMetric()

    def update(self, clip: Int[Tensor, " B"], arguments: dict[str, Tensor]) -> None:
        chosen = self.clips[clip]
        if chosen.any():
            self.metrics.update(**{name: value[chosen] for name, value in arguments.items()})
            counted = arguments.get("has_label")
            self.count.update((chosen if counted is None else counted[chosen]).sum())

    def row(self, frames: Frames | None) -> Row:
        if frames is not None:
            chosen = self.clips.cpu()[frames.clip]
            return Row(self.name, frames.means(chosen), int(chosen.sum()), self.log)
        figures = {name: float(value) for name, value in self.metrics.compute().items()}
        return Row(self.name, figures, int(self.count.compute()), self.log)


class _PlainEvaluation(Evaluation):
    """All parts; what they are is known beforehand and the same in every process."""

    def __init__(self, head: Head, clips: TestClips) -> None:
        super().__init__()
        self._compare, self._clips = head.comparison, clips
        actions = [clips[number].label or "unlabelled" for number in range(len(clips))]
        groups = [clips.group(number) for number in range(len(clips))]
        parts: list[tuple[str, str | None, list[bool]]] = [(ALL, "", [True] * len(clips))]
        for group in dict.fromkeys(group for group in groups if group):
            parts.append((group, group, [own == group for own in groups]))
        for action in [] if head.compares_clips else sorted(set(actions)):
            parts.append((f"action {action}", None, [own == action for own in actions]))
        self.parts = [_Part(*part, head.metrics()) for part in parts]
        self.modules_of_parts = nn.ModuleList(self.parts)  # moves them to the device
        # Figures of frames are computed once, however many parts a clip is in.
        metrics = dict(head.metrics().items())
        of_frames = {name: metric for name, metric in metrics.items() if isinstance(metric, MeanOverJoints)}
        if of_frames and len(of_frames) < len(metrics):
            raise ValueError(
                f"a head has metrics of frames or of clips, {type(head).__name__} has both: {list(metrics)}"
            )
        self.frames = FrameFigures(of_frames) if of_frames else None
        self.spread = JointSpread(actions)
        self.confusion = Confusion(clips.classes)

    def update(self, prediction: Prediction, batch: Batch, clip: Int[Tensor, " B"]) -> Float[Tensor, "B F"] | None:
        if self.frames is not None:
            batch = batch | {"valid": scored_frames(self._clips, clip, batch)}
        arguments = self._compare(prediction, batch)
        if "sample" in arguments:
            arguments["sample"] = clip  # every loader counts its samples from 0, clips are counted over all of them
        if self.frames is not None:
            self.frames.update(clip, batch["frame_index"], **arguments)
            return self.spread.update(clip, **{key: arguments[key] for key in ("predicted", "target", "valid")})
        for part in self.parts:
            part.update(clip, arguments)
        if "logits" in arguments:
            self.confusion.update(arguments["logits"], arguments["label"], arguments["has_label"])
        return None

    def result(self) -> Result:
        if self.frames is not None:
            frames = self.frames.frames()
            return Result([part.row(frames) for part in self.parts], **self.spread.pictures())
        with warnings.catch_warnings():
            # A part of which nothing was seen (few clips were asked for) is a row of NaN.
            warnings.filterwarnings("ignore", "The ``compute`` method of metric")
            rows = [part.row(None) for part in self.parts]
            pictures = self.confusion.pictures()  # none of a head that has no classes
        return Result(rows, counted="clips", **pictures)
