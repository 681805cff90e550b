"""What inference makes of parameters and dt alone, kept from one pass to the next while both stay the same."""

from collections.abc import Iterable

import torch
from torch import Tensor

from hummuss.backbones.ssm import DiagonalSSM, Kept


class Memory:
    """The matrices of state space layers, those of the latest parameters and of each axis' latest interval.

    Parameters are compared by their values, once per pass for all layers: a fused optimiser tells nobody that it has
    changed them, nor does what writes through ``.data``. So are reference rates and band limits, which may be set by
    hand.
    """

    def __init__(self) -> None:
        self.forget()

    def __reduce__(self) -> tuple[type["Memory"], tuple[()]]:
        return Memory, ()  # copies and pickles of a model begin with an empty one

    def forget(self) -> None:
        """Give the room back."""
        self._parameters: Tensor | None = None
        self._limits: list[tuple[float, float | None]] = []
        self._axes: dict[str, tuple[float, Kept]] = {}

    def follow(self, layers: Iterable[DiagonalSSM]) -> None:
        """Forget everything unless the layers' parameters are those of the last call. Reads a value."""
        layers = list(layers)
        limits = [(layer.reference_fps, layer.bandlimit) for layer in layers]
        now = torch.cat([parameter.detach().flatten() for layer in layers for parameter in layer.parameters()])
        known = self._parameters
        alike = known is not None and (known.dtype, known.device) == (now.dtype, now.device) and limits == self._limits
        if known is None or not alike or not torch.equal(known, now):
            self._axes, self._parameters, self._limits = {}, now, limits

    def of(self, axis: str, dt: float) -> Kept:
        """What is kept of an axis for its interval ``dt``; layers add to it."""
        found = self._axes.get(axis)  # held on to: another thread may replace it meanwhile
        if found is None or found[0] != dt:
            found = self._axes[axis] = (dt, {})
        return found[1]
