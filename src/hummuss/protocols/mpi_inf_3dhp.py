"""MPI-INF-3DHP's test set: PCK, AUC and MPJPE of the six sequences, averaged in both ways that papers use."""

from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torchmetrics import Metric

from hummuss.body.skeleton import H36M17
from hummuss.data.official_counts import MPI_VALID_FRAMES
from hummuss.errors import InputError
from hummuss.heads.base import Batch, Head, Prediction, root_relative
from hummuss.metrics import AUC, MPJPE, PCK
from hummuss.protocols.base import (
    FOURTEEN,
    VALID,
    Evaluation,
    Protocol,
    Result,
    Row,
    TestClips,
    incomplete,
    reference,
    scored_frames,
)
from hummuss.protocols.frames import FrameFigures, official_rows
from hummuss.protocols.spread import JointSpread

SEQUENCES = ("TS1", "TS2", "TS3", "TS4", "TS5", "TS6")


class MPIINF3DHP(Protocol):
    """PCK at 150 mm (strictly), AUC over 0, 5, ..., 150 mm and MPJPE of the 14 official joints, relative to the pelvis.

    Only frames with ``extras["valid_frame"]`` are scored; the network sees all. ``mpjpe_17`` is over all 17 joints,
    the pelvis with its error of 0 among them, as P-STMO and its successors report MPJPE. Papers average over all frames
    or over the six sequences: both are printed.

    Clips have the sequence TS1 ... TS6, and joints3d in Human3.6M's order, from the files' ``univ_annot3``.

    Source: the dataset's mpii_evaluate_errors.m, mpii_compute_3d_pck.m and mpii_get_pck_auc_joint_groups.m (Mehta et
    al., 3DV 2017); P-STMO (ECCV 2022) for the 17 joints.
    """

    name = "mpi_inf_3dhp"
    needs = "joints"

    def check(self, clips: TestClips) -> None:
        """Refuse clips without valid_frame, and anything but the six sequences."""
        recorded = clips.recorded()
        for clip in recorded:
            if VALID not in clip.extras:
                raise InputError(f"clip {clip.name} has no extras[{VALID!r}]: {self.name} scores the valid frames only")
        reference(self.name, [clip.sequence for clip in recorded], SEQUENCES, "sequences")

    def evaluation(self, head: Head, clips: TestClips) -> Evaluation:
        return _Sequences(clips)


class _Intervals(Metric):
    """Mean interval between the frames shown of each sequence, in seconds: tests may thin them."""

    full_state_update = False
    seconds: Tensor
    count: Tensor

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        for state in ("seconds", "count"):
            self.add_state(state, torch.zeros(len(SEQUENCES), dtype=torch.float64), dist_reduce_fx="sum")

    def update(self, sequence: Int[Tensor, " B"], dt: Float[Tensor, "B F"], valid: Bool[Tensor, "B F"]) -> None:
        """Add windows."""
        self.seconds.index_add_(0, sequence, (dt * valid).sum(1).double())
        self.count.index_add_(0, sequence, valid.sum(1).double())

    def compute(self) -> Float[Tensor, " sequences"]:
        """NaN where nothing was shown."""
        return self.seconds / self.count


class _Sequences(Evaluation):
    def __init__(self, clips: TestClips) -> None:
        super().__init__()
        self.intervals = _Intervals()
        self.clips = clips
        self.sequences = [clip.sequence for clip in clips.recorded()]
        self.frames = FrameFigures({"pck": PCK(), "auc": AUC(), "mpjpe": MPJPE()})
        self.all_joints = FrameFigures({"mpjpe_17": MPJPE()})
        self.spread = JointSpread(self.sequences, [H36M17.joints[joint] for joint in FOURTEEN], "sequences")

    def update(self, prediction: Prediction, batch: Batch, clip: Int[Tensor, " B"]) -> Float[Tensor, "B F"]:
        frame = batch["frame_index"]
        numbers = [SEQUENCES.index(self.sequences[number]) for number in clip.tolist()]
        self.intervals.update(torch.tensor(numbers, device=frame.device), batch["dt"], batch["valid"])
        valid = scored_frames(self.clips, clip, batch)
        predicted, target = root_relative(prediction["joints"]), root_relative(batch["joints3d"])
        self.all_joints.update(clip, frame, predicted=predicted, target=target, valid=valid)
        compared = {
            "predicted": predicted[..., list(FOURTEEN), :],
            "target": target[..., list(FOURTEEN), :],
            "valid": valid,
        }
        self.frames.update(clip, frame, **compared)
        return self.spread.update(clip, **compared)

    def result(self) -> Result:
        """Every sequence and both means.

        Raises:
            InputError: a sequence of which nothing counted.
        """
        frames, all_joints = self.frames.frames(), self.all_joints.frames()
        both = frames._replace(figures=frames.figures | all_joints.figures, counts=frames.counts | all_joints.counts)
        rows = official_rows(MPIINF3DHP.name, both, self.sequences, SEQUENCES, "mean over sequences", log="sequences")
        rows.append(Row("mean over frames", both.means(), len(both.clip), log=""))
        notes = [self._frame_rates(), *incomplete(self.clips.official_count(), [MPI_VALID_FRAMES], "valid frames")]
        return Result(rows, notes=notes, **self.spread.pictures())

    def _frame_rates(self) -> str:
        rates = {clip.sequence: float(1 / np.diff(clip.times).mean()) for clip in self.clips.recorded()}
        tested = dict(zip(SEQUENCES, (1 / self.intervals.compute()).tolist(), strict=True))
        listed = ", ".join(
            f"{name} {rates[name]:.4g}"
            + ("" if np.isclose(tested[name], rates[name], rtol=0.01) else f" (tested at {tested[name]:.4g})")
            for name in SEQUENCES
        )
        return f"frames per second, as assumed when the data were prepared (the test files carry none): {listed}"
