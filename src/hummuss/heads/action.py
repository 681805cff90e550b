"""Action recognition: what a clip shows, from the mean of its representation over time."""

import difflib
import json
import textwrap
from collections import Counter
from collections.abc import Sequence
from typing import Any, cast

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torchmetrics import Metric, MetricCollection

from hummuss.data.datamodules import MotionDataModule
from hummuss.errors import InputError
from hummuss.heads.base import Batch, Head, Prediction, first_rows, mean_over_rows, mean_over_time
from hummuss.metrics import MeanClassAccuracy, TopKAccuracy
from hummuss.viz.draw import Panel


class ActionHead(Head):
    """Representation -> class scores: mean over valid frames, joints side by side, persons averaged, one hidden layer.

    The classes are the data module's (``data.init_args.classes``), and stay in the checkpoint; give them here only
    where no data module will.

    Args:
        dim_rep: channels of the representation.
        hidden: width of the hidden layer.
        dropout: of the hidden layer.
        label_smoothing: share of the target that is spread over all classes.
        classes: names, in the order of the class numbers.
        joints: number of joints.

    Source: the order of its means as MotionBERT's action head (ICCV 2023), LayerNorm for its BatchNorm.
    """

    predicts = ("logits",)
    headline = ("mean_class",)
    clip_outputs = ("probabilities",)
    joins_persons = True
    baseline_name = "majority_class"

    majority: Tensor

    def __init__(
        self,
        dim_rep: int,
        hidden: int = 512,
        dropout: float = 0.3,
        label_smoothing: float = 0.1,
        classes: Sequence[str] = (),
        joints: int = 17,
    ) -> None:
        super().__init__()
        self.label_smoothing, self.hidden = label_smoothing, hidden
        self.embed = nn.Sequential(
            nn.Linear(joints * dim_rep, hidden), nn.LayerNorm(hidden), nn.GELU(), nn.Dropout(dropout)
        )
        self.register_buffer("majority", torch.tensor(0))
        self.classes: list[str] = []
        self.classify: nn.Linear | None = None
        if classes:
            self._name(classes)

    def _name(self, classes: Sequence[str]) -> None:
        self.classes = list(classes)
        place = self.embed[1].weight  # of a type and on a device that the head may have been given before
        self.classify = nn.Linear(self.hidden, len(self.classes), device=place.device, dtype=place.dtype)

    def found_settings(self) -> dict[str, Any]:
        return {"classes": self.classes}

    def get_extra_state(self) -> Tensor:
        """The classes' names, as bytes: a tensor, so that every format of weights can hold them."""
        return torch.tensor(list(json.dumps(self.classes).encode()), dtype=torch.uint8)

    def set_extra_state(self, state: Tensor) -> None:
        """Take over the classes of a checkpoint, whose weights are then loaded."""
        classes = json.loads(bytes(state.tolist()).decode())
        if not self.classes:
            self._name(classes)
        elif classes != self.classes:
            raise InputError(
                f"the checkpoint tells apart {', '.join(classes)}, this head {', '.join(self.classes)}: give "
                "data.init_args.classes as its run had them, in the same order"
            )

    def check_data(self, data: MotionDataModule) -> None:
        """Take the data's classes and its majority class; refuse others than the head was trained on."""
        if not data.classes:
            raise InputError("action recognition needs names in data.init_args.classes, in the order of their numbers")
        if not self.classes:
            self._name(data.classes)
        if self.classes != data.classes:
            raise InputError(
                f"the head tells apart {', '.join(self.classes)}, but data.init_args.classes are "
                f"{', '.join(data.classes)}: give both the same names in the same order"
            )
        labels = data.labels("train")
        if not labels:
            return  # a test of a model that knows its majority from training
        counts = Counter(label for label in labels if label in data.classes)
        if not counts:
            named = textwrap.shorten(", ".join(data.classes), 80, placeholder=" ...")
            raise InputError(f"no training clip is labelled with one of the {len(data.classes)} classes {named}")
        others = {label for label in labels if label} - counts.keys()
        for name in data.classes:  # of part of a dataset some may be absent
            if name not in counts and (meant := difflib.get_close_matches(name, others, n=1)):
                raise InputError(
                    f"no training clip is labelled {name!r} of data.init_args.classes, but some are {meant[0]!r}: is "
                    "that one meant?"
                )
        self.majority.fill_(data.classes.index(counts.most_common(1)[0][0]))

    def forward(self, representation: Float[Tensor, "B F J dim_rep"], batch: Batch) -> Prediction:
        """``logits`` and ``probabilities`` (B, classes); rows of one ``sample``, its persons, get the same."""
        if self.classify is None:
            raise ValueError("ActionHead has no classes yet: give it their names, or run it with a data module")
        mean = mean_over_time(representation, batch["valid"]).flatten(1)
        logits = self.classify(self.embed(mean_over_rows(mean, batch["sample"]))).float()
        return {"logits": logits, "probabilities": logits.softmax(1)}

    def loss(self, prediction: Prediction, batch: Batch) -> dict[str, Tensor]:
        """Cross entropy over the clips that have a label; a clip's persons share its weight."""
        _, sample, persons = torch.unique(batch["sample"], return_inverse=True, return_counts=True)
        weight = batch["has_label"] / persons[sample]
        error = cross_entropy(
            prediction["logits"],
            batch["label"].clamp(min=0),  # -1 where there is none, of weight 0
            label_smoothing=self.label_smoothing,
            reduction="none",
        )
        return {"classes": (error * weight).sum() / weight.sum().clamp(min=1)}

    def mirror(self, prediction: Prediction) -> Prediction:
        """An action and its mirror image have one name."""
        return {"probabilities": prediction["probabilities"]}

    def from_mean(self, mean: Prediction) -> Prediction:
        """Scores whose softmax is the mean of the probabilities."""
        probabilities = mean["probabilities"]
        return {"probabilities": probabilities, "logits": probabilities.clamp(min=torch.finfo().tiny).log()}

    def metrics(self) -> MetricCollection:
        """Top-1, mean-class and, where there are more than five classes, top-5 accuracy in %."""
        count = len(self.classes)
        found: dict[str, Metric] = {"top1": TopKAccuracy(count), "mean_class": MeanClassAccuracy(count)}
        if count > 5:
            found["top5"] = TopKAccuracy(count, k=5)
        return MetricCollection(cast(dict[str, Metric | MetricCollection], found))

    def comparison(self, prediction: Prediction, batch: Batch) -> dict[str, Tensor]:
        """Of the rows of a sample, which got the same, the first counts."""
        counted = batch["has_label"] & first_rows(batch["sample"])
        return {"logits": prediction["logits"], "label": batch["label"], "has_label": counted}

    def observe(self, batch: Batch) -> None:
        """The majority class is the data's, not that of the windows drawn: those may be balanced."""

    def baseline(self, batch: Batch) -> Prediction:
        """The class of most training clips, whatever the input."""
        chosen = nn.functional.one_hot(self.majority.expand(len(batch["dt"])), len(self.classes))
        return self.from_mean({"probabilities": chosen.float()})

    def panels(self, prediction: Prediction, batch: Batch, count: int) -> list[Panel]:
        """None: a class is no pose. The test draws the confusion matrix."""
        return []
