"""3DPW: vertices, joints through a regressor, and acceleration of the test split."""

from typing import Literal, cast

import roma
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from hummuss.body.skeleton import H36M17
from hummuss.body.smpl import FREE_BODY, BodyModel, BodyOutput
from hummuss.data.official_counts import PW3D_VALID_FRAMES
from hummuss.errors import InputError
from hummuss.heads.base import Batch, Head, Prediction
from hummuss.heads.mesh import MeshHead
from hummuss.metrics import MPJPE, MPVE, PAMPJPE, AccelerationError, AccelerationErrorPerFrame
from hummuss.protocols.base import (
    FOURTEEN,
    Evaluation,
    Protocol,
    Result,
    Row,
    TestClips,
    incomplete,
    scored_frames,
)
from hummuss.protocols.frames import FrameFigures
from hummuss.protocols.spread import JointSpread

GENDER = "gender"
GENDERS = ("female", "male")  # 0 and 1 in extras["gender"]
HIPS = [H36M17.joints.index("right_hip"), H36M17.joints.index("left_hip")]


class PW3D(Protocol):
    """MPVE of all vertices, MPJPE and PA-MPJPE of 14 joints, acceleration error in both units.

    Joints, predicted and true, are those that the head's Human3.6M regressor makes of the vertices: its init_args name
    the neutral SMPL file and that regressor. Both sides are brought to their own root before anything but PA-MPJPE is
    computed. Frames whose ``extras["valid_frame"]`` (campose_valid) is 0 are left out, where clips have it.

    Args:
        gt: which bodies pose the true parameters: those of the person's gender (``gendered``), or the head's own
            (``neutral``, as MotionBERT does).
        root: ``midhip``, the middle of the two hips, or ``regressor``, the regressor's own pelvis.
        male_body, female_body: SMPL files for ``gendered``; clips have ``extras["gender"]``, 0 female, 1 male.
        h36m_regressor: the head's regressor file once more, for these two.

    Raises:
        InputError: gendered without the two bodies, or with bodies and not gendered.

    Source: the joints and root of MotionBERT's evaluate_mesh (neutral, regressor); acceleration per frame as HMMR
    (Kanazawa et al., CVPR 2019).
    """

    name = "pw3d"
    needs = "rotations"

    def __init__(
        self,
        gt: Literal["gendered", "neutral"] = "gendered",
        root: Literal["midhip", "regressor"] = "midhip",
        male_body: str | None = None,
        female_body: str | None = None,
        h36m_regressor: str | None = None,
    ) -> None:
        self.h36m_regressor, self.gt, self.root = h36m_regressor, gt, root
        self.bodies = {"female": female_body, "male": male_body}
        given = [gender for gender, path in self.bodies.items() if path is not None]
        if given != (list(GENDERS) if gt == "gendered" else []):
            raise InputError(
                f"pw3d with gt {gt} and bodies for {' and '.join(given) or 'no gender'}: gendered needs male_body and "
                "female_body, neutral neither"
            )

    def options(self) -> dict[str, str]:
        return {"gt": self.gt, "root": self.root}

    def check(self, clips: TestClips) -> None:
        """Refuse clips without body parameters, or without the gender that is asked for."""
        for clip in clips.recorded():
            if clip.smpl_pose is None:
                raise InputError(f"clip {clip.name} has no smpl_pose, which {self.name} compares with")
            if self.gt == "gendered" and GENDER not in clip.extras:
                raise InputError(f"clip {clip.name} has no extras[{GENDER!r}]: prepare it again, or set gt: neutral")

    def evaluation(self, head: Head, clips: TestClips) -> Evaluation:
        own = cast(MeshHead, head).body
        if self.gt == "neutral":
            return _Bodies(own, [own], self.root == "midhip", clips)
        true = [BodyModel(self.bodies[gender], self.h36m_regressor) for gender in GENDERS]
        for body in true:
            same = body.num_vertices == own.num_vertices and torch.equal(body.support.cpu(), own.support.cpu())
            if not (same and torch.equal(body.h36m_weights.cpu(), own.h36m_weights.cpu())):
                raise InputError(
                    f"pw3d: the bodies {body.name} and {own.name} have different Human3.6M regressors: give the head "
                    "and the protocol the same h36m_regressor"
                )
        return _Bodies(own, true, self.root == "midhip", clips)


