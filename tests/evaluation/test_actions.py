"""Action recognition beside its baselines: features against loops, accuracies against scikit-learn."""

import csv
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from sklearn.metrics import balanced_accuracy_score, confusion_matrix

from hummuss import HumMUSS, InputError, MotionModule
from hummuss.cli.main import main
from hummuss.data import MotionClip, StoreDataModule, StoreWriter
from hummuss.evaluation.actions import Judged, judge_majority, judge_statistics, labelled, statistics
from hummuss.heads import ActionHead

CLASSES = ["walk", "run", "jump"]


def moving(name: str, split: str, label: str | None, height: float, speed: float) -> MotionClip:
    """Someone whose hands are at a height and swing with a speed: per-frame statistics tell the classes apart."""
    rng = np.random.default_rng(list(name.encode()))
    joints = rng.normal(0, 0.25, (1, 17, 3)).repeat(40, 0) + np.array([0, 1, 0])
    joints[:, [13, 16], 1] = height + 0.2 * np.sin(speed * np.arange(40) / 50)[:, None]
    return MotionClip(
        name=name, sequence=name, subject="1", split=split, label=label, fps=50.0, joints3d=joints.astype(np.float32)
    )


@pytest.fixture
def root(tmp_path):
    with StoreWriter(tmp_path / "store", {"dataset": "made"}) as writer:
        for split, count in (("train", 6), ("val", 3), ("test", 4)):
            for label, height, speed in (("walk", 0.5, 2.0), ("run", 0.5, 25.0), ("jump", 1.8, 2.0)):
                for number in range(count + (split == "train" and label == "run")):
                    writer.add(moving(f"{split}-{label}-{number}", split, label, height, speed))
            writer.add(moving(f"{split}-other", split, None, 1.0, 5.0))
    return tmp_path / "store"


@pytest.fixture
def data(root) -> StoreDataModule:
    return StoreDataModule(root, frames=20, classes=CLASSES)


def test_statistics_are_of_the_joints_that_were_seen() -> None:
    generator = torch.Generator().manual_seed(0)
    keypoints = torch.rand(1, 9, 17, 3, generator=generator) + 0.1
    keypoints[0, 3, 5] = 0
    keypoints[0, :, 8] = 0
    valid = torch.ones(1, 9, dtype=torch.bool)
    valid[0, 7:] = False
    dt = 0.01 + torch.rand(1, 9, generator=generator)
    found = statistics({"keypoints": keypoints, "dt": dt, "valid": valid}).reshape(17 * 3, 4)
    x, y, steps = (
        keypoints[0, :7, :, 0].double().numpy(),
        keypoints[0, :7, :, 1].double().numpy(),
        dt[0].double().numpy(),
    )
    for joint in (0, 5):
        frames = [f for f in range(7) if not (joint == 5 and f == 3)]
        for axis, values in enumerate((x, y)):
            own = values[frames, joint]
            expected = [own.mean(), own.std(), own.min(), own.max()]
            np.testing.assert_allclose(found[2 * joint + axis], expected)
        pairs = [f for f in range(1, 7) if f in frames and f - 1 in frames]
        own = [np.hypot(x[f, joint] - x[f - 1, joint], y[f, joint] - y[f - 1, joint]) / steps[f] for f in pairs]
        np.testing.assert_allclose(found[34 + joint], [np.mean(own), np.std(own), min(own), max(own)])
    assert np.isnan(found[[16, 17, 42]]).all()
    assert np.isfinite(np.delete(found, [16, 17, 42], 0)).all()


def test_the_regression_learns_what_statistics_tell_and_the_majority_does_not(data) -> None:
    judged = judge_statistics(data, "test")
    assert judged.scores.shape == (12, 3)
    assert judged.balanced > 70  # a third by chance
    majority = judge_majority(data, judged.label)
    assert majority.scores.argmax(1).tolist() == [CLASSES.index("run")] * 12
    assert majority.balanced == pytest.approx(100 / 3)
    assert [int(batch["label"][0]) for batch in labelled(data, "test")] == judged.label.tolist()


def test_accuracies_against_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    judged = Judged("any", 0, rng.random((50, 3)), rng.choice(3, 50, p=[0.7, 0.2, 0.1]))
    chosen = judged.scores.argmax(1)
    assert judged.balanced == pytest.approx(100 * balanced_accuracy_score(judged.label, chosen))
    assert judged.top1 == pytest.approx(100 * (chosen == judged.label).mean())
    np.testing.assert_array_equal(judged.confusion, confusion_matrix(judged.label, chosen))


@pytest.fixture
def run_folder(tmp_path):
    def make(seed: int):
        model = {
            "class_path": "hummuss.MotionModule",
            "init_args": {
                "backbone": {"class_path": "hummuss.HumMUSS", "init_args": {"dim": 8, "depth": 1}},
                "heads": {"action": {"class_path": "hummuss.heads.ActionHead", "init_args": {"hidden": 8}}},
            },
        }
        torch.manual_seed(seed)
        head = {"action": lambda dim: ActionHead(dim, hidden=8, classes=CLASSES)}
        module = MotionModule(HumMUSS(dim=8, depth=1), head)
        folder = tmp_path / "runs" / str(seed)
        folder.mkdir(parents=True)
        torch.save({"state_dict": module.state_dict()}, folder / "best.ckpt")
        config = {"seed_everything": seed, "model": model, "data": {"class_path": "any", "init_args": {"frames": 20}}}
        (folder / "config.yaml").write_text(yaml.safe_dump(config))
        return folder, module

    return make


