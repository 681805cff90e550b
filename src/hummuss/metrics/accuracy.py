"""Accuracy of action recognition in %: torchmetrics counts, here are the two figures the field reports.

torchmetrics' macro accuracy counts a class that was predicted but never true as 0 %, and its collections share one
state among metrics whose first batch gave equal counts (top-1 and top-5 of a batch without errors); neither happens
here.
"""

from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torchmetrics.classification import MulticlassStatScores
from torchmetrics.functional.classification import multiclass_stat_scores


def top_k_accuracy(
    logits: Float[Tensor, "clips classes"], label: Int[Tensor, " clips"], k: int = 1
) -> Float[Tensor, ""]:
    """Share of clips in % whose class is among the k best scored; NaN without clips.

    Which of equal scores is better is torch.topk's choice.

    Raises:
        ValueError: a score is NaN, a label is no class, or k is not in 1 .. classes.

    >>> logits = torch.tensor([[0.1, 0.7, 0.2], [0.5, 0.2, 0.3]])
    >>> top_k_accuracy(logits, torch.tensor([1, 2])), top_k_accuracy(logits, torch.tensor([1, 2]), k=2)
    (tensor(50.), tensor(100.))
    """
    right, clips = _right_and_clips(logits, label, k)
    return _top_k(right, clips)


def mean_class_accuracy(logits: Float[Tensor, "clips classes"], label: Int[Tensor, " clips"]) -> Float[Tensor, ""]:
    """Top-1 accuracy in % of every class that has clips, averaged over those classes; NaN without clips.

    Raises:
        ValueError: a score is NaN or a label is no class.

    >>> logits = torch.tensor([[1.0, 0.0, 0.0], [1.0, 0.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    >>> mean_class_accuracy(logits, torch.tensor([0, 0, 0, 1]))  # all of class 0, none of class 1
    tensor(50.)
    """
    right, clips = _right_and_clips(logits, label, 1)
    return _mean_class(right, clips)


class _Accuracy(MulticlassStatScores):
    """Clips right and wrong, by class."""

    higher_is_better = True

    def __init__(self, num_classes: int, k: int = 1, **kwargs: Any) -> None:
        super().__init__(num_classes, top_k=k, average="none", **kwargs)
        # For its name: MetricCollection lets metrics share a state for good if the first batch gives equal ones.
        self.add_state(f"top{k}", torch.zeros(()), dist_reduce_fx="sum")

    def update(
        self,
        logits: Float[Tensor, "clips classes"],
        label: Int[Tensor, " clips"],
        has_label: Bool[Tensor, " clips"] | None = None,
    ) -> None:
        """Add the clips that have a label (default: all); the others may hold anything.

        Raises:
            ValueError: a score is NaN or a label is no class.
        """
        if has_label is not None:
            logits, label = logits[has_label], label[has_label]
        _check(logits, label)
        if len(label):
            super().update(logits, label)


class TopKAccuracy(_Accuracy):
    """Share of clips in % whose class is among the k best scored; NaN while there were none.

    Args:
        num_classes: number of classes.
        k: 1 for top-1, 5 for top-5; at most num_classes.

    >>> metric = TopKAccuracy(num_classes=3, k=2)
    >>> metric.update(torch.tensor([[0.1, 0.7, 0.2], [0.5, 0.2, 0.3]]), torch.tensor([0, 2]))
    >>> metric.compute()
    tensor(50.)
    """

    def compute(self) -> Float[Tensor, ""]:
        right, _, _, wrong = self._final_state()
        return _top_k(right, right + wrong)


class MeanClassAccuracy(_Accuracy):
    """Top-1 accuracy in % of every class that has clips, averaged over those classes; NaN while there were none.

    Args:
        num_classes: number of classes.

    >>> metric = MeanClassAccuracy(num_classes=3)
    >>> metric.update(torch.eye(3)[[0, 0, 0, 2]], torch.tensor([0, 0, 0, 1]))
    >>> metric.compute()
    tensor(50.)
    """

    def __init__(self, num_classes: int, **kwargs: Any) -> None:
        super().__init__(num_classes, **kwargs)

    def compute(self) -> Float[Tensor, ""]:
        right, _, _, wrong = self._final_state()
        return _mean_class(right, right + wrong)


def _right_and_clips(logits: Tensor, label: Tensor, k: int) -> tuple[Int[Tensor, " classes"], Int[Tensor, " classes"]]:
    _check(logits, label)
    classes = logits.shape[1]
    if not len(label):
        return label.new_zeros(classes), label.new_zeros(classes)
    scores = multiclass_stat_scores(logits, label, classes, average="none", top_k=k)
    return scores[:, 0], scores[:, 4]


def _top_k(right: Int[Tensor, " classes"], clips: Int[Tensor, " classes"]) -> Float[Tensor, ""]:
    return 100 * right.sum() / clips.sum()


def _mean_class(right: Int[Tensor, " classes"], clips: Int[Tensor, " classes"]) -> Float[Tensor, ""]:
    present = clips > 0
    return 100 * (right[present] / clips[present]).mean()


def _check(logits: Tensor, label: Tensor) -> None:
    # The largest of scores with a NaN among them is that NaN: a diverged model would be given a class.
    if logits.isnan().any():
        raise ValueError(f"{int(logits.isnan().any(1).sum())} of {len(logits)} clips have a score that is NaN")
    wrong = label[(label < 0) | (label >= logits.shape[1])]
    if len(wrong):
        raise ValueError(f"labels are 0 to {logits.shape[1] - 1}, got {sorted(set(wrong.tolist()))}")
