"""What the callbacks log and draw, in trainings of a few steps and by hand."""

import csv
import math
from pathlib import Path
from types import SimpleNamespace
from typing import ClassVar

import lightning as L
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from lightning.pytorch.loggers import CSVLogger, WandbLogger
from lightning.pytorch.loggers.logger import DummyLogger

from hummuss import DSTformer, HumMUSS, MotionModule
from hummuss.callbacks import PredictionPictures, StateSpaceMonitor, Throughput, TrainingCurves, throughput
from hummuss.callbacks.curves import read_curves
from hummuss.callbacks.loggers import log_histograms
from hummuss.callbacks.state_space import layer_values
from hummuss.data import SyntheticDataModule
from hummuss.heads import PoseHead


class Record(DummyLogger):
    """Keeps what is logged, by step."""

    def __init__(self) -> None:
        super().__init__()
        self.entries: list[tuple[int, dict[str, float]]] = []

    def log_metrics(self, metrics, step=None, **_) -> None:
        self.entries.append((step, dict(metrics)))

    def of(self, key: str) -> dict[int, float]:
        return {step: metrics[key] for step, metrics in self.entries if key in metrics}


def fit(tmp_path, callbacks, logger, backbone=None, epochs: int = 2, **options) -> MotionModule:
    module = MotionModule(backbone or HumMUSS(dim=8, depth=1, modes=2), {"pose": PoseHead})
    data = SyntheticDataModule(frames=5, batch_size=2, windows_per_epoch=8, val_windows=4)
    L.Trainer(
        max_epochs=epochs, logger=logger, enable_checkpointing=False, enable_progress_bar=False, accelerator="cpu",
        default_root_dir=tmp_path, num_sanity_val_steps=0, enable_model_summary=False, callbacks=callbacks,
        log_every_n_steps=1, **options,
    ).fit(module, data)  # fmt: skip
    return module


def test_throughput_counts_valid_frames_over_time_without_validation(monkeypatch, unchecked) -> None:
    clock = SimpleNamespace(now=0.0)
    monkeypatch.setattr(throughput, "time", SimpleNamespace(perf_counter=lambda: clock.now))
    logger, shown = Record(), {}
    trainer = SimpleNamespace(global_step=0, world_size=2, loggers=[logger])
    module = SimpleNamespace(device=torch.device("cpu"), log=lambda name, value, **_: shown.update({name: value}))
    monitor = Throughput(every_n_steps=3)
    monitor.on_train_start(trainer, module)
    batch = {"valid": torch.tensor([[True, True, False], [True, True, True]])}
    for step in range(1, 7):
        clock.now += 0.5
        trainer.global_step = step
        monitor.on_train_batch_end(trainer, module, None, batch, step - 1)
        if step == 4:
            monitor.on_validation_start(trainer, module)
            clock.now += 100
            monitor.on_validation_end(trainer, module)
    # Two processes, each with three batches of five frames in a second and a half.
    assert logger.of("train/frames_per_second") == {2: pytest.approx(20), 5: pytest.approx(20)}
    assert shown == {"frames/s": 20}
    assert 0.05 < logger.of("train/memory_gib")[2] < 100


def test_accumulated_batches_are_one_step(tmp_path) -> None:
    logger = Record()
    callbacks = [Throughput(every_n_steps=2), StateSpaceMonitor(every_n_steps=2)]
    fit(tmp_path, callbacks, logger, accumulate_grad_batches=2)  # eight batches, four steps
    assert list(logger.of("train/frames_per_second")) == [1, 3]
    steps = [step for step, metrics in logger.entries if "ssm/time/decay/median" in metrics]
    assert steps == [0, 2], "as Lightning numbers the steps that these batches are of"
    every = Record()
    fit(tmp_path, [StateSpaceMonitor(every_n_steps=1)], every, epochs=1)
    assert len(every.of("ssm/time/decay/median")) == 4


def test_values_of_the_layers_are_those_of_their_formulas() -> None:
    model = HumMUSS(dim=8, depth=2, modes=3, temporal_reduction=2, reference_fps=30.0)
    values = layer_values(model)
    # Two layers of two blocks of two directions: time on 4 channels, joints on 8.
    assert {name: len(value) for name, value in values.items()} == {
        "time/step_size": 32, "time/decay": 96, "time/frequency": 96, "time/memory_seconds": 96,
        "joints/step_size": 64, "joints/decay": 192, "joints/frequency": 192,
    }  # fmt: skip
    ssm = model.layers[0].temporal_last.ssms[0]
    memory = -1 / (30 * ssm.step_size[:, None] * ssm.poles.real)
    assert torch.isin(memory.flatten().float(), values["time/memory_seconds"]).float().mean() > 0.9
    # After that time an undriven state has fallen to 1/e.
    fall = (ssm.poles.real * ssm.step_size[:, None] * 30 * memory).exp()
    torch.testing.assert_close(fall, torch.full_like(fall, math.exp(-1)))


def test_gates_are_those_of_the_steps_batch(tmp_path) -> None:
    logger, seen = Record(), []

    class Watch(L.Callback):
        def on_train_start(self, trainer, pl_module) -> None:
            layer = pl_module.backbone.layers[0]
            for block in (layer.temporal_first, layer.temporal_last):
                block.to_value.register_forward_hook(lambda _, inputs, output: seen.append(F.gelu(output.detach())))

    fit(tmp_path, [Watch(), StateSpaceMonitor(every_n_steps=100)], logger, epochs=1)
    gates = torch.cat([values.flatten() for values in seen[:2]])  # of the first step alone
    for key, share in (("p05", 0.05), ("median", 0.5), ("p95", 0.95)):
        assert logger.of(f"ssm/time/gate/{key}") == {0: pytest.approx(float(gates.quantile(share)), abs=1e-6)}
    assert logger.of("ssm/time/gate/closed")[0] == pytest.approx(float((gates.abs() < 0.05).float().mean()))


