"""The reference that all evaluations of a state space layer are measured against."""

import math

import pytest
import torch
from torch import Tensor

from hummuss.backbones.ssm import DiagonalSSM


@pytest.fixture(scope="session")
def naive():
    """The recurrence of docs/mathematics.md in complex numbers, frame after frame."""

    def run(layer: DiagonalSSM, u: Tensor, dt: Tensor) -> Tensor:
        poles, state, outputs = layer.poles, 0.0, []
        for k in range(u.shape[1]):
            step = layer.step_size[:, None] * dt[:, k, None, None] * layer.reference_fps  # (B, H, 1)
            state = torch.exp(step * poles) * state + torch.expm1(step * poles) / poles * u[:, k, :, None]
            read = layer.output
            if layer.bandlimit is not None:
                read = read * (poles.imag.abs() * step <= layer.bandlimit * math.pi)
            outputs.append(2 * (read * state).sum(-1).real + layer.skip * u[:, k])
        return torch.stack(outputs, 1)

    return run
