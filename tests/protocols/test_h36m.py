"""Human3.6M's two kinds of rows against the field's own loops over frames, and what each refuses."""

import numpy as np
import pytest
import torch

from hummuss.errors import InputError
from hummuss.heads import PoseHead
from hummuss.protocols import H36MP1P2, H36MMotionBERT, TestClips
from hummuss.protocols.h36m_p1_p2 import ACTIONS

SIZES = (5, 3, 8, 4)


def camera_clips(made, **fields):
    """Both subjects, all actions, of unequal length; S11 has fewer actions."""
    return [
        made.clip(f"{subject}/{action}", SIZES[(i + len(subject)) % 4], subject=subject, label=action, **fields)
        for subject in ("S9", "S11")
        for i, action in enumerate(ACTIONS)
        if subject == "S9" or i % 3
    ]


def motionbert_clips(made):
    """The file's rows: its target differs from joints3d, so that a test sees which is compared."""
    clips = []
    for number, action in enumerate(ACTIONS):
        for subject, start in (("S9", "s_09"), ("S11", "s_11")):
            name = f"{start}_act_{number + 2:02}_subact_02_ca_01"
            frames = SIZES[number % 4]
            target = 1000 * np.random.default_rng(number).normal(0, 0.3, (frames, 17, 3))
            extras = {"factor_2_5d": np.full(frames, 4.5, np.float32), "joints_2_5d_image": target}
            clips.append(made.clip(name, frames, subject=subject, label=action, extras=extras))
    return clips


def evaluate(made, protocol, clips, predicted, windows_of):
    """Show every clip in the given windows, three clips a batch."""
    shown = TestClips({"": clips})
    protocol.check(shown)
    evaluation = protocol.evaluation(PoseHead(4), shown)
    windows = [(number, window) for number, clip in enumerate(clips) for window in windows_of(len(clip))]
    for start in range(0, len(windows), 3):
        batch = made.batch(clips, windows[start : start + 3])
        evaluation.update({"joints": made.at(predicted, batch)}, batch, batch["clip"])
    return evaluation.result()


def rows(result):
    return {row.part: row for row in result.rows}


def follow_each_other(frames):
    return [list(range(start, min(start + 4, frames))) for start in range(0, frames, 4)]


def overlap(frames):
    return [list(range(start, min(start + 4, frames))) for start in range(0, max(frames - 2, 1), 2)]


def test_camera_space_against_a_loop_over_actions(made) -> None:
    clips = camera_clips(made)
    predicted = made.disturbed(clips)
    result = evaluate(made, H36MP1P2(), clips, predicted, follow_each_other)
    p1, p2 = [], []
    for action in ACTIONS:
        first, second = [], []
        for clip, joints in zip(clips, predicted, strict=True):
            if clip.label == action:
                for x, y in zip(joints - joints[:, :1], clip.joints3d - clip.joints3d[:, :1], strict=True):
                    first.append(1000 * np.linalg.norm(x - y, axis=-1).mean())
                    second.append(1000 * made.aligned_error(x, y))
        row = rows(result)[action]
        assert row.figures == pytest.approx({"p1": np.mean(first), "p2": np.mean(second)}, rel=1e-4)
        assert row.count == len(first)
        p1.append(np.mean(first))
        p2.append(np.mean(second))
    mean = rows(result)["mean over actions"]
    assert mean.figures == pytest.approx({"p1": np.mean(p1), "p2": np.mean(p2)}, rel=1e-4)
    assert (mean.log, mean.count) == ("", sum(len(clip) for clip in clips))
    assert [row.part for row in result.rows] == [*ACTIONS, "mean over actions"]
    assert result.bars["actions"]["Eating"].mean == pytest.approx(rows(result)["Eating"].figures["p1"], rel=1e-4)