def test_the_command_writes_a_page_with_all_models(root, data, run_folder, tmp_path, capsys) -> None:
    settings = {"root": str(root), "frames": 20, "classes": CLASSES, "balance_classes": True}
    config = tmp_path / "data.yaml"
    config.write_text(yaml.safe_dump({"data": {"class_path": "hummuss.data.StoreDataModule", "init_args": settings}}))
    made = [run_folder(seed) for seed in (0, 1)]
    words = ["--ckpt", *(str(folder) for folder, _ in made), "--out", str(tmp_path / "page/action")]
    assert main(["--debug", "eval", "action", "--config", str(config), *words]) == 0
    assert "regression on statistics" in capsys.readouterr().out
    page = (tmp_path / "page/action.md").read_text()
    assert "walk 6 / 4, run 7 / 4, jump 6 / 4" in page
    assert "| majority class | 1 | 33.3 | 33.3 | 0 | 100 | 0 |" in page
    assert (tmp_path / "page/action.png").stat().st_size > 5000
    rows = list(csv.DictReader((tmp_path / "page/action.csv").read_text().splitlines()))
    batches = list(labelled(data, "test"))
    for seed, (_, module) in enumerate(made):
        with torch.inference_mode():
            chosen = [int(module.eval()(batch)["action"]["logits"][0].argmax()) for batch in batches]
        true = [int(batch["label"][0]) for batch in batches]
        expected = confusion_matrix(true, chosen, labels=range(3))
        own = [row for row in rows if (row["model"], row["seed"]) == ("hummuss", str(seed))]
        assert own[0]["class"] == "all"
        assert float(own[0]["balanced (%)"]) == pytest.approx(100 * balanced_accuracy_score(true, chosen), abs=0.01)
        for row, counts in zip(own[1:], expected, strict=True):
            assert [int(row[f"taken for {name}"]) for name in CLASSES] == counts.tolist()


def test_runs_without_an_action_head_and_other_classes_are_refused(
    make_run, run_folder, root, tmp_path, capsys
) -> None:
    config = tmp_path / "data.yaml"
    for names, run in ((CLASSES, make_run("pose")), (CLASSES[:2], run_folder(0)[0])):
        settings = {"root": str(root), "frames": 20, "classes": names}
        config.write_text(
            yaml.safe_dump({"data": {"class_path": "hummuss.data.StoreDataModule", "init_args": settings}})
        )
        assert main(["eval", "action", "--config", str(config), "--ckpt", str(run)]) == 2
    error = " ".join(capsys.readouterr().err.split())
    assert "has no action head, only any" in error
    assert "tells apart walk, run, jump, data.init_args.classes are walk, run" in error


def test_configs_of_several_tasks_and_runs_that_look_alike_are_refused(run_folder, root, tmp_path, capsys) -> None:
    run, _ = run_folder(0)
    config = str(Path(__file__).parents[2] / "configs" / "multitask.yaml")
    assert main(["eval", "action", "--config", config, "--ckpt", str(run), "--out", str(tmp_path / "p")]) == 2
    assert "give data of 3 tasks, pose, mesh, action: give the configs of one" in capsys.readouterr().err
    own = tmp_path / "data.yaml"
    settings = {"root": str(root), "frames": 20, "classes": CLASSES}
    own.write_text(yaml.safe_dump({"data": {"class_path": "hummuss.data.StoreDataModule", "init_args": settings}}))
    assert main(["eval", "action", "--config", str(own), "--ckpt", str(run), str(run / "best.ckpt")]) == 2
    assert "are both hummuss, seed 0, trained alike: they would share their rows" in capsys.readouterr().err


def test_runs_of_other_trainings_and_other_inputs_are_refused(run_folder, root, tmp_path, capsys) -> None:
    folders = [run_folder(seed)[0] for seed in (0, 1)]
    config = tmp_path / "data.yaml"
    settings = {"root": str(root), "frames": 20, "classes": CLASSES}
    config.write_text(yaml.safe_dump({"data": {"class_path": "hummuss.data.StoreDataModule", "init_args": settings}}))
    words = ["eval", "action", "--config", str(config), "--out", str(tmp_path / "p"), "--ckpt", *map(str, folders)]
    own = yaml.safe_load((folders[1] / "config.yaml").read_text())
    for change, message in (
        ({"frames": 30}, "not seeds of one training: data.frames is 30 and 20"),
        ({"view": {"normalisation": "box"}}, "was trained with normalisation 'box', the data has 'image'"),
    ):
        data = own["data"] | {"init_args": own["data"]["init_args"] | change}
        (folders[1] / "config.yaml").write_text(yaml.safe_dump(own | {"data": data}))
        assert main(words) == 2
        assert message in " ".join(capsys.readouterr().err.split())


def test_a_split_without_labelled_clips_is_named(root, tmp_path) -> None:
    with StoreWriter(tmp_path / "few", {"dataset": "made"}) as writer:
        writer.add(moving("a", "train", "walk", 0.5, 2.0))
        writer.add(moving("b", "val", None, 0.5, 2.0))
    with pytest.raises(InputError, match=r"no clip of split val is of one of data\.init_args\.classes"):
        judge_statistics(StoreDataModule(tmp_path / "few", frames=20, classes=CLASSES), "test")


def test_without_scikit_learn_the_command_says_so(data, monkeypatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "sklearn.impute", None)
    with pytest.raises(InputError, match="needs scikit-learn"):
        judge_statistics(data, "test")
