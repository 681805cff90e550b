"""Trained models at work: whole clips of any length, windows, test-time flip, streaming, your own keypoints."""

from typing import TYPE_CHECKING, Any

from hummuss._lazy import lazy_names

if TYPE_CHECKING:
    from hummuss.inference.clips import ClipPrediction, predict_clip
    from hummuss.inference.live import LiveFrame, LiveStream
    from hummuss.inference.pretrained import Pretrained, load
    from hummuss.inference.runs import Run, load_run
    from hummuss.inference.strategy import Inference

__all__ = [
    "ClipPrediction",
    "Inference",
    "LiveFrame",
    "LiveStream",
    "Pretrained",
    "Run",
    "load",
    "load_run",
    "predict_clip",
]

_NAMES = {
    "ClipPrediction": "hummuss.inference.clips",
    "Inference": "hummuss.inference.strategy",
    "LiveFrame": "hummuss.inference.live",
    "LiveStream": "hummuss.inference.live",
    "Pretrained": "hummuss.inference.pretrained",
    "Run": "hummuss.inference.runs",
    "load": "hummuss.inference.pretrained",
    "load_run": "hummuss.inference.runs",
    "predict_clip": "hummuss.inference.clips",
}


def __getattr__(name: str) -> Any:
    return lazy_names(__name__, _NAMES, name)
