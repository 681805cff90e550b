"""One of the two processes of ``test_processes``: ``python process.py RANK RENDEZVOUS``.

The first process sees five clips of some actions, the second two of another: neither their numbers nor their groups
are equal.
"""

import sys

import torch
from torch import distributed
from torchmetrics import Metric

from hummuss import metrics

ACTIONS = ["Directions", "Eating", "Walking", "Waiting"]


def make() -> dict[str, Metric]:
    """Every metric of the package."""
    named = {name: getattr(metrics, name) for name in metrics.__all__}
    made = {name: named.pop(name)(12) for name in ("TopKAccuracy", "MeanClassAccuracy")}
    per_group, per_joint = named.pop("PerGroup"), named.pop("PerJoint")
    made |= {"OneShotAccuracy": named.pop("OneShotAccuracy")()}  # compares clips with one another: no part of a mean
    made |= {name: maker() for name, maker in named.items()}
    made |= {"Top5": metrics.TopKAccuracy(12, k=5)}
    made |= {f"{name} by action": per_group(maker(), ACTIONS) for name, maker in named.items()}
    return made | {"MPJPE by joint": per_joint(metrics.MPJPE(), [str(joint) for joint in range(17)])}


def data() -> dict[str, torch.Tensor]:
    """Seven clips."""
    generator = torch.Generator().manual_seed(0)
    target = torch.randn(7, 9, 17, 3, generator=generator)
    predicted = target + 0.1 * torch.randn(target.shape, generator=generator)
    return {
        "group": torch.tensor([0, 0, 1, 1, 1, 3, 3]),
        "predicted": predicted,
        "target": target,
        "predicted_vertices": predicted,
        "target_vertices": target,
        "valid": torch.arange(9) < torch.tensor([9, 3, 8, 9, 5, 9, 4])[:, None],
        "visible": torch.rand(7, 9, 17, generator=generator) < 0.8,
        "dt": 0.02 + 0.02 * torch.rand(7, 9, generator=generator),
        "logits": torch.randn(7, 12, generator=generator),
        "embedding": torch.randn(7, 4, generator=generator),
        "sample": torch.tensor([3, 0, 6, 1, 5, 2, 4]),
        "label": torch.tensor([0, 3, 3, 5, 7, 7, 11]),
    }


def main(rank: int, rendezvous: str) -> None:
    """Compare every metric over both processes with the same over all clips here."""
    distributed.init_process_group("gloo", init_method=rendezvous, rank=rank, world_size=2)
    both, mine = data(), slice(0, 5) if rank == 0 else slice(5, 7)
    together, alone = make(), make()
    for name, metric in together.items():
        metric.update(**metric._filter_kwargs(**{key: value[mine] for key, value in both.items()}))
        alone[name].distributed_available_fn = lambda: False
        alone[name].update(**alone[name]._filter_kwargs(**both))
        synced, expected = metric.compute(), alone[name].compute()
        torch.testing.assert_close(synced, expected, equal_nan=True)
    print(len(together), "metrics agree")
    distributed.destroy_process_group()


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
