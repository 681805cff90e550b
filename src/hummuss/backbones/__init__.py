"""Backbones: keypoints over time to a motion representation."""

from hummuss.backbones.dstformer import DSTformer
from hummuss.backbones.hummuss import HumMUSS
from hummuss.backbones.per_frame import PerFrame
from hummuss.backbones.ssm import DiagonalSSM

__all__ = ["DSTformer", "DiagonalSSM", "HumMUSS", "PerFrame"]
