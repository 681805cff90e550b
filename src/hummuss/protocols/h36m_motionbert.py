"""Human3.6M as MotionBERT evaluates it: 2.5D rows, three sequences left out. Never mixed with camera space."""

import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor

from hummuss.errors import InputError
from hummuss.heads.base import Batch, Head
from hummuss.metrics.per_joint import MM_PER_METRE
from hummuss.protocols.base import Evaluation, Protocol, Result, TestClips
from hummuss.protocols.h36m_p1_p2 import FACTOR, PerAction, check_parts

TARGET = "joints_2_5d_image"
EXCLUDED = ("s_09_act_05_subact_02", "s_09_act_10_subact_02", "s_09_act_13_subact_01")


class H36MMotionBERT(Protocol):
    """P1 and P2 of predictions in metres against ``joints_2.5d_image`` in mm, both relative to the root.

    For networks trained on joint3d_image * 2.5d_factor / 1000, which is what the store's joints3d holds for these
    rows. Each clip has that factor per frame as ``extras["factor_2_5d"]`` and the file's own target in mm as
    ``extras["joints_2_5d_image"]``. Three sequences are left out of the evaluation, by name. A frame that several
    windows show counts once, with the average of its errors; frames of an action weigh the same, then actions do.

    The figures are not those of camera space: x and y are pixels times a factor per frame, as under a weak
    perspective.

    Source: MotionBERT (Zhu et al., ICCV 2023), its train.py's evaluate().
    """

    name = "h36m_motionbert"
    needs = "joints"

    def check(self, clips: TestClips) -> None:
        """Refuse camera-space clips, and anything but the official subjects and actions, all of them."""
        recorded = clips.recorded()
        for clip in recorded:
            missing = [key for key in (FACTOR, TARGET) if key not in clip.extras]
            if missing:
                raise InputError(
                    f"clip {clip.name} has no {' and no '.join(missing)}: {self.name} scores the 2.5D rows of "
                    "MotionBERT's file; camera-space clips are scored with h36m_p1_p2"
                )
        check_parts(self.name, recorded)

    def evaluation(self, head: Head, clips: TestClips) -> Evaluation:
        return _Rows(self.name, clips)


class _Rows(PerAction):
    """Against the file's own target, without the excluded sequences."""

    def __init__(self, name: str, clips: TestClips) -> None:
        super().__init__(name, clips)
        self.clips = clips
        excluded = [any(sequence in clip.name for sequence in EXCLUDED) for clip in clips.recorded()]
        self.register_buffer("scored", ~torch.tensor(excluded), persistent=False)

    scored: Tensor

    def target(self, batch: Batch, clip: Int[Tensor, " B"]) -> tuple[Float[Tensor, "B F 17 3"], Shaped[Tensor, "B F"]]:
        millimetres = self.clips.extra(TARGET, clip, batch["frame_index"])
        return millimetres.float() / MM_PER_METRE, batch["valid"] & self.scored[clip][:, None]

    def result(self) -> Result:
        result = super().result()
        left_out = int((~self.scored).sum())
        result.notes.append(f"2.5D rows; left out as MotionBERT does: {left_out} clips of {', '.join(EXCLUDED)}")
        return result
