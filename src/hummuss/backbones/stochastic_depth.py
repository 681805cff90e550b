"""Stochastic depth: in training, some clips pass some blocks by.

Source: Huang et al., "Deep Networks with Stochastic Depth" (ECCV 2016).
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from hummuss.errors import InputError


class StochasticDepth(nn.Module):
    """What a block adds to its input, or, in training and with probability ``rate``, nothing.

    Drawn once per entry of the batch, so for all frames and joints of a clip. What is left is scaled by 1/(1 - rate),
    so that its mean stays. At inference nothing is dropped or scaled.

    Raises:
        InputError: a rate outside [0, 1).

    >>> StochasticDepth(0.5).eval()(torch.ones(2, 1, 1, 1)).flatten().tolist()
    [1.0, 1.0]
    """

    def __init__(self, rate: float) -> None:
        super().__init__()
        _check_rate(rate)
        self.rate = rate

    def forward(self, added: Float[Tensor, "B N L d"]) -> Float[Tensor, "B N L d"]:
        if self.rate == 0 or not self.training:
            return added
        dropped = torch.rand(len(added), 1, 1, 1, device=added.device) < self.rate
        return (added / (1 - self.rate)).masked_fill(dropped, 0)


def rates_by_depth(rate: float, layers: int) -> list[tuple[float, float]]:
    """Of each layer, the rates of the two blocks that stand one behind the other in it: linear, from 0 to ``rate``.

    Raises:
        InputError: a rate outside [0, 1).

    >>> rates_by_depth(0.75, 2)
    [(0.0, 0.25), (0.5, 0.75)]
    """
    _check_rate(rate)
    last = 2 * layers - 1
    return [(rate * (2 * layer / last), rate * ((2 * layer + 1) / last)) for layer in range(layers)]


def _check_rate(rate: float) -> None:
    if not 0 <= rate < 1:
        raise InputError(f"drop_path is {rate}: give the probability of passing a block by, from 0 to below 1")
