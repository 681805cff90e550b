"""Shared models: what is written comes back bit for bit, what is not of this package is refused by name."""

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import huggingface_hub
import numpy as np
import pytest
import torch
import yaml
from safetensors.torch import load_file, save_file

from hummuss import HumMUSS, Inference, InputError, LiveStream, MotionModule, Pretrained, load, load_run, predict_clip
from hummuss.body import smpl as smpl_module
from hummuss.cli.export import export_hub
from hummuss.cli.main import main
from hummuss.data import Camera, MotionClip, RealisticNoise, View
from hummuss.heads import ActionHead, MeshHead, PoseHead
from hummuss.inference.sharing import describe

BACKBONE = {"dim": 8, "depth": 1, "modes": 2, "temporal_steps": [0.03, 0.4]}
MESH = {"hidden": 8, "vertex_count": 20, "body_path": None, "h36m_regressor": None}


def write_run(folder: Path, heads: dict | None = None, **data) -> Path:
    """A run with a pose and a mesh head, random weights and baselines that have seen something."""
    torch.manual_seed(0)
    heads = heads or {
        "pose": {"class_path": "hummuss.heads.PoseHead", "init_args": {"joints": 17}},
        "mesh": {"class_path": "hummuss.heads.mesh.MeshHead", "init_args": MESH},
    }
    init = {"backbone": {"class_path": "hummuss.HumMUSS", "init_args": BACKBONE}, "heads": heads}
    init["inference"] = {"windows": 7, "flip": True}
    view = {"class_path": "hummuss.data.View", "init_args": {"normalisation": "box"}}
    values = {"root": "gone", "frames": 9, "max_fps": 60.0, "frame_rate": None, "view": view} | data
    folder.mkdir(parents=True)
    model = {"class_path": "hummuss.MotionModule", "init_args": init}
    (folder / "config.yaml").write_text(yaml.safe_dump({"model": model, "data": {"init_args": values}}))
    module = MotionModule(
        HumMUSS(dim=8, depth=1, modes=2),
        {"pose": PoseHead, "mesh": lambda dim: MeshHead(dim, hidden=8, vertex_count=20)},
    )
    module.heads["pose"].mean_joints.observe(torch.rand(3, 17, 3))
    torch.save({"state_dict": module.state_dict()}, folder / "best.ckpt")
    return folder


@pytest.fixture(scope="module")
def exported(tmp_path_factory) -> Path:
    """A folder with the run pose/1 and what was made of it, shared."""
    folder = tmp_path_factory.mktemp("exported")
    export_hub(write_run(folder / "pose" / "1"), folder / "shared")
    return folder


@pytest.fixture
def shared(tmp_path, exported) -> Path:
    """A copy that a test may damage."""
    shutil.copytree(exported, tmp_path, dirs_exist_ok=True)
    return tmp_path / "shared"


def make_clip() -> MotionClip:
    points = np.random.default_rng(0).uniform(100, 500, (20, 17, 3)).astype(np.float32)
    camera = Camera(np.zeros((3, 3)), np.eye(3), np.zeros(3), 640, 480)
    return MotionClip(
        name="a", sequence="a", subject="1", split="test", fps=25.0, keypoints2d=points, camera=camera, frame="camera"
    )


def change(folder: Path, **values) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | values))


def test_predictions_after_the_round_trip_are_bit_for_bit_those_before(tmp_path, shared) -> None:
    run = load_run(tmp_path / "pose" / "1")
    before = predict_clip(run, make_clip())
    model = load(shared)
    again = tmp_path / "again"
    model.save_pretrained(again)
    for loaded in (model, Pretrained.from_pretrained(shared), load(str(again))):
        after = loaded.predict(make_clip())
        for name in ("joints3d", "smpl_pose", "betas"):
            np.testing.assert_array_equal(getattr(after, name), getattr(before, name))
        assert (
            after.inference == before.inference == "windows of 7 frames, one every 3, averaged; mirrored and averaged"
        )
        assert not any(module.training for module in loaded.modules())
        state = loaded.model.state_dict()
        assert state.keys() == run.model.state_dict().keys()
        assert all(torch.equal(value, state[name]) for name, value in run.model.state_dict().items())
    for name in ("config.json", "README.md", "model.safetensors"):
        assert (again / name).read_bytes() == (shared / name).read_bytes(), name


