"""Metrics of 3D pose and mesh: torchmetrics classes here, their per-frame forms in ``metrics.functional``."""

from hummuss.metrics.pose import (
    MPJPE,
    MPVE,
    NMPJPE,
    PAMPJPE,
    AccelerationError,
    AccelerationErrorPerFrame,
)

__all__ = ["MPJPE", "MPVE", "NMPJPE", "PAMPJPE", "AccelerationError", "AccelerationErrorPerFrame"]
