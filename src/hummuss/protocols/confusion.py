"""Which classes are taken for which."""

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torchmetrics import Metric


class Confusion(Metric):
    """Clips by true and by predicted class.

    Args:
        classes: names of the classes.

    >>> confusion = Confusion(["walk", "run"])
    >>> confusion.update(torch.tensor([[0.9, 0.1], [0.8, 0.2]]), torch.tensor([0, 1]), torch.tensor([True, True]))
    >>> confusion.compute().tolist()
    [[1, 0], [1, 0]]
    """

    full_state_update = False
    clips: Tensor

    def __init__(self, classes: Sequence[str], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.classes = list(classes)
        self.add_state("clips", torch.zeros((len(self.classes),) * 2, dtype=torch.int64), dist_reduce_fx="sum")

    def update(
        self, logits: Float[Tensor, "B classes"], label: Int[Tensor, " B"], has_label: Bool[Tensor, " B"]
    ) -> None:
        """Add the clips that have a label."""
        true, predicted = label[has_label], logits[has_label].argmax(1)
        self.clips.index_put_((true, predicted), torch.ones_like(true), accumulate=True)

    def compute(self) -> Int[Tensor, "classes classes"]:
        return self.clips

    def pictures(self) -> dict[str, Any]:
        """Entries of `Result`; empty where nothing was added."""
        clips = self.compute().cpu()
        return {"confusion": clips.numpy(), "classes": self.classes} if clips.any() else {}
