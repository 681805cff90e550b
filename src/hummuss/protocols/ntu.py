"""NTU RGB+D 60 and 120: accuracies of its benchmarks, and one-shot recognition."""

from collections.abc import Sequence
from typing import Any, Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import normalize
from torchmetrics import Metric
from torchmetrics.utilities import dim_zero_cat

from hummuss.data.readers.ntu_splits import (
    EXEMPLARS,
    NOVEL,
    TEST_RECORDINGS,
    Split,
    check_benchmark,
    ntu_split,
    recording,
)
from hummuss.errors import InputError
from hummuss.heads.base import Batch, Head, Prediction
from hummuss.metrics.accuracy import mean_class_accuracy, top_k_accuracy
from hummuss.protocols.base import Evaluation, Protocol, Result, Row, TestClips, incomplete


class NTU(Protocol):
    """Top-1, top-5 and mean-class accuracy of recordings.

    A recording's persons and windows are averaged (class probabilities; embeddings of length 1). One-shot: the class of
    the exemplar that is nearest by cosine, among the 20 novel ones; the exemplars are in the test split, not scored.

    Args:
        split: the benchmark.
        classes: 60 or 120; class number 0 is A001.

    Raises:
        InputError: x-view is a benchmark of NTU 60 alone, x-set and one-shot of NTU 120 alone.

    Source: as `ntu_split`; cosine as MotionBERT's train_action_1shot.py.
    """

    name = "ntu"

    def __init__(self, split: Split = "xsub", classes: Literal[60, 120] = 60) -> None:
        check_benchmark(split, classes)
        self.split, self.classes = split, classes
        self.needs = "embedding" if split == "oneshot" else "logits"

    def options(self) -> dict[str, str]:
        return {"split": self.split, "classes": str(self.classes)}

    def check(self, clips: TestClips) -> None:
        """Refuse clips that belong to the benchmark's training part, classes beyond it, missing exemplars."""
        names = [clip.name for clip in clips.recorded()]
        for name in names:
            if recording(name).action > self.classes:
                raise InputError(f"clip {name} is of a class beyond the {self.classes} that are scored")
            part = ntu_split(name, self.split, self.classes)
            if part != "test":
                raise InputError(f"test clip {name} is in the {part} part of {self.split}: prepare that split anew")
        missing = [exemplar for exemplar in EXEMPLARS if not any(exemplar in name for name in names)]
        if self.split == "oneshot" and missing:
            raise InputError(f"one-shot needs every exemplar in the test split, {', '.join(missing)} not found")

    def evaluation(self, head: Head, clips: TestClips) -> Evaluation:
        return _OneShot(clips) if self.split == "oneshot" else _Classes(clips, self.split, self.classes)


class _Means(Metric):
    """Mean of the vectors of every recording."""

    full_state_update = False
    keys: list[Tensor]
    vectors: list[Tensor]

    def __init__(self) -> None:
        super().__init__()
        self.add_state("keys", [], dist_reduce_fx="cat")
        self.add_state("vectors", [], dist_reduce_fx="cat")

    def update(self, key: Int[Tensor, " B"], vector: Float[Tensor, "B D"]) -> None:
        self.keys.append(key)
        self.vectors.append(vector)

    def compute(self) -> Float[Tensor, "N columns"]:
        """Number of every recording seen, and its mean; in one tensor, as `FrameFigures.compute` says."""
        vectors = dim_zero_cat(self.vectors).double()
        seen, position, times = torch.unique(dim_zero_cat(self.keys), return_inverse=True, return_counts=True)
        total = vectors.new_zeros(len(seen), vectors.shape[1]).index_add(0, position, vectors)
        return torch.cat([seen[:, None], total / times[:, None]], 1)

    def means(self) -> tuple[Int[Tensor, " N"], Float[Tensor, "N D"]]:
        """Recordings seen, and their means."""
        key, mean = self.compute().cpu().tensor_split([1], 1)
        return key[:, 0].long(), mean


