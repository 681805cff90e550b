"""The realistic detector: each of its errors by itself, and that it is one process at every frame rate."""

import numpy as np
import pytest
from jsonargparse import ArgumentParser

from hummuss.body.skeleton import COCO17, H36M17, convert_keypoints
from hummuss.data import DetectionNoise, MotionClip, MotionDataModule, Occlusion, RealisticNoise
from hummuss.data.transforms.noise import JOINT_SCALES, ornstein_uhlenbeck
from hummuss.errors import InputError

QUIET = {"scale": (0.01, 0.01), "gross": 0.0, "missed": 0.0, "swapped": 0.0}


# Joints 0, 8 and 16 of frames 0, 1 and 2, drawn before RealisticNoise was there.
RECORDED = [
    [794.2084350585938, 0.6707029938697815, 0.8611641526222229],
    [671.0814819335938, 871.5651245117188, 0.9067162871360779],
    [11.595863342285156, 928.181396484375, 0.965947687625885],
]


def still(times, joints=17) -> MotionClip:
    """A person 1000 pixels tall who does not move."""
    keypoints = np.random.default_rng(5).uniform(0, 1000, (1, joints, 3)).astype(np.float32)
    keypoints[0, :2, 1] = 0, 1000
    keypoints[..., 2] = 1
    fields = {"sequence": "s", "subject": "1", "split": "train", "frame": "camera"}
    keypoints2d = keypoints.repeat(len(times), 0)
    return MotionClip(name="still", timestamps=np.asarray(times, float), keypoints2d=keypoints2d, **fields)


def errors(noise, times, seed=0):
    clip = still(times)
    noisy = noise.apply(clip, np.random.default_rng(seed)).keypoints2d
    return noisy[..., :2] - clip.keypoints2d[..., :2], noisy[..., 2]


@pytest.mark.parametrize("times", [
    np.arange(20_000) / 60, np.arange(5_000) / 15, np.cumsum(np.random.default_rng(0).choice([1, 2, 5], 8_000)) / 60,
], ids=["60 fps", "15 fps", "irregular"])  # fmt: skip
def test_drift_is_one_process_at_every_rate(times) -> None:
    """Variance 1 and correlation exp(-s / tau) for the seconds s between two frames, whatever lies between them."""
    drift = ornstein_uhlenbeck(times, (40,), 0.2, np.random.default_rng(1))
    assert drift.std() == pytest.approx(1, rel=0.02)
    for lag in (1, 3):
        seconds = (times[lag:] - times[:-lag]).round(4)
        gap = np.unique(seconds)[0]
        pairs = np.flatnonzero(seconds == gap)
        correlation = (drift[pairs] * drift[pairs + lag]).mean()
        assert correlation == pytest.approx(np.exp(-gap / 0.2), abs=0.02)


def test_each_joint_errs_by_its_own_scale_relative_to_the_person() -> None:
    spread = errors(RealisticNoise(**QUIET), np.arange(0, 4000, 2.0))[0].std((0, 2))
    np.testing.assert_allclose(spread / (1000 * 0.01 * JOINT_SCALES), 1, rtol=0.1)
    assert np.sqrt((spread**2).mean()) == pytest.approx(10, rel=0.05)
    by_name = dict(zip(H36M17.joints, spread, strict=True))
    assert by_name["left_hip"] / by_name["nose"] == pytest.approx(0.107 / 0.026, rel=0.15)


def test_trunk_scales_follow_from_how_the_trunk_is_made_of_coco_joints() -> None:
    """Independent errors of COCO's own sizes on COCO's joints give the scales of all 17 of Human3.6M."""
    sigmas = np.repeat([0.026, 0.025, 0.035, 0.079, 0.072, 0.062, 0.107, 0.087, 0.089], [1] + [2] * 8)
    coco = np.random.default_rng(0).normal(size=(20_000, len(COCO17), 3)) * sigmas[:, None]
    coco[..., 2] = 1
    spread = convert_keypoints(coco, "coco17", "h36m17")[..., :2].std((0, 2))
    np.testing.assert_allclose(JOINT_SCALES, spread / np.sqrt((spread**2).mean()), rtol=0.02)


@pytest.mark.parametrize("fps", [15, 60])
def test_misses_and_gross_errors_last_and_take_their_share_at_every_rate(fps) -> None:
    noise = RealisticNoise(scale=(0.001, 0.001), gross=0.1, missed=0.2, swapped=0.0, seconds=0.3)
    error, confidence = errors(noise, np.arange(400 * fps) / fps)
    missing = confidence == 0
    assert missing.mean() == pytest.approx(0.2, abs=0.02)
    # One frame later the joint is still missing: exp(-dt / 0.3) of the episodes go on.
    lasts = (missing[1:] & missing[:-1]).sum() / missing[:-1].sum()
    assert lasts == pytest.approx(np.exp(-1 / fps / 0.3) * 0.8 + 0.2, abs=0.03)
    distance = np.linalg.norm(error, axis=-1)[~missing]
    assert (distance > 4).mean() == pytest.approx(0.1, abs=0.03)  # four times the drift, 0.4 of a gross error
    # Student's tail: five times the gross scale is beyond any normal error, and happens.
    assert 1e-4 < (distance > 50).mean() < 5e-3


