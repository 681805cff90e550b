"""One-shot accuracy in %: clips by the nearest exemplar."""

from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn.functional import normalize
from torchmetrics import Metric
from torchmetrics.utilities import dim_zero_cat


class OneShotAccuracy(Metric):
    """Share of clips in % whose class is that of the exemplar that is nearest by cosine; NaN without clips to score.

    The exemplar of a class is its clip with the smallest ``sample``; it is not scored. So is NTU RGB+D 120's one-shot
    benchmark, but for its exemplars, which have names: `hummuss.protocols.NTU` scores it.

    >>> metric = OneShotAccuracy()
    >>> embedding = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.9, 0.1], [0.8, 0.2]])
    >>> metric.update(embedding, label=torch.tensor([3, 5, 3, 5]), sample=torch.arange(4))
    >>> metric.compute()
    tensor(50.)
    """

    full_state_update = False
    higher_is_better = True
    embeddings: list[Tensor]
    labels: list[Tensor]
    samples: list[Tensor]

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        for name in ("embeddings", "labels", "samples"):
            self.add_state(name, [], dist_reduce_fx="cat")

    def update(
        self,
        embedding: Float[Tensor, "B D"],
        label: Int[Tensor, " B"],
        sample: Int[Tensor, " B"],
        has_label: Bool[Tensor, " B"] | None = None,
    ) -> None:
        """Add the clips that have a label (default: all)."""
        chosen = slice(None) if has_label is None else has_label
        self.embeddings.append(embedding[chosen])
        self.labels.append(label[chosen])
        self.samples.append(sample[chosen])

    def compute(self) -> Float[Tensor, ""]:
        if isinstance(self.samples, list) and not self.samples:
            return torch.tensor(torch.nan, device=self.device)
        order = dim_zero_cat(self.samples).argsort()
        embedding, label = (dim_zero_cat(values)[order] for values in (self.embeddings, self.labels))
        earlier = torch.ones(len(label), len(label), dtype=torch.bool, device=label.device).tril(-1)
        exemplar = ~((label[:, None] == label) & earlier).any(1)
        if exemplar.all():
            return embedding.new_tensor(torch.nan)
        units = normalize(embedding, dim=1)
        nearest = (units[~exemplar] @ units[exemplar].mT).argmax(1)
        return 100 * (label[exemplar][nearest] == label[~exemplar]).to(embedding.dtype).mean()
