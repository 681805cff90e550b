"""Procedural performances: exact in time, human in motion."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.interpolate import BPoly
from scipy.spatial.transform import Rotation

from hummuss.body.skeleton import SMPL24
from hummuss.body.smpl import BodyModel
from hummuss.data.procedural.curves import Sway, Track, glide, quintic_through, smooth_max, smooth_min, smoothstep
from hummuss.data.synthetic import ACTIONS, SyntheticMotion
from hummuss.errors import InputError

GRAVITY = 9.81
JOINT = {name: index for index, name in enumerate(SMPL24.joints)}
KNEES = [JOINT["left_knee"], JOINT["right_knee"]]
ANKLES = [JOINT["left_ankle"], JOINT["right_ankle"]]
GROUNDED = [action for action in ACTIONS if action not in ("run", "jump")]


@pytest.fixture(scope="module")
def body() -> BodyModel:
    return BodyModel()


def joints24(motion: SyntheticMotion, times: np.ndarray) -> np.ndarray:
    """The 24 joints by forward kinematics of the clip's own parameters, float64."""
    clip = motion.at(times)
    assert clip.smpl_pose is not None
    assert clip.betas is not None
    assert clip.transl is not None
    rest = motion.body.rest_joints(torch.from_numpy(clip.betas)).double().numpy()
    local = Rotation.from_rotvec(clip.smpl_pose.reshape(-1, 3).astype(float)).as_matrix()
    local = local.reshape(len(times), 24, 3, 3)
    turned, placed = np.zeros_like(local), np.zeros((len(times), 24, 3))
    for joint, parent in enumerate(SMPL24.parents):
        if parent < 0:
            turned[:, joint], placed[:, joint] = local[:, joint], rest[joint] + clip.transl
        else:
            turned[:, joint] = turned[:, parent] @ local[:, joint]
            placed[:, joint] = placed[:, parent] + turned[:, parent] @ (rest[joint] - rest[parent])
    return placed


def lowest_point(motion: SyntheticMotion, times: np.ndarray) -> np.ndarray:
    """Height of the lowest vertex of the body in each frame, metres."""
    clip = motion.at(times)
    assert clip.smpl_pose is not None
    assert clip.betas is not None
    assert clip.transl is not None
    matrices = Rotation.from_rotvec(clip.smpl_pose.reshape(-1, 3)).as_matrix().reshape(-1, 24, 3, 3)
    posed = motion.body(
        torch.from_numpy(matrices).float(),
        torch.from_numpy(clip.betas)[None],
        torch.from_numpy(clip.transl),
    )
    return posed.vertices[..., 1].min(-1).values.numpy()


@pytest.mark.parametrize("action", ACTIONS)
def test_an_instant_does_not_depend_on_the_others(action: str, body: BodyModel) -> None:
    motion = SyntheticMotion(4, "train", action, body)
    times = np.arange(243) / 50
    full = motion.at(times)
    irregular = np.sort(np.random.default_rng(0).choice(243, 31, replace=False))
    for chosen in (irregular, np.arange(0, 243, 8), np.array([100])):
        part = motion.at(times[chosen])
        for field, tolerance in (("joints3d", 2e-6), ("smpl_pose", 2e-6), ("transl", 1e-6)):
            np.testing.assert_allclose(getattr(part, field), getattr(full, field)[chosen], atol=tolerance, rtol=0)


def test_seed_split_and_action_decide(body: BodyModel) -> None:
    times = np.arange(10) / 50

    def joints(seed: int, split: str, action: str) -> np.ndarray:
        clip = SyntheticMotion(seed, split, action, body).at(times)
        assert clip.joints3d is not None
        return clip.joints3d

    first = joints(1, "train", "walk")
    np.testing.assert_array_equal(first, joints(1, "train", "walk"))
    for other in ((2, "train", "walk"), (1, "val", "walk"), (1, "test", "walk"), (1, "train", "run")):
        assert np.abs(first - joints(*other)).max() > 0.05, other


