"""Every YAML in configs/ trains, alone or over the configs it is made for."""

import argparse
import json
import os
import re
import shlex
import subprocess
from contextlib import chdir
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from lightning.pytorch.cli import LightningCLI
from lightning.pytorch.strategies import DDPStrategy

from hummuss.backbones.per_frame import WIDTH
from hummuss.cli import prepare
from hummuss.cli.main import main
from hummuss.data import Camera, MotionClip, MotionDataModule, StoreWriter
from hummuss.module import MotionModule
from hummuss.study_file import read_study

CONFIGS = Path(__file__).parents[1] / "configs"
TASKS = sorted(path.stem for path in CONFIGS.glob("*.yaml"))
BACKBONES = sorted(path.stem for path in (CONFIGS / "backbone").glob("*.yaml"))
# An overlay whose first line begins so has no 3D to learn from: no task with a 3D target runs on it.
TWO_D_ONLY = "# 2D only: "
DATA = sorted(path.stem for path in (CONFIGS / "data").glob("*.yaml"))
# Each part has a root of its own.
MIXED = [name for name in DATA if "parts:" in (CONFIGS / f"data/{name}.yaml").read_text()]
IN_2D = [name for name in DATA if (CONFIGS / f"data/{name}.yaml").read_text().startswith(TWO_D_ONLY)]
SIZES = sorted(path.stem for path in (CONFIGS / "size").glob("*.yaml"))
# Several data modules, each with sizes of its own: for the config of several tasks.
TASKED = [name for name in DATA if "MultiDataModule" in (CONFIGS / f"data/{name}.yaml").read_text()]
FAST = ["--trainer.fast_dev_run", "1", "--data.init_args.frames", "5", "--data.init_args.batch_size", "2"]


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)


def fit(*overlays: str, arguments: tuple[str, ...] = ()) -> int:
    named = [part for overlay in overlays for part in ("--config", str(CONFIGS / f"{overlay}.yaml"))]
    several = overlays[0] == "multitask" and not set(overlays) & {f"data/{name}" for name in DATA if name not in TASKED}
    return main(["fit", *named, *(FAST[:2] if several else FAST), *arguments])


def instantiate(*overlays: str, arguments: tuple[str, ...] = ()) -> LightningCLI:
    """What the command would train with; the larger models take too long to step on a CPU."""
    named = [part for overlay in overlays for part in ("--config", str(CONFIGS / f"{overlay}.yaml"))]
    options = {"subclass_mode_model": True, "subclass_mode_data": True, "auto_configure_optimizers": False}
    return LightningCLI(MotionModule, MotionDataModule, args=[*named, *arguments], run=False, **options)


def serves(size: str, backbone: str) -> bool:
    return size != "paper" or backbone.startswith("hummuss")


@pytest.mark.filterwarnings("ignore:LightningCLI's args parameter")
@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize(
    ("backbone", "size"), [(backbone, size) for backbone in BACKBONES for size in SIZES if serves(size, backbone)]
)
def test_task_with_backbone_at_size(task: str, backbone: str, size: str) -> None:
    model = instantiate(task, f"backbone/{backbone}", f"size/{size}").model
    settings = yaml.safe_load((CONFIGS / f"size/{size}.yaml").read_text())["model"]["init_args"]
    expected = settings["backbone"]["init_args"]
    classes = {"dstformer": "DSTformer", "per-frame": "PerFrame"}
    assert type(model.backbone).__name__ == classes.get(backbone, "HumMUSS")
    assert getattr(model.backbone, "causal", False) == (backbone == "hummuss-causal")
    assert model.backbone.dim_rep == expected["dim_rep"]
    if backbone == "per-frame":
        assert model.backbone.lift[0].out_features == WIDTH * expected["dim"]
    else:
        assert model.backbone.norm.normalized_shape == (expected["dim"],)
    if size == "tiny":
        assert fit(task, f"backbone/{backbone}", "size/tiny") == 0


def test_the_paper_size_is_refused_for_another_backbone(capsys: pytest.CaptureFixture[str]) -> None:
    assert fit("pose", "backbone/dstformer", "size/paper") == 2
    assert "(hummuss.DSTformer): Option 'expansion' is not accepted" in capsys.readouterr().err


