"""Human motion understanding with state space models: pose, mesh and action from 2D keypoints at any frame rate."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from hummuss._lazy import lazy_names

if TYPE_CHECKING:
    from hummuss.backbones.dstformer import DSTformer
    from hummuss.backbones.hummuss import HumMUSS
    from hummuss.backbones.per_frame import PerFrame
    from hummuss.data.keypoints import clip_from_keypoints
    from hummuss.errors import InputError
    from hummuss.inference.clips import predict_clip
    from hummuss.inference.live import LiveStream
    from hummuss.inference.pretrained import Pretrained, load
    from hummuss.inference.runs import load_run
    from hummuss.inference.strategy import Inference
    from hummuss.module import MotionModule

__all__ = [
    "DSTformer",
    "HumMUSS",
    "Inference",
    "InputError",
    "LiveStream",
    "MotionModule",
    "PerFrame",
    "Pretrained",
    "clip_from_keypoints",
    "load",
    "load_run",
    "predict_clip",
]
__version__ = "0.1.0"

_NAMES = {
    "DSTformer": "hummuss.backbones.dstformer",
    "HumMUSS": "hummuss.backbones.hummuss",
    "Inference": "hummuss.inference.strategy",
    "InputError": "hummuss.errors",
    "LiveStream": "hummuss.inference.live",
    "MotionModule": "hummuss.module",
    "PerFrame": "hummuss.backbones.per_frame",
    "Pretrained": "hummuss.inference.pretrained",
    "clip_from_keypoints": "hummuss.data.keypoints",
    "load": "hummuss.inference.pretrained",
    "load_run": "hummuss.inference.runs",
    "predict_clip": "hummuss.inference.clips",
}


_PACKAGES = ("backbones", "body", "data", "heads", "inference", "metrics", "protocols", "viz")


def __getattr__(name: str) -> Any:
    return import_module(f"{__name__}.{name}") if name in _PACKAGES else lazy_names(__name__, _NAMES, name)