def test_clip_says_what_it_is(body: BodyModel) -> None:
    motion = SyntheticMotion(123, "val", "walk", body)
    times = np.array([0.1, 0.13, 0.4])
    clip = motion.at(times)
    assert (motion.name, motion.fps, motion.duration) == ("val/000123/walk", 50.0, 6.0)
    assert (clip.name, clip.label, clip.split, clip.frame) == ("val/000123/walk", "walk", "val", "world")
    assert (clip.subject, clip.body) == ("synthetic", body.name)
    assert clip.timestamps is not None
    np.testing.assert_array_equal(clip.timestamps, times)
    assert clip.betas is not None
    assert np.abs(clip.betas).max() <= 2.5
    assert len(motion.times) == 300


def test_labels_are_balanced_by_seed(body: BodyModel) -> None:
    labels = [SyntheticMotion(seed, "train", body=body).label for seed in range(3 * len(ACTIONS))]
    assert {label: labels.count(label) for label in ACTIONS} == dict.fromkeys(ACTIONS, 3)


def test_unknown_names_are_refused(body: BodyModel) -> None:
    with pytest.raises(InputError, match="'hop'"):
        SyntheticMotion(0, "train", "hop", body)
    with pytest.raises(InputError, match="'dev'"):
        SyntheticMotion(0, "dev", body=body)


@pytest.mark.parametrize("action", ACTIONS)
def test_moves_like_a_person(action: str, body: BodyModel) -> None:
    """No jump in position or speed, hinges within their range, nothing under the floor, for many seeds."""
    step = 0.01
    times = np.arange(0, 6, step)
    for seed in range(12):
        motion = SyntheticMotion(seed, "test", action, body)
        clip = motion.at(times)
        assert clip.joints3d is not None
        assert clip.smpl_pose is not None
        joints = clip.joints3d.astype(float)
        assert np.isfinite(joints).all()
        speed = np.linalg.norm(np.diff(joints, axis=0), axis=-1) / step
        assert speed.max() < 15, (seed, speed.max())
        force = np.linalg.norm(np.diff(joints, 2, axis=0), axis=-1) / step**2
        assert force.max() < 600, (seed, force.max())
        assert joints[..., 1].min() > -0.05, seed
        knees = clip.smpl_pose[:, KNEES]
        assert np.abs(knees[..., 1:]).max() == 0
        assert np.radians(2) < knees[..., 0].min()
        assert knees[..., 0].max() < np.radians(155)
        for side, sign in (("left", -1.0), ("right", 1.0)):
            elbow = clip.smpl_pose[:, JOINT[f"{side}_elbow"]]
            assert np.abs(elbow[:, [0, 2]]).max() == 0
            flexion = sign * elbow[:, 1]
            assert np.radians(2) < flexion.min()
            assert flexion.max() < np.radians(150)
        assert np.linalg.norm(clip.smpl_pose[:, ANKLES], axis=-1).max() < np.radians(65)


@pytest.mark.parametrize("action", ACTIONS)
def test_velocity_is_continuous(action: str, body: BodyModel) -> None:
    """The change of speed over a step vanishes with the step: no hidden switch."""
    motion = SyntheticMotion(7, "train", action, body)
    coarse, fine = 4e-3, 1e-3
    change = []
    for step in (coarse, fine):
        pose, transl = motion.performance.at(np.arange(0, 6, step))
        change.append(np.abs(np.diff(np.concatenate([pose.reshape(len(pose), -1)[:, 3:], transl], 1), 2, axis=0)).max())
    # A jump of speed makes second differences shrink with the step (a quarter), a smooth one with its square.
    assert change[1] < 0.12 * change[0]


@pytest.mark.parametrize("action", GROUNDED)
def test_stands_on_the_floor(action: str, body: BodyModel) -> None:
    times = np.arange(0, 6, 0.25)
    for seed in range(3):
        height = lowest_point(SyntheticMotion(seed, "train", action, body), times)
        assert height.min() > -0.035, (seed, height.min())
        assert height.max() < 0.05, (seed, height.max())


