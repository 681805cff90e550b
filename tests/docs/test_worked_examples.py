"""The how-to pages' own code: every block is run as the page says, in an empty folder."""

import json
import re
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch

from hummuss.cli.main import COMMANDS, LIGHTNING, main
from hummuss.data import MotionStore
from hummuss.data.readers import registry
from hummuss.heads import PoseHead

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
FAST = [
    "--data.init_args.frames", "5", "--data.init_args.batch_size", "2", "--data.init_args.windows_per_epoch", "4",
    "--data.init_args.val_windows", "2", "--trainer.max_epochs", "1", "--trainer.enable_progress_bar", "false",
]  # fmt: skip
TINY = ["--model.init_args.backbone.init_args.dim", "8"]
ONE_LAYER = ["--model.init_args.backbone.init_args.depth", "1"]


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WANDB_MODE", "disabled")


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", (DOCS / page).read_text(), re.DOTALL)


@pytest.fixture
def mine(tmp_path, monkeypatch):
    """Puts a page's first Python block into mine.py, where configs find it; returns the module's names."""

    def write(page: str) -> dict:
        Path("mine.py").write_text(blocks(page, "python")[0])
        monkeypatch.syspath_prepend(tmp_path)
        monkeypatch.delitem(sys.modules, "mine", raising=False)
        import mine

        return vars(mine)

    return write


def fit(*configs: str, arguments: tuple[str, ...] = ()) -> Path:
    """Train on pose.yaml and overlays; returns the run's folder."""
    named = [part for config in (str(ROOT / "configs/pose.yaml"), *configs) for part in ("--config", config)]
    assert main(["fit", *named, *FAST, *TINY, *arguments]) == 0
    return max(Path("runs/pose").iterdir(), key=lambda path: int(path.name))


def test_motion_of_your_own() -> None:
    (code,) = blocks("howto/own_data.md", "python")
    exec(code, {})
    store = MotionStore("data/mine")
    assert [store[name].split for name in store.names()] == ["train", "val", "test"]
    (config,) = blocks("howto/own_data.md", "yaml")
    Path("mine.yaml").write_text(config)
    summary = json.loads((fit("mine.yaml", arguments=tuple(ONE_LAYER)) / "summary.json").read_text())
    assert summary["dataset"] == "mine"


def test_a_new_dataset(monkeypatch) -> None:
    reader, entry = blocks("howto/new_dataset.md", "python")
    monkeypatch.setattr(registry, "READERS", dict(registry.READERS))
    monkeypatch.setattr("hummuss.cli.prepare.READERS", registry.READERS)
    module = ModuleType("hummuss.data.readers.takes")
    exec(reader, module.__dict__)
    monkeypatch.setitem(sys.modules, module.__name__, module)
    exec(entry, vars(registry) | {"READERS": registry.READERS})
    rng = np.random.default_rng(0)
    Path("RAW").mkdir()
    for name in ("s1_walk", "s1_run", "s2_walk", "s3_walk"):
        np.savez(f"RAW/{name}.npz", joints=rng.normal(0, 300, (30, 17, 3)), fps=50.0)
    np.savez("RAW/s1_broken.npz", joints=np.zeros((30, 15, 3)), fps=50.0)
    (command,) = re.findall(r"hummuss (prepare takes .*)", (DOCS / "howto/new_dataset.md").read_text())[:1]
    # One process: a function that a page defines cannot be pickled into another. One file is broken.
    assert main([*command.split(), "--workers", "1"]) == 1
    store = MotionStore("data/takes")
    assert {name: store[name].split for name in store.names()} == {
        "s1_walk": "train", "s1_run": "train", "s2_walk": "val", "s3_walk": "test",
    }  # fmt: skip
    raw = np.load("RAW/s1_walk.npz")["joints"]
    np.testing.assert_allclose(store["s1_walk"].joints3d, raw[:, :, [0, 2, 1]] * [1e-3, 1e-3, -1e-3], rtol=1e-5)
    (config,) = blocks("howto/new_dataset.md", "yaml")
    Path("takes.yaml").write_text(config)
    fit("takes.yaml", arguments=tuple(ONE_LAYER))


