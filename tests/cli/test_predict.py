"""`hummuss predict` from end to end: runs of two steps, own keypoints and stores in, files and pictures out."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import roma
import torch
import yaml

from hummuss.body.smpl import BodyModel
from hummuss.cli.main import main
from hummuss.data import MotionClip, StoreWriter, read_keypoints

ROOT = Path(__file__).parents[2]
SMALL = [
    "--model.init_args.backbone.init_args.dim", "8", "--model.init_args.backbone.init_args.depth", "1",
    "--model.init_args.backbone.init_args.dim_rep", "8",
    "--data.init_args.frames", "5", "--data.init_args.batch_size", "2", "--data.init_args.windows_per_epoch", "4",
    "--data.init_args.val_windows", "2", "--data.init_args.test_windows", "2",
    "--trainer.enable_progress_bar", "false", "--trainer.max_epochs", "1",
]  # fmt: skip


@pytest.fixture(scope="module")
def runs(tmp_path_factory) -> Path:
    """A folder with the runs pose/1 (causal), mesh/1, attention/1 and action/1."""
    folder = tmp_path_factory.mktemp("runs")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("WANDB_MODE", "disabled")
        for name, task, backbone in (
            ("pose", "pose", "hummuss-causal"),
            ("mesh", "mesh", "hummuss"),
            ("attention", "pose", "dstformer"),
            ("action", "action", "hummuss"),
        ):
            overlays = [ROOT / f"configs/{task}.yaml", ROOT / f"configs/backbone/{backbone}.yaml"]
            configs = [part for overlay in overlays for part in ("--config", str(overlay))]
            assert main(["fit", *configs, *SMALL, "--name", name]) == 0
    return folder / "runs"


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)


def keypoints(frames: int = 40) -> np.ndarray:
    """Somebody 400 pixels tall who sways in an image of 1280 x 720."""
    rng = np.random.default_rng(0)
    pose = rng.uniform(-1, 1, (17, 2)) * (80, 200)
    sway = 40 * np.sin(np.arange(frames) / 5)[:, None, None]
    return np.concatenate([pose + sway + (640, 360), rng.uniform(0.3, 1, (frames, 17, 1))], -1).astype(np.float32)


def write(path: str = "walk.npz", **changes) -> str:
    fields = {"keypoints": keypoints(), "layout": "coco17", "fps": 25.0, "width": 1280, "height": 720} | changes
    np.savez(path, **{name: value for name, value in fields.items() if value is not None})
    return path


def predict(run: Path, *arguments: str) -> dict[str, np.ndarray]:
    """The arrays that a successful command writes to out.npz."""
    assert main(["predict", "--ckpt_path", str(run), *arguments, "out.npz"]) == 0
    with np.load("out.npz") as file:
        return dict(file)


def test_own_keypoints_give_joints_times_and_a_picture(runs, capsys) -> None:
    got = predict(runs / "pose/1/best.ckpt", write())
    assert set(got) == {"joints3d", "confidence", "timestamps", "dt", "inference"}
    assert got["joints3d"].shape == (40, 17, 3)
    assert np.isfinite(got["joints3d"]).all()
    np.testing.assert_array_equal(got["joints3d"][:, 0], 0)
    np.testing.assert_allclose(got["timestamps"], np.arange(40) / 25)
    np.testing.assert_allclose(got["dt"], 1 / 25, rtol=1e-6)
    ankle = keypoints()[:, 15, 2]
    np.testing.assert_allclose(got["confidence"][:, 6], ankle)  # COCO's left ankle is Human3.6M's seventh joint
    assert got["inference"] == "whole clips"
    assert Path("out.png").stat().st_size > 10_000
    assert "wrote out.npz and out.png: 40 frames, whole clips" in capsys.readouterr().out


def test_frames_that_show_nobody_are_told(runs, capsys) -> None:
    points = keypoints()
    points[10:22, :, 2] = 0
    predict(runs / "pose/1", write(keypoints=points))
    assert "  12 of them show nobody: what stands there is a guess, of confidence 0" in capsys.readouterr().out
    predict(runs / "pose/1", write())
    assert "nobody" not in capsys.readouterr().out


def test_a_stream_gives_the_same_and_windows_do_not(runs) -> None:
    jittered = np.cumsum(np.random.default_rng(1).uniform(0.02, 0.06, 40))
    arguments = (runs / "pose/1", write(fps=None, timestamps=jittered))
    whole = predict(*arguments)
    np.testing.assert_allclose(whole["dt"], np.concatenate([np.diff(jittered)[:1], np.diff(jittered)]), rtol=1e-5)
    streamed = predict(*arguments, "--stream")
    np.testing.assert_allclose(streamed["joints3d"], whole["joints3d"], atol=1e-5)
    assert streamed["inference"] == "whole clips, frame by frame"
    flipped = predict(*arguments, "--stream", "--flip")
    np.testing.assert_allclose(flipped["joints3d"], predict(*arguments, "--flip")["joints3d"], atol=1e-5)
    assert np.abs(flipped["joints3d"] - whole["joints3d"]).max() > 1e-3
    cut = predict(*arguments, "--windows", "10")
    assert cut["inference"] == "windows of 10 frames, one every 5, averaged"
    assert np.abs(cut["joints3d"] - whole["joints3d"]).max() > 1e-3


def test_windows_in_the_call_go_before_the_runs_own_stream(runs, tmp_path) -> None:
    own = shutil.copytree(runs / "pose/1", tmp_path / "own")
    config = yaml.safe_load((own / "config.yaml").read_text())
    config["model"]["init_args"]["inference"] = {"class_path": "hummuss.Inference", "init_args": {"stream": True}}
    (own / "config.yaml").write_text(yaml.safe_dump(config))
    assert "frame by frame" in str(predict(own, write())["inference"])
    assert str(predict(own, write(), "--windows", "7")["inference"]).startswith("windows of 7 frames")


def test_a_mesh_run_gives_a_body_that_poses_the_joints(runs) -> None:
    got = predict(runs / "mesh/1", write())
    assert got["smpl_pose"].shape == (40, 24, 3)
    assert got["betas"].shape == (10,)
    assert got["body"] == "free"
    body = BodyModel()(
        roma.rotvec_to_rotmat(torch.from_numpy(got["smpl_pose"])),
        torch.from_numpy(got["betas"])[None],
        torch.zeros(40, 3),
    )
    joints = body.joints17 - body.joints17[:, :1]
    np.testing.assert_allclose(joints, got["joints3d"], atol=1e-5)
    # An untrained regressor starts upright: the head is above the ankles, and y points down.
    assert (got["joints3d"][:, 10, 1] < got["joints3d"][:, 3, 1] - 1).all()


def test_an_action_run_names_the_likeliest_classes(runs, capsys) -> None:
    got = predict(runs / "action/1", write())
    assert set(got) == {"classes", "probabilities", "confidence", "timestamps", "dt", "inference"}
    assert got["probabilities"].sum() == pytest.approx(1, abs=1e-5)
    assert not Path("out.png").exists()
    wrote, said = capsys.readouterr().out.splitlines()
    assert wrote == "wrote out.npz, no picture as the run predicts neither pose nor mesh: 40 frames, whole clips"
    best = np.argsort(-got["probabilities"])[:3]
    assert said.strip() == ", ".join(f"{got['classes'][i]} {float(got['probabilities'][i]):.1%}" for i in best)


def test_a_prediction_without_a_picture_leaves_no_earlier_one(runs) -> None:
    predict(runs / "pose/1", write())
    assert Path("out.png").is_file()
    predict(runs / "action/1", write())
    assert not Path("out.png").exists()


def test_attention_is_cut_into_windows_as_long_as_those_of_its_training(runs) -> None:
    assert predict(runs / "attention/1", write())["inference"] == "windows of 5 frames, one every 2, averaged"


def test_json_npy_and_options_are_the_same_as_npz(runs) -> None:
    expected = predict(runs / "pose/1", write())["joints3d"]
    np.save("walk.npy", keypoints())
    options = ["--layout", "coco17", "--fps", "25", "--width", "1280", "--height", "720"]
    np.testing.assert_array_equal(predict(runs / "pose/1", "walk.npy", *options)["joints3d"], expected)
    fields = {"keypoints": keypoints().tolist(), "layout": "coco17", "width": 1280, "height": 720}
    Path("walk.json").write_text(json.dumps(fields))
    np.testing.assert_allclose(predict(runs / "pose/1", "walk.json", "--fps", "25")["joints3d"], expected, atol=1e-6)


def test_clips_of_a_store_are_seen_by_virtual_cameras(runs, capsys) -> None:
    rng = np.random.default_rng(0)
    with StoreWriter("store") as writer:
        for name in ("a", "b/cam0"):
            writer.add(
                MotionClip(
                    name=name, sequence=name, subject="1", split="test", fps=120.0, body="SMPL_NEUTRAL",
                    joints3d=rng.normal(0, 0.3, (30, 17, 3)).astype(np.float32), betas=np.zeros(10, np.float32),
                    smpl_pose=np.zeros((30, 24, 3), np.float32), transl=np.zeros((30, 3), np.float32),
                )
            )  # fmt: skip
    arguments = ["predict", "--ckpt_path", str(runs / "pose/1"), "store"]
    assert main([*arguments, "out", "--clips", "a", "b/cam0"]) == 0
    for name in ("a", "b/cam0"):
        assert (Path("out") / f"{name}.png").is_file()
        assert np.load(f"out/{name}.npz")["joints3d"].shape == (30, 17, 3)
    assert main([*arguments, "again", "--clips", "b/cam0"]) == 0
    both = (np.load(f"{folder}/b/cam0.npz")["joints3d"] for folder in ("out", "again"))
    np.testing.assert_array_equal(*both, "a clip's camera does not depend on the others")
    capsys.readouterr()
    for folder, words, written in (
        ("all", ["all"], ["a", "b/cam0"]),
        ("some", ["b/*", "b/cam?"], ["b/cam0"]),
        ("both", ["*", "a"], ["a", "b/cam0"]),
    ):
        assert main([*arguments, folder, "--clips", *words]) == 0
        said = [f"wrote {folder}/{name}.npz" for name in written]
        assert [line.partition(" and ")[0] for line in capsys.readouterr().out.splitlines()] == said
        found = sorted(path.relative_to(folder).with_suffix("").as_posix() for path in Path(folder).rglob("*.npz"))
        assert found == written
    for words, message in (
        (["out"], "store holds 2 clips: name some with --clips, as in --clips a, by a pattern, or all"),
        (
            ["out", "--clips", "c"],
            "store has no clip 'c' among its 2, a, b/cam0, ...: hummuss.data.MotionStore('store')",
        ),
        (["out", "--clips", "a", "c*"], "store has no clip 'c*' among its 2"),
        (["out.npz", "--clips", "a"], "out.npz: clips of a store go into a folder"),
        (["out", "--clips", "a", "--fps", "25"], "store is a store, whose clips say all themselves: drop --fps"),
    ):
        assert main([*arguments, *words]) == 2
        assert message in one_error(capsys)


def one_error(capsys) -> str:
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("hummuss: error:")]
    assert len(lines) == 1
    return lines[0]


def test_mistakes_in_the_call_are_one_line(runs, capsys) -> None:
    write()
    run = str(runs / "pose/1")
    for words, message in (
        (["nowhere.npz", "out.npz"], "no keypoints at nowhere.npz"),
        (["nowhere", "out"], "no keypoints at nowhere: give a file of them, or a prepared store"),
        (["walk.npz", "out"], "out does not end in .npz"),
        (["walk.npz", "walk.npz"], "walk.npz is the input itself"),
        (["walk.npz", "out.npz", "--clips", "a"], "walk.npz is one clip, only a store has several"),
        (["walk.npz", "out.npz", "--fps", "30"], "walk.npz has fps 25.0, and 30.0 is given beside it: drop either"),
        (["walk.npz", "out.npz", "--stream", "--windows", "9"], "inference.stream has no windows"),
        ([".", "out"], "has no index.json, so it is not a prepared store"),
    ):
        assert main(["predict", "--ckpt_path", run, *words]) == 2
        assert message in one_error(capsys)
    for run, message in (
        ("mesh/1", "HumMUSS needs the frames to come"),
        ("mesh/7", "comes along, live-cmu or pose-cmu"),
    ):
        assert main(["predict", "--ckpt_path", str(runs / run), "walk.npz", "out.npz", "--stream"]) == 2
        assert message in one_error(capsys)
    write(width=None, height=None)
    assert main(["predict", "--ckpt_path", str(runs / "pose/1"), "walk.npz", "out.npz"]) == 2
    assert "needs the image's width and height" in one_error(capsys)
    assert not Path("out.npz").exists()
    write()
    for folder in ("a.npz", "b.png"):
        Path(folder).mkdir()
    for out, message in (
        ("a.npz", "a.npz is a folder: name another file"),
        ("b.npz", "b.png is a folder: name another file"),
        ("walk.npz/deep/out.npz", "walk.npz is a file: name another place"),
    ):
        assert main(["predict", "--ckpt_path", "no run, which is not looked at before", "walk.npz", out]) == 2
        assert message in one_error(capsys)
    with pytest.raises(SystemExit):
        main(["predict", "--ckpt_path", "x", "walk.npz", "out.npz", "--windows", "0"])


def test_nothing_but_an_earlier_prediction_is_written_over(runs, capsys) -> None:
    write()
    write("other.npz")
    Path("half.npz").write_bytes(Path("walk.npz").read_bytes()[:500])
    for out in ("other.npz", "half.npz"):
        before = {path: path.read_bytes() for path in Path().iterdir()}
        assert main(["predict", "--ckpt_path", "no run, which is not looked at before", "walk.npz", out]) == 2
        assert f"{out} is there already and no prediction: name another file" in one_error(capsys)
        assert {path: path.read_bytes() for path in Path().iterdir()} == before
    Path("figure.png").write_bytes(b"of a paper")
    assert main(["predict", "--ckpt_path", "no run, which is not looked at before", "walk.npz", "figure.npz"]) == 2
    assert "figure.png is there already and no prediction's: name another file" in one_error(capsys)
    for _ in range(2):
        assert predict(runs / "pose/1", "walk.npz")["joints3d"].shape == (40, 17, 3)
    with StoreWriter(Path("store")) as store:
        store.add(read_keypoints("walk.npz"))
    assert main(["predict", "--ckpt_path", str(runs / "pose/1"), "store", "store/out", "--clips", "all"]) == 2
    assert "store/out lies in the store store itself" in one_error(capsys)


def test_what_cannot_be_written_leaves_what_was_there(runs, monkeypatch, capsys) -> None:
    predict(runs / "pose/1", write())
    before = Path("out.npz").read_bytes()

    def fails(file, **_arrays) -> None:
        file.write(b"half of it")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez_compressed", fails)
    assert main(["predict", "--ckpt_path", str(runs / "pose/1"), "walk.npz", "out.npz"]) == 2
    assert "out.npz could not be written (No space left on device): make room" in one_error(capsys)
    assert Path("out.npz").read_bytes() == before
    assert not list(Path().glob(".*"))


def test_the_example_in_the_docs_runs(runs, unchecked: None) -> None:
    """docs/predict.md's Python blocks, with the run trained here in place of runs/pose/1."""
    page = (ROOT / "docs/predict.md").read_text()
    blocks = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    assert len(blocks) >= 2
    scope: dict = {}
    for block in blocks:
        exec(block.replace("runs/pose/1", str(runs / "pose/1")), scope)
    assert Path("walk.npz").is_file()
    assert Path("walk_3d.npz").is_file()
    command = re.search(r"hummuss predict .* walk.npz .*", page)
    assert command
    words = command[0].replace("runs/pose/1", str(runs / "pose/1")).split()[1:]
    for made in ("walk_3d.npz", "walk_3d.png"):
        Path(made).unlink()
    assert main(words) == 0
    assert Path("walk_3d.npz").is_file()


@pytest.mark.parametrize("key", ["auto", "whole", "7"])
def test_one_key_chooses_how_test_predicts(runs, monkeypatch, key, capsys) -> None:
    monkeypatch.chdir(runs.parent)
    arguments = [
        "--config",
        str(runs / "pose/1/config.yaml"),
        "--name",
        "pose",
        "--ckpt_path",
        str(runs / "pose/1/best.ckpt"),
    ]
    assert main(["test", *arguments, "--model.init_args.inference.windows", key]) == 0
    summary = json.loads((runs / "pose/1/summary.json").read_text())
    said = "windows of 7 frames, one every 3, averaged" if key == "7" else "whole clips"
    assert summary["inference"] == said
    assert said in " ".join(capsys.readouterr().out.split())