def test_arms_and_legs_change_sides_as_wholes() -> None:
    noise = RealisticNoise(**QUIET | {"scale": (0.0, 0.0), "swapped": 0.3})
    clip = still(np.arange(2000) / 30)
    noisy = noise.apply(clip, np.random.default_rng(0)).keypoints2d
    mirrored = clip.keypoints2d[:, list(H36M17.mirror)]
    legs = [H36M17.joints.index(f"{side}_{joint}") for side in ("left", "right") for joint in ("hip", "knee", "ankle")]
    arms = [i for i, joint in enumerate(H36M17.joints) if joint.endswith(("shoulder", "elbow", "wrist"))]
    middle = [i for i, partner in enumerate(H36M17.mirror) if partner == i]
    swaps = []
    for group in (legs, arms):
        swapped = (noisy[:, group, :2] == mirrored[:, group, :2]).all((1, 2))
        kept = (noisy[:, group, :2] == clip.keypoints2d[:, group, :2]).all((1, 2))
        assert (swapped ^ kept).all()
        assert swapped.mean() == pytest.approx(0.3, abs=0.12)
        swaps.append(swapped)
    assert (swaps[0] != swaps[1]).any()
    assert (noisy[:, middle, :2] == clip.keypoints2d[:, middle, :2]).all()


def test_confidence_falls_with_the_error_and_drifts() -> None:
    error, confidence = errors(RealisticNoise(scale=(0.02, 0.02), missed=0.0), np.arange(3000) / 60)
    lengths = np.linalg.norm(error, axis=-1)
    assert np.corrcoef(lengths.ravel(), confidence.ravel())[0, 1] < -0.5
    assert confidence.min() >= 0.05
    assert confidence.max() <= 1
    jitter = confidence - 0.5 ** (lengths / 50)
    free = (confidence > 0.06) & (confidence < 0.99)
    both = free[1:] & free[:-1]
    assert np.corrcoef(jitter[1:][both], jitter[:-1][both])[0, 1] > 0.8


def test_joints_out_of_sight_stay_missing_and_nothing_of_the_clip_changes() -> None:
    clip = still(np.arange(50) / 30)
    clip.keypoints2d[:, 3] = 0
    before = clip.keypoints2d.copy()
    noisy = RealisticNoise(missed=0.3).apply(clip, np.random.default_rng(0)).keypoints2d
    assert (noisy[noisy[..., 2] == 0] == 0).all()
    assert (noisy[:, 3] == 0).all()
    assert noisy.dtype == np.float32
    np.testing.assert_array_equal(clip.keypoints2d, before)


def test_impossible_settings_are_refused() -> None:
    with pytest.raises(InputError, match=r"detection noise: missed is 1\.5"):
        RealisticNoise(missed=1.5)
    with pytest.raises(InputError, match=r"detection noise: correlation is 0\.0"):
        RealisticNoise(correlation=0.0)
    for noise in (DetectionNoise, RealisticNoise):
        for wrong, message in (
            ({"missed": 1.0}, "missed is 1.0, expected a share"),
            ({"gross": 2.0}, "gross is 2.0, expected a share"),
            ({"scale": (0.02, 0.01)}, r"scale is \(0.02, 0.01\), expected smallest <= largest share"),
            ({"scale": (0.4, 1.2)}, r"scale is \(0.4, 1.2\), expected"),
        ):
            with pytest.raises(InputError, match=f"detection noise: {message}"):
                noise(**wrong)


def test_the_default_noise_draws_what_it_drew_when_published_results_were_made() -> None:
    """docs/results/ depends on them."""
    noisy = DetectionNoise().apply(still(np.arange(3) / 30), np.random.default_rng(7)).keypoints2d
    np.testing.assert_allclose(noisy[[0, 1, 2], [0, 8, 16]], RECORDED, rtol=1e-6)


def test_configs_choose_the_noise_and_occlusion_by_class() -> None:
    parser = ArgumentParser()
    parser.add_subclass_arguments(MotionDataModule, "data")
    noise = {"class_path": "hummuss.data.RealisticNoise", "init_args": {"swapped": 0.05}}
    occlusion = {"class_path": "hummuss.data.Occlusion", "init_args": {"limbs": 0.2}}
    options = {"view": {"class_path": "hummuss.data.View", "init_args": {"noise": noise}}, "occlusion": occlusion}
    config = parser.parse_object({"data": {"class_path": "hummuss.data.SyntheticDataModule", "init_args": options}})
    data = parser.instantiate(config).data
    assert data.view.noise == RealisticNoise(swapped=0.05)
    assert data.occlusion == Occlusion(limbs=0.2)
    # What configs could say before means what it meant.
    options = {"view": {"noise": {"gross": 0.5}}}
    config = parser.parse_object({"data": {"class_path": "hummuss.data.SyntheticDataModule", "init_args": options}})
    assert parser.instantiate(config).data.view.noise == DetectionNoise(gross=0.5)