def test_a_new_head(mine) -> None:
    names = mine("howto/new_head.md")
    (config,) = blocks("howto/new_head.md", "yaml")
    Path("size.yaml").write_text(config)
    run = fit("size.yaml", arguments=tuple(ONE_LAYER))
    summary = json.loads((run / "summary.json").read_text())
    assert set(summary["val"]) == {"size", "mean_pose/size"}
    assert (run / "val_size.png").stat().st_size > 10_000
    assert main(["test", "--config", str(run / "config.yaml"), "--name", "pose", "--ckpt_path", "best",
                 "--data.init_args.test_windows", "2"]) == 0  # fmt: skip
    # What it measures: bones of 0.3 m are 16 times as long together.
    head, joints = names["SizeHead"](4), torch.zeros(1, 3, 17, 3)
    for parent, child in sorted(names["H36M17"].bones):
        joints[:, :, child] = joints[:, :, parent] + torch.tensor([0.0, 0.3, 0.0])
    batch = {"joints3d": joints, "valid": torch.tensor([[True, True, False]]), "dt": torch.ones(1, 3)}
    batch |= {"has_joints3d": torch.tensor([True])}
    assert names["bone_length"](batch).item() == pytest.approx(4.8, rel=1e-5)
    metrics = head.metrics()
    head.score(metrics, {"size": torch.tensor([5.0])}, batch)
    assert metrics.compute()["size"].item() == pytest.approx(200, rel=1e-4)


def test_a_new_backbone(mine) -> None:
    names = mine("howto/new_backbone.md")
    (config,) = blocks("howto/new_backbone.md", "yaml")
    Path("gru.yaml").write_text(config)
    run = fit("gru.yaml")
    assert (run / "best.ckpt").is_file()
    assert main(["test", "--config", str(run / "config.yaml"), "--name", "pose", "--ckpt_path", "best",
                 "--data.init_args.test_windows", "2"]) == 0  # fmt: skip
    backbone = names["GRUBackbone"](dim=8, dim_rep=4)
    assert backbone(torch.rand(2, 9, 17, 3), torch.full((2, 9), 0.04)).shape == (2, 9, 17, 4)


def test_sharing_and_the_tutorials_last_step() -> None:
    fit(arguments=tuple(ONE_LAYER))
    (command,) = {line for line in blocks("howto/share.md", "bash")[0].splitlines() if line}
    assert f"{command}\n" in (DOCS / "tutorial.md").read_text()
    assert main(command.split()[1:]) == 0
    predict = (DOCS / "predict.md").read_text()
    exec(re.findall(r"```python\n(.*?)```", predict, re.DOTALL)[0], {})  # writes walk.npz
    scope: dict = {}
    exec(blocks("howto/share.md", "python")[0], scope)
    assert scope["prediction"].joints3d.shape == (90, 17, 3)
    exec(blocks("tutorial.md", "python")[0], scope)
    assert isinstance(scope["model"].model.heads["pose"], PoseHead)


def lines_of_commands() -> list[str]:
    pages = [*DOCS.glob("*.md"), *DOCS.glob("howto/*.md"), ROOT / "README.md"]
    code = "\n".join(block for page in pages for block in re.findall(r"```bash\n(.*?)```", page.read_text(), re.DOTALL))
    return re.findall(r"hummuss (.*)", code)


@pytest.mark.parametrize("line", lines_of_commands())
def test_commands_on_the_pages_are_ones_that_there_are(line: str) -> None:
    words = line.partition("#")[0].split()
    assert words[0] in LIGHTNING | COMMANDS
    for word in words:
        # The example dataset's overlay is made on its page.
        if word.startswith("configs/") and word != "configs/data/takes.yaml":
            assert (ROOT / word).is_file(), word
