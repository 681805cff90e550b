"""A causal model on a camera: one frame in, one prediction out, with a state whose size never grows."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Float32, Float64
from numpy.typing import ArrayLike
from torch import Tensor

from hummuss.body.skeleton import get_layout
from hummuss.data.keypoints import check_size, detected_joints, make_clip, numbers, refuse_shares
from hummuss.data.motion import MotionClip
from hummuss.data.transforms.frame_rate import Instants
from hummuss.errors import InputError
from hummuss.heads.base import Batch, Prediction
from hummuss.inference.clips import to_batch
from hummuss.inference.outputs import pick_outputs, to_array
from hummuss.inference.pretrained import Pretrained
from hummuss.inference.runs import Run
from hummuss.inference.streaming import causal_backbone
from hummuss.module import MotionModule

# Seconds; what happened in that time or a longer one, the frames around it do not tell. Frame numbers, taken for
# seconds, are as far apart.
LONGEST_PAUSE = 1.0


@dataclass(frozen=True)
class LiveFrame:
    """What a run makes of the newest frame, as `ClipPrediction` of a clip; None where no head predicts it.

    Attributes:
        time: seconds, as given.
        dt: seconds since the previous frame, as the model was told.
        confidence: of the 17 2D joints that the model saw; 0 where one was missing.
        joints3d: Human3.6M's joints relative to the pelvis, metres, in the camera's axes.
        smpl_pose: axis-angle rotations of the body relative to their parents, radians.
        betas: shape of that body, from all frames since the last reset.
        body: name of the body that pose and shape are for.
        actions: probability of each class by its name, from all frames since the last reset.
        embedding: of a one-shot model, from all frames since the last reset.
    """

    time: float
    dt: float
    confidence: Float32[np.ndarray, "17"]
    joints3d: Float32[np.ndarray, "17 3"] | None
    smpl_pose: Float32[np.ndarray, "24 3"] | None
    betas: Float32[np.ndarray, "10"] | None
    body: str | None
    actions: dict[str, float] | None
    embedding: Float32[np.ndarray, "D"] | None


class LiveStream:
    """Feed a causal run the keypoints of one person frame by frame.

    Each frame's pose equals that of `predict_clip` on all frames so far. What a clip has one of (shape, action) is
    that of the mean representation since the last reset, so it equals `predict_clip`'s at every frame as well. Windows
    and flip of the run's config play no part. Where nobody is seen, skip the frame: the next interval is longer.

    Args:
        run: from `load_run` or `load`, of a causal backbone.
        fps: the camera's nominal rate; gives the interval of the first frame, which none precedes.
        layout: order of the joints, a name in `hummuss.body.skeleton.LAYOUTS`.
        image_size: width and height in pixels; a run with ``normalisation: image`` needs it.

    Raises:
        InputError: a run that is not causal, or whose normalisation looks ahead or lacks the image's size; another
            argument out of its range.
    """

    def __init__(
        self, run: Run | Pretrained, fps: float, layout: str, image_size: tuple[int, int] | None = None
    ) -> None:
        self._run = run.run if isinstance(run, Pretrained) else run
        self._backbone = causal_backbone(self._run.model.backbone)
        normalisation = self._run.view.normalisation
        if normalisation == "box":
            raise InputError(
                "normalisation 'box' takes the box of the first half second that shows anyone, which has not passed "
                "when its first frame comes: only runs trained with 'image' or 'frame' are live"
            )
        if normalisation == "image" and image_size is None:
            raise InputError("normalisation 'image' needs the image's width and height: give image_size")
        fps = float(numbers("fps", fps, 0))
        if not 1 / LONGEST_PAUSE < fps < np.inf:
            raise InputError(f"fps is {fps}, expected more than {1 / LONGEST_PAUSE:g} frame per second")
        self.fps, self.layout = fps, get_layout(layout).name
        self.image_size = None if image_size is None else check_size(image_size)
        self.reset()

    def reset(self) -> None:
        """Forget all frames: the next one is the first, of this person or another, at any time."""
        self._state = self._backbone.init_state(1)
        self._mean = next(self._run.model.parameters()).new_zeros((), dtype=torch.float64)
        self._count = 0
        self._time: float | None = None

    @torch.inference_mode()
    def step(self, keypoints: ArrayLike, time: float) -> LiveFrame:
        """Predict the next frame.

        Args:
            keypoints: (J, 2 or 3): x and y in pixels, y down, and confidence from 0, which marks a missing joint, to 1.
            time: seconds at which the frame was taken, by any clock.

        Raises:
            InputError: a time that does not increase, or after a pause of a second or more; keypoints that
                `clip_from_keypoints` would refuse, but for what only a whole clip tells: a frame that shows nobody is
                predicted, with confidence 0. A refused frame does not count, and the next may follow.
        """
        time = float(numbers("time", time, 0))
        dt = self._interval(time)
        clip = self._see(keypoints, time)
        batch = to_batch(self._run, clip, Instants(clip.times, np.array([dt]), np.zeros(1)))
        representation, state = self._backbone.step(batch["keypoints"][:, 0], batch["dt"][:, 0], self._state)
        representation = representation[:, None]
        count = self._count + 1
        mean = self._mean + (representation.double() - self._mean) / count
        model = self._run.model
        outputs = pick_outputs(model, _predict(model, representation, mean, batch))
        self._state, self._mean, self._count, self._time = state, mean, count, time
        return LiveFrame(
            time=time,
            dt=dt,
            confidence=to_array(batch["keypoints"][0, 0, :, 2]),
            joints3d=None if outputs.joints3d is None else outputs.joints3d[0],
            smpl_pose=None if outputs.smpl_pose is None else outputs.smpl_pose[0],
            betas=outputs.betas,
            body=outputs.body,
            actions=outputs.actions,
            embedding=outputs.embedding,
        )

    def _interval(self, time: float) -> float:
        """Seconds since the previous frame."""
        if not np.isfinite(time):
            raise InputError(f"time is {time}, expected the seconds at which the frame was taken")
        if self._time is None:
            return 1 / self.fps
        dt = time - self._time
        said = f"the frame at {time:.15g} s comes after the one at {self._time:.15g} s"
        if dt <= 0:
            raise InputError(
                f"{said}: times must increase; drop the frame, or call reset() where a new recording begins"
            )
        if dt >= LONGEST_PAUSE:
            raise InputError(
                f"{said}, a pause of {dt:g} s: nobody knows what happened in it; call reset() first, "
                "or give seconds if these are frame numbers"
            )
        return dt

    def _see(self, keypoints: ArrayLike, time: float) -> MotionClip:
        """A clip of that one frame."""
        try:
            detected = detected_joints(numbers("keypoints", keypoints, 2)[None])
            refuse_shares(detected, *(self.image_size or ()))
            return make_clip(detected, self.layout, None, [time], self.image_size, "live")
        except InputError as error:
            raise InputError(f"frame at {time:.15g} s: {error}") from error


def _predict(
    model: MotionModule,
    representation: Float[Tensor, "1 1 J dim_rep"],
    mean: Float64[Tensor, "1 1 J dim_rep"],
    batch: Batch,
) -> dict[str, Prediction]:
    """What heads say of each frame by this one, what they say of a clip by the mean over all so far."""
    heads = model.heads
    now = model.decode(representation, batch, [name for name in heads if heads[name].frame_outputs])
    mean = mean.to(next(model.parameters()).dtype)
    so_far = model.decode(mean, batch, [name for name in heads if heads[name].clip_outputs])
    said = {
        name: {key: now[name][key] for key in head.frame_outputs}
        | {key: so_far[name][key] for key in head.clip_outputs}
        for name, head in heads.items()
    }
    return {name: head.from_mean(said[name]) for name, head in heads.items()}
