"""What a run leaves behind: summary.json, a table of metrics beside the baseline's, a picture of predictions."""

import json
import os
import platform
import subprocess
import time
from pathlib import Path
from typing import Any, cast

import lightning as L
import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor

from hummuss.backbones.cost import Cost, cost
from hummuss.heads.base import BASELINE, Batch, Prediction
from hummuss.metrics.units import unit
from hummuss.module import MotionModule
from hummuss.viz.draw import save_comparison

SUMMARY = "summary.json"
PANELS = 6


class RunReport(L.Callback):
    """Measures training and, after ``validate`` or ``test``, writes the run's summary, table and picture.

    Args:
        folder: the run's folder.
        seed: the run's seed, for the summary.
    """

    def __init__(self, folder: Path, seed: int | None) -> None:
        self.folder, self.seed = folder, seed
        self.seconds, self.frames = 0.0, 0
        self._started = 0.0

    def on_fit_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        assert isinstance(pl_module, MotionModule)
        found = self._cost(trainer, pl_module)
        total = sum(parameter.numel() for parameter in pl_module.parameters())
        Console().print(
            f"{type(pl_module.backbone).__name__}: {found.parameters / 1e6:.2f} M parameters "
            f"({total / 1e6:.2f} M with heads), {found.multiply_adds / 1e6:.1f} M multiply-adds per frame "
            f"in clips of {found.frames} frames",
            highlight=False,
        )

    @staticmethod
    def _cost(trainer: L.Trainer, module: MotionModule) -> Cost:
        return cost(module.backbone, cast(Any, trainer).datamodule.frames)

    def on_train_epoch_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self._started = time.perf_counter()

    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, batch: Batch, batch_idx: int
    ) -> None:
        self.frames += int(batch["valid"].sum())
        now = time.perf_counter()
        self.seconds, self._started = self.seconds + now - self._started, now

    def on_validation_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self._paused = time.perf_counter()

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        # Validation is no training time; the table waits for the best checkpoint's own validation.
        self._started += time.perf_counter() - self._paused
        if trainer.state.fn == "validate":
            self._report(trainer, pl_module, "val")

    def on_test_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self._report(trainer, pl_module, "test")

    def on_validation_batch_end(
        self,
        trainer: L.Trainer,
        pl_module: L.LightningModule,
        outputs: Any,
        batch: Batch,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        if trainer.state.fn != "fit" and batch_idx == dataloader_idx == 0:
            self._draw(pl_module, outputs, batch, "test" if trainer.testing else "val")

    on_test_batch_end = on_validation_batch_end

    def state_dict(self) -> dict[str, Any]:
        return {"seconds": self.seconds, "frames": self.frames}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.seconds, self.frames = state_dict["seconds"], state_dict["frames"]

    def _draw(self, module: L.LightningModule, predictions: dict[str, Prediction], batch: Batch, stage: str) -> None:
        assert isinstance(module, MotionModule)
        for name, head in module.heads.items():
            panels = head.panels(predictions[name], batch, PANELS)
            save_comparison(self.folder / f"{stage}_{name}.png", panels, head.faces)

    def _report(self, trainer: L.Trainer, module: L.LightningModule, stage: str) -> None:
        metrics = {
            key.removeprefix(f"{stage}/"): _plain(value)
            for key, value in trainer.callback_metrics.items()
            if key.startswith(f"{stage}/")
        }
        assert isinstance(module, MotionModule)
        inference = module.inference.describe() if stage == "test" else None
        facts = {
            "inference": inference,
            "multiply_adds_per_frame": round(self._cost(trainer, module).multiply_adds),
            "parameters": sum(parameter.numel() for parameter in module.parameters()),
            "seconds": round(self.seconds, 1),
            "frames_per_second": round(self.frames / self.seconds, 1) if self.seconds else None,
            "seed": self.seed,
            "commit": git_commit(),
            "device": device_name(module.device),
        }
        write_summary(self.folder, {stage: metrics} | facts)
        print_metrics(metrics, f"{stage}: {self.folder}" + (f" ({inference})" if inference else ""))


def write_summary(folder: Path, entries: dict[str, Any]) -> None:
    """Merge entries into the run's summary.json; what other commands wrote stays."""
    path = folder / SUMMARY
    known = json.loads(path.read_text()) if path.exists() else {}
    path.write_text(json.dumps(known | {key: value for key, value in entries.items() if value is not None}, indent=2))


def print_metrics(metrics: dict[str, float | None], title: str) -> None:
    """One row per metric: the model's figure and the trivial baseline's."""
    table = Table("metric", "model", BASELINE.replace("_", " "), title=title)
    for key, value in metrics.items():
        parts = key.split("/")
        if BASELINE in parts:
            continue
        baseline = metrics.get("/".join([*parts[:-1], BASELINE, parts[-1]]))
        table.add_row(f"{key} ({unit(parts[-1])})", _figure(value), _figure(baseline))
    Console().print(table)


def git_commit() -> str | None:
    """Commit of the checkout this package runs from, with ``-dirty`` where files differ.

    Code that travels without its history names it in the environment variable HUMMUSS_COMMIT. None where neither is.
    """
    if "HUMMUSS_COMMIT" in os.environ:
        return os.environ["HUMMUSS_COMMIT"]
    git = ["git", "-C", str(Path(__file__).parent)]
    try:
        commit = subprocess.run([*git, "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=True)
        changed = subprocess.run([*git, "status", "--porcelain", "-uno"], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return commit.stdout.strip() + ("-dirty" if changed.stdout.strip() else "")


def device_name(device: torch.device) -> str:
    """What the run ran on, for people: the GPU's name, or the processor and its threads."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{platform.machine()} CPU, {torch.get_num_threads()} threads"


def _plain(value: Tensor) -> float | None:
    """A number JSON knows: NaN (nothing was scored) becomes null."""
    return round(float(value), 4) if torch.isfinite(value) else None


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}"