def test_standing_feet_do_not_slide(body: BodyModel) -> None:
    """The ball of a walker's foot on the floor rests."""
    step, slide = 0.01, []
    for seed in range(12):
        motion = SyntheticMotion(seed, "train", "walk", body)
        joints = joints24(motion, np.arange(0, 6, step))
        for side in ("left", "right"):
            ball = joints[:, JOINT[f"{side}_foot"]]
            low = ball[:, 1] < np.quantile(ball[:, 1], 0.1) + 0.005
            # On the floor for at least 80 ms: a swinging foot passes low, but not for so long.
            resting = np.array([low[max(f - 4, 0) : f + 5].all() for f in range(len(low) - 1)])
            slide.append(np.linalg.norm(np.diff(ball[:, [0, 2]], axis=0), axis=-1)[resting] / step)
    speed = np.concatenate(slide)
    assert len(speed) > 0.4 * 12 * 2 * 600 * 0.6
    assert np.median(speed) < 1e-3
    assert np.quantile(speed, 0.95) < 0.01


def test_walking_speed_follows_the_steps(body: BodyModel) -> None:
    """The pelvis covers the distance that the footprints do."""
    motion = SyntheticMotion(3, "train", "walk", body)
    joints = joints24(motion, np.arange(0, 6, 0.02))
    travelled = np.linalg.norm(joints[-1, 0, [0, 2]] - joints[0, 0, [0, 2]])
    stepped = np.linalg.norm(joints[-1, ANKLES][:, [0, 2]].mean(0) - joints[0, ANKLES][:, [0, 2]].mean(0))
    assert travelled > 1.0
    assert abs(travelled - stepped) < 0.5


def test_flight_obeys_gravity(body: BodyModel) -> None:
    """Both feet clear of the floor, the pelvis falls freely."""
    step, found = 0.01, 0
    for seed in range(8):
        motion = SyntheticMotion(seed, "train", "jump", body)
        times = np.arange(0, 6, step)
        joints = joints24(motion, times)
        feet = joints[:, [JOINT["left_foot"], JOINT["right_foot"]], 1]
        aloft = (feet.min(1) > np.median(feet) + 0.12)[1:-1]
        fall = np.diff(joints[:, 0, 1], 2) / step**2
        # The flight includes the pelvis' own sway of a few millimetres and float32 storage of the pose.
        if aloft.any():
            found += 1
            assert abs(np.mean(fall[aloft]) + GRAVITY) < 0.1 * GRAVITY, seed
    assert found >= 6


def test_actions_differ(body: BodyModel) -> None:
    """A nearest-centroid classifier on plain statistics of the motion tells most performances apart."""

    def features(seed: int, action: str) -> np.ndarray:
        motion = SyntheticMotion(seed, "train", action, body)
        clip = motion.at(np.arange(0, 4, 0.04))
        assert clip.smpl_pose is not None
        assert clip.joints3d is not None
        pose, root = clip.smpl_pose[:, 1:], clip.joints3d[:, 0]
        speed = np.abs(np.diff(pose, axis=0)).mean(0).ravel()
        sides = np.stack([speed.reshape(23, 3), speed.reshape(23, 3)[np.array(SMPL24.mirror[1:]) - 1]]).max(0)
        travel = np.linalg.norm(np.diff(root[:, [0, 2]], axis=0), axis=-1).sum()
        return np.concatenate(
            [sides.ravel() * 10, pose.std(0).ravel(), [travel, 3 * root[:, 1].std(), root[:, 1].min()]]
        )

    train = {action: np.stack([features(seed, action) for seed in range(12)]) for action in ACTIONS}
    scale = np.concatenate(list(train.values())).std(0) + 1e-6
    centres = np.stack([train[action].mean(0) / scale for action in ACTIONS])
    hits = [
        np.argmin(np.linalg.norm(centres - features(seed, action) / scale, axis=1)) == index
        for index, action in enumerate(ACTIONS)
        for seed in range(20, 24)
    ]
    assert np.mean(hits) > 0.6


def test_people_face_everywhere_and_differ(body: BodyModel) -> None:
    headings, arms = [], []
    for seed in range(60):
        clip = SyntheticMotion(seed, "train", "wave", body).at(np.array([1.0]))
        assert clip.joints3d is not None
        across = clip.joints3d[0, 4] - clip.joints3d[0, 1]
        headings.append(np.arctan2(-across[2], across[0]))
        arms.append(clip.joints3d[0, 13, 1] > clip.joints3d[0, 16, 1])
    assert len(np.unique(np.floor((np.array(headings) + np.pi) / (np.pi / 4)))) == 8
    assert 10 < sum(arms) < 50  # both hands wave