def test_blocks_without_a_gate_are_watched_all_the_same(tmp_path) -> None:
    logger = Record()
    fit(
        tmp_path,
        [StateSpaceMonitor(every_n_steps=100)],
        logger,
        HumMUSS(dim=8, depth=1, modes=2, gate="none"),
        epochs=1,
    )
    assert 0 in logger.of("ssm/time/decay/median")
    assert not any("gate" in key for _, metrics in logger.entries for key in metrics)


def test_time_is_watched_where_the_joints_have_attention(tmp_path) -> None:
    logger, backbone = Record(), HumMUSS(dim=8, depth=1, modes=2, spatial_mixing="attention")
    fit(tmp_path, [StateSpaceMonitor(every_n_steps=100)], logger, backbone, epochs=1)
    keys = {key for _, metrics in logger.entries for key in metrics if key.startswith("ssm/")}
    assert {key.split("/")[1] for key in keys} == {"time"}
    assert {"ssm/time/decay/median", "ssm/time/gate/closed"} <= keys


def test_hooks_stay_only_for_the_step(tmp_path) -> None:
    module = fit(tmp_path, [StateSpaceMonitor(every_n_steps=1)], Record(), epochs=1)
    assert not any(part._forward_hooks for part in module.modules())


def test_monitoring_changes_nothing_in_the_training(tmp_path) -> None:
    weights = []
    for callbacks in ([], [Throughput(1), StateSpaceMonitor(1), PredictionPictures(1, 1, str(tmp_path))]):
        L.seed_everything(0)
        module = fit(tmp_path, callbacks, Record(), epochs=1)
        weights.append(torch.cat([value.detach().flatten() for value in module.parameters()]))
    assert torch.equal(*weights)


def test_attention_has_no_state_space_to_log(tmp_path) -> None:
    logger = Record()
    fit(tmp_path, [StateSpaceMonitor(every_n_steps=1)], logger, DSTformer(dim=8, depth=1, num_heads=2), epochs=1)
    assert not [key for _, metrics in logger.entries for key in metrics if key.startswith("ssm/")]


def test_pictures_come_every_n_epochs_and_only_where_a_folder_is_known(tmp_path) -> None:
    fit(tmp_path, [PredictionPictures(every_n_epochs=1, panels=1)], Record(), epochs=1)
    assert not list(tmp_path.rglob("*.png"))
    fit(tmp_path, [PredictionPictures(every_n_epochs=2, panels=1, folder=str(tmp_path))], Record(), epochs=3)
    assert [str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.png")] == ["epochs/pose_002.png"]


def test_curves_are_drawn_from_the_csv_at_the_end(tmp_path) -> None:
    folder = tmp_path / "pose" / "1"
    callbacks = [Throughput(1), StateSpaceMonitor(2), TrainingCurves(str(folder))]
    fit(tmp_path, callbacks, CSVLogger(folder, name="", version=""))
    assert (folder / "curves.png").stat().st_size > 30_000
    series = read_curves(folder)
    assert list(series["train/loss"].steps) == list(range(8))
    assert list(series["val/mpjpe"].steps) == [3, 7]
    assert all(math.isfinite(value) for value in series["ssm/time/step_size/median"].values)


def test_wandb_gets_histograms_of_all_values(monkeypatch) -> None:
    logged = []

    class Fake(WandbLogger):
        def __init__(self) -> None:
            self.entries = logged

        @property
        def experiment(self):
            return SimpleNamespace(log=logged.append)

    trainer = L.Trainer(logger=[Fake(), Record()], accelerator="cpu", enable_progress_bar=False)
    log_histograms(trainer, {"ssm/time/decay": torch.linspace(0, 1, 1000).view(10, 100)}, step=3)
    (entry,) = logged
    assert entry["trainer/global_step"] == 3
    assert sum(entry["ssm/time/decay"].histogram) == 1000


class TestSessions:
    """A run that resumes leaves its earlier curves in numbered files."""

    ROWS: ClassVar = {
        "metrics-1.csv": [(0, 5.0), (1, 4.0), (3, 3.0)],
        "metrics-2.csv": [(2, 2.9), (4, 2.5)],
        "metrics-10.csv": [(5, 2.0)],
        "metrics.csv": [(6, 1.0)],
    }

    def test_later_sessions_follow_and_count_where_they_overlap(self, tmp_path) -> None:
        for name, rows in self.ROWS.items():
            with open(tmp_path / name, "w", newline="") as file:
                csv.writer(file).writerows(
                    [("step", "epoch", "train/loss", "val/mpjpe"), *((s, 0, v, "") for s, v in rows)]
                )
        found = read_curves(tmp_path)
        assert set(found) == {"train/loss"}
        assert found["train/loss"].steps == [0, 1, 2, 4, 5, 6]
        np.testing.assert_array_equal(found["train/loss"].values, [5, 4, 2.9, 2.5, 2, 1])

    def test_no_file_no_curves(self, tmp_path: Path) -> None:
        assert read_curves(tmp_path) == {}
