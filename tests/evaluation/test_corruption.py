"""Corruptions: how much is hidden, how far joints move, and that nothing but the detections changes."""

import numpy as np
import pytest
from scipy import stats

from hummuss.body.skeleton import H36M17
from hummuss.body.smpl import BodyModel
from hummuss.data.motion import Camera, MotionClip
from hummuss.data.synthetic import SyntheticMotion
from hummuss.data.transforms.noise import person_size
from hummuss.data.windows import View
from hummuss.evaluation.corruption import (
    CLEAN,
    HIDES,
    LEVELS,
    CorruptedView,
    Corruption,
    all_corruptions,
    corrupt,
)

TIMES = np.arange(3000) / 50
MIRROR = np.array(H36M17.mirror)
UNSEEN = H36M17.joints.index("spine")


@pytest.fixture(scope="module")
def keypoints() -> np.ndarray:
    """A minute of detections, one joint never seen."""
    rng = np.random.default_rng(0)
    found = np.concatenate([rng.uniform(100, 900, (3000, 17, 2)), rng.uniform(0.5, 1, (3000, 17, 1))], -1)
    found[:, UNSEEN] = 0
    return found.astype(np.float32)


def of(keypoints: np.ndarray, kind: str, level: float) -> np.ndarray:
    found = corrupt(keypoints, TIMES, Corruption(kind, level), np.random.default_rng(1))
    assert found.dtype == np.float32
    assert (found[:, UNSEEN] == 0).all()
    return found


@pytest.mark.parametrize(("kind", "level"), [c for c in all_corruptions() if c.kind in HIDES])
def test_the_share_of_the_level_is_hidden_and_the_rest_is_untouched(keypoints, kind, level) -> None:
    found = of(keypoints, kind, level)
    hidden = (found == 0).all(-1)
    assert (found[~hidden] == keypoints[~hidden]).all()
    reached = {"limbs": "hip knee ankle shoulder elbow wrist", "sides": "hip knee ankle shoulder elbow wrist"}
    members = [
        index
        for index, joint in enumerate(H36M17.joints)
        if index != UNSEEN and (kind not in reached or joint.split("_")[-1] in reached[kind].split())
    ]
    assert hidden[:, members].mean() == pytest.approx(level, abs=0 if kind == "frames" else 0.12 * level**0.5)
    others = [index for index in range(17) if index not in (UNSEEN, *members)]
    assert not hidden[:, others].any()


def test_limbs_sides_and_frames_hide_together_and_joints_do_not(keypoints) -> None:
    hidden = {kind: (of(keypoints, kind, 0.3) == 0).all(-1) for kind in HIDES}
    elbow, wrist, knee, right = (
        H36M17.joints.index(joint) for joint in ("left_elbow", "left_wrist", "left_knee", "right_wrist")
    )
    together = {
        kind: [bool((hidden[kind][:, wrist] == hidden[kind][:, other]).all()) for other in (elbow, knee, right)]
        for kind in HIDES
    }
    assert together == {
        "joints": [False] * 3,
        "limbs": [True, False, False],
        "sides": [True, True, False],
        "frames": [True] * 3,
    }


def test_more_missing_frames_are_further_ones(keypoints) -> None:
    few, many = ((of(keypoints, "frames", level) == 0).all((1, 2)) for level in (0.1, 0.5))
    assert (few.sum(), many.sum(), (few & ~many).sum()) == (300, 1500, 0)


@pytest.mark.parametrize("level", LEVELS["gaussian"])
def test_noise_has_the_size_and_the_tails_of_its_name(keypoints, level) -> None:
    seen = keypoints[..., 2] > 0
    errors = {}
    for kind in ("gaussian", "heavy-tailed"):
        found = of(keypoints, kind, level)
        assert (found[..., 2] == keypoints[..., 2]).all()
        errors[kind] = ((found - keypoints)[..., :2][seen] / (level * person_size(keypoints))).astype(np.float64)
    assert stats.kstest(errors["gaussian"].ravel(), stats.norm.cdf).pvalue > 0.001
    # One coordinate of a multivariate t is Student's t; with 3 degrees of freedom its variance is 3.
    assert stats.kstest(errors["heavy-tailed"][:, 0] * 3**0.5, stats.t(3).cdf).pvalue > 0.001


def test_swapped_sides_are_each_others(keypoints) -> None:
    wrist = H36M17.joints.index("left_wrist")
    found = of(keypoints, "swaps", 0.3)
    swapped = (found[:, wrist] != keypoints[:, wrist]).any(-1)
    assert (found[swapped, wrist] == keypoints[swapped, MIRROR[wrist]]).all()
    assert swapped.mean() == pytest.approx(0.3, abs=0.06)
    middle = [index for index in range(17) if MIRROR[index] == index]
    assert (found[:, middle] == keypoints[:, middle]).all()


def test_a_view_corrupts_what_it_has_detected_and_no_target() -> None:
    clip = SyntheticMotion(3, "test").at(np.arange(20) / 50)
    bodies = {"free": BodyModel()}
    clean, view = (
        view.see(clip, bodies, 0.0, np.random.default_rng(5))
        for view in (View(), CorruptedView(corruption=Corruption("frames", 0.5)))
    )
    assert (view.joints3d == clean.joints3d).all()
    hidden = (view.keypoints2d == 0).all((1, 2))
    assert hidden.sum() == 10
    assert (view.keypoints2d[~hidden] == clean.keypoints2d[~hidden]).all()
    again = CorruptedView(corruption=CLEAN).see(clip, bodies, 0.0, np.random.default_rng(5))
    assert (again.keypoints2d == clean.keypoints2d).all()


def test_clips_own_detections_are_corrupted_too(keypoints) -> None:
    camera = Camera.of_size(1000, 1000)
    clip = MotionClip("a", "a", "", "test", timestamps=TIMES, keypoints2d=keypoints, camera=camera, frame="camera")
    view = CorruptedView(corruption=Corruption("gaussian", 0.05))
    assert (view.see(clip, {}, 0.0, np.random.default_rng(0)).keypoints2d != keypoints).any()


def test_unknown_kinds_are_refused(keypoints) -> None:
    with pytest.raises(ValueError, match="'fog' is none of clean, joints, limbs"):
        of(keypoints, "fog", 0.5)
