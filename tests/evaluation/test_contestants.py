"""Contestants are what their own configs say, and all see the data of the configs given."""

import shutil
from pathlib import Path

import pytest
import torch
import yaml

from hummuss import InputError
from hummuss.evaluation.contestants import load_contestants, load_data
from hummuss.evaluation.settings import training_settings
from hummuss.evaluation.strides import Strides
from hummuss.evaluation.trained import refuse_alike
from hummuss.heads.pose import root_relative

CONFIGS = Path(__file__).parents[2] / "configs"


@pytest.mark.parametrize(
    ("backbone", "options", "model", "most"),
    [
        ("HumMUSS", {}, "hummuss", None),
        ("HumMUSS", {"causal": True}, "hummuss-causal", None),
        ("DSTformer", {"max_frames": 20}, "dstformer", 9),
        ("DSTformer", {"max_frames": 5}, "dstformer", 5),
    ],
)
def test_models_have_the_names_of_tables(make_run, backbone, options, model, most) -> None:
    (found,) = load_contestants([make_run("a", backbone, seed=3, **options)])
    assert (found.model, found.seed, found.most_frames) == (model, 3, most)
    assert len(found.checkpoint) == 12


@pytest.mark.parametrize(
    ("frame_rate", "strides", "augmented"),
    [
        (None, Strides(1, 1), False),
        ({"strides": [1.0, 4.0]}, Strides(1, 4), True),
        ({"class_path": "hummuss.data.FrameRateAugmentation", "init_args": {"strides": [8, 8]}}, Strides(8, 8), False),
        ({"strides": [2.5, 2.5], "fractional": 0.0}, Strides(2.5, 2.5), False),
        ({"fractional": 0.0}, Strides(1, 4, whole=True), True),
        ({"strides": [2.2, 2.8], "fractional": 0.0}, Strides(2.2, 2.8), True),  # no whole number to draw
    ],
)
def test_strides_are_those_of_the_training(make_run, frame_rate, strides, augmented) -> None:
    (found,) = load_contestants([make_run("a", frame_rate=frame_rate)])
    assert (found.strides, found.augmented) == (strides, augmented)


def test_of_a_run_of_several_tasks_its_pose_part_counts(make_run) -> None:
    folder = make_run("a")
    config = yaml.safe_load((folder / "config.yaml").read_text())
    own = config["data"]["init_args"] | {"frame_rate": {"strides": [1.0, 4.0]}, "occlusion": {"windows": 1.0}}
    other = own | {"frames": 5, "frame_rate": None, "occlusion": None}
    parts = {"x": {"class_path": "any", "init_args": other}, "y+any": {"class_path": "any", "init_args": own}}
    config["data"]["init_args"] = {"parts": parts}
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    (found,) = load_contestants([folder])
    assert (found.strides, found.masked, found.run.trained_frames) == (Strides(1, 4), True, 9)


def test_joints_are_the_pose_heads(make_run) -> None:
    (found,) = load_contestants([make_run("a") / "best.ckpt"])
    keypoints, dt = torch.rand(2, 5, 17, 3), torch.full((2, 5), 0.02)
    batch = {"keypoints": keypoints, "dt": dt, "valid": torch.ones(2, 5, dtype=torch.bool)}
    with torch.inference_mode():
        expected = found.run.model(batch)["any"]["joints"]
    joints = found.joints(keypoints, dt)
    torch.testing.assert_close(joints, expected)
    torch.testing.assert_close(joints, root_relative(joints))


def test_what_cannot_be_compared_is_refused(make_run, monkeypatch) -> None:
    with pytest.raises(InputError, match="no pose head, only any"):
        load_contestants([make_run("mesh", head="MeshHead")])
    path = make_run("b")
    monkeypatch.setattr("hummuss.evaluation.trained.MODELS", {})
    with pytest.raises(InputError, match=r"best\.ckpt has a backbone HumMUSS"):
        load_contestants([path])


