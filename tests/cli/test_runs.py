"""Whole runs through the command line: what they leave behind, and that resuming loses nothing."""

import csv
import hashlib
import json
import re
import shutil
from pathlib import Path

import pytest
import torch
import yaml

from hummuss import InputError, MotionModule, load_run
from hummuss.cli.main import main
from hummuss.cli.runs import new_run, newest_checkpoint
from hummuss.data import SyntheticDataModule
from hummuss.report import RunReport, _share

CONFIGS = Path(__file__).parents[2] / "configs"
SMALL = [
    "--model.init_args.backbone.init_args.dim", "8", "--model.init_args.backbone.init_args.depth", "1",
    "--model.init_args.backbone.init_args.dim_rep", "8", "--model.init_args.backbone.init_args.modes", "2",
    "--data.init_args.frames", "5", "--data.init_args.batch_size", "2", "--data.init_args.windows_per_epoch", "6",
    "--data.init_args.val_windows", "4", "--data.init_args.test_windows", "4",
    "--trainer.enable_progress_bar", "false", "--trainer.max_epochs", "2",
    "--trainer.log_every_n_steps", "1",
]  # fmt: skip


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("WANDB_API_KEY", "WANDB_MODE"):
        monkeypatch.delenv(name, raising=False)


def run(command: str, task: str, *arguments: str) -> int:
    return main([command, "--config", str(CONFIGS / f"{task}.yaml"), *SMALL, *arguments])


