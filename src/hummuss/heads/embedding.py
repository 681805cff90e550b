"""One-shot action recognition: an embedding in which clips of one action are near, also of actions never trained on."""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.functional import normalize
from torchmetrics import MetricCollection

from hummuss.data.datamodules import MotionDataModule
from hummuss.errors import InputError
from hummuss.heads.base import Batch, Head, Prediction, first_rows, mean_over_rows, mean_over_time
from hummuss.metrics import OneShotAccuracy
from hummuss.viz.draw import Panel


class EmbeddingHead(Head):
    """Representation -> embedding of length 1: mean over valid frames, joints side by side, persons averaged, linear.

    Trained by the supervised contrastive loss, whose batches need several clips of a class
    (``data.init_args.clips_per_class``). A clip is recognised by the exemplar that is nearest by cosine.

    Args:
        dim_rep: channels of the representation.
        dim: of the embedding.
        dropout: of the representation's mean.
        temperature: of the loss.
        joints: number of joints.

    Source: MotionBERT's one-shot head and its temperature (ICCV 2023; lib/model/model_action.py and
    configs/action/MB_train_NTU120_oneshot.yaml); it drops out before the mean over time, here after.
    """

    predicts = ("embedding",)
    headline = ("top1",)
    clip_outputs = ("embedding",)
    joins_persons = True
    baseline_name = "constant_embedding"
    compares_clips = True

    def __init__(
        self, dim_rep: int, dim: int = 512, dropout: float = 0.1, temperature: float = 0.1, joints: int = 17
    ) -> None:
        super().__init__()
        self.temperature = temperature
        self.embed = nn.Sequential(nn.Dropout(dropout), nn.Linear(joints * dim_rep, dim))

    def check_data(self, data: MotionDataModule) -> None:
        """Refuse data in whose batches no two clips need be of one class."""
        if not data.classes:
            raise InputError("one-shot recognition needs names in data.init_args.classes, those that it trains on")
        if data.clips_per_class < 2:
            raise InputError(
                "the contrastive loss compares clips of one class, of which a batch may have one each: "
                "set data.init_args.clips_per_class to 2 or more"
            )

    def forward(self, representation: Float[Tensor, "B F J dim_rep"], batch: Batch) -> Prediction:
        """``embedding`` (B, dim) of length 1; rows of one ``sample``, its persons, get the same."""
        mean = mean_over_time(representation, batch["valid"]).flatten(1)
        return {"embedding": normalize(self.embed(mean_over_rows(mean, batch["sample"])).float(), dim=1)}

    def loss(self, prediction: Prediction, batch: Batch) -> dict[str, Tensor]:
        """The contrastive loss of the samples that have a label."""
        chosen = batch["has_label"] & first_rows(batch["sample"])
        loss = supervised_contrastive(prediction["embedding"][chosen], batch["label"][chosen], self.temperature)
        return {"contrast": loss}

    def mirror(self, prediction: Prediction) -> Prediction:
        """An action and its mirror image are one."""
        return dict(prediction)

    def from_mean(self, mean: Prediction) -> Prediction:
        return {"embedding": normalize(mean["embedding"], dim=1)}

    def metrics(self) -> MetricCollection:
        """Share in % of clips that are nearest to their own class's first clip."""
        return MetricCollection({"top1": OneShotAccuracy()})

    def comparison(self, prediction: Prediction, batch: Batch) -> dict[str, Tensor]:
        """Of the rows of a sample, which got the same, the first counts."""
        counted = batch["has_label"] & first_rows(batch["sample"])
        entries = {key: batch[key] for key in ("label", "sample")}
        return {"embedding": prediction["embedding"], "has_label": counted} | entries

    def observe(self, batch: Batch) -> None:
        """Nothing: the baseline is the same for all data."""

    def baseline(self, batch: Batch) -> Prediction:
        """One embedding for every clip: all exemplars are equally near."""
        return {"embedding": batch["dt"].new_ones(len(batch["dt"]), 1)}

    def panels(self, prediction: Prediction, batch: Batch, count: int) -> list[Panel]:
        """None: an embedding is no pose."""
        return []


def supervised_contrastive(
    embedding: Float[Tensor, "N D"], label: Int[Tensor, " N"], temperature: float
) -> Float[Tensor, ""]:
    """Mean over the samples i that have others P(i) of their class of

        -1/|P(i)| Σ_{p in P(i)} log( exp(z_i·z_p / τ) / Σ_{a ≠ i} exp(z_i·z_a / τ) );

    0, with a gradient of 0, where no two samples are of one class.

    Args:
        embedding: z, of length 1.
        label: class of each.
        temperature: τ.

    Source: Khosla et al., "Supervised Contrastive Learning" (NeurIPS 2020), equation 2. Their code multiplies by
    τ / 0.07, which the learning rate takes up.
    """
    itself = torch.eye(len(label), dtype=torch.bool, device=label.device)
    same = (label[:, None] == label) & ~itself
    similarity = embedding @ embedding.mT / temperature
    log_share = similarity - similarity.masked_fill(itself, -torch.inf).logsumexp(1, keepdim=True)
    # Not its own share, nor that of the one sample of a batch, whose sum over others is empty.
    terms = torch.where(same, log_share, 0.0).sum(1) / same.sum(1).clamp(min=1)
    return -terms.sum() / same.any(1).sum().clamp(min=1)
