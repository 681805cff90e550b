"""How motion becomes what a detector reports: camera -> flip -> noise."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch

from hummuss.body.skeleton import H36M17
from hummuss.body.smpl import BodyModel
from hummuss.data.motion import Camera, MotionClip
from hummuss.data.transforms.camera import RandomCamera, to_camera
from hummuss.data.transforms.flip import flip_clip
from hummuss.data.transforms.noise import DetectionNoise, RealisticNoise
from hummuss.data.transforms.normalise import MODES
from hummuss.errors import InputError


@dataclass(frozen=True)
class View:
    """How motion becomes what a detector reports; shared by training and evaluation.

    Attributes:
        camera: draws the camera of clips that have none.
        noise: errors of the 2D detector, for clips without detections of their own.
        normalisation: ``image``, ``box`` or ``frame``, see `normalise`.

    Raises:
        InputError: another normalisation.
    """

    camera: RandomCamera = field(default_factory=RandomCamera)
    noise: DetectionNoise | RealisticNoise = field(default_factory=DetectionNoise)
    normalisation: str = "image"

    def __post_init__(self) -> None:
        if self.normalisation not in MODES:
            raise InputError(f"view: normalisation is {self.normalisation!r}, expected one of {', '.join(MODES)}")

    def see(
        self, clip: MotionClip, bodies: Mapping[str, BodyModel], flip: float, rng: np.random.Generator
    ) -> MotionClip:
        """Take a clip to camera coordinates and detected keypoints; mirror it with probability ``flip``.

        Among ``bodies``, by name, is the one that a clip's parameters pose, where it has any.
        """
        return self.see_together([clip], bodies, flip, rng)[0]

    def see_together(
        self, clips: Sequence[MotionClip], bodies: Mapping[str, BodyModel], flip: float, rng: np.random.Generator
    ) -> list[MotionClip]:
        """The same for persons of one recording: one camera sees them, and all are mirrored or none."""
        unseen = [clip.joints3d for clip in clips if clip.frame == "world" and clip.camera is None]
        joints = [own for own in unseen if own is not None]
        camera = self.camera.draw(np.concatenate(joints), rng) if joints else None
        placed = [self._to_camera(clip, camera, bodies) for clip in clips]
        mirrored = rng.random() < flip
        return [self._detect(*clip, mirrored, rng) for clip in placed]

    def _to_camera(
        self, clip: MotionClip, camera: Camera | None, bodies: Mapping[str, BodyModel]
    ) -> tuple[MotionClip, np.ndarray | None, bool]:
        """A clip in camera coordinates, the pelvis of its unposed body, and whether it came with detections."""
        rest_pelvis = None
        if clip.betas is not None:
            body = bodies.get(clip.body or "")
            if body is None:
                raise InputError(
                    f"clip {clip.name} poses the body {clip.body!r}, but the data module has "
                    f"{', '.join(map(repr, bodies)) or 'none'}: give data.init_args.body_path the body file of that "
                    "name"
                )
            rest_pelvis = body.rest_joints(torch.from_numpy(clip.betas))[0].numpy()
        detected = clip.keypoints2d is not None
        if clip.frame == "world":
            if clip.joints3d is None:
                raise InputError(f"clip {clip.name} is in the world frame and has no joints3d: nothing to look at")
            # A camera drawn here would show the joints from elsewhere than these keypoints do, one without intrinsics
            # all of them in the image's corner.
            if (clip.camera is None and detected) or (clip.camera is not None and not clip.camera.known):
                raise InputError(
                    f"clip {clip.name} is in the world frame and "
                    + ("brings 2D keypoints without" if detected else "has the size of an image, but not")
                    + " the camera that saw it: give that one's intrinsics, rotation and translation, or joints3d in "
                    "its coordinates and frame='camera'; for a virtual camera leave out "
                    + ("the keypoints" if detected else "the size")
                )
            own = clip.camera or camera
            assert own is not None
            clip = to_camera(clip, own, rest_pelvis)
        if clip.keypoints2d is None or clip.keypoints2d.shape[1] != len(H36M17):
            found = "none" if clip.keypoints2d is None else clip.keypoints2d.shape[1]
            raise InputError(
                f"clip {clip.name} needs {len(H36M17)} 2D keypoints in Human3.6M order, found {found}: "
                "convert them with hummuss.body.skeleton.convert_keypoints"
            )
        return clip, rest_pelvis, detected

    def _detect(
        self,
        clip: MotionClip,
        rest_pelvis: np.ndarray | None,
        detected: bool,
        mirrored: bool,
        rng: np.random.Generator,
    ) -> MotionClip:
        if mirrored:
            clip = flip_clip(clip, rest_pelvis)
        return clip if detected else self.noise.apply(clip, rng)
