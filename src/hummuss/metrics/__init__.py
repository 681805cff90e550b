"""Metrics: torchmetrics classes here, their forms per frame and per joint in ``functional`` and ``per_joint``.

docs/metrics.md defines each, with its unit, what is masked and what degenerate input gives.
"""

from hummuss.metrics.accuracy import MeanClassAccuracy, TopKAccuracy
from hummuss.metrics.breakdown import PerGroup, PerJoint
from hummuss.metrics.one_shot import OneShotAccuracy
from hummuss.metrics.pose import (
    AUC,
    MPJPE,
    MPJVE,
    MPVE,
    NMPJPE,
    PAMPJPE,
    PCK,
    AccelerationError,
    AccelerationErrorPerFrame,
)

__all__ = [
    "AUC",
    "MPJPE",
    "MPJVE",
    "MPVE",
    "NMPJPE",
    "PAMPJPE",
    "PCK",
    "AccelerationError",
    "AccelerationErrorPerFrame",
    "MeanClassAccuracy",
    "OneShotAccuracy",
    "PerGroup",
    "PerJoint",
    "TopKAccuracy",
]