def test_realistic_noise_and_each_tasks_own_data_come_along(tmp_path) -> None:
    noise = {"class_path": "hummuss.data.RealisticNoise", "init_args": {"correlation": 0.3}}
    view = {"class_path": "hummuss.data.View", "init_args": {"noise": noise}}
    run = write_run(tmp_path / "pose" / "1", view=view)
    config = yaml.safe_load((run / "config.yaml").read_text())
    config["data"]["init_args"] = {
        "parts": {"pose+mesh": {"class_path": "x", "init_args": config["data"]["init_args"]}}
    }
    (run / "config.yaml").write_text(yaml.safe_dump(config))
    export_hub(run, tmp_path / "shared")
    model = load(tmp_path / "shared")
    assert model.view.noise == RealisticNoise(correlation=0.3)


def test_an_action_heads_classes_come_along(tmp_path, monkeypatch) -> None:
    torch.manual_seed(0)
    action = {"action": {"class_path": "hummuss.heads.ActionHead", "init_args": {"hidden": 8}}}
    run = write_run(tmp_path / "action" / "1", heads=action)
    trained = MotionModule(
        HumMUSS(dim=8, depth=1, modes=2), {"action": lambda dim: ActionHead(dim, hidden=8, classes=["walk", "run"])}
    )
    torch.save({"state_dict": trained.state_dict()}, run / "best.ckpt")
    assert load_run(run).model.heads["action"].classes == ["walk", "run"]
    export_hub(run, tmp_path / "shared")
    model = load(tmp_path / "shared")
    assert model.model.heads["action"].classes == ["walk", "run"]
    for name, value in trained.state_dict().items():
        assert torch.equal(model.model.state_dict()[name], value), name
    # Its card tells of actions, not of joints that it does not predict.
    card = (tmp_path / "shared/README.md").read_text()
    assert "joints3d" not in card
    monkeypatch.chdir(tmp_path)
    np.savez("walk.npz", keypoints=np.ones((5, 17, 2)) * 99, layout="h36m17", fps=25.0, width=640, height=480)
    (block,) = re.findall(r"```python\n(.*?)```", card, re.DOTALL)
    exec(block.replace("this folder, or its id on the hub", "shared"), scope := {})
    assert list(scope["prediction"].actions) == ["walk", "run"]


def test_a_model_knows_its_config_layout_and_frame_rate(tmp_path, shared) -> None:
    model = load(shared)
    card = (shared / "README.md").read_text()
    assert "prediction.joints3d" in card
    assert "prediction.smpl_pose" in card
    assert "prediction.actions" not in card
    assert (model.layout.name, model.trained_frames) == ("h36m17", 9)
    assert model.config["backbone"] == {"class": "HumMUSS", "init_args": BACKBONE}
    assert model.view.normalisation == "box"
    assert model.model.inference == Inference(windows=7, flip=True)
    assert model.frame_rates is None, "a run that does not say at which rates it was trained"
    assert "at rates that its run does not tell" in card
    run = write_run(tmp_path / "other")
    (run / "summary.json").write_text(json.dumps({"trained_rates": [7.5, 30.0]}))
    export_hub(run, tmp_path / "told")
    assert load(tmp_path / "told").frame_rates == (7.5, 30.0)
    assert "at 7.5 to 30 frames per second" in (tmp_path / "told/README.md").read_text()
    batch = {"keypoints": torch.rand(2, 5, 17, 3), "dt": torch.full((2, 5), 0.04), "valid": torch.ones(2, 5).bool()}
    assert model(batch)["pose"]["joints"].shape == (2, 5, 17, 3)


def test_a_shared_causal_model_is_live(shared) -> None:
    model, clip = load(shared), make_clip()
    with pytest.raises(InputError, match="HumMUSS needs the frames to come"):
        LiveStream(model, 25.0, "h36m17", (640, 480))
    model.model.backbone, model.view = HumMUSS(dim=8, depth=1, modes=2, causal=True).eval(), View()
    points = clip.keypoints2d * np.float32([1, 1, 1e-3])  # confidences up to 0.5
    expected = model.predict(replace(clip, keypoints2d=points), Inference(stream=True)).joints3d
    stream = LiveStream(model, 25.0, "h36m17", (640, 480))
    got = [stream.step(frame, time).joints3d for frame, time in zip(points, clip.times, strict=True)]
    np.testing.assert_allclose(got, expected, rtol=0, atol=1e-5)


