"""Occlusion masks: what is hidden together, for how much of the time, and that targets keep it."""

import numpy as np
import pytest
import torch

from hummuss.body.skeleton import H36M17
from hummuss.data import Occlusion, SyntheticDataModule
from hummuss.errors import InputError

NOTHING = {"windows": 1.0, "joints": 0.0, "limbs": 0.0, "sides": 0.0, "frames": 0.0}
TIMES = np.arange(600) / 30


def draws(times=TIMES, count=60, **options):
    masks = Occlusion(**NOTHING | options)
    return np.stack([masks.hidden(times, np.random.default_rng(seed)) for seed in range(count)])


@pytest.mark.parametrize("kind", ["joints", "limbs", "sides", "frames"])
def test_each_kind_hides_its_share_of_the_time(kind) -> None:
    hidden = draws(**{kind: 0.2})
    concerned = {
        "joints": H36M17.joints,
        "limbs": [joint for joint in H36M17.joints if joint.startswith(("left", "right"))],
        "sides": [joint for joint in H36M17.joints if joint.startswith(("left", "right"))],
        "frames": H36M17.joints,
    }[kind]
    for index, joint in enumerate(H36M17.joints):
        expected = 0.2 if joint in concerned else 0.0
        assert hidden[..., index].mean() == pytest.approx(expected, abs=0.06), joint


@pytest.mark.parametrize(("kind", "groups"), [
    ("limbs", [[1, 2, 3], [4, 5, 6], [11, 12, 13], [14, 15, 16]]),
    ("sides", [[1, 2, 3, 14, 15, 16], [4, 5, 6, 11, 12, 13]]),
    ("frames", [list(range(17))]),
])  # fmt: skip
def test_what_belongs_together_is_hidden_together(kind, groups) -> None:
    hidden = draws(**{kind: 0.2})
    for group in groups:
        assert (hidden[..., group] == hidden[..., group[:1]]).all()
    if len(groups) > 1:
        assert (hidden[..., groups[0][0]] != hidden[..., groups[1][0]]).any()


def test_the_same_is_hidden_at_every_rate() -> None:
    times = np.arange(241) / 60
    for fine, coarse in zip(draws(times, joints=0.1, limbs=0.1), draws(times[::4], joints=0.1, limbs=0.1), strict=True):
        np.testing.assert_array_equal(fine[::4], coarse)


def test_share_of_windows() -> None:
    touched = draws(count=400, windows=0.25, joints=0.5).any((1, 2))
    assert touched.mean() == pytest.approx(0.25, abs=0.06)
    assert not draws(windows=0.0, joints=0.5).any()


def test_training_inputs_lose_what_is_hidden_and_targets_keep_it() -> None:
    options = {"frames": 27, "batch_size": 4, "windows_per_epoch": 4, "seed": 3}
    masked = SyntheticDataModule(**options, occlusion=Occlusion(**NOTHING | {"frames": 0.3, "joints": 0.3}))
    plain = SyntheticDataModule(**options)
    seen, whole = (next(iter(data.train_dataloader())) for data in (masked, plain))
    gone = (seen["keypoints"] == 0).all(-1) & (whole["keypoints"] != 0).any(-1)
    assert 0.2 < gone.float().mean() < 0.8
    for key in set(whole) - {"keypoints"}:
        torch.testing.assert_close(seen[key], whole[key])
    torch.testing.assert_close(seen["keypoints"][~gone], whole["keypoints"][~gone])


def test_evaluation_sees_everything() -> None:
    hidden = SyntheticDataModule(frames=9, val_windows=2, occlusion=Occlusion(windows=1.0, frames=0.9))
    plain = SyntheticDataModule(frames=9, val_windows=2)
    for masked, whole in zip(hidden.val_dataloader(), plain.val_dataloader(), strict=True):
        torch.testing.assert_close(masked["keypoints"], whole["keypoints"])


@pytest.mark.parametrize(("options", "message"), [
    ({"limbs": 1.0}, "occlusion: limbs is 1.0"),
    ({"seconds": -1.0}, "occlusion: seconds is -1.0"),
    ({"windows": 1.5}, "occlusion: windows is 1.5, expected a share from 0 to 1"),
])  # fmt: skip
def test_impossible_settings_are_refused(options, message) -> None:
    with pytest.raises(InputError, match=message):
        Occlusion(**options)