def test_long_performances_go_on(body: BodyModel) -> None:
    for action in ACTIONS:
        clip = SyntheticMotion(0, "test", action, body, duration=40.0).at(np.arange(38, 40, 0.02))
        assert clip.joints3d is not None
        assert clip.joints3d.std(0).max() > 0.02, action


@pytest.mark.parametrize("action", ["jump", "walk"])
def test_long_performances_are_made_of_some_instants_at_a_time(action: str, body: BodyModel, monkeypatch) -> None:
    performance, times = SyntheticMotion(4, "train", action, body, duration=20.0).performance, np.arange(1000) / 50
    whole, shown, plain = performance.at(times), [], Track.at
    monkeypatch.setattr("hummuss.data.procedural.performance.AT_ONCE", 50)
    monkeypatch.setattr(Track, "at", lambda track, some: shown.append(len(some)) or plain(track, some))
    for found, expected in zip(performance.at(times), whole, strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-12, rtol=0)
    assert max(shown) <= 6 * 50  # three footprints of either foot at each


@given(st.integers(0, 2**32 - 1), st.integers(0, 20), st.integers(1, 5))
@settings(deadline=None)
def test_a_track_adds_up_all_its_transitions(seed: int, transitions: int, instants: int) -> None:
    rng = np.random.default_rng(seed)
    starts, widths = rng.uniform(0, 10, transitions), rng.uniform(0.1, 3, transitions)
    track = Track(rng.standard_normal(2), starts, widths, rng.standard_normal((transitions, 2)))
    # Close to one another, or not; also where a transition begins and ends.
    times = rng.uniform(-1, 14) + rng.uniform(0, rng.choice([0.1, 9]), instants)
    for some in (times, starts, starts + widths):
        if len(some):
            expected = track.base + smoothstep((some[:, None] - starts) / widths) @ track.changes
            np.testing.assert_allclose(track.at(some), expected, atol=1e-12, rtol=0)


@given(st.floats(-1, 1), st.floats(-1, 1), st.floats(0.05, 1))
@settings(max_examples=60, deadline=None)
def test_smooth_extremes_bound_the_exact_ones(a: float, b: float, width: float) -> None:
    first, second = np.array([a]), np.array([b])
    low, high = smooth_min(first, second, width), smooth_max(first, second, width)
    assert low <= min(a, b) <= max(a, b) <= high
    np.testing.assert_allclose(low + high, first + second, atol=1e-12)
    if abs(a - b) >= width:
        assert (low, high) == (min(a, b), max(a, b))


@pytest.mark.parametrize("curve", [smoothstep, glide])
def test_steps_rise_from_0_to_1(curve) -> None:
    u = np.linspace(-0.2, 1.2, 2801)
    values = curve(u)
    np.testing.assert_allclose(values[[0, 400, 1400, 2400, -1]], [0, 0, 0.5, 1, 1], atol=1e-12)
    speed = np.diff(values) / np.diff(u)
    assert speed.min() > -1e-9
    assert np.abs(np.diff(speed)).max() < 0.01


def test_quintic_matches_scipy() -> None:
    rng = np.random.default_rng(0)
    times = np.cumsum(rng.uniform(0.2, 1.0, 6))
    states = rng.standard_normal((6, 3))
    reference = BPoly.from_derivatives(times, states)
    u = np.linspace(times[0], times[-1], 301)
    np.testing.assert_allclose(quintic_through(times, states)(u), reference(u), atol=1e-10)


def test_sway_has_the_asked_scale_and_band() -> None:
    scale = np.array([0.0, 1.0, 3.0])
    times = np.arange(0, 200, 0.1)
    drawn = np.stack([Sway.draw(np.random.default_rng(k), scale, 0.1, 0.9).at(times) for k in range(60)])
    np.testing.assert_allclose(np.sqrt((drawn**2).mean((0, 1))), scale, rtol=0.15)
    power = np.abs(np.fft.rfft(drawn[0, :, 1])) ** 2
    assert power[np.fft.rfftfreq(len(times), 0.1) > 1.0].sum() < 0.02 * power.sum()
