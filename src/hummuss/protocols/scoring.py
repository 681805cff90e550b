"""Apply a protocol to every head that it serves, and to the heads' trivial baselines beside them."""

from collections.abc import Iterator, Mapping

import torch
from jaxtyping import Float
from torch import Tensor

from hummuss.errors import InputError
from hummuss.heads.base import Batch, Head, Prediction
from hummuss.metrics.units import BASELINES
from hummuss.protocols.base import Evaluation, Protocol, Result, TestClips

MODEL = "model"
Results = dict[str, dict[str, Result]]


class Scoring:
    """One pass over the test data.

    Args:
        protocol: how to score.
        heads: task name -> head.
        clips: the test data.
        device: where predictions come from.

    Raises:
        InputError: the protocol serves none of the heads, or is not made for this data.
    """

    def __init__(
        self, protocol: Protocol, heads: Mapping[str, Head], clips: TestClips, device: torch.device | str
    ) -> None:
        self.clips, self.heads = clips, heads
        served = [name for name, head in heads.items() if protocol.needs in ("", *head.predicts)]
        if not served:
            raise InputError(
                f"{protocol.name} compares {protocol.needs}, which no head ({', '.join(heads)}) predicts: "
                "choose a head that does or another protocol"
            )
        protocol.check(clips)
        self.evaluations: dict[str, dict[str, Evaluation]] = {
            name: {
                model: protocol.evaluation(heads[name], clips).to(device)
                for model in (MODEL, heads[name].baseline_name)
            }
            for name in served
        }

    def update(self, predictions: dict[str, Prediction], batch: Batch, loader: int) -> dict[str, Float[Tensor, "B F"]]:
        """Add a batch of one loader; return each frame's error in mm by head, for heads that have such errors."""
        clip = self.clips.numbers(loader, batch["clip"])
        errors = {}
        for name, evaluations in self.evaluations.items():
            of_frames = evaluations[MODEL].update(predictions[name], batch, clip)
            head = self.heads[name]
            evaluations[head.baseline_name].update(head.baseline(batch), batch, clip)
            if of_frames is not None:
                errors[name] = of_frames
        return errors

    def results(self) -> Results:
        """Head -> ``model`` and the baseline's name -> what came out."""
        return {
            name: {model: evaluation.result() for model, evaluation in evaluations.items()}
            for name, evaluations in self.evaluations.items()
        }


def logged(results: Results, several_heads: bool) -> Iterator[tuple[str, float]]:
    """Names and figures for logs and summaries: [part/][head/][baseline/]metric.

    >>> from hummuss.protocols.base import Row
    >>> rows = [Row("all", {"mpjpe": 40.0}, 9, ""), Row("walk", {"mpjpe": 30.0}, 4), Row("a", {"mpjpe": 50.0}, 5, "a")]
    >>> list(logged({"pose": {"model": Result(rows), "mean_pose": Result(rows[:1])}}, several_heads=False))
    [('mpjpe', 40.0), ('a/mpjpe', 50.0), ('mean_pose/mpjpe', 40.0)]
    """
    for head, models in results.items():
        for model, result in models.items():
            for row in result.rows:
                if row.log is not None:
                    parts = (row.log, head if several_heads else "", model if model in BASELINES else "")
                    for metric, figure in row.figures.items():
                        yield "/".join([*filter(None, parts), metric]), figure
