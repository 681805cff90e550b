"""The moving picture: an affine map of each frame, smooth over time, the same at any frame rate and for all persons."""

import numpy as np
import pytest

from hummuss.data import Camera, MotionClip, RandomMove, SyntheticDataModule
from hummuss.errors import InputError
from hummuss.heads import PoseHead

CAMERA = Camera(np.eye(3), np.eye(3), np.zeros(3), 1000, 800)


def clip(frames: int = 61, fps: float = 30.0, still: bool = True) -> MotionClip:
    rng = np.random.default_rng(0)
    keypoints = np.repeat(rng.uniform(300, 500, (1, 17, 3)), frames, 0).astype(np.float32)
    if not still:
        keypoints = rng.uniform(300, 500, (frames, 17, 3)).astype(np.float32)
    keypoints[..., 2] = 0.8
    return MotionClip(
        name="a", sequence="a", subject="1", split="train", fps=fps, frame="camera", camera=CAMERA,
        keypoints2d=keypoints, joints3d=np.zeros((frames, 17, 3), np.float32),
    )  # fmt: skip


def fitted(before: np.ndarray, after: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Least squares: each frame's factor and angle (as one complex number), and its shift."""
    points, moved = before[..., 0] + 1j * before[..., 1], after[..., 0] + 1j * after[..., 1]
    found = []
    for one, other in zip(points, moved, strict=True):
        design = np.stack([one, np.ones_like(one)], -1)
        solution, *_ = np.linalg.lstsq(design, other, rcond=None)
        np.testing.assert_allclose(design @ solution, other, atol=1e-2)  # a similarity, exactly
        found.append(solution)
    return np.array(found).T


def test_each_frame_is_turned_scaled_and_shifted_within_the_ranges() -> None:
    factors, turns = [], []
    for seed in range(60):
        before = clip(still=False)
        [after] = RandomMove(zoom=(1.0, 1.0)).apply([before], np.random.default_rng(seed))
        factor, _ = fitted(before.keypoints2d, after.keypoints2d)
        factors.append(np.abs(factor))
        turns.append(np.degrees(np.angle(factor)))
        # Drawn at 0 s and at 2 s, linear between.
        for values in (factors[-1], turns[-1]):
            np.testing.assert_allclose(values, np.linspace(values[0], values[-1], 61), atol=2e-3)
        middle = (before.keypoints2d[..., :2].min((0, 1)) + before.keypoints2d[..., :2].max((0, 1))) / 2
        pivot = factor * complex(*middle) + _
        share = np.abs(np.stack([(pivot - complex(*middle)).real, (pivot - complex(*middle)).imag])) / 200
        assert share.max() < 0.1 + 1e-3
    assert 0.9 <= np.min(factors) < 0.92
    assert 1.08 < np.max(factors) <= 1.1
    assert -10 <= np.min(turns) < -8
    assert 8 < np.max(turns) <= 10


def test_it_is_drawn_afresh_every_few_seconds() -> None:
    before = clip(frames=181)  # 6 s
    [after] = RandomMove(seconds=2.0).apply([before], np.random.default_rng(3))
    turn = np.degrees(np.angle(fitted(before.keypoints2d, after.keypoints2d)[0]))
    bends = np.abs(np.diff(turn, 2))
    assert set(np.argsort(bends)[-2:] + 1) == {60, 120}
    assert np.sort(bends)[-3] < 5e-3 < np.sort(bends)[-2]


def test_the_zoom_stays_for_the_window() -> None:
    move = RandomMove(turn=0.0, scale=(1.0, 1.0), shift=0.0, zoom=(0.5, 2.0))
    zooms = []
    for seed in range(200):
        before = clip()
        [after] = move.apply([before], np.random.default_rng(seed))
        factor, _ = fitted(before.keypoints2d, after.keypoints2d)
        np.testing.assert_allclose(factor, factor[0], atol=1e-3)
        zooms.append(abs(factor[0]))
    assert 0.5 <= min(zooms) < 0.55
    assert 1.8 < max(zooms) <= 2.0
    assert np.mean(np.array(zooms) < 1) == pytest.approx(0.5, abs=0.1)


def test_the_move_does_not_depend_on_the_frame_rate_or_on_who_moves() -> None:
    slow, fast = clip(frames=61, fps=15.0), clip(frames=121, fps=30.0)
    [one], [other] = (RandomMove().apply([own], np.random.default_rng(5)) for own in (slow, fast))
    np.testing.assert_allclose(one.keypoints2d, other.keypoints2d[::2], atol=1e-2)
    assert np.abs(np.diff(one.keypoints2d[[0, 15, 30, 60]], axis=0)).max() > 1, "it moves"
    first, second = RandomMove().apply([slow, slow], np.random.default_rng(5))
    np.testing.assert_array_equal(first.keypoints2d, second.keypoints2d)


def test_missing_joints_stay_missing_and_3d_goes() -> None:
    before = clip()
    before.keypoints2d[:, 3] = 0
    [after] = RandomMove().apply([before], np.random.default_rng(0))
    assert not after.keypoints2d[:, 3].any()
    np.testing.assert_array_equal(after.keypoints2d[..., 2], before.keypoints2d[..., 2])
    assert after.joints3d is None
    assert (after.camera.width, after.camera.height, after.camera.intrinsics.any()) == (1000, 800, False)
    before.keypoints2d[:] = 0
    assert not RandomMove().apply([before], np.random.default_rng(0))[0].keypoints2d.any()


def test_windows_are_moved_and_refused_where_3d_is_learnt() -> None:
    plain, moved = (
        SyntheticDataModule(frames=9, train_clips=4, flip=0.0, move=move).train_dataloader().dataset[3]
        for move in (None, RandomMove())
    )
    assert (plain["keypoints"][..., :2] - moved["keypoints"][..., :2]).abs().max() > 0.05
    assert plain["has_joints3d"]
    assert not moved["has_joints3d"]
    assert not moved["has_smpl"]
    with pytest.raises(InputError, match="move"):
        PoseHead(8).check_data(SyntheticDataModule(move=RandomMove()))


def test_wrong_settings_are_refused() -> None:
    for wrong in ({"turn": -1.0}, {"scale": (0.0, 1.0)}, {"zoom": (2.0, 1.0)}, {"seconds": 0.0}, {"shift": -0.1}):
        with pytest.raises(InputError, match="random move: "):
            RandomMove(**wrong)
