"""`hummuss export hub` of a real run, and what may be loaded by `hummuss test`."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch

import hummuss
from hummuss.cli.main import main
from hummuss.data import read_keypoints

ROOT = Path(__file__).parents[2]
SMALL = [
    "--model.init_args.backbone.init_args.dim", "8", "--model.init_args.backbone.init_args.depth", "1",
    "--model.init_args.backbone.init_args.dim_rep", "8", "--trainer.enable_progress_bar", "false",
    "--data.init_args.frames", "5", "--data.init_args.batch_size", "2", "--data.init_args.windows_per_epoch", "4",
    "--data.init_args.val_windows", "2", "--data.init_args.test_windows", "2", "--trainer.max_epochs", "1",
]  # fmt: skip


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    """A pose run, trained and tested, and the folder ``shared`` made of it."""
    folder = tmp_path_factory.mktemp("runs")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("WANDB_MODE", "disabled")
        for command in (["fit"], ["test", "--ckpt_path", "best"]):
            assert main([command[0], "--config", str(ROOT / "configs/pose.yaml"), *SMALL, *command[1:]]) == 0
        assert main(["export", "hub", "runs/pose/1", "shared"]) == 0
    return folder / "runs/pose/1"


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    points = np.concatenate([rng.uniform(100, 500, (12, 17, 2)), rng.uniform(0.3, 1, (12, 17, 1))], -1)
    np.savez("walk.npz", keypoints=points, layout="coco17", fps=25.0, width=640, height=480)


def test_a_run_and_the_folder_made_of_it_predict_the_same(run, capsys) -> None:
    shared = run.parents[2] / "shared"
    for path, out in ((run, "a.npz"), (shared, "b.npz")):
        assert main(["predict", "--ckpt_path", str(path), "walk.npz", out]) == 0
    a, b = np.load("a.npz"), np.load("b.npz")
    assert set(a) == set(b)
    for name in a:
        np.testing.assert_array_equal(a[name], b[name])
    loaded = hummuss.load(shared).predict(read_keypoints("walk.npz"))
    np.testing.assert_array_equal(loaded.joints3d, a["joints3d"])


def test_the_card_shows_the_figures_of_this_checkpoint_and_where_it_comes_from(run, tmp_path) -> None:
    card = (run.parents[2] / "shared/README.md").read_text()
    summary = json.loads((run / "summary.json").read_text())
    for split in ("val", "test"):
        figures = summary[split]
        assert f"| all | mpjpe, mm | {figures['mpjpe']:.1f} | {figures['mean_pose/mpjpe']:.1f} |" in card
    assert [line for line in card.splitlines() if line.startswith("### ")] == ["### val", "### test"]
    facts = json.loads((run / "test.json").read_text())["facts"]
    for line in (
        f"- sha256: {facts['sha256']}", "- seed: 0", "- dataset: synthetic", f"- commit: {facts['commit']}",
        "- test data: 2 clips of each group, evenly spaced", f"- frame rate: {facts['frame_rate']}",
    ):  # fmt: skip
        assert line in card
    slowest, fastest = summary["trained_rates"]
    assert f"at {slowest:g} to {fastest:g} frames per second" in card
    assert "library_name: hummuss" in card.split("---")[1]
    assert str(tmp_path.parent) not in card + (run.parents[2] / "shared/config.json").read_text()
    # Another checkpoint has other figures, which nobody has measured.
    other = torch.load(run / "last.ckpt", weights_only=True) | {"note": "another file"}
    torch.save(other, run / "other.ckpt")
    assert main(["export", "hub", str(run / "other.ckpt"), "other"]) == 0
    assert "No figures were recorded for this checkpoint." in Path("other/README.md").read_text()


def test_the_code_on_the_card_runs(run) -> None:
    shared = run.parents[2] / "shared"
    (block,) = re.findall(r"```python\n(.*?)```", (shared / "README.md").read_text(), re.DOTALL)
    exec(block.replace("this folder, or its id on the hub", str(shared)), scope := {})
    assert scope["prediction"].joints3d.shape == (12, 17, 3)


def test_a_folder_that_holds_something_is_left_alone(run, capsys) -> None:
    Path("out").mkdir()
    Path("out/notes.txt").write_text("mine")
    assert main(["export", "hub", str(run), "out"]) == 2
    assert "out holds something already: name a new folder" in capsys.readouterr().err
    assert [path.name for path in Path("out").iterdir()] == ["notes.txt"]
    assert main(["export", "hub", "nowhere", "out2"]) == 2
    assert not Path("out2").exists()


class Trap:
    """Unpickled, it leaves a trace."""

    def __reduce__(self):
        return Path.touch, (Path("sprung"),)


@pytest.mark.parametrize("command", ["fit", "validate", "test"])
def test_a_checkpoint_that_would_run_code_is_refused(run, command, capsys) -> None:
    content = torch.load(run / "last.ckpt", weights_only=True)
    torch.save(content | {"extra": Trap()}, "trap.ckpt")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WANDB_MODE", "disabled")
        status = main([command, "--config", str(ROOT / "configs/pose.yaml"), *SMALL, "--ckpt_path", "trap.ckpt"])
    assert status == 2
    assert "trap.ckpt holds more than weights and could run code: it is not loaded" in capsys.readouterr().err
    assert not Path("sprung").exists()


def test_a_checkpoint_does_not_name_classes_to_import(run, monkeypatch) -> None:
    """Lightning's own command line takes a model's class out of a checkpoint's hyperparameters."""
    Path("trap.py").write_text("import pathlib; pathlib.Path('sprung').touch()\n")
    monkeypatch.syspath_prepend(Path.cwd())
    monkeypatch.setenv("WANDB_MODE", "disabled")
    content = torch.load(run / "last.ckpt", weights_only=True)
    torch.save(content | {"callbacks": {}, "hyper_parameters": {"_class_path": "trap.Model", "dim": 8}}, "trap.ckpt")
    assert main(["validate", "--config", str(ROOT / "configs/pose.yaml"), *SMALL, "--ckpt_path", "trap.ckpt"]) == 0
    assert not Path("sprung").exists()