@pytest.mark.parametrize("task", TASKS)
def test_task_at_the_larger_size(task: str) -> None:
    assert fit(task, "size/small") == 0


@pytest.fixture
def store(tmp_path, request: pytest.FixtureRequest) -> Path:
    """A clip in each split, of the first class that the overlay of the test names."""
    rng = np.random.default_rng(0)
    label = classes_of(request.node.callspec.params["data"])[:1]
    with StoreWriter(tmp_path / "store") as writer:
        for i, split in enumerate(("train", "val", "test")):
            writer.add(
                MotionClip(
                    name=str(i), sequence=f"asf-amc/{i}", subject="1", split=split, fps=120.0, body="free",
                    label=label[0] if label else None,
                    joints3d=rng.normal(0, 0.3, (30, 17, 3)).astype(np.float32), betas=np.zeros(10, np.float32),
                    smpl_pose=np.zeros((30, 24, 3), np.float32), transl=np.zeros((30, 3), np.float32),
                )
            )  # fmt: skip
    return tmp_path / "store"


def test_action_on_ntu_by_its_protocol_with_moved_pictures(tmp_path, monkeypatch) -> None:
    """As docs/action.md and the overlay say."""
    rng = np.random.default_rng(0)
    name = "S001C001P003R001A0"
    with StoreWriter(tmp_path / "store") as writer:
        for split, action in (("train", 1), ("val", 2), ("test", 3)):
            for person in ("1", "2"):
                keypoints = rng.uniform(100, 400, (30, 17, 3)).astype(np.float32)
                sequence = f"{name}{action:02}"
                writer.add(
                    MotionClip(
                        name=f"{sequence}/person_{person}", sequence=sequence, subject="P003", split=split, fps=30.0,
                        person=person, label=f"A0{action:02}", frame="camera", camera=Camera.of_size(640, 480),
                        keypoints2d=keypoints,
                    )
                )  # fmt: skip
    settings = ["--data.init_args.root", str(tmp_path / "store"), "--data.init_args.move", "hummuss.data.RandomMove"]
    protocol = ["--model.init_args.protocol", "hummuss.protocols.NTU"]
    monkeypatch.setenv("WANDB_MODE", "disabled")
    overlays = ("action", "data/ntu60", "size/tiny")
    epoch = ["--data.init_args.windows_per_epoch", "2", "--trainer.max_epochs", "1", "--trainer.fast_dev_run", "false"]
    assert fit(*overlays, arguments=(*settings, *protocol, *epoch)) == 0
    named = [part for overlay in overlays for part in ("--config", str(CONFIGS / f"{overlay}.yaml"))]
    assert main(["test", *named, *FAST[2:], *settings, *protocol, "--ckpt_path", "best"]) == 0
    table = json.loads((tmp_path / "runs/action/1/test.json").read_text())
    (row,) = (row for row in table["rows"] if row["model"] == "model")
    assert row["recordings"] == 1


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("data", [name for name in DATA if name not in [*IN_2D, *MIXED]])
def test_task_on_data(task: str, data: str, store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    named = bool(classes_of(data)) or not (task.startswith("action") or task == "multitask")
    assert fit(task, f"data/{data}", arguments=("--data.init_args.root", str(store))) == (0 if named else 2)
    if not named:
        assert "recognition needs names in data.init_args.classes" in capsys.readouterr().err


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("data", MIXED)
def test_task_on_a_mixture(task: str, data: str, store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (store.parent / "data").mkdir()
    (store.parent / "data/cmu").symlink_to(store)
    if data not in TASKED or task == "multitask":
        assert fit(task, f"data/{data}") == 0


def classes_of(data: str) -> list[str]:
    settings = yaml.safe_load((CONFIGS / f"data/{data}.yaml").read_text())["data"]["init_args"]
    parts = [part.get("init_args", {}) for part in settings.get("parts", {}).values()]
    return next((one["classes"] for one in [settings, *parts] if "classes" in one), [])


@pytest.fixture
def store_in_2d(tmp_path) -> Path:
    rng = np.random.default_rng(0)
    with StoreWriter(tmp_path / "store") as writer:
        for split in ("train", "val", "test"):
            keypoints = rng.uniform(0.1, 1, (30, 17, 3)).astype(np.float32) * np.float32([640, 480, 1])
            writer.add(
                MotionClip(
                    name=split, sequence=split, subject="", split=split, fps=30.0, frame="camera", label="A002",
                    camera=Camera.of_size(640, 480), keypoints2d=keypoints,
                )
            )  # fmt: skip
    return tmp_path / "store"


@pytest.mark.filterwarnings("ignore:LightningCLI's args parameter")
@pytest.mark.parametrize("data", IN_2D)
def test_2d_data_gives_batches_without_3d(data: str, store_in_2d: Path) -> None:
    arguments = ("--data.init_args.root", str(store_in_2d), "--data.init_args.batch_size", "2")
    module = instantiate("pose", f"data/{data}", arguments=arguments).datamodule
    module.move = None  # it may move a joint out of the picture
    for loader in (module.train_dataloader(), module.val_dataloader(), *module.test_dataloader()):
        batch = next(iter(loader))
        assert not (batch["has_joints3d"] | batch["has_smpl"]).any()
        assert batch["has_2d_target"].all()
        assert (batch["has_label"] == ("ntu" in data)).all()
        seen = batch["keypoints"][batch["valid"]]
        assert seen[..., :2].abs().max() <= 1
        assert (seen[..., 2] > 0).all()


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("overlay", sorted(path.stem for path in (CONFIGS / "training").glob("*.yaml")))
def test_task_with_a_way_of_training(task: str, overlay: str) -> None:
    assert fit(task, f"training/{overlay}") == 0


@pytest.mark.filterwarnings("ignore:LightningCLI's args parameter")
@pytest.mark.parametrize("task", [task for task in TASKS if task != "multitask"])
@pytest.mark.parametrize("overlay", sorted(path.stem for path in (CONFIGS / "view").glob("*.yaml")))
def test_task_with_a_view(task: str, overlay: str) -> None:
    module = instantiate(task, f"view/{overlay}").datamodule
    assert module.view.normalisation == overlay
    assert type(module.view.noise) is type(instantiate(task).datamodule.view.noise), "the rest of the view stays"
    module.batch_size = 2
    batch = next(iter(module.val_dataloader()))
    away = (batch["keypoints"][..., :2].square().sum(-1) * (batch["keypoints"][..., 2] > 0)).sum(-1)
    seen = (batch["keypoints"][..., 2] > 0).sum(-1)
    torch.testing.assert_close(away[seen > 1] / seen[seen > 1], torch.ones_like(away[seen > 1]))


@pytest.mark.filterwarnings("ignore:LightningCLI's args parameter")
def test_task_at_another_base_rate() -> None:
    assert instantiate("pose", "view/frame", "rate/25fps").datamodule.max_fps == 25


@pytest.mark.parametrize("variant", ["rms", "drop-path", "pairs", "attention"])
def test_variant_of_the_ablation(variant: str) -> None:
    with chdir(CONFIGS.parent):  # where paths in a study begin
        chosen = read_study(CONFIGS / "studies/ablation.yaml").variants[variant]
    assert fit("pose", "view/frame", arguments=tuple(chosen.arguments)) == 0


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("norm=batch", "norm 'batch' is none of layer, rms"),
        ("drop_path=1.0", "drop_path is 1.0: give the probability of passing a block by, from 0 to below 1"),
        ("joint_order=[1, 0]", "joint_order is [1, 0], which is no permutation of the layout's joints"),
        ("spatial_mixing=graph", "spatial_mixing 'graph' is none of ssm, attention"),
    ],
)
def test_an_impossible_option_of_the_backbone_is_refused(option: str, message: str, capsys) -> None:
    assert fit("pose", arguments=(f"--model.init_args.backbone.init_args.{option}",)) == 2
    assert message in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize("task", TASKS)