class _Classes(Evaluation):
    """Recordings by their mean class probabilities."""

    def __init__(self, clips: TestClips, split: Split, classes: int) -> None:
        super().__init__()
        self.names = [f"A{action:03}" for action in range(1, classes + 1)]
        recordings = [recording(clip.name) for clip in clips.recorded()]
        distinct = sorted(set(recordings))
        self.notes = incomplete(len(distinct), TEST_RECORDINGS[split, classes], "recordings")
        self.actions = torch.tensor([one.action for one in distinct])
        self.register_buffer("key", torch.tensor([distinct.index(one) for one in recordings]), persistent=False)
        self.means = _Means()

    key: Tensor

    def update(self, prediction: Prediction, batch: Batch, clip: Int[Tensor, " B"]) -> None:
        key, logits = self.key[clip], prediction["logits"]
        if logits.shape[1] != len(self.names):
            raise InputError(f"ntu scores {len(self.names)} classes, the head predicts {logits.shape[1]}")
        official = self.actions.to(key.device)[key] - 1
        wrong = batch["label"] != official
        if wrong.any():
            raise InputError(
                f"a clip of A{int(official[wrong][0]) + 1:03} has the class number {int(batch['label'][wrong][0])}: "
                "data.init_args.classes must list all classes in the official order, A001 first"
            )
        self.means.update(key, logits.softmax(1))

    def result(self) -> Result:
        key, probabilities = self.means.means()
        return _accuracies(probabilities, self.actions[key] - 1, self.names, self.notes)


class _OneShot(Evaluation):
    """Recordings of the novel classes by the exemplar that their mean embedding is nearest to."""

    def __init__(self, clips: TestClips) -> None:
        super().__init__()
        recordings = [recording(clip.name) for clip in clips.recorded()]
        self.distinct = sorted(set(recordings))
        index = {one: number for number, one in enumerate(self.distinct)}
        self.register_buffer("key", torch.tensor([index[one] for one in recordings]), persistent=False)
        self.exemplars = torch.tensor([index[recording(name)] for name in EXEMPLARS])
        self.means = _Means()

    key: Tensor

    def update(self, prediction: Prediction, batch: Batch, clip: Int[Tensor, " B"]) -> None:
        self.means.update(self.key[clip], normalize(prediction["embedding"], dim=1))

    def result(self) -> Result:
        """Raises InputError where an exemplar was not shown (few windows were asked for)."""
        key, embeddings = self.means.means()
        shown = torch.isin(self.exemplars, key)
        if not shown.all():
            missing = [name for name, seen in zip(EXEMPLARS, shown.tolist(), strict=True) if not seen]
            raise InputError(f"one-shot: the exemplars {', '.join(missing)} were not shown: test all windows")
        embeddings = normalize(embeddings, dim=1)
        similarities = embeddings @ embeddings[torch.searchsorted(key, self.exemplars)].mT
        scored = ~torch.isin(key, self.exemplars)
        label = torch.tensor([NOVEL.index(self.distinct[int(number)].action) for number in key[scored]])
        return _accuracies(similarities[scored], label, [f"A{action:03}" for action in NOVEL])


def _accuracies(
    scores: Float[Tensor, "N classes"], label: Int[Tensor, " N"], names: list[str], notes: Sequence[str] = ()
) -> Result:
    figures = {
        "top1": float(top_k_accuracy(scores, label)),
        "top5": float(top_k_accuracy(scores, label, k=5)),
        "mean_class": float(mean_class_accuracy(scores, label)),
    }
    classes = len(names)
    confusion = torch.bincount(label * classes + scores.argmax(1), minlength=classes**2).view(classes, classes)
    pictures: dict[str, Any] = {"confusion": confusion.numpy(), "classes": names}
    return Result([Row("all", figures, len(label), log="")], counted="recordings", notes=[*notes], **pictures)
