"""Retargeting: the body's own motion is recovered, slopes are right, shapes are found, twists are kept."""

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from hummuss.body.skeleton import H36M17, SMPL24
from hummuss.body.smpl import BodyModel
from hummuss.data.body_segments import BodySegments, global_rotations, parent_relative
from hummuss.data.retarget import SOLVED, UNKNOWNS, _PoseProblem, fit_pose, fit_shape, minimal_rotation


@pytest.fixture(scope="module")
def body() -> BodyModel:
    return BodyModel()


@pytest.fixture(scope="module")
def segments(body) -> BodySegments:
    return BodySegments.of(body)


def random_pose(frames: int, largest: float, seed: int) -> np.ndarray:
    """(F, 24, 3, 3) rotations of at most ``largest`` radians."""
    rng = np.random.default_rng(seed)
    return (
        Rotation.from_rotvec(rng.uniform(-largest, largest, (frames * 24, 3)) / 3**0.5)
        .as_matrix()
        .reshape(frames, 24, 3, 3)
    )


def body_joints(body, rotations, betas, transl) -> np.ndarray:
    """The body model's own answer, the oracle."""
    to_tensor = lambda array: torch.tensor(array, dtype=torch.float32)  # noqa: E731
    with torch.no_grad():
        return body(
            to_tensor(rotations),
            to_tensor(betas).expand(len(rotations), 10),
            to_tensor(transl),
            torch.zeros(0, dtype=torch.long),
        ).joints17.double().numpy()  # fmt: skip


def test_segments_are_the_body(body, segments):
    rng = np.random.default_rng(1)
    rotations, betas, transl = random_pose(20, 3, 1), rng.normal(size=10), rng.normal(size=(20, 3))
    _, joints = _PoseProblem(segments, rotations, np.zeros((20, 17, 3))).pose(rotations, transl, betas)
    np.testing.assert_allclose(joints, body_joints(body, rotations, betas, transl), atol=2e-5)


def test_slopes_are_derivatives(segments):
    rotations, betas = random_pose(2, 1, 2), np.linspace(-1, 1, 10)
    transl, target = np.ones((2, 3)), np.zeros((2, 17, 3))
    problem = _PoseProblem(segments, random_pose(2, 1, 3), target)
    _, gradient = problem._linearise(rotations, transl, betas)
    step, expected = 1e-6, np.empty_like(gradient)
    for unknown in range(UNKNOWNS + 3):
        costs = []
        for sign in (1, -1):
            change = np.zeros(UNKNOWNS + 3)
            change[unknown] = sign * step
            turned = rotations.copy()
            turned[:, SOLVED] @= Rotation.from_rotvec(change[:UNKNOWNS].reshape(-1, 3)).as_matrix()
            # The prior's own slope is exact only at the guess: compare the joints' part.
            pure = _PoseProblem(segments, turned, target)
            costs.append(pure._cost(turned, transl + change[UNKNOWNS:], betas))
        expected[:, unknown] = -(costs[0] - costs[1]) / (4 * step)
    at_guess = _PoseProblem(segments, rotations, target)._linearise(rotations, transl, betas)[1]
    np.testing.assert_allclose(at_guess, expected, rtol=1e-5, atol=1e-3 * np.abs(expected).max())


def test_known_motion_is_recovered(body, segments):
    truth, betas = random_pose(30, 0.8, 4), np.zeros(10)
    transl = np.random.default_rng(5).normal(size=(30, 3))
    joints = body_joints(body, truth, betas, transl)
    guess = truth @ random_pose(30, 0.2, 6)
    fit = fit_pose(segments, guess, joints, betas)
    reached = body_joints(body, fit.rotations, betas, fit.transl)
    before = body_joints(body, guess, betas, transl)
    assert np.linalg.norm(before - joints, axis=-1).mean() > 0.02
    assert np.linalg.norm(reached - joints, axis=-1).mean() < 0.002
    untouched = [joint for joint in range(24) if joint not in SOLVED]
    np.testing.assert_array_equal(fit.rotations[:, untouched], guess[:, untouched])


def test_exact_guess_stays(body, segments):
    truth, betas = random_pose(3, 0.8, 7), np.zeros(10)
    joints = body_joints(body, truth, betas, np.zeros((3, 3)))
    fit = fit_pose(segments, truth, joints, betas)
    np.testing.assert_allclose(fit.rotations, truth, atol=1e-3)
    np.testing.assert_allclose(fit.transl, 0, atol=1e-4)


def test_shape_of_another_body_is_found(body, segments):
    betas = np.array([1.5, -1, 1, 0, 0, 0, 0, 0, 0, 0.0])
    rest = np.tile(np.eye(3), (1, 24, 1, 1))
    joints = body_joints(body, rest, betas, np.zeros((1, 3)))
    found = fit_shape(segments, rest, joints)

    def limbs(shape: np.ndarray) -> np.ndarray:
        own = segments.rest_joints(shape)
        return np.array([np.linalg.norm(own[a] - own[b]) for a, b in ((1, 4), (4, 7), (16, 18), (18, 20), (1, 2))])

    assert np.abs(limbs(np.zeros(10)) - limbs(betas)).max() > 0.01
    np.testing.assert_allclose(limbs(found), limbs(betas), atol=0.006)


def test_global_and_relative_rotations_invert():
    rotations = random_pose(4, 3, 8)
    np.testing.assert_allclose(parent_relative(global_rotations(rotations)), rotations, atol=1e-12)
    elbow, chain = SMPL24.joints.index("left_elbow"), np.eye(3)
    for joint in ("pelvis", "spine1", "spine2", "spine3", "left_collar", "left_shoulder", "left_elbow"):
        chain = chain @ rotations[0, SMPL24.joints.index(joint)]
    np.testing.assert_allclose(global_rotations(rotations)[0, elbow], chain, atol=1e-12)


def test_minimal_rotation_is_minimal():
    start, end = np.array([1.0, 2, 3]), np.array([-2.0, 1, 1])
    turn = minimal_rotation(start, end)
    np.testing.assert_allclose(turn @ start / np.linalg.norm(start), end / np.linalg.norm(end), atol=1e-12)
    angle = np.arccos(start @ end / np.linalg.norm(start) / np.linalg.norm(end))
    assert Rotation.from_matrix(turn).magnitude() == pytest.approx(angle)
    np.testing.assert_allclose(minimal_rotation(start, start), np.eye(3), atol=1e-12)


def test_conflicting_skeleton_moves_smoothly(segments, body):
    """A trunk of half the length, as CMU's differs from the body's: no folding to and fro between frames."""
    frames = 40
    turns = np.zeros((frames, 24, 3))
    turns[:, 3, 0] = np.linspace(-0.6, 1.2, frames)
    guess = Rotation.from_rotvec(turns.reshape(-1, 3)).as_matrix().reshape(frames, 24, 3, 3)
    joints = body_joints(body, guess, np.zeros(10), np.zeros((frames, 3)))
    for name, part in (("spine", 0.4), ("thorax", 0.6)):
        row = H36M17.joints.index(name)
        joints[:, row] = joints[:, 0] + part * (joints[:, row] - joints[:, 0])
    fit = fit_pose(segments, guess, joints, np.zeros(10))
    changes = (fit.rotations[:-1].swapaxes(-1, -2) @ fit.rotations[1:]).reshape(-1, 3, 3)
    assert Rotation.from_matrix(changes).magnitude().max() < 0.1