class _Bodies(Evaluation):
    """Bodies posed by predictions and by labels.

    Args:
        body: of the predictions.
        true: of the labels: one for everybody, or one for each of `GENDERS`.
        midhip: the root is the middle of the hips.
        clips: the test data.
    """

    def __init__(self, body: BodyModel, true: list[BodyModel], midhip: bool, clips: TestClips) -> None:
        super().__init__()
        self.body, self.true, self.root = body, nn.ModuleList(true), HIPS if midhip else [0]
        self.clips = clips
        recorded = clips.recorded()
        genders = [int(clip.extras[GENDER][0]) if len(true) > 1 else 0 for clip in recorded]
        self.register_buffer("gender", torch.tensor(genders), persistent=False)
        self.frames = FrameFigures(
            {
                "mpjpe": MPJPE(),
                "pa_mpjpe": PAMPJPE(),
                "mpve": MPVE(),
                "accel": AccelerationError(),
                "accel_frame": AccelerationErrorPerFrame(),
            }
        )
        joints = [H36M17.joints[joint] for joint in FOURTEEN]
        self.spread = JointSpread([clip.sequence for clip in recorded], joints, "sequences")

    gender: Tensor

    def update(self, prediction: Prediction, batch: Batch, clip: Int[Tensor, " B"]) -> Float[Tensor, "B F"]:
        frame = batch["frame_index"]
        valid = scored_frames(self.clips, clip, batch) & batch["has_smpl"][:, None]
        predicted, predicted_vertices = self._pose(self.body, prediction["rotations"], prediction["betas"])
        rotations = roma.rotvec_to_rotmat(batch["smpl_pose"])
        true = [self._pose(cast(BodyModel, body), rotations, batch["betas"]) for body in self.true]
        gender = self.gender[clip][:, None, None, None]
        target, target_vertices = (
            parts[0] if len(parts) == 1 else torch.where(gender == 1, parts[1], parts[0])
            for parts in zip(*true, strict=True)
        )
        compared = {"predicted": predicted, "target": target, "valid": valid}
        self.frames.update(
            clip,
            frame,
            **compared,
            predicted_vertices=predicted_vertices,
            target_vertices=target_vertices,
            valid_vertices=valid,
            dt=batch["dt"],
        )
        return self.spread.update(clip, **compared)

    def result(self) -> Result:
        frames = self.frames.frames()
        rows = [Row("all", frames.means(), len(frames.clip), log="")]
        bodies = ", ".join(cast(BodyModel, body).name for body in self.true)
        note = f"predictions posed on the body {self.body.name}, labels on {bodies}"
        if self.body.name == FREE_BODY:
            note += "; the free body's vertices are not SMPL's: no figure here compares with a published one"
        notes = [note, *incomplete(self.clips.official_count(), [PW3D_VALID_FRAMES], "frames with a valid camera")]
        return Result(rows, notes=notes, **self.spread.pictures())

    def _pose(
        self, body: BodyModel, rotations: Float[Tensor, "B F 24 3 3"], betas: Float[Tensor, "B 10"]
    ) -> tuple[Float[Tensor, "B F 14 3"], Float[Tensor, "B F V 3"]]:
        """The 14 joints and all vertices, relative to the root, metres."""
        posed: BodyOutput = body(rotations, betas[:, None], rotations.new_zeros(*rotations.shape[:2], 3))
        root = posed.joints17[..., self.root, :].mean(-2, keepdim=True)
        return posed.joints17[..., list(FOURTEEN), :] - root, posed.vertices - root
