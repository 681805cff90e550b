"""Every YAML in configs/ trains, alone or over the configs it is made for."""

import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
import yaml
from lightning.pytorch.cli import LightningCLI
from lightning.pytorch.strategies import DDPStrategy

from hummuss.cli.main import main
from hummuss.data import MotionClip, MotionDataModule, StoreWriter
from hummuss.module import MotionModule

CONFIGS = Path(__file__).parents[1] / "configs"
TASKS = sorted(path.stem for path in CONFIGS.glob("*.yaml"))
BACKBONES = sorted(path.stem for path in (CONFIGS / "backbone").glob("*.yaml"))
SIZES = sorted(path.stem for path in (CONFIGS / "size").glob("*.yaml"))
FAST = ["--trainer.fast_dev_run", "1", "--data.init_args.frames", "5", "--data.init_args.batch_size", "2"]


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)


def fit(*overlays: str, arguments: tuple[str, ...] = ()) -> int:
    named = [part for overlay in overlays for part in ("--config", str(CONFIGS / f"{overlay}.yaml"))]
    return main(["fit", *named, *FAST, *arguments])


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
    assert type(model.backbone).__name__ == ("DSTformer" if backbone == "dstformer" else "HumMUSS")
    assert getattr(model.backbone, "causal", False) == (backbone == "hummuss-causal")
    assert (model.backbone.norm.normalized_shape, model.backbone.dim_rep) == ((expected["dim"],), expected["dim_rep"])
    if size == "tiny":
        assert fit(task, f"backbone/{backbone}", "size/tiny") == 0


def test_the_paper_size_is_refused_for_another_backbone(capsys: pytest.CaptureFixture[str]) -> None:
    assert fit("pose", "backbone/dstformer", "size/paper") == 2
    assert "(hummuss.DSTformer): Option 'expansion' is not accepted" in capsys.readouterr().err


@pytest.mark.parametrize("task", TASKS)
def test_task_at_the_larger_size(task: str) -> None:
    assert fit(task, "size/small") == 0


@pytest.fixture
def store(tmp_path) -> Path:
    rng = np.random.default_rng(0)
    with StoreWriter(tmp_path / "store") as writer:
        for i, split in enumerate(("train", "val", "test")):
            writer.add(
                MotionClip(
                    name=str(i), sequence=f"asf-amc/{i}", subject="1", split=split, fps=120.0, body="free",
                    joints3d=rng.normal(0, 0.3, (30, 17, 3)).astype(np.float32), betas=np.zeros(10, np.float32),
                    smpl_pose=np.zeros((30, 24, 3), np.float32), transl=np.zeros((30, 3), np.float32),
                )
            )  # fmt: skip
    return tmp_path / "store"


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("data", sorted(path.stem for path in (CONFIGS / "data").glob("*.yaml")))
def test_task_on_data(task: str, data: str, store: Path) -> None:
    assert fit(task, f"data/{data}", arguments=("--data.init_args.root", str(store))) == 0


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("overlay", sorted(path.stem for path in (CONFIGS / "training").glob("*.yaml")))
def test_task_with_a_way_of_training(task: str, overlay: str) -> None:
    assert fit(task, f"training/{overlay}") == 0


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
