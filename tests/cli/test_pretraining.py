"""Pretraining and what begins with it, by the commands of docs/pretraining.md."""

import shutil
from pathlib import Path

import pytest
import yaml

from hummuss.cli.main import main

CONFIGS = Path(__file__).parents[2] / "configs"
SHORT = [
    "--data.init_args.frames", "5", "--data.init_args.batch_size", "2", "--data.init_args.windows_per_epoch", "2",
    "--data.init_args.val_windows", "2", "--trainer.max_epochs", "1", "--trainer.callbacks", "[]",
    "--model.init_args.backbone.init_args.depth", "1",
]  # fmt: skip


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WANDB_MODE", "disabled")


def test_mesh_begins_with_a_pretrained_backbone_and_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    small = ["--model.init_args.backbone.init_args.dim", "16"]
    assert main(["fit", "--config", str(CONFIGS / "pretrain.yaml"), *small, *SHORT]) == 0
    mesh = ["fit", "--config", str(CONFIGS / "mesh.yaml"), "--model.init_args.backbone_learning_rate", "1e-3", *SHORT]
    begun = ["--model.init_args.pretrained", "runs/pretrain/1/last.ckpt"]
    capsys.readouterr()
    assert main([*mesh, *small, *begun]) == 0
    told = capsys.readouterr()
    assert "was trained with" not in told.err
    said = " ".join(told.out.split())
    assert "begins with runs/pretrain/1/last.ckpt" in said
    assert "head mesh starts anew: the file has none of that name" in said

    other = ["--model.init_args.backbone.init_args.directions", "sum"]
    assert main([*mesh, *small, *begun, *other]) == 0
    told = "the backbone of runs/pretrain/1/last.ckpt was trained with directions product (here sum): it computes some"
    assert told in capsys.readouterr().err

    shutil.copy("runs/pretrain/1/last.ckpt", "runs/pretrain/1/best.ckpt")
    assert main([*mesh, *small, "--model.init_args.pretrained", "runs/pretrain", *other]) == 0
    assert told.replace("last", "best") in capsys.readouterr().err
    config = yaml.safe_load(Path("runs/mesh/3/config.yaml").read_text())
    assert config["model"]["init_args"]["pretrained"] == "runs/pretrain/1/best.ckpt"

    assert main([*mesh, "--model.init_args.backbone.init_args.dim", "32", *begun]) == 2
    assert "the backbone in runs/pretrain/1/last.ckpt has in other shapes" in capsys.readouterr().err
