"""How far body labels miss the captured joints: the error a perfect mesh network would still show."""

import zlib
from base64 import b64decode, b64encode
from functools import lru_cache
from typing import Any

import numpy as np
from jaxtyping import Float, Float32

from hummuss.body.skeleton import H36M17
from hummuss.body.smpl import BodyModel
from hummuss.data.motion import MotionClip
from hummuss.data.posing import posed_joints

BIN_MM, BINS = 0.5, 1000


@lru_cache
def _free_body() -> BodyModel:
    return BodyModel()


def label_residuals(clip: MotionClip) -> Float32[np.ndarray, "F 17 3"] | None:
    """Posed body's joints minus captured ones, metres; None if the clip lacks either or has another body."""
    if clip.smpl_pose is None or clip.joints3d is None or clip.body != _free_body().name:
        return None
    assert clip.betas is not None
    assert clip.transl is not None
    return posed_joints(_free_body(), clip.smpl_pose, clip.betas, clip.transl) - clip.joints3d


class ResidualTable:
    """Residuals gathered clip by clip, per group of clips and per joint, in constant memory."""

    def __init__(self) -> None:
        self._counts: dict[str, np.ndarray] = {}
        self._sums: dict[str, np.ndarray] = {}

    def add(self, group: str, residuals: Float[np.ndarray, "F 17 3"]) -> None:
        """Count a clip's residuals (metres)."""
        counts = self._counts.setdefault(group, np.zeros((17, BINS), np.int64))
        sums = self._sums.setdefault(group, np.zeros((2, 17)))
        distance = 1e3 * np.linalg.norm(residuals.astype(np.float64), axis=-1)
        relative = 1e3 * np.linalg.norm((residuals - residuals[:, :1]).astype(np.float64), axis=-1)
        sums += np.stack([distance.sum(0), relative.sum(0)])
        bins = np.minimum(distance / BIN_MM, BINS - 1).astype(int)
        for joint in range(17):
            counts[joint] += np.bincount(bins[:, joint], minlength=BINS)

    def merge(self, other: "ResidualTable") -> None:
        """Add what another table counted."""
        for group, counts in other._counts.items():
            self._counts[group] = self._counts.get(group, 0) + counts
            self._sums[group] = self._sums.get(group, 0.0) + other._sums[group]

    def to_json(self) -> dict[str, Any]:
        """The table in a few kilobytes of text."""
        return {
            group: {"counts": b64encode(zlib.compress(counts.tobytes())).decode(), "sums": self._sums[group].tolist()}
            for group, counts in self._counts.items()
        }

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "ResidualTable":
        """The table that `to_json` wrote, to the last bit."""
        table = cls()
        for group, stored in values.items():
            counts = np.frombuffer(zlib.decompress(b64decode(stored["counts"])), np.int64)
            table._counts[group], table._sums[group] = counts.reshape(17, BINS), np.array(stored["sums"])
        return table

    def rows(self) -> list[dict[str, Any]]:
        """One row per group and joint, ``all`` last: frames, and millimetres.

        ``mean_mm`` and ``p95_mm`` are distances in the world (p95 to half a millimetre), ``root_relative_mm``
        the mean distance once both pelvises coincide.
        """
        rows = []
        for group, counts in sorted(self._counts.items()):
            frames = int(counts[0].sum())
            for joint, name in enumerate((*H36M17.joints, "all")):
                own = slice(None) if name == "all" else slice(joint, joint + 1)
                mean, relative = self._sums[group][:, own].mean(1) / frames
                cumulative = counts[own].sum(0).cumsum()
                p95 = (np.searchsorted(cumulative, 0.95 * cumulative[-1]) + 1) * BIN_MM
                values = {
                    "mean_mm": round(mean, 2),
                    "p95_mm": float(p95),
                    "root_relative_mm": round(relative, 2),
                }
                rows.append({"group": group, "joint": name, "frames": frames, **values})
        return rows
