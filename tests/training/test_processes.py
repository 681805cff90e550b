"""Two processes train and validate what one would."""

import json
import os
import subprocess
import sys
from pathlib import Path

import lightning as L
import pytest
import torch

from hummuss import InputError, MotionModule
from hummuss.cli.main import main
from hummuss.data import SyntheticDataModule
from hummuss.heads import PoseHead

CONFIGS = Path(__file__).parents[2] / "configs"
# Five validation windows: the second process has a batch fewer than the first.
SMALL = [
    "--config", str(CONFIGS / "pose.yaml"), "--trainer.accelerator=cpu", "--trainer.max_epochs=2",
    "--model.init_args.backbone.init_args.dim=8", "--model.init_args.backbone.init_args.depth=1",
    "--model.init_args.backbone.init_args.modes=2", "--data.init_args.frames=5", "--data.init_args.batch_size=2",
    "--data.init_args.windows_per_epoch=8", "--data.init_args.val_windows=5", "--trainer.log_every_n_steps=1",
    "--trainer.enable_progress_bar=false",
]  # fmt: skip


def test_two_processes_equal_one_that_accumulates_two_batches(tmp_path, monkeypatch) -> None:
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
    overlay = ["--config", str(CONFIGS / "cluster" / "ddp.yaml"), "--trainer.devices=2"]
    # On a machine with GPUs too, the two talk over gloo.
    environment = os.environ | {"WANDB_MODE": "disabled", "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    launched = subprocess.Popen(
        [sys.executable, "-m", "hummuss.cli.main", "fit", *SMALL, *overlay],
        cwd=tmp_path / "two", env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    try:
        monkeypatch.setenv("WANDB_MODE", "disabled")
        monkeypatch.chdir(tmp_path / "one")
        assert main(["fit", *SMALL, "--trainer.accumulate_grad_batches=2"]) == 0
        said, _ = launched.communicate(timeout=300)
        assert launched.returncode == 0, said
    finally:
        launched.kill()
    assert said.count("MEMBER: ") == 2

    runs = [tmp_path / folder / "runs" / "pose" for folder in ("one", "two")]
    assert [os.listdir(run) for run in runs] == [["1"], ["1"]], "the second process makes no folder of its own"
    one, two = (torch.load(run / "1" / "last.ckpt", weights_only=True) for run in runs)
    assert one["global_step"] == two["global_step"] == 4
    for name, value in one["state_dict"].items():
        # The baseline's buffers too: the mean of what both processes have seen.
        torch.testing.assert_close(two["state_dict"][name], value, rtol=1e-4, atol=1e-5, msg=name)
    one, two = (json.loads((run / "1" / "summary.json").read_text())["val"] for run in runs)
    assert two == pytest.approx(one, rel=1e-4)


def test_the_test_split_is_for_one_process(tmp_path) -> None:
    module, data = MotionModule(Backbone(), {"pose": PoseHead}), SyntheticDataModule(frames=5, test_windows=2)
    trainer = L.Trainer(
        accelerator="cpu", devices=2, strategy="ddp_fork", logger=False, enable_checkpointing=False,
        enable_model_summary=False, default_root_dir=tmp_path,
    )  # fmt: skip
    module.trainer, data.trainer = trainer, trainer
    with pytest.raises(InputError, match=r"scores whole clips in one process, not 2: give --trainer\.devices 1"):
        module.setup("test")
    data.val_windows = 1
    with pytest.raises(InputError, match="1 evaluation windows are fewer than 2 processes"):
        data.val_dataloader()
    data.windows_per_epoch = 15
    with pytest.raises(InputError, match="windows_per_epoch 15 is less than one batch of 8 for each of 2 processes"):
        data.train_dataloader()


class Backbone(torch.nn.Module):
    dim_rep = 4
