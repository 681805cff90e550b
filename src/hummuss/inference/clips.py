"""One clip through a trained run: arrays for a file, and a picture."""

from dataclasses import dataclass, fields, replace
from os import PathLike
from pathlib import Path
from zlib import crc32

import numpy as np
from jaxtyping import Float32, Float64

from hummuss.data.motion import MotionClip
from hummuss.data.transforms.frame_rate import Instants
from hummuss.data.windows import EVALUATION_SEED, to_sample
from hummuss.errors import InputError
from hummuss.heads.base import Batch, Head, Prediction
from hummuss.heads.pose import shown_frames
from hummuss.inference.outputs import drawn_head, pick_outputs, to_array
from hummuss.inference.runs import Run
from hummuss.inference.strategy import Inference
from hummuss.viz.draw import Panel, save_comparison
from hummuss.whole_file import whole_file


@dataclass(frozen=True)
class ClipPrediction:
    """What a run makes of one clip, in the camera's frame: x right, y down, z away from the camera.

    What none of the run's heads predicts is None.

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
        actions: probability of each class of an action model, by its name.
        embedding: of a one-shot model, of length 1: clips of one action are near by cosine.
    """

    joints3d: Float32[np.ndarray, "F 17 3"] | None
    confidence: Float32[np.ndarray, "F 17"]
    timestamps: Float64[np.ndarray, "F"]
    dt: Float32[np.ndarray, "F"]
    inference: str
    smpl_pose: Float32[np.ndarray, "F 24 3"] | None
    betas: Float32[np.ndarray, "10"] | None
    body: str | None
    actions: dict[str, float] | None
    embedding: Float32[np.ndarray, "D"] | None
    # What pictures are made from.
    _head: Head | None
    _prediction: Prediction
    _batch: Batch

    def save(self, path: str | PathLike[str]) -> None:
        """Write an npz with the attributes that are not None, under their names; missing folders are made.

        Actions are two arrays, ``classes`` and ``probabilities``. What was there is replaced once all is written.

        Raises:
            InputError: the file system did not take it. What was there before is still there.
        """
        public = {entry.name: getattr(self, entry.name) for entry in fields(self) if not entry.name.startswith("_")}
        if (actions := public.pop("actions")) is not None:
            public |= {"classes": list(actions), "probabilities": np.array([*actions.values()], np.float32)}
        with whole_file(Path(path), ": make room, or name another place") as file:
            np.savez_compressed(file, **{name: value for name, value in public.items() if value is not None})

    def draw(self, path: str | PathLike[str], count: int = 6) -> None:
        """Write a PNG of frames spread over the clip: 2D input, prediction, and the truth where the clip has one.

        Raises:
            InputError: a run that predicts neither joints nor a body.
        """
        if self._head is None:
            raise InputError(f"{path}: the run predicts neither pose nor mesh, so there is nothing to draw")
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
    """Predict the 3D pose, or the body, of every frame of a clip, or what it shows.

    A clip in camera coordinates has keypoints of its own (Human3.6M's 17, pixels). One in the world frame is seen by
    a virtual camera and detector as in evaluation; its name decides which.

    Args:
        run: from `load_run`.
        clip: any length, any frame rate.
        inference: as the run's config says by default.

    Raises:
        InputError: a clip without keypoints, image size (where the run's normalisation needs it) or intervals, or a
            run whose heads predict nothing that `ClipPrediction` names.
    """
    if not isinstance(clip, MotionClip):
        raise InputError(
            f"expected a clip, found {type(clip).__name__}: make one of a file with hummuss.data.read_keypoints, of an "
            "array with clip_from_keypoints"
        )
    inference = inference or run.model.inference
    # Labels of a body would need that body; they play no part here.
    unlabelled = replace(clip, smpl_pose=None, betas=None, transl=None, body=None)
    rng = np.random.default_rng([EVALUATION_SEED, crc32(clip.name.encode())])
    seen = run.view.see(unlabelled, {}, 0.0, rng)
    batch = to_batch(run, seen, _instants(seen))
    inference.forget()
    predictions = inference.predict(run.model, batch, run.trained_frames)

    outputs, drawn = pick_outputs(run.model, predictions), drawn_head(run.model, predictions)
    return ClipPrediction(
        joints3d=outputs.joints3d,
        confidence=to_array(batch["keypoints"][0, ..., 2]),
        timestamps=seen.times,
        dt=to_array(batch["dt"][0]),
        inference=inference.describe(),
        smpl_pose=outputs.smpl_pose,
        betas=outputs.betas,
        body=outputs.body,
        actions=outputs.actions,
        embedding=outputs.embedding,
        _head=run.model.heads[drawn] if drawn else None,
        _prediction=predictions[drawn] if drawn else {},
        _batch=batch,
    )


def to_batch(run: Run, clip: MotionClip, instants: Instants) -> Batch:
    """A clip that a camera has seen as a batch of one, of the run's type and on its device."""
    sample = to_sample(clip, instants, len(clip), run.view.normalisation, (), (0, 0))
    parameter = next(run.model.parameters())
    return {
        key: value[None].to(parameter.device, parameter.dtype if value.is_floating_point() else None)
        for key, value in sample.items()
    }


def _instants(clip: MotionClip) -> Instants:
    """All frames of a clip; the first one's interval is the second's, as there is no frame before it."""
    times = clip.times
    gaps = np.diff(times)
    if len(times) == 1:
        if clip.fps is None:
            raise InputError(
                f"clip {clip.name} has one frame with a time stamp, which gives no interval: its file must say fps in "
                "place of timestamps"
            )
        gaps = np.array([1 / clip.fps])
        return Instants(times, gaps, np.zeros(1))
    return Instants(times, np.concatenate([gaps[:1], gaps]), np.arange(len(times), dtype=np.float64))