def test_a_run_leaves_summary_pictures_curves_and_checkpoints(tmp_path, capsys) -> None:
    assert run("fit", "mesh") == 0
    folder = tmp_path / "runs" / "mesh" / "1"
    table = capsys.readouterr().out
    assert re.search(
        r"HumMUSS: \d\.\d\d M parameters \(\d\.\d\d M with heads\), \d+\.\d M multiply-adds per frame", table
    )
    assert "mean pose" in table
    assert "mpve (mm)" in table
    summary = json.loads((folder / "summary.json").read_text())
    for name in ("mpjpe", "pa_mpjpe", "n_mpjpe", "mpve", "accel"):
        assert summary["val"][name] > 0
        assert f"mean_pose/{name}" in summary["val"]
    assert summary["seed"] == 0
    assert summary["parameters"] > 1000
    assert summary["seconds"] > 0
    assert summary["frames_per_second"] > 0
    slowest, fastest = summary["trained_rates"]
    assert 12.5 <= slowest <= fastest <= 50.0, "synthetic motion at 50 fps, strides 1 to 4"
    assert {"commit", "device"} <= set(summary)
    assert "test" not in summary
    for name in (
        "best.ckpt", "last.ckpt", "config.yaml", "metrics.csv", "val_mesh.png", "curves.png", "epochs/mesh_002.png",
    ):  # fmt: skip
        assert (folder / name).stat().st_size > 0, name
    assert list(folder.glob("wandb/offline-run-*")), "without an API key W&B logs offline"

    assert run("test", "mesh", "--ckpt_path", "best") == 0
    tested = json.loads((folder / "summary.json").read_text())
    assert tested["test"]["mpjpe"] > 0
    assert tested["val"] == summary["val"]
    assert "train/loss" in (folder / "metrics.csv").read_text()
    assert yaml.safe_load((folder / "config.yaml").read_text())["trainer"]["max_epochs"] == 2
    assert not (tmp_path / "config.yaml").exists(), "a test writes no config anywhere"
    for name in ("", "_joints", "_actions", "_pck", "_worst"):
        assert (folder / f"test_mesh{name}.png").stat().st_size > 0, name
    table = json.loads((folder / "test.json").read_text())
    facts = table["facts"]
    assert facts["sha256"] == hashlib.sha256((folder / "best.ckpt").read_bytes()).hexdigest()[:12]
    expected = {
        "dataset": "synthetic", "protocol": "plain", "selection": "best val/mpjpe", "selected_on_test": "no", "seed": 0,
        "test_time_flip": "off",
        "frame_rate": "the clips' own, every n-th frame of those above 60 fps",
        "inference": "whole clips", "test_data": "4 clips of each group, evenly spaced",
        "checkpoint": "runs/mesh/1/best.ckpt",
    }  # fmt: skip
    assert {name: facts[name] for name in expected} == expected
    assert {"commit", "date", "device"} <= set(facts)
    (headline,) = [row for row in table["rows"] if (row["model"], row["part"]) == ("model", "all")]
    assert headline["figures"]["mpve"] == tested["test"]["mpve"]
    assert "| all | model |" in (folder / "test.md").read_text()
    assert "selected on test: no" in capsys.readouterr().out
    # The W&B run that the training began has the pictures of its end and of the test.
    runs = sorted(folder.glob("wandb/offline-run-*"), key=lambda run: run.stat().st_mtime)
    assert len({run.name.rpartition("-")[2] for run in runs}) == 1
    media = [path for path in folder.glob("wandb/*/files/media/images/**/*") if path.is_file()]
    pictures = {path.name.rpartition("_")[0].rpartition("_")[0] for path in media}
    assert {"val_mesh", "test_mesh", "test_mesh_worst", "test_mesh_pck", "curves"} <= pictures
    assert any(path.parent.name == "prediction" for path in media), "a picture on the way"
    columns = (folder / "metrics.csv").read_text().partition("\n")[0].split(",")
    for name in ("ssm/time/step_size/median", "ssm/joints/decay/p95", "ssm/time/gate/closed", "lr-AdamW/pg1"):
        assert name in columns

    # A test with a label is kept beside it; a run's folder, or that of its name's runs, stands for the best checkpoint.
    label = ("--label", "at20", "--data.init_args.max_fps", "20")
    before = {name: (folder / name).read_bytes() for name in ("test.csv", "test.json", "test.md", "summary.json")}
    assert run("test", "mesh", "--ckpt_path", "runs/mesh", *label) == 0
    assert {name: (folder / name).read_bytes() for name in before} == before
    other = json.loads((folder / "test_at20.json").read_text())
    assert other["title"] == "Test of runs/mesh/1, at20"
    assert other["facts"]["checkpoint"] == "runs/mesh/1/best.ckpt"
    assert [row["figures"] for row in other["rows"]] != [row["figures"] for row in table["rows"]]
    for name in ("test_at20.csv", "test_at20.md", "test_at20_mesh.png", "test_at20_mesh_joints.png"):
        assert (folder / name).stat().st_size > 0, name
        (folder / name).unlink()
    for picture in folder.glob("test_at20*.png"):
        picture.unlink()
    for command, text in (("fit", "a"), ("test", "12.5"), ("test", "../a")):
        assert run(command, "mesh", "--label", text) == 2
        assert "--label is" in capsys.readouterr().err

    assert main(["report", str(folder), "--out", "page/mesh", "--title", "Made by a test"]) == 0
    page = (tmp_path / "page/mesh.md").read_text()
    assert f"| test | all | hummuss | {tested['test']['mpjpe']:.1f} |" in page
    assert "test data 4 clips of each group, evenly spaced, frame rate the clips' own, every n-th frame" in page
    assert f"| val | all | mean pose | {summary['val']['mean_pose/mpjpe']:.1f} |" in page
    assert (tmp_path / "page/mesh_mesh-1_test_mesh.png").exists()
    assert "![test mesh worst](mesh_mesh-1_test_mesh_worst.png)" in page
    with open(tmp_path / "page/mesh.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    figures = {(row["split"], row["model"], row["metric"]): float(row["value"]) for row in rows}
    assert figures["test", "hummuss", "mpve"] == tested["test"]["mpve"]
    assert {row["unit"] for row in rows if row["metric"] == "accel"} == {"m/s²"}


def test_choosing_on_the_test_split_needs_a_flag_and_is_told(tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.setenv("WANDB_MODE", "disabled")
    config = yaml.safe_load((CONFIGS / "pose.yaml").read_text())
    config["trainer"]["callbacks"][0]["init_args"]["monitor"] = "test/mpjpe"
    Path("cheat.yaml").write_text(yaml.safe_dump(config))
    assert main(["fit", "--config", "cheat.yaml", *SMALL]) == 2
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("hummuss: error:")]
    assert "ModelCheckpoint monitors test/mpjpe: monitor val/... instead" in line
    assert "data.init_args.select_on_test: true" in line
    assert not Path("runs").exists()

    flag = ("--data.init_args.select_on_test", "true")
    assert run("fit", "pose", "--trainer.max_epochs", "1", *flag) == 0
    # A test need not repeat the flag, and a run that goes on without it has been chosen on the test split all the same.
    assert run("fit", "pose", "--ckpt_path", "last") == 0
    assert run("test", "pose", "--ckpt_path", "last") == 0
    facts = json.loads(Path("runs/pose/1/test.json").read_text())["facts"]
    assert (facts["selected_on_test"], facts["selection"]) == ("yes", "last")


def test_select_on_test_validates_on_the_test_clips() -> None:
    data = SyntheticDataModule(frames=5, val_windows=2, test_windows=2, val_clips=3, test_clips=4)
    assert [source.split for source in data.val_dataloader().dataset.sources] == ["val"] * 3
    data.select_on_test = True
    assert [source.split for source in data.val_dataloader().dataset.sources] == ["test"] * 4


def test_a_config_names_the_protocol_which_refuses_other_data(tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.setenv("WANDB_MODE", "disabled")
    protocol = {"class_path": "hummuss.protocols.PW3D", "init_args": {"gt": "neutral", "root": "regressor"}}
    Path("pw3d.yaml").write_text(yaml.safe_dump({"model": {"init_args": {"protocol": protocol}}}))
    assert run("fit", "mesh", "--config", "pw3d.yaml", "--trainer.max_epochs", "1") == 0
    assert run("test", "mesh", "--config", "pw3d.yaml", "--ckpt_path", "best") == 2
    assert "is no recording: this protocol is for a dataset's own test clips" in capsys.readouterr().err
    protocol["init_args"]["gt"] = "gendred"
    Path("pw3d.yaml").write_text(yaml.safe_dump({"model": {"init_args": {"protocol": protocol}}}))
    assert run("fit", "mesh", "--config", "pw3d.yaml") == 2
    assert "gt" in capsys.readouterr().err


def test_a_runs_own_config_used_again_leaves_that_run_alone(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("WANDB_MODE", "disabled")
    assert run("fit", "pose") == 0
    first = Path("runs/pose/1")
    before = {path.name: path.read_bytes() for path in first.glob("*.ckpt")}
    again = ["--name", "again", "--seed_everything", "7"]
    assert main(["fit", "--config", str(first / "config.yaml"), *again]) == 0
    assert {path.name: path.read_bytes() for path in first.glob("*.ckpt")} == before
    assert {path.name for path in Path("runs/again/1").glob("*.ckpt")} == set(before)

    config = yaml.safe_load((first / "config.yaml").read_text())
    config["trainer"]["callbacks"][0]["init_args"]["dirpath"] = "chosen"
    Path("chosen.yaml").write_text(yaml.safe_dump(config))
    assert main(["fit", "--config", "chosen.yaml"]) == 0
    assert Path("chosen/best.ckpt").is_file(), "a folder that is no run's is the user's choice"


def test_a_resumed_runs_config_begins_a_run_of_its_own(monkeypatch, capsys) -> None:
    assert run("fit", "pose", "--trainer.max_epochs", "1") == 0
    assert run("fit", "pose", "--ckpt_path", "last") == 0
    first = Path("runs/pose/1")
    config = yaml.safe_load((first / "config.yaml").read_text())
    assert config["ckpt_path"] is None
    (wandb,) = (own["init_args"] for own in config["trainer"]["logger"] if "Wandb" in own["class_path"])
    assert (wandb["id"], wandb["resume"], wandb["mode"]) == (None, None, None)
    assert main(["fit", "--config", str(first / "config.yaml"), "--name", "again"]) == 0
    resumed, again = (
        {path.name.rpartition("-")[2] for path in Path(f"runs/{name}/1/wandb").glob("*run-*")}
        for name in ("pose", "again")
    )
    assert len(resumed) == len(again) == len(again - resumed) == 1
    capsys.readouterr()
    assert run("fit", "pose", "--ckpt_path", "last", "--model.init_args.learning_rate", "1e-5") == 2
    said = capsys.readouterr().err
    assert (
        "was trained with (learning rate, weight decay) (0.002, 0.01), (0.002, 0), the config has (1e-05, 0.01)" in said
    )


def test_config_and_curves_stand_in_the_run_whatever_the_logger(monkeypatch) -> None:
    logger = "lightning.pytorch.loggers.CSVLogger"
    one = ("--trainer.logger", logger, "--trainer.logger.save_dir", "elsewhere", "--trainer.max_epochs", "1")
    assert run("fit", "pose", *one) == 0
    none = ("--trainer.logger", "false", "--trainer.callbacks", "null", "--trainer.max_epochs", "1")
    assert run("fit", "pose", *none) == 0
    assert [Path(f"runs/pose/{number}/config.yaml").is_file() for number in (1, 2)] == [True, True]
    assert not Path("config.yaml").exists()
    assert not Path("elsewhere").exists()


def test_reported_figures_are_those_of_the_best_checkpoint(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("WANDB_MODE", "disabled")
    assert run("fit", "pose", "--trainer.max_epochs", "3") == 0
    folder = tmp_path / "runs" / "pose" / "1"
    rows = [line.split(",") for line in (folder / "metrics.csv").read_text().splitlines()]
    column = rows[0].index("val/mpjpe")
    history = [float(row[column]) for row in rows[1:] if row[column]]
    reported = json.loads((folder / "summary.json").read_text())["val"]["mpjpe"]
    assert len(history) == 3, "the report's own validation is no point of the curves"
    assert reported == pytest.approx(min(history), abs=1e-3)


def test_facts_of_the_training_stay_whichever_epoch_was_best_and_wherever_it_is_scored(monkeypatch) -> None:
    monkeypatch.setenv("WANDB_MODE", "disabled")
    assert run("fit", "pose") == 0
    folder = Path("runs/pose/1")
    torch.save(torch.load(folder / "best.ckpt", weights_only=True) | {"callbacks": counted(3)}, folder / "best.ckpt")
    trained = json.loads((folder / "summary.json").read_text())
    assert trained["steps"] == 6
    monkeypatch.setenv("HUMMUSS_COMMIT", "scored elsewhere")
    assert run("test", "pose", "--ckpt_path", "best") == 0
    tested = json.loads((folder / "summary.json").read_text())
    assert "test" in tested
    for fact in ("steps", "seconds", "frames_per_second", "seed", "commit", "device"):
        assert tested[fact] == trained[fact], fact
    assert json.loads((folder / "test.json").read_text())["facts"]["commit"] == "scored elsewhere"
    resumed = RunReport(folder, 0)
    resumed.load_state_dict(counted(3)["RunReport"])
    assert (resumed.steps, resumed.seconds, resumed.tally.frames) == (3, 9.0, 40)


def counted(steps: int) -> dict:
    """What a checkpoint knows of a run's report."""
    return {"RunReport": {"seconds": 9.0, "frames": 40, "steps": steps}}


def test_resuming_an_interrupted_run_equals_never_having_stopped(tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.setenv("WANDB_MODE", "disabled")
    arguments = ("--trainer.max_epochs", "3", "--model.init_args.backbone.init_args.dropout", "0.1")
    assert run("fit", "pose", *arguments) == 0
    whole = torch.load(tmp_path / "runs/pose/1/last.ckpt", weights_only=True)

    step = MotionModule.training_step

    def interrupted(self, batch, batch_idx):
        if self.global_step == 4:  # in the second epoch of three steps
            raise RuntimeError("power cut")
        return step(self, batch, batch_idx)

    monkeypatch.setattr(MotionModule, "training_step", interrupted)
    assert run("fit", "pose", *arguments) == 1
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("hummuss: error:")]
    assert line == (
        "hummuss: error: RuntimeError: power cut; the traceback is in runs/pose/2/error.log; --debug shows it here"
    )
    assert 'raise RuntimeError("power cut")' in Path("runs/pose/2/error.log").read_text()
    monkeypatch.setattr(MotionModule, "training_step", step)
    assert run("fit", "pose", *arguments, "--ckpt_path", "last") == 0

    assert not (tmp_path / "runs/pose/3").exists(), "a resumed run stays in its folder"
    resumed = torch.load(tmp_path / "runs/pose/2/last.ckpt", weights_only=True)
    assert resumed["global_step"] == whole["global_step"] == 9
    for name, value in whole["state_dict"].items():
        torch.testing.assert_close(resumed["state_dict"][name], value, rtol=0, atol=0, msg=name)
    assert (tmp_path / "runs/pose/2/metrics-1.csv").exists(), "the first session's curves are kept"


def test_a_checkpoint_of_another_size_is_refused_and_its_run_keeps_its_config(monkeypatch, capsys) -> None:
    monkeypatch.setenv("WANDB_MODE", "disabled")
    assert run("fit", "pose", "--trainer.max_epochs", "1") == 0
    config = Path("runs/pose/1/config.yaml").read_bytes()
    wider = ("--model.init_args.backbone.init_args.dim", "16", "--trainer.max_epochs", "2")
    for command in ("fit", "test"):
        assert run(command, "pose", *wider, "--ckpt_path", "last") == 2
        said = capsys.readouterr().err
        assert "runs/pose/1/last.ckpt does not hold the weights of the model that the configs describe" in said
        assert "give those of its run, runs/pose/1/config.yaml" in said
    assert Path("runs/pose/1/config.yaml").read_bytes() == config
    assert load_run("runs/pose/1").trained_frames == 5


def test_runs_of_a_page_go_by_names_that_tell_them_apart(tmp_path, capsys) -> None:
    config = {"model": {"init_args": {"backbone": {"class_path": "hummuss.HumMUSS"}}}}
    config["data"] = {"class_path": "any", "init_args": {"batch_size": 3, "frames": 9}}
    folders = [tmp_path / study / run for study in ("one", "other") for run in ("hummuss-0/1", "hummuss-1/1")]
    for number, folder in enumerate(folders):
        folder.mkdir(parents=True)
        (folder / "config.yaml").write_text(yaml.safe_dump(config))
        (folder / "summary.json").write_text(json.dumps({"val": {"mpjpe": 40.0 + number}}))
        (folder / "val_pose.png").write_bytes(bytes([number]))
    given = [str(folder) for folder in folders]
    assert main(["report", *given, "--out", "page", "--title", "t"]) == 0
    names = ["one-hummuss-0-1", "one-hummuss-1-1", "other-hummuss-0-1", "other-hummuss-1-1"]
    with open("page.csv", newline="") as file:
        assert {row["run"]: row["value"] for row in csv.DictReader(file)} == dict(
            zip(names, ["40.0", "41.0", "42.0", "43.0"], strict=True)
        )
    assert [Path(f"page_{name}_val_pose.png").read_bytes()[0] for name in names] == [0, 1, 2, 3]
    assert main(["report", *given[:2], "--out", "page", "--title", "t"]) == 0
    assert "## hummuss-0-1" in Path("page.md").read_text()
    assert main(["report", given[0], f"{given[0]}/../1", "--out", "page", "--title", "t"]) == 2
    assert "is given twice" in capsys.readouterr().err
    (folders[0] / "summary.json").write_text(json.dumps({"heads": ["pose"]}))
    assert main(["report", given[0], "--out", "page", "--title", "t"]) == 2
    assert "summary.json has no figures: let `hummuss fit` end" in capsys.readouterr().err
    (folders[0] / "summary.json").write_text(json.dumps({"val": {"mpjpe": 40.0}}))
    joined = [tmp_path / "a-b" / "c", tmp_path / "a" / "b-c"]
    for folder in joined:
        shutil.copytree(folders[0], folder)
    assert main(["report", *map(str, joined), "--out", "page", "--title", "t"]) == 2
    assert "their names are alike once joined by -" in capsys.readouterr().err


def test_a_page_of_any_run_names_its_model_and_all_its_metrics(tmp_path) -> None:
    part = {"class_path": "hummuss.data.StoreDataModule", "init_args": {"batch_size": 3, "frames": 9}}
    causal = {"class_path": "hummuss.HumMUSS", "init_args": {"causal": True}}
    attention = {"class_path": "hummuss.DSTformer", "init_args": {}}
    for name, backbone in (("many", causal), ("lite", attention)):
        data = {
            "class_path": "hummuss.data.MultiTaskDataModule",
            "init_args": {"parts": {"pose+mesh": part, "z": part}},
        }
        config = {"model": {"init_args": {"backbone": backbone}}, "data": data, "trainer": {"max_steps": 7}}
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.yaml").write_text(yaml.safe_dump(config))
        summary = {"steps": 7, "test": {"pose/p2": 41.0, "pose/mpjpe_17": 52.0}, "selected_on_test": "no"}
        (tmp_path / name / "summary.json").write_text(json.dumps(summary))
    folders = [str(tmp_path / name) for name in ("many", "lite")]
    assert main(["report", *folders, "--out", "page", "--title", "Made by a test"]) == 0
    page = Path("page.md").read_text()
    assert "pose+mesh: batches of 3 windows of up to 9 frames, z: batches of 3 windows of up to 9 frames" in page
    assert "steps 7, selected on test no" in page
    assert "| p2, mm | mpjpe_17, mm |" in page
    for model in ("hummuss-causal", "dstformer"):
        assert f"| test | pose | {model} | 41.0 | 52.0 |" in page


def test_how_much_was_tested_is_told() -> None:
    assert (_share(None, 1.0), _share(None, 1)) == ("all", "all; of their batches 1")


def test_report_of_a_folder_that_is_no_run_says_so(tmp_path, capsys) -> None:
    assert main(["report", str(tmp_path), "--out", "page", "--title", "none"]) == 2
    assert "has no summary.json: is it the folder of a finished run" in capsys.readouterr().err


def test_runs_are_numbered_and_the_newest_checkpoint_is_found(tmp_path) -> None:
    for number in (1, 2, 3):
        assert new_run(tmp_path, "mesh") == tmp_path / "mesh" / str(number)
    (tmp_path / "mesh" / "2" / "last.ckpt").touch()
    (tmp_path / "mesh" / "notes").mkdir()
    assert newest_checkpoint(tmp_path, "mesh", "last") == tmp_path / "mesh" / "2" / "last.ckpt"
    with pytest.raises(InputError, match=r"has a best.ckpt"):
        newest_checkpoint(tmp_path, "mesh", "best")
