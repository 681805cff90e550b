"""Motion: clips, their store, windows, data modules."""

from typing import TYPE_CHECKING, Any

from hummuss._lazy import lazy_names

if TYPE_CHECKING:
    from hummuss.data.datamodules import MotionDataModule
    from hummuss.data.keypoints import clip_from_keypoints
    from hummuss.data.mixture_module import MixtureDataModule, Stage
    from hummuss.data.motion import Camera, MotionClip
    from hummuss.data.multi_module import MultiDataModule
    from hummuss.data.readers.keypoints import read_keypoints
    from hummuss.data.store import MotionStore, StoreWriter
    from hummuss.data.store_module import StoreDataModule
    from hummuss.data.synthetic_module import SyntheticDataModule
    from hummuss.data.transforms.camera import RandomCamera
    from hummuss.data.transforms.clip_sampling import ClipSampling
    from hummuss.data.transforms.frame_rate import FrameRateAugmentation
    from hummuss.data.transforms.noise import DetectionNoise, RealisticNoise
    from hummuss.data.transforms.occlusion import Occlusion
    from hummuss.data.transforms.random_move import RandomMove
    from hummuss.data.view import View

__all__ = [
    "Camera",
    "ClipSampling",
    "DetectionNoise",
    "FrameRateAugmentation",
    "MixtureDataModule",
    "MotionClip",
    "MotionDataModule",
    "MotionStore",
    "MultiDataModule",
    "Occlusion",
    "RandomCamera",
    "RandomMove",
    "RealisticNoise",
    "Stage",
    "StoreDataModule",
    "StoreWriter",
    "SyntheticDataModule",
    "View",
    "clip_from_keypoints",
    "read_keypoints",
]

_NAMES = {
    "Camera": "hummuss.data.motion",
    "ClipSampling": "hummuss.data.transforms.clip_sampling",
    "DetectionNoise": "hummuss.data.transforms.noise",
    "FrameRateAugmentation": "hummuss.data.transforms.frame_rate",
    "MixtureDataModule": "hummuss.data.mixture_module",
    "MotionClip": "hummuss.data.motion",
    "MotionDataModule": "hummuss.data.datamodules",
    "MotionStore": "hummuss.data.store",
    "MultiDataModule": "hummuss.data.multi_module",
    "Occlusion": "hummuss.data.transforms.occlusion",
    "RandomCamera": "hummuss.data.transforms.camera",
    "RandomMove": "hummuss.data.transforms.random_move",
    "RealisticNoise": "hummuss.data.transforms.noise",
    "Stage": "hummuss.data.mixture_module",
    "StoreDataModule": "hummuss.data.store_module",
    "StoreWriter": "hummuss.data.store",
    "SyntheticDataModule": "hummuss.data.synthetic_module",
    "View": "hummuss.data.view",
    "clip_from_keypoints": "hummuss.data.keypoints",
    "read_keypoints": "hummuss.data.readers.keypoints",
}


def __getattr__(name: str) -> Any:
    return lazy_names(__name__, _NAMES, name)
