"""One clip through a trained run: arrays for a file, and a picture."""

from dataclasses import dataclass, fields, replace
from os import PathLike
from pathlib import Path
from zlib import crc32

import numpy as np
import roma
import torch
from jaxtyping import Float, Float32, Float64

from hummuss.data.motion import MotionClip
from hummuss.data.transforms.frame_rate import Instants
from hummuss.data.windows import EVALUATION_SEED, to_sample
from hummuss.errors import InputError
from hummuss.heads.base import Batch, Head, Prediction, root_relative
from hummuss.heads.mesh import MeshHead
from hummuss.heads.pose import shown_frames
from hummuss.inference.runs import Run
from hummuss.inference.strategy import Inference
from hummuss.viz.draw import Panel, save_comparison


@dataclass(frozen=True)
class ClipPrediction:
    """What a run makes of one clip, in the camera's frame: x right, y down, z away from the camera.

    Attributes:
        joints3d: the 17 Human3.6M joints relative to the pelvis, metres.
        confidence: of the 2D joints that the model saw; 0 where one was missing.
        timestamps: seconds of the frames.
        dt: seconds since the previous frame, as the model was told.
        inference: how the clip was predicted.
        smpl_pose: axis-angle rotations of a mesh model's body relative to their parents, the root's in the camera's
            frame, radians.
        betas: shape of that body.
        body: name of the body that pose and shape are for.
    """

    joints3d: Float32[np.ndarray, "F 17 3"]
    confidence: Float32[np.ndarray, "F 17"]
    timestamps: Float64[np.ndarray, "F"]
    dt: Float32[np.ndarray, "F"]
    inference: str
    smpl_pose: Float32[np.ndarray, "F 24 3"] | None
    betas: Float32[np.ndarray, "10"] | None
    body: str | None
    # What pictures are made from.
    _head: Head
    _prediction: Prediction
    _batch: Batch

    def save(self, path: str | PathLike[str]) -> None:
        """Write an npz with the attributes that are not None, under their names; missing folders are made."""
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        public = {entry.name: getattr(self, entry.name) for entry in fields(self) if not entry.name.startswith("_")}
        np.savez_compressed(path, **{name: value for name, value in public.items() if value is not None})

    def draw(self, path: str | PathLike[str], count: int = 6) -> None:
        """Write a PNG of frames spread over the clip: 2D input, prediction, and the truth where the clip has one."""
        panels = self._head.panels(self._prediction, self._batch, count)
        places = shown_frames(self._batch, count)
        titled = [
            replace(panel, title=self._title(panel, frame)) for panel, (_, frame) in zip(panels, places, strict=True)
        ]
        save_comparison(path, titled, self._head.faces)

    def _title(self, panel: Panel, frame: int) -> str:
        title = f"frame {frame}, {self.timestamps[frame]:.2f} s"
        if panel.true_joints is None:
            return title
        return f"{title}: {1000 * np.linalg.norm(panel.predicted_joints - panel.true_joints, axis=-1).mean():.0f} mm"


def predict_clip(run: Run, clip: MotionClip, inference: Inference | None = None) -> ClipPrediction:
    """Predict the 3D pose, or the body, of every frame of a clip.

    A clip in camera coordinates has keypoints of its own (Human3.6M's 17, pixels). One in the world frame is seen by
    a virtual camera and detector as in evaluation; its name decides which.

    Args:
        run: from `load_run`.
        clip: any length, any frame rate.
        inference: as the run's config says by default.

    Raises:
        InputError: a clip without keypoints, image size (where the run's normalisation needs it) or intervals, or a
            run that predicts neither pose nor mesh.
    """
    inference = inference or run.model.inference
    # Labels of a body would need that body; they play no part here.
    unlabelled = replace(clip, smpl_pose=None, betas=None, transl=None, body=None)
    rng = np.random.default_rng([EVALUATION_SEED, crc32(clip.name.encode())])
    seen = run.view.see(unlabelled, {}, 0.0, rng)
    sample = to_sample(seen, _instants(seen), len(seen), run.view.normalisation, (), (0, 0))
    parameter = next(run.model.parameters())
    batch = {
        key: value[None].to(parameter.device, parameter.dtype if value.is_floating_point() else None)
        for key, value in sample.items()
    }
    inference.used.clear()
    predictions = inference.predict(run.model, batch, run.trained_frames)

    heads = run.model.heads
    posing = [name for name in heads if "joints" in predictions[name]]
    if not posing:
        raise InputError(f"{run.checkpoint} predicts neither pose nor mesh, only {', '.join(heads)}")
    # Joints of a pose head rather than of a body; a picture of a body rather than of joints.
    posing.sort(key=lambda name: isinstance(heads[name], MeshHead))
    shown = heads[posing[-1]]
    body, mesh = (shown.body.name, predictions[posing[-1]]) if isinstance(shown, MeshHead) else (None, None)
    return ClipPrediction(
        joints3d=_array(root_relative(predictions[posing[0]]["joints"])[0]),
        confidence=_array(batch["keypoints"][0, ..., 2]),
        timestamps=seen.times,
        dt=_array(batch["dt"][0]),
        inference=inference.describe(),
        smpl_pose=_array(roma.rotmat_to_rotvec(mesh["rotations"])[0]) if mesh else None,
        betas=_array(mesh["betas"][0]) if mesh else None,
        body=body,
        _head=shown,
        _prediction=predictions[posing[-1]],
        _batch=batch,
    )


def _instants(clip: MotionClip) -> Instants:
    """All frames of a clip; the first one's interval is the second's, as there is no frame before it."""
    times = clip.times
    gaps = np.diff(times)
    if len(times) == 1:
        if clip.fps is None:
            raise InputError(f"clip {clip.name} has one frame with a time stamp, which gives no interval: give its fps")
        gaps = np.array([1 / clip.fps])
        return Instants(times, gaps, np.zeros(1))
    return Instants(times, np.concatenate([gaps[:1], gaps]), np.arange(len(times), dtype=np.float64))


def _array(values: torch.Tensor) -> Float[np.ndarray, "..."]:
    return values.float().cpu().numpy()