def test_seeds_of_one_line_are_of_one_training(make_run) -> None:
    small, large, other = load_contestants([make_run("b"), make_run("c", seed=1, dim=16), make_run("d", seed=1)])
    refuse_alike([small, other], lambda own: own.model)
    with pytest.raises(InputError, match=r"c/1/best.ckpt and .*b/1/best.ckpt are both hummuss, but not seeds of one"):
        refuse_alike([small, large], lambda own: own.model)
    with pytest.raises(InputError, match="both hummuss, seed 1, trained alike"):
        refuse_alike([large, other], lambda own: own.model)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"frame_rate": {"strides": [1.0, 4.0], "min_frames": 3}}, "data.frame_rate.min_frames is None and 3"),
        ({"occlusion": {"windows": 1.0}}, "data.occlusion.windows is None and 1.0"),
        ({"view": {"noise": {"scale": [0.1, 0.2]}}}, r"data.view.noise.scale is None and \[0.1, 0.2\]"),
        ({"gate": "sum"}, "model.backbone.gate is product and sum"),
    ],
)
def test_whatever_differs_in_a_training_sets_runs_apart(make_run, options, said) -> None:
    frame_rate = {"class_path": "hummuss.data.FrameRateAugmentation", "init_args": {"strides": [1.0, 4.0]}}
    plain = {"frame_rate": frame_rate, "occlusion": None}
    runs = load_contestants([make_run("a", **plain), make_run("b", seed=1, **{**plain, **options})])
    with pytest.raises(InputError, match=f"but not seeds of one training: .*{said}"):
        refuse_alike(runs[::-1], lambda own: own.model)


def test_what_an_older_run_could_not_choose_was_as_it_is_by_default(make_run) -> None:
    told = make_run("b", seed=1, gate="product", temporal_steps=[0.02, 0.5])
    refuse_alike(load_contestants([make_run("a"), told]), lambda own: own.model)


def test_settings_of_a_class_that_is_not_here_are_those_of_its_config() -> None:
    model = {"init_args": {"backbone": {"class_path": "gone.Backbone", "init_args": {"dim": 8}}}}
    found = training_settings({"model": model}, {"view": {"class_path": "hummuss.data.NoSuchView"}})
    assert found["model.backbone.dim"] == 8
    assert (found["model.backbone.class_path"], found["data.view.class_path"]) == (
        "gone.Backbone",
        "hummuss.data.NoSuchView",
    )


def test_the_folder_of_a_name_stands_for_its_newest_run_that_has_a_checkpoint(make_run) -> None:
    first = make_run("a", seed=3)
    for number in ("2", "10"):
        shutil.copytree(first, first.with_name(number))
    first.with_name("10").joinpath("best.ckpt").unlink()
    (found,) = load_contestants([first.parent])
    assert found.run.checkpoint == first.with_name("2") / "best.ckpt"


def test_data_are_those_that_fit_would_get(make_run, tmp_path) -> None:
    overlay = tmp_path / "overlay.yaml"
    overlay.write_text(yaml.safe_dump({"data": {"init_args": {"test_clips": 5}}, "trainer": {"max_epochs": 1}}))
    data = load_data([CONFIGS / "pose.yaml", overlay, CONFIGS / "training/clip.yaml"], [])
    assert (data.dataset, data.frames, data.clips["test"], data.clips["train"]) == ("synthetic", 27, 5, 4096)
    (boxed,) = load_contestants([make_run("a", view={"normalisation": "box"})])
    with pytest.raises(InputError, match="trained with normalisation 'box', the data has 'image'"):
        load_data([CONFIGS / "pose.yaml"], [boxed])
    with pytest.raises(InputError, match="no config at nowhere"):
        load_data([Path("nowhere")], [])
    (tmp_path / "empty.yaml").touch()
    with pytest.raises(InputError, match="name no data"):
        load_data([tmp_path / "empty.yaml"], [])
    for configs in ([CONFIGS / "training/clip.yaml"], [overlay]):
        with pytest.raises(InputError, match="name no data"):
            load_data(configs, [])
    for text, message in (("data: [", "is no YAML"), ("some data", "is no config"), ("data:", "is no config")):
        overlay.write_text(text)
        with pytest.raises(InputError, match=message):
            load_data([CONFIGS / "pose.yaml", overlay], [])
