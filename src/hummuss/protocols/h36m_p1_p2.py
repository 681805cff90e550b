"""Human3.6M in camera space: protocols 1 and 2, per action and averaged over the 15 actions."""

from collections.abc import Sequence

from jaxtyping import Float, Int
from torch import Tensor

from hummuss.data.motion import MotionClip
from hummuss.errors import InputError
from hummuss.heads.base import Batch, Head, Prediction, root_relative
from hummuss.metrics import MPJPE, PAMPJPE
from hummuss.protocols.base import Evaluation, Protocol, Result, TestClips, incomplete, reference
from hummuss.protocols.frames import FrameFigures, official_rows
from hummuss.protocols.spread import JointSpread

ACTIONS = (
    "Directions", "Discussion", "Eating", "Greeting", "Phoning", "Photo", "Posing", "Purchases", "Sitting",
    "SittingDown", "Smoking", "Waiting", "WalkDog", "Walking", "WalkTogether",
)  # fmt: skip
SUBJECTS = ("S9", "S11")
# 15 actions twice, four cameras, of two subjects, but for S11's first Directions (data/prepare_data_h36m.py).
CLIPS = (236,)
MEAN = "mean over actions"
# What only MotionBERT's 2.5D rows have.
FACTOR = "factor_2_5d"


class H36MP1P2(Protocol):
    """Root-relative MPJPE (p1) and Procrustes-aligned MPJPE (p2) of subjects 9 and 11, camera coordinates, 17 joints.

    Every frame of an action weighs the same, every one of the 15 actions weighs the same in the mean. The actions'
    names are `ACTIONS`; both takes of an action carry its name.

    Source: protocols 1 and 2 as VideoPose3D (Pavllo et al., CVPR 2019) evaluates its files.
    """

    name = "h36m_p1_p2"
    needs = "joints"

    def check(self, clips: TestClips) -> None:
        """Refuse 2.5D rows, and anything but the official subjects and actions, all of them."""
        recorded = clips.recorded()
        for clip in recorded:
            if FACTOR in clip.extras:
                raise InputError(f"clip {clip.name} is a 2.5D row of MotionBERT's file: score it with h36m_motionbert")
            if clip.joints3d is None:
                raise InputError(f"clip {clip.name} has no joints3d, which {self.name} compares with")
        check_parts(self.name, recorded)

    def evaluation(self, head: Head, clips: TestClips) -> Evaluation:
        return PerAction(self.name, clips, CLIPS)


class PerAction(Evaluation):
    """P1 and P2 of every action; what is compared can be replaced.

    Args:
        name: of the protocol.
        clips: the test data.
        official: how many clips it should have: the table says so where it has others. Empty: nobody knows.
    """

    def __init__(self, name: str, clips: TestClips, official: Sequence[int] = ()) -> None:
        super().__init__()
        self.name = name
        self.notes = incomplete(len(clips), official, "clips")
        self.actions = [str(clip.label) for clip in clips.recorded()]
        self.frames = FrameFigures({"p1": MPJPE(), "p2": PAMPJPE()})
        self.spread = JointSpread(self.actions)

    def target(self, batch: Batch, clip: Int[Tensor, " B"]) -> tuple[Float[Tensor, "B F 17 3"], Tensor]:
        """True joints in metres, and which frames count."""
        return batch["joints3d"], batch["valid"] & batch["has_joints3d"][:, None]

    def update(self, prediction: Prediction, batch: Batch, clip: Int[Tensor, " B"]) -> Float[Tensor, "B F"]:
        target, valid = self.target(batch, clip)
        compared = {
            "predicted": root_relative(prediction["joints"]),
            "target": root_relative(target),
            "valid": valid,
        }
        self.frames.update(clip, batch["frame_index"], **compared)
        return self.spread.update(clip, **compared)

    def result(self) -> Result:
        """Every action, then the mean over them.

        Raises:
            InputError: an action of which nothing counted: there is no mean over the official actions then.
        """
        rows = official_rows(self.name, self.frames.frames(), self.actions, ACTIONS, MEAN, log="")
        return Result(rows, notes=[*self.notes], **self.spread.pictures())


def check_parts(name: str, clips: Sequence[MotionClip]) -> None:
    """Refuse anything but the official subjects and actions, all of them."""
    reference(name, [clip.subject for clip in clips], SUBJECTS, "subjects")
    reference(name, [str(clip.label) for clip in clips], ACTIONS, "actions")
