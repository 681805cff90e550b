"""What a pose that never moves misses: the mark that a model's velocity errors should stay below."""

from collections.abc import Iterable

import torch

from hummuss.data.datamodules import MotionDataModule
from hummuss.evaluation.moments import Chosen
from hummuss.evaluation.rates import STRIDES, Rate
from hummuss.evaluation.seen import see
from hummuss.metrics.functional import mpjve


def velocity_of_standing_still(data: MotionDataModule, chosen: Iterable[Chosen]) -> dict[str, dict[Rate, float]]:
    """Velocity error, mm/s, of a pose without motion, by dataset and stride: how fast joints move against the pelvis.

    Args:
        data: from `load_data`.
        chosen: the moments of each of its datasets, from `choose_moments`.
    """
    found: dict[str, dict[Rate, float]] = {}
    for dataset, sources, moments in chosen:
        seen = see(data, sources, moments, [Rate("stride", stride) for stride in STRIDES])
        own = found[dataset] = {}
        for rate, windows in seen.rates.items():
            # Elsewhere no frame of the window comes before, or none that counts.
            inside = (windows.scored > 0) & ~windows.before.isnan().any(-1).any(-1)
            if inside.any():
                target, before = seen.target[inside], windows.before[inside]
                dt = windows.dt[inside].gather(1, windows.scored[inside, None]).expand(-1, 2)
                errors = mpjve(torch.stack([target, target], 1), torch.stack([before, target], 1), dt)
                own[rate] = float(errors.mean())
    return found
