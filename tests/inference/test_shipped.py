"""Models that come with the package: each one loads by its name, and predicts what a trained model does."""

from pathlib import Path

import numpy as np
import pytest
import torch

from hummuss import Inference, InputError, LiveStream, clip_from_keypoints, load
from hummuss.data import SyntheticDataModule
from hummuss.inference.pretrained import is_shared, shipped_models


@pytest.mark.parametrize("name", shipped_models())
def test_a_shipped_model_knows_motion_that_no_training_has_seen(name) -> None:
    model = load(name)
    data = SyntheticDataModule(frames=40, batch_size=8, val_windows=8, view=model.view)
    data.setup("fit")
    (batch,) = data.val_dataloader()
    with torch.no_grad():
        predicted = model(batch)["pose"]["joints"]
    joints = batch["joints3d"] - batch["joints3d"][:, :, :1]
    error = (predicted - predicted[:, :, :1] - joints).norm(dim=-1)[batch["valid"]].mean()
    mean_pose = (joints.mean((0, 1)) - joints).norm(dim=-1)[batch["valid"]].mean()
    assert error < mean_pose / 2


@pytest.mark.parametrize("name", shipped_models())
def test_its_card_says_on_what_it_was_trained_and_how_well_it_does(name) -> None:
    card = load(name).config["card"]
    assert card["provenance"]["dataset"] == "cmu"
    assert card["provenance"]["selected_on_test"] == "no"
    assert 0 < card["figures"]["test"]["mpjpe"] < card["figures"]["test"]["mean_pose/mpjpe"] / 2


def test_the_causal_one_is_live() -> None:
    model = load("live-cmu")
    points = np.random.default_rng(0).uniform(100, 500, (12, 17, 2)).cumsum(0) / 12
    clip = clip_from_keypoints(points, "coco17", fps=25.0, image_size=(640, 480))
    expected = model.predict(clip, Inference(stream=True)).joints3d
    stream = LiveStream(model, 25.0, layout="coco17", image_size=(640, 480))
    got = [stream.step(frame, time).joints3d for frame, time in zip(points, clip.times, strict=True)]
    np.testing.assert_allclose(got, expected, rtol=0, atol=1e-5)


def test_a_folder_here_wins_over_a_shipped_model_of_its_name(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert is_shared("pose-cmu")
    Path("pose-cmu").mkdir()
    assert not is_shared("pose-cmu")
    with pytest.raises(InputError, match=r"pose-cmu has no config\.json"):
        load("pose-cmu")


def test_a_mistyped_name_is_answered_with_those_that_there_are() -> None:
    with pytest.raises(InputError, match=r"no model at pose-cmv: give .* comes with hummuss: live-cmu, pose-cmu$"):
        load("pose-cmv")