def test_weights_that_do_not_fit_are_refused_by_name(shared) -> None:
    path = shared / "model.safetensors"
    state = load_file(path)
    bias = state["backbone.lift.bias"]
    for changed, message in (
        ({"backbone.lift.bias": None}, r"lacks backbone\.lift\.bias: it is not of the model"),
        ({"backbone.more": bias.clone()}, r"has the unknown backbone\.more"),
        (
            {"backbone.lift.bias": bias[:4].clone()},
            r"backbone\.lift\.bias is \(4,\) torch\.float32, the model .* has \(8,\)",
        ),
        ({"backbone.lift.bias": bias.half()}, r"backbone\.lift\.bias is \(8,\) torch\.float16"),
    ):
        save_file({name: value for name, value in (state | changed).items() if value is not None}, path)
        with pytest.raises(InputError, match=message):
            load(shared)
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(InputError, match="is no safetensors file, or damaged"):
        load(shared)


@pytest.fixture
def trap(tmp_path, monkeypatch) -> Path:
    """A module that leaves a trace if anybody imports it."""
    (tmp_path / "trap.py").write_text("import pathlib; pathlib.Path('sprung').touch()\nclass Head: pass\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path / "sprung"


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"backbone": {"class": "trap.Head", "init_args": {}}}, r"backbone is of the unknown class 'trap\.Head'"),
        ({"heads": {"pose": {"class": "trap.Head", "init_args": {}}}}, r"heads\.pose is of the unknown class"),
        ({"heads": {"pose": {"class": "Head", "init_args": {}}}}, r"heads\.pose is of the unknown class 'Head'"),
        ({"heads": {"pose": {"class": ["PoseHead"], "init_args": {}}}}, r"unknown class \['PoseHead'\]"),
        ({"heads": {"pose": "trap.Head"}}, r"heads\.pose is 'trap\.Head', expected an object"),
        (
            {"heads": {"pose": {"class_path": "trap.Head"}}},
            r"heads\.pose lacks class, init_args and has unknown class_p",
        ),
        (
            {"heads": {"mesh": {"class": "MeshHead", "init_args": {"body_path": "/etc/body.npz"}}}},
            r"heads\.mesh\.body_path is '/etc/body\.npz', expected the bare name of a file",
        ),
        ({"heads": {}}, "heads is empty"),
        ({"backbone": {"class": "HumMUSS", "init_args": {"dept": 3}}}, r"backbone is no HumMUSS: .*'dept'"),
        ({"view": {"normalisation": "box"}}, "view lacks camera, noise"),
        ({"inference": {"windows": 0}}, r"inference is no Inference: inference\.windows is 0"),
        ({"layout": "h36m18"}, "unknown joint layout 'h36m18'"),
        ({"layout": 3}, "layout is 3"),
        ({"trained_frames": "9"}, "trained_frames is '9'"),
        ({"frame_rates": [15]}, r"frame_rates is \[15\]"),
        ({"frame_rates": [60, 7]}, r"frame_rates is \[60, 7\]"),
        ({"frame_rates": [True, True]}, r"frame_rates is \[True, True\]"),
        ({"backbone": {"class": "HumMUSS", "init_args": {"dim": -1}}}, "backbone is no HumMUSS: "),
        ({"heads": {"a.b": {"class": "PoseHead", "init_args": {}}}}, r"a head is named 'a\.b'"),
        ({"format": 2}, "has format 2, this version reads 1"),
        ({"files": {"body_path": "x"}}, "has unknown files"),
        ({"self": 1}, "has unknown self"),
    ],
)
def test_a_config_of_anything_else_is_refused_and_imports_nothing(shared, trap, values, message) -> None:
    change(shared, **values)
    with pytest.raises(InputError, match=message):
        load(shared)
    assert not trap.exists()