def test_a_task_takes_one_device_unless_more_are_asked_for(task: str) -> None:
    """Of several GPUs Lightning would take all: other steps than those that figures here were trained with."""
    assert yaml.safe_load((CONFIGS / f"{task}.yaml").read_text())["trainer"]["devices"] == 1


# What an overlay is for, as the trainer that it makes has it.
PROMISED = {
    "ddp": lambda trainer: trainer.num_nodes == 1,
    "multinode": lambda trainer: trainer.num_nodes == 2,
    "slurm": lambda trainer: not trainer.strategy.cluster_environment.auto_requeue,
}


@pytest.mark.filterwarnings("ignore:LightningCLI's args parameter")
@pytest.mark.parametrize("overlay", sorted(path.stem for path in (CONFIGS / "cluster").glob("*.yaml")))
def test_cluster(overlay: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if overlay == "slurm":
        for name in ("JOB_ID", "PROCID", "LOCALID", "NODEID"):
            monkeypatch.setenv(f"SLURM_{name}", "0")
        for name in ("NTASKS", "NTASKS_PER_NODE"):
            monkeypatch.setenv(f"SLURM_{name}", "1")
    trainer = instantiate("pose", f"cluster/{overlay}", arguments=("--trainer.accelerator=cpu",)).trainer
    assert isinstance(trainer.strategy, DDPStrategy)
    assert PROMISED[overlay](trainer)


def test_a_job_that_was_told_to_end_queues_again_and_goes_on(tmp_path: Path) -> None:
    for name, status in (("srun", 143), ("scontrol", 0)):
        (tmp_path / name).write_text(f'#!/bin/sh\necho {name} "$@" >> calls\nexit {status}\n')
        (tmp_path / name).chmod(0o755)
    environment = {
        "PATH": f"{tmp_path}:{os.environ['PATH']}", "SLURM_JOB_ID": "7", "SLURM_NNODES": "2",
        "SLURM_NTASKS_PER_NODE": "4",
    }  # fmt: skip

    def submit() -> list[str]:
        command = ["bash", str(CONFIGS / "cluster" / "submit.sh"), "--config", "configs/pose.yaml"]
        assert subprocess.run(command, env=environment, cwd=tmp_path, timeout=20).returncode == 143
        return (tmp_path / "calls").read_text().splitlines()[-2:]

    training = (
        "srun hummuss fit --config configs/pose.yaml --config configs/cluster/slurm.yaml --name slurm/7 "
        "--trainer.num_nodes 2 --trainer.devices 4"
    )
    assert submit() == [training, "scontrol requeue 7"]
    (tmp_path / "runs/slurm/7/1").mkdir(parents=True)
    (tmp_path / "runs/slurm/7/1/last.ckpt").touch()
    assert submit() == [f"{training} --ckpt_path last", "scontrol requeue 7"]
    (tmp_path / "srun").write_text("#!/bin/sh\nexit 1\n")
    assert subprocess.run(["bash", CONFIGS / "cluster/submit.sh"], env=environment, cwd=tmp_path).returncode == 1
    assert len((tmp_path / "calls").read_text().splitlines()) == 4, "a run that failed is not queued again"


@pytest.mark.parametrize("task", ["pose", "mesh"])
def test_2d_data_is_refused_where_3d_is_learnt(task: str, store_in_2d: Path, capsys) -> None:
    assert fit(task, "data/keypoints", arguments=("--data.init_args.root", str(store_in_2d))) == 2
    assert f"no clip of {store_in_2d.name} has joints3d" in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize("data", DATA)
def test_the_command_on_top_of_a_data_overlay_writes_its_store(data: str) -> None:
    text = (CONFIGS / f"data/{data}.yaml").read_text()
    commands = re.findall(r"^#.*\bhummuss (prepare .*)$", text, re.MULTILINE)
    assert commands
    parser = argparse.ArgumentParser()
    prepare.add_arguments(parser)
    settings = yaml.safe_load(text)["data"]["init_args"]
    for command in commands:
        given = parser.parse_args(shlex.split(command)[1:])
        stores = [part.get("init_args", {}).get("root") for part in settings.get("parts", {}).values()]
        assert str(given.out) in [settings.get("root"), *stores]
        if given.dataset.startswith("ntu"):
            assert settings["classes"] == [f"A{action:03}" for action in range(1, given.classes + 1)]
