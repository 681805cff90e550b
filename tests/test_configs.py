"""Every YAML in configs/ trains, alone or over the configs it is made for."""

from pathlib import Path

import numpy as np
import pytest
import yaml
from lightning.pytorch.cli import LightningCLI

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


def instantiate(*overlays: str) -> MotionModule:
    """The model that the command would train; the larger ones take too long to step on a CPU."""
    arguments = [part for overlay in overlays for part in ("--config", str(CONFIGS / f"{overlay}.yaml"))]
    options = {"subclass_mode_model": True, "subclass_mode_data": True, "auto_configure_optimizers": False}
    return LightningCLI(MotionModule, MotionDataModule, args=arguments, run=False, **options).model


def serves(size: str, backbone: str) -> bool:
    return size != "paper" or backbone.startswith("hummuss")


@pytest.mark.filterwarnings("ignore:LightningCLI's args parameter")
@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize(
    ("backbone", "size"), [(backbone, size) for backbone in BACKBONES for size in SIZES if serves(size, backbone)]
)
def test_task_with_backbone_at_size(task: str, backbone: str, size: str) -> None:
    model = instantiate(task, f"backbone/{backbone}", f"size/{size}")
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
                    name=str(i), sequence=f"asf-amc/{i}", subject="1", split=split, label="walk", fps=120.0,
                    body="free",
                    joints3d=rng.normal(0, 0.3, (30, 17, 3)).astype(np.float32), betas=np.zeros(10, np.float32),
                    smpl_pose=np.zeros((30, 24, 3), np.float32), transl=np.zeros((30, 3), np.float32),
                )
            )  # fmt: skip
    return tmp_path / "store"


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("data", sorted(path.stem for path in (CONFIGS / "data").glob("*.yaml")))
def test_task_on_data(task: str, data: str, store: Path) -> None:
    assert fit(task, f"data/{data}", arguments=("--data.init_args.root", str(store))) == 0
