"""MPI-INF-3DHP against the official evaluation written down as loops, in the test files' own joint order."""

import numpy as np
import pytest

from hummuss.errors import InputError
from hummuss.heads import PoseHead
from hummuss.protocols import MPIINF3DHP, TestClips
from hummuss.protocols.mpi_inf_3dhp import SEQUENCES

# The test files' 17 joints (head top, neck, right arm, left arm, right leg, left leg, pelvis, spine, head) as indices
# that make Human3.6M's 17 of them.
TO_H36M = [14, 8, 9, 10, 11, 12, 13, 15, 1, 16, 0, 5, 6, 7, 2, 3, 4]
OFFICIAL = range(14)
PELVIS = 14


def make_clips(made):
    """Sequences of unequal length with invalid frames among them; another fps in the last two."""
    clips = []
    for number, sequence in enumerate(SEQUENCES):
        frames = 5 + 2 * number
        valid = np.random.default_rng(number).random(frames) < 0.7
        valid[0] = True
        clips.append(
            made.clip(
                f"{sequence}/annot_data", frames, sequence=sequence, subject=sequence, fps=25.0 if number > 3 else 50.0,
                extras={"valid_frame": valid.astype(np.uint8)},
            )
        )  # fmt: skip
    return clips


def evaluate(made, clips, predicted):
    protocol, shown = MPIINF3DHP(), TestClips({"": clips})
    protocol.check(shown)
    evaluation = protocol.evaluation(PoseHead(4), shown)
    for number, clip in enumerate(clips):
        windows = [(number, list(range(start, min(start + 4, len(clip))))) for start in range(0, len(clip), 4)]
        batch = made.batch(clips, windows)
        errors = evaluation.update({"joints": made.at(predicted, batch)}, batch, batch["clip"])
        scored = batch["valid"].numpy() & (clip.extras["valid_frame"][batch["frame_index"].numpy()] > 0)
        assert (errors.isnan().numpy() == ~scored).all()
    return evaluation.result()


def official(errors):
    """PCK, AUC and MPJPE of (frames, 14) errors, by joint groups as mpii_compute_3d_pck.m goes about it."""
    groups = [[0], [1], [2, 5], [3, 6], [4, 7], [8, 11], [9, 12], [10, 13]]

    def pck(threshold):
        hits = sum((errors[:, group] < threshold).sum() for group in groups)
        return 100 * hits / (len(errors) * sum(len(group) for group in groups))

    curve = [pck(threshold) for threshold in range(0, 151, 5)]
    return {"pck": pck(150), "auc": np.mean(curve), "mpjpe": errors.mean()}


def test_figures_against_the_official_evaluation(made) -> None:
    clips = make_clips(made)
    predicted = made.disturbed(clips, 0.04)
    result = evaluate(made, clips, predicted)
    of_sequences, everything, everything17 = [], [], []
    from_h36m = np.argsort(TO_H36M)
    for clip, joints, row in zip(clips, predicted, result.rows[:6], strict=True):
        x, y = joints[:, from_h36m], clip.joints3d[:, from_h36m]
        x, y = x - x[:, PELVIS : PELVIS + 1], y - y[:, PELVIS : PELVIS + 1]
        errors = 1000 * np.linalg.norm(x - y, axis=-1)[clip.extras["valid_frame"] > 0]
        expected = official(errors[:, OFFICIAL]) | {"mpjpe_17": errors.mean()}
        assert row.part == clip.sequence
        assert row.count == len(errors)
        assert row.figures == pytest.approx(expected, rel=1e-5)
        of_sequences.append(expected)
        everything.append(errors[:, OFFICIAL])
        everything17.append(errors)
    mean, frames = result.rows[6:]
    assert mean.part == "mean over sequences"
    assert mean.figures == pytest.approx(
        {name: np.mean([row[name] for row in of_sequences]) for name in of_sequences[0]}, rel=1e-5
    )
    assert frames.part == "mean over frames"
    expected = official(np.concatenate(everything)) | {"mpjpe_17": np.concatenate(everything17).mean()}
    assert frames.figures == pytest.approx(expected, rel=1e-5)
    assert frames.figures["mpjpe"] != pytest.approx(mean.figures["mpjpe"], rel=1e-3)
    assert list(result.bars["joints"])[:2] == ["right_hip", "right_knee"]
    assert len(result.bars["joints"]) == 14


def test_an_error_of_just_150_mm_is_a_miss(made) -> None:
    clips = make_clips(made)
    predicted = [clip.joints3d * 0 for clip in clips]
    for clip, joints in zip(clips, predicted, strict=True):
        clip.joints3d[:] = 0
        joints[:, 1, 0] = 0.15  # the right hip
        joints[:, 2, 0] = 0.1499
    figures = evaluate(made, clips, predicted).rows[-1].figures
    assert figures["pck"] == pytest.approx(100 * 13 / 14, rel=1e-6)


def test_frame_rates_are_told_as_an_assumption(made) -> None:
    clips = make_clips(made)
    note, missing = evaluate(made, clips, [clip.joints3d for clip in clips]).notes
    assert "assumed" in note
    assert "TS4 50, TS5 25, TS6 25" in note
    valid = sum(int(clip.extras["valid_frame"].sum()) for clip in clips)
    assert missing == f"{valid} valid frames; the official test has 2,929"


def test_what_is_not_the_official_test_set_is_refused(made) -> None:
    clips = make_clips(made)
    with pytest.raises(InputError, match=r"sequences are TS1, .*; the data lacks TS6"):
        MPIINF3DHP().check(TestClips({"": clips[:5]}))
    bare = made.clip("TS1/annot_data", sequence="TS1")
    with pytest.raises(InputError, match=r"TS1/annot_data has no extras\['valid_frame'\]"):
        MPIINF3DHP().check(TestClips({"": [bare, *clips[1:]]}))
    clips[2].extras["valid_frame"][:] = 0
    with pytest.raises(InputError, match="no frame of TS3 was scored"):
        evaluate(made, clips, [clip.joints3d for clip in clips])
