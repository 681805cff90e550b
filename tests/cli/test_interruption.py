"""An interrupted command says how to go on, and going on works, with a damaged checkpoint too."""

import csv
import json
import os
import shlex
import signal
import time
from pathlib import Path

import pytest
import torch

from hummuss import InputError, MotionModule
from hummuss.cli.main import main
from hummuss.cli.runs import newest_checkpoint, whole_checkpoint

CONFIG = str(Path(__file__).parents[2] / "configs" / "pose.yaml")
SMALL = [
    "--model.init_args.backbone.init_args.dim=8", "--model.init_args.backbone.init_args.depth=1",
    "--model.init_args.backbone.init_args.modes=2", "--data.init_args.frames=5", "--data.init_args.batch_size=2",
    "--data.init_args.windows_per_epoch=8", "--data.init_args.val_windows=2", "--trainer.max_epochs=1",
    "--trainer.enable_progress_bar=false", "--trainer.log_every_n_steps=1",
]  # fmt: skip


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("WANDB_API_KEY", "WANDB_MODE"):
        monkeypatch.delenv(name, raising=False)


def test_the_command_that_sigterm_is_answered_with_finishes_the_run(monkeypatch, capsys) -> None:
    step, began = MotionModule.training_step, time.perf_counter()

    def told_to_end(self, batch, batch_idx):
        if self.global_step == 2:
            os.kill(os.getpid(), signal.SIGTERM)
        return step(self, batch, batch_idx)

    with monkeypatch.context() as patch:
        patch.setattr(MotionModule, "training_step", told_to_end)
        assert main(["fit", "--config", CONFIG, *SMALL]) == 143, "128 + SIGTERM, as a shell reports it"
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("hummuss:")]
    text, _, command = line.partition("; resume with: ")
    assert text == "hummuss: stopped by SIGTERM and saved"
    folder = Path("runs/pose/1")
    assert torch.load(folder / "last.ckpt", weights_only=True)["global_step"] == 3
    with open(folder / "metrics.csv", newline="") as file:
        assert [row["step"] for row in csv.DictReader(file) if row["train/loss"]] == ["0", "1", "2"]

    program, *arguments = shlex.split(command)
    assert program == "hummuss"
    assert arguments[-2:] == ["--ckpt_path", "runs/pose/1/last.ckpt"]
    assert main(arguments) == 0
    assert torch.load(folder / "last.ckpt", weights_only=True)["global_step"] == 4
    summary = json.loads((folder / "summary.json").read_text())
    assert 0 < summary["seconds"] < time.perf_counter() - began, "of both sessions, nothing between them"
    assert len({run.name.rpartition("-")[2] for run in folder.glob("wandb/offline-run-*")}) == 1, "one W&B run"


def test_sigterm_in_the_last_validation_says_how_to_go_on(monkeypatch, capsys) -> None:
    monkeypatch.setenv("WANDB_MODE", "disabled")

    def told_to_end(self) -> None:
        if self.trainer.state.fn == "validate":
            os.kill(os.getpid(), signal.SIGTERM)

    with monkeypatch.context() as patch:
        patch.setattr(MotionModule, "on_validation_epoch_start", told_to_end, raising=False)
        assert main(["fit", "--config", CONFIG, *SMALL, "--data.init_args.val_windows=6"]) == 143
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("hummuss:")]
    text, _, command = line.partition("; go on with: ")
    assert text == "hummuss: stopped by SIGTERM"
    assert not Path("runs/pose/1/summary.json").exists()
    assert main(shlex.split(command)[1:]) == 0
    assert Path("runs/pose/1/summary.json").exists()


def test_a_run_that_was_trained_but_not_validated_goes_on_from_its_last_checkpoint(monkeypatch) -> None:
    monkeypatch.setenv("WANDB_MODE", "disabled")
    assert main(["fit", "--config", CONFIG, *SMALL]) == 0
    path = Path("runs/pose/1/summary.json")
    first = json.loads(path.read_text())
    path.unlink()
    assert main(["fit", "--config", CONFIG, *SMALL, "--ckpt_path", "last"]) == 0
    second = json.loads(path.read_text())
    assert {key: second[key] for key in ("val", "seconds")} == {key: first[key] for key in ("val", "seconds")}


def checkpoint(path: Path, whole: bool = True) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save({"weights": torch.zeros(100)}, path)
    if not whole:
        path.write_bytes(path.read_bytes()[:500])
    return path


def test_a_damaged_last_checkpoint_is_stood_in_for_by_the_one_before(tmp_path, capsys) -> None:
    def found(name: str = "last") -> Path:
        return whole_checkpoint(newest_checkpoint(tmp_path, "pose", name))

    folder = tmp_path / "pose" / "2"
    checkpoint(tmp_path / "pose" / "1" / "last.ckpt")
    checkpoint(folder / "last.ckpt", whole=False)
    previous = checkpoint(folder / "previous.ckpt")
    best = checkpoint(folder / "best.ckpt")
    assert found() == previous
    said = capsys.readouterr().err
    assert said.startswith(f"hummuss: damaged: {folder / 'last.ckpt'} (")
    assert said.endswith(f"): taking {previous}\n")
    checkpoint(previous, whole=False)
    assert found() == best
    checkpoint(best, whole=False)
    with pytest.raises(InputError, match=r"damaged: .*last.ckpt .*previous.ckpt .*best.ckpt .*another run"):
        found()
    # A run that died between the two renames of a save, or while it wrote its first best one.
    (folder / "last.ckpt").unlink()
    checkpoint(previous)
    assert found() == previous
    with pytest.raises(InputError, match=r"damaged: .*best.ckpt"):
        found("best")


def test_a_damaged_checkpoint_that_was_asked_for_is_refused(tmp_path, capsys) -> None:
    path = checkpoint(tmp_path / "last.ckpt", whole=False)
    checkpoint(tmp_path / "previous.ckpt")
    assert main(["fit", "--config", CONFIG, "--ckpt_path", str(path)]) == 2
    assert "last.ckpt is damaged" in (said := capsys.readouterr().err)
    assert "its folder has previous.ckpt" in said
