"""Clips with the fields that datasets' readers store, batches of them, and a head for tests to speak through."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torchmetrics import MetricCollection

from hummuss.data import Camera, MotionClip
from hummuss.heads.base import Batch, Head, Prediction
from hummuss.metrics import TopKAccuracy
from hummuss.viz.draw import Panel

CAMERA = Camera(np.diag([800.0, 800.0, 1.0]), np.eye(3), np.zeros(3), 1000, 1000)


def make_clip(name: str, frames: int = 6, seed: int = 0, fps: float = 50.0, **fields: Any) -> MotionClip:
    """A person seen by a camera; anything may be replaced."""
    rng = np.random.default_rng([seed, len(name), *name.encode()])
    joints = rng.normal(0, 0.3, (frames, 17, 3)).astype(np.float32) + np.float32([0, 0, 4])
    keypoints = np.concatenate([500 + 100 * joints[..., :2], np.ones((frames, 17, 1))], -1).astype(np.float32)
    given = {
        "sequence": name, "subject": "S9", "split": "test", "fps": fps, "frame": "camera", "camera": CAMERA,
        "keypoints2d": keypoints, "joints3d": joints,
    }  # fmt: skip
    return MotionClip(name=name, **(given | fields))


def make_batch(clips: list[MotionClip], windows: list[tuple[int, list[int]]]) -> Batch:
    """A batch as loaders give it: windows of a clip and its frames, padded to the longest with frames of no meaning."""
    length = max(len(frames) for _, frames in windows)
    rows = []
    for clip, frames in windows:
        own, padding = clips[clip], length - len(frames)
        arrays = {"joints3d": own.joints3d, "smpl_pose": own.smpl_pose}
        row = {
            name: np.concatenate([array[frames], np.full((padding, *array.shape[1:]), 9, array.dtype)])
            for name, array in arrays.items()
            if array is not None
        }
        row["frame_index"] = np.array(frames + [0] * padding)
        row["valid"] = np.arange(length) < len(frames)
        row["dt"] = np.full(length, 1 / own.fps, np.float32)
        row["has_joints3d"], row["has_smpl"] = own.joints3d is not None, own.smpl_pose is not None
        row["betas"] = np.zeros(10, np.float32) if own.betas is None else own.betas
        row["clip"] = clip
        rows.append(row)
    return {name: torch.from_numpy(np.stack([row[name] for row in rows])) for name in rows[0]}


def at(arrays: list[np.ndarray], batch: Batch) -> Tensor:
    """Per-frame arrays of the clips, at the frames of a batch: predictions that a reference can look up too."""
    rows = [arrays[clip][frames] for clip, frames in zip(batch["clip"], batch["frame_index"].numpy(), strict=True)]
    return torch.from_numpy(np.stack(rows)).float()


def disturbed(clips: list[MotionClip], size: float = 0.05) -> list[np.ndarray]:
    """Joints of every clip with errors, larger ones in later clips."""
    rng = np.random.default_rng(1)
    return [
        c.joints3d + (size * (1 + i % 5) * rng.normal(size=c.joints3d.shape)).astype(np.float32)
        for i, c in enumerate(clips)
    ]


def aligned_error(predicted: np.ndarray, target: np.ndarray) -> float:
    """PA-MPJPE of one frame in the unit given: Kabsch with scale, written down on its own in float64."""
    x, y = (points.astype(np.float64) - points.astype(np.float64).mean(0) for points in (predicted, target))
    U, S, Vt = np.linalg.svd(x.T @ y)
    D = np.diag([1, 1, np.linalg.det(U @ Vt)])
    R, scale = U @ D @ Vt, (S * np.diag(D)).sum() / (x**2).sum()
    return float(np.linalg.norm(scale * x @ R - y, axis=-1).mean())


class Known(Head):
    """Predicts nothing of its own: tests hand predictions to the evaluations."""

    predicts = ("joints", "logits", "embedding")
    clip_outputs = ("logits",)

    def __init__(self, dim_rep: int = 4, classes: int = 6) -> None:
        super().__init__()
        self.classes = classes
        self.to_logits = nn.Linear(dim_rep, classes)

    def forward(self, representation: Tensor, batch: Batch) -> Prediction:
        return {"logits": self.to_logits(representation.mean((1, 2)))}

    def loss(self, prediction: Prediction, batch: Batch) -> dict[str, Tensor]:
        return {"all": prediction["logits"].square().mean()}

    def mirror(self, prediction: Prediction) -> Prediction:
        return prediction

    def metrics(self) -> MetricCollection:
        return MetricCollection({"top1": TopKAccuracy(self.classes), "top2": TopKAccuracy(self.classes, 2)})

    def comparison(self, prediction: Prediction, batch: Batch) -> dict[str, Tensor]:
        return {"logits": prediction["logits"], "label": batch["label"], "has_label": batch["has_label"]}

    def observe(self, batch: Batch) -> None:
        return

    def baseline(self, batch: Batch) -> Prediction:
        return {"logits": torch.eye(self.classes)[:1].expand(len(batch["label"]), -1)}

    def panels(self, prediction: Prediction, batch: Batch, count: int) -> list[Panel]:
        blank = np.zeros((17, 3), np.float32)
        return [Panel("none", blank, blank, blank)]


@pytest.fixture
def made() -> SimpleNamespace:
    """The functions and classes of this file."""
    return SimpleNamespace(
        clip=make_clip, batch=make_batch, at=at, disturbed=disturbed, aligned_error=aligned_error, Known=Known
    )