def test_a_body_of_your_own_is_named_by_its_file_alone_and_found_where_you_say(tmp_path, capsys) -> None:
    arrays = dict(np.load(Path(smpl_module.__file__).with_name("free_body.npz")))
    own = tmp_path / "mine.npz"
    np.savez(own, **arrays, posedirs=np.zeros((len(arrays["v_template"]), 3, 207), np.float32))
    heads = {
        "pose": {"class_path": "hummuss.heads.PoseHead"},
        "mesh": {"class_path": "hummuss.heads.MeshHead", "init_args": MESH | {"body_path": str(own)}},
    }
    export_hub(write_run(tmp_path / "mesh" / "1", heads), tmp_path / "shared")
    assert str(tmp_path) not in (tmp_path / "shared/config.json").read_text()
    with pytest.raises(InputError, match=r"mine\.npz.*name your own copy, as in load\(\.\.\., body_path="):
        load(tmp_path / "shared")
    assert load(tmp_path / "shared", body_path=str(own)).model.heads["mesh"].body.name == "mine"
    own.rename(own.with_name("another.npz"))
    with pytest.raises(
        InputError, match=r"with the body mine, and body_path is .*another\.npz: .* name your copy mine"
    ):
        load(tmp_path / "shared", body_path=str(own.with_name("another.npz")))
    own.with_name("another.npz").rename(own)
    with pytest.raises(InputError, match="the model poses no body of a file: drop body_path"):
        load("pose-cmu", body_path=str(own))
    points = np.random.default_rng(0).uniform(100, 500, (5, 17, 2))
    np.savez(tmp_path / "walk.npz", keypoints=points, layout="h36m17", fps=25.0, width=640, height=480)
    files = [str(tmp_path / "walk.npz"), str(tmp_path / "out.npz"), "--body_path", str(own)]
    assert main(["predict", "--ckpt_path", str(tmp_path / "shared"), *files]) == 0
    assert str(np.load(tmp_path / "out.npz")["body"]) == "mine"
    assert main(["predict", "--ckpt_path", str(tmp_path / "mesh" / "1"), *files]) == 2
    assert "is a run, whose own config names its files: drop --body_path" in capsys.readouterr().err


def test_classes_that_nobody_else_has_are_not_exported(tmp_path) -> None:
    heads = {"pose": {"class_path": "hummuss.heads.PoseHead"}, "mesh": {"class_path": "hummuss.heads.MeshHead"}}
    heads["mesh"]["init_args"] = MESH
    run = write_run(tmp_path / "run", heads)
    config = yaml.safe_load((run / "config.yaml").read_text())
    trained = load_run(run)
    for path in ("mine.PoseHead", "hummuss.module.MotionModule"):
        config["model"]["init_args"]["heads"]["pose"]["class_path"] = path
        with pytest.raises(InputError, match=f"heads.pose is a {path}, which nobody else has"):
            describe(trained, config, None, {})


def test_what_is_no_shared_model_says_so(tmp_path, shared) -> None:
    with pytest.raises(InputError, match=r"no model at .*nowhere: give a folder"):
        load(tmp_path / "nowhere")
    with pytest.raises(InputError, match=r"has no config\.json, so it is no shared model"):
        load(tmp_path / "pose" / "1")
    with pytest.raises(InputError, match="is a folder, which takes no revision"):
        load(shared, revision="main")
    (shared / "config.json").write_text("[]")
    with pytest.raises(InputError, match=r"config\.json holds \[\], expected an object"):
        load(shared)
    (shared / "config.json").write_text("{")
    with pytest.raises(InputError, match=r"config\.json is not valid JSON"):
        load(shared)
    (shared / "config.json").unlink()
    with pytest.raises(InputError, match=r"has no config\.json"):
        Pretrained.from_pretrained(shared)


def test_a_hub_gets_the_whole_folder_and_gives_it_back(tmp_path, shared, monkeypatch) -> None:
    """Without a network: the two calls of huggingface_hub that reach for one copy folders."""
    hub = tmp_path / "hub"

    def upload(self, *, repo_id, folder_path, **options) -> str:
        return str(shutil.copytree(folder_path, hub / repo_id))

    def download(model_id, allow_patterns, **options) -> str:
        if not (hub / model_id).is_dir():
            raise OSError("offline\nsecond line")
        return str(hub / model_id)

    monkeypatch.setattr(huggingface_hub.HfApi, "upload_folder", upload)
    monkeypatch.setattr(
        huggingface_hub.HfApi, "create_repo", lambda self, repo_id, **_: huggingface_hub.RepoUrl(f"hf://{repo_id}")
    )
    monkeypatch.setattr("hummuss.inference.pretrained.snapshot_download", download)
    monkeypatch.chdir(tmp_path)
    load(shared).push_to_hub("somebody/walker")
    assert {path.name for path in (hub / "somebody/walker").iterdir()} == {p.name for p in shared.iterdir()}
    expected = load(shared).predict(make_clip()).joints3d
    np.testing.assert_array_equal(load("somebody/walker").predict(make_clip()).joints3d, expected)
    with pytest.raises(InputError, match=r"somebody/else is no folder here, and the hub did not give it: offline$"):
        load("somebody/else")
    # A folder that is here makes it a path, which was mistyped.
    with pytest.raises(InputError, match="no model at pose/2"):
        load("pose/2")