def test_motionbert_against_its_own_loop_over_windows(made) -> None:
    clips = motionbert_clips(made)
    predicted = made.disturbed(clips)
    result = evaluate(made, H36MMotionBERT(), clips, predicted, follow_each_other)
    assert evaluate(made, H36MMotionBERT(), clips, predicted, overlap).rows[-1].figures == pytest.approx(
        result.rows[-1].figures, rel=1e-6
    ), "windows that overlap say the same twice here"
    excluded = ("s_09_act_05_subact_02", "s_09_act_10_subact_02", "s_09_act_13_subact_01")
    means = {"p1": [], "p2": []}
    for action in ACTIONS:
        errors = {"p1": [], "p2": []}
        for clip, joints in zip(clips, predicted, strict=True):
            if clip.label != action or clip.name[:-6] in excluded:
                continue
            target = clip.extras["joints_2_5d_image"]
            for x, y in zip(1000.0 * (joints - joints[:, :1]), target - target[:, :1], strict=True):
                errors["p1"].append(np.linalg.norm(x - y, axis=-1).mean())
                errors["p2"].append(made.aligned_error(x, y))
        for name, values in errors.items():
            means[name].append(np.mean(values))
            assert rows(result)[action].figures[name] == pytest.approx(np.mean(values), rel=1e-4)
    assert result.rows[-1].figures == pytest.approx({name: np.mean(v) for name, v in means.items()}, rel=1e-4)
    # Of the three only those of subject 9, take 2, are in these data: act 5 and act 10.
    assert "2 clips" in result.notes[0]
    left_out = {action for action in ACTIONS if rows(result)[action].count < 2 * SIZES[ACTIONS.index(action) % 4]}
    assert left_out == {ACTIONS[5 - 2], ACTIONS[10 - 2]}


def test_errors_of_overlapping_windows_are_averaged_per_frame_not_predictions(made) -> None:
    """Two windows that are wrong by +10 and -10 mm show 10 mm: averaged predictions would show none."""
    clips = motionbert_clips(made)
    for clip in clips:
        clip.extras["joints_2_5d_image"][:] = 1000.0 * clip.joints3d
    shown = TestClips({"": clips})
    evaluation = H36MMotionBERT().evaluation(PoseHead(4), shown)
    for sign in (1, -1):
        for number, clip in enumerate(clips):
            batch = made.batch(clips, [(number, list(range(len(clip))))])
            joints = batch["joints3d"].clone()
            joints[..., 1:, 0] += sign * 0.01
            evaluation.update({"joints": joints}, batch, batch["clip"])
    (row,) = [row for row in evaluation.result().rows if row.part == "mean over actions"]
    assert row.figures["p1"] == pytest.approx(10 * 16 / 17, rel=1e-3)
    assert row.count == sum(len(clip) for clip in clips) - SIZES[3] - SIZES[0]


def test_the_table_says_where_official_clips_are_missing(made) -> None:
    whole = [made.clip(f"S9/Eating {number}", subject="S9", label="Eating") for number in range(236)]
    for clips, notes in ((whole, []), (whole[:-1], ["235 clips; the official test has 236"])):
        assert H36MP1P2().evaluation(PoseHead(4), TestClips({"": clips})).notes == notes


def test_the_two_kinds_refuse_each_others_data(made) -> None:
    with pytest.raises(InputError, match=r"is a 2.5D row of MotionBERT's file: score it with h36m_motionbert"):
        H36MP1P2().check(TestClips({"": motionbert_clips(made)}))
    with pytest.raises(InputError, match=r"has no factor_2_5d and no joints_2_5d_image: .* with h36m_p1_p2"):
        H36MMotionBERT().check(TestClips({"": camera_clips(made)}))


def test_subjects_and_actions_must_be_the_official_ones(made) -> None:
    clips = camera_clips(made)
    for protocol in (H36MP1P2(),):
        with pytest.raises(InputError, match="test subjects are S9, S11; the data lacks S11"):
            protocol.check(TestClips({"": [clip for clip in clips if clip.subject == "S9"]}))
        with pytest.raises(InputError, match="has S8 besides"):
            protocol.check(TestClips({"": [*clips, made.clip("S8", subject="S8", label="Eating")]}))
        with pytest.raises(InputError, match="lacks Waiting"):
            protocol.check(TestClips({"": [clip for clip in clips if clip.label != "Waiting"]}))
        with pytest.raises(InputError, match="has Walk besides"):
            protocol.check(TestClips({"": [*clips, made.clip("walk", label="Walk")]}))


def test_an_action_of_which_nothing_was_scored_is_an_error(made) -> None:
    clips = camera_clips(made)
    evaluation = H36MP1P2().evaluation(PoseHead(4), TestClips({"": clips}))
    for number, clip in enumerate(clips):
        batch = made.batch(clips, [(number, list(range(len(clip))))])
        if clip.label == "Smoking":
            batch["valid"] = torch.zeros_like(batch["valid"])
        evaluation.update({"joints": batch["joints3d"]}, batch, batch["clip"])
    with pytest.raises(InputError, match="no frame of Smoking was scored, so there is no mean over actions"):
        evaluation.result()
