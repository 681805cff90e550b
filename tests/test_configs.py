"""Every YAML in configs/ trains, alone or over the configs it is made for."""

from pathlib import Path

import numpy as np
import pytest

from hummuss.cli.main import main
from hummuss.data import MotionClip, StoreWriter

CONFIGS = Path(__file__).parents[1] / "configs"
TASKS = sorted(path.stem for path in CONFIGS.glob("*.yaml"))
FAST = ["--trainer.fast_dev_run", "1", "--data.init_args.frames", "5", "--data.init_args.batch_size", "2"]


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)


def fit(*overlays: str, arguments: tuple[str, ...] = ()) -> int:
    named = [part for overlay in overlays for part in ("--config", str(CONFIGS / f"{overlay}.yaml"))]
    return main(["fit", *named, *FAST, *arguments])


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("size", sorted(path.stem for path in (CONFIGS / "size").glob("*.yaml")))
def test_task_at_size(task: str, size: str) -> None:
    assert fit(task, f"size/{size}") == 0


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
