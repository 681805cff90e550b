"""Interrupted training: nothing is lost, and what resumes is what would have been, step by step."""

import csv
import math
import os
import signal
from collections.abc import Iterable
from dataclasses import dataclass, field
from multiprocessing import active_children, current_process, get_context
from pathlib import Path
from typing import Any

import lightning as L
import pytest
import torch
from lightning.pytorch.callbacks import EarlyStopping, EMAWeightAveraging, ModelCheckpoint
from lightning.pytorch.loggers import CSVLogger
from torch import Tensor

from hummuss import HumMUSS, InputError, MotionModule
from hummuss.data import SyntheticDataModule
from hummuss.heads import PoseHead
from hummuss.training.atomic_io import AtomicCheckpointIO, damage
from hummuss.training.last_checkpoint import LastCheckpoint, Terminated

STEPS = 4  # optimiser steps in an epoch


@dataclass
class Curves(L.Callback):
    """What training did, step by step; ``signals`` are sent to all processes of the run when a step begins."""

    signals: dict[int, int] = field(default_factory=dict)
    windows: dict[tuple[int, int], list[int]] = field(default_factory=dict)
    loss: dict[tuple[int, int], float] = field(default_factory=dict)
    rate: dict[tuple[int, int], float] = field(default_factory=dict)
    validation: dict[int, float] = field(default_factory=dict)

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx) -> None:
        if trainer.global_step in self.signals:
            told = self.signals.pop(trainer.global_step)
            for process in [*active_children(), current_process()]:
                os.kill(process.pid, told)
        self.windows[trainer.current_epoch, batch_idx] = batch["sample"].tolist()
        self.rate[trainer.current_epoch, batch_idx] = trainer.optimizers[0].param_groups[0]["lr"]

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx) -> None:
        self.loss[trainer.current_epoch, batch_idx] = float(outputs["loss"])

    def on_validation_end(self, trainer, pl_module) -> None:
        self.validation[trainer.global_step] = float(trainer.callback_metrics["val/mpjpe"])


@dataclass
class Outcome:
    curves: Curves
    weights: Tensor
    best: float
    baseline: Tensor


def train(folder: Path, resume: bool = False, signals: dict[int, int] | None = None, **options: Any) -> Outcome:
    """Two epochs of a small model with dropout; the steps of an epoch are the same whatever is accumulated."""
    accumulated, workers = options.pop("accumulate_grad_batches", 1), options.pop("num_workers", 0)
    early = options.pop("early", None)
    averaging = [EMAWeightAveraging(decay=0.5, use_buffers=False)] if options.pop("averaged", False) else []
    L.seed_everything(1)
    module = MotionModule(HumMUSS(dim=8, depth=1, modes=2, dropout=0.1), {"pose": PoseHead})
    data = SyntheticDataModule(
        frames=5, batch_size=2, windows_per_epoch=2 * STEPS * accumulated, val_windows=2, num_workers=workers
    )
    curves = Curves(signals or {})
    # The worst epoch is the first, which a resumed session knows of by its checkpoint alone.
    best = ModelCheckpoint(folder, "best", monitor="val/mpjpe", mode="max", enable_version_counter=False)
    stops = [] if early is None else [EarlyStopping("val/mpjpe", **{"mode": "max"} | early)]
    callbacks = [curves, *averaging, *stops, best, LastCheckpoint(2, str(folder))]
    trainer = L.Trainer(
        **{"max_epochs": 2, "logger": False} | options, callbacks=callbacks,
        plugins=[AtomicCheckpointIO()], accumulate_grad_batches=accumulated, enable_progress_bar=False,
        accelerator="cpu", num_sanity_val_steps=0, enable_model_summary=False,
    )  # fmt: skip
    trainer.fit(module, data, ckpt_path=folder / "last.ckpt" if resume else None)
    weights = flat(module.parameters())
    return Outcome(curves, weights, float(best.best_model_score or math.nan), module.heads["pose"].mean_joints.value)


def flat(tensors: Iterable[Tensor]) -> Tensor:
    return torch.cat([tensor.detach().flatten() for tensor in tensors])


def assert_continues(resumed: Outcome, before: Curves, whole: Outcome) -> None:
    """Both sessions together are the whole run, bit for bit."""
    for name in ("windows", "loss", "rate", "validation"):
        assert getattr(before, name) | getattr(resumed.curves, name) == getattr(whole.curves, name), name
    assert torch.equal(resumed.weights, whole.weights)
    assert torch.equal(resumed.baseline, whole.baseline)
    assert resumed.best == whole.best


pytestmark = pytest.mark.filterwarnings("ignore:Checkpoint directory .* exists and is not empty")


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Outcome:
    return train(tmp_path_factory.mktemp("whole"))


def interrupted(folder: Path, monkeypatch, step: int, **options: Any) -> Curves:
    """Curves of a session that gets SIGTERM in a step."""
    made = []
    monkeypatch.setattr(f"{__name__}.Curves", lambda signals, make=Curves: made.append(make(signals)) or made[-1])
    with pytest.raises(Terminated) as end:
        train(folder, signals={step: signal.SIGTERM}, **options)
    monkeypatch.undo()
    assert end.value.checkpoint == folder / "last.ckpt"
    return made[0]


@pytest.mark.parametrize("step", [1, STEPS - 1, STEPS + 1])
def test_sigterm_ends_the_step_and_loses_nothing(step: int, whole: Outcome, tmp_path, monkeypatch) -> None:
    before = interrupted(tmp_path, monkeypatch, step)
    assert list(before.loss) == list(whole.curves.loss)[: step + 1], "the step is finished, none is begun"
    assert_continues(train(tmp_path, resume=True), before, whole)


def test_loader_processes_resume_at_the_same_window(whole: Outcome, tmp_path, monkeypatch) -> None:
    before = interrupted(tmp_path, monkeypatch, STEPS + 1, num_workers=1)
    assert_continues(train(tmp_path, resume=True, num_workers=1), before, whole)


@pytest.mark.parametrize("step", [1, STEPS + 1, STEPS + 2])
def test_a_validation_within_an_epoch_is_not_forgotten(step: int, tmp_path, monkeypatch) -> None:
    # After steps 2, 4, 6 and 8: the first is the best, the last ends it.
    often = {"max_epochs": 3, "val_check_interval": 2, "early": {"patience": 3}}
    expected = train(tmp_path / "whole", **often)
    assert list(expected.curves.validation) == [2, 4, 6, 8]
    before = interrupted(tmp_path / "cut", monkeypatch, step, **often)
    assert_continues(train(tmp_path / "cut", resume=True, **often), before, expected)


@pytest.mark.filterwarnings("ignore:.*callbacks used to create the checkpoint need to be provided")
@pytest.mark.parametrize(
    ("early", "epochs"),
    [({"patience": 1}, 2), ({"stopping_threshold": 1e9, "mode": "min"}, 1), ({"divergence_threshold": 1e9}, 1)],
)
def test_what_was_stopped_early_does_not_go_on(early: dict[str, Any], epochs: int, tmp_path) -> None:
    stopped = train(tmp_path, early=early, max_epochs=4)
    assert list(stopped.curves.validation) == [STEPS * epoch for epoch in range(1, epochs + 1)]
    for _ in range(2):
        resumed = train(tmp_path, resume=True, early=early, max_epochs=4)
        assert resumed.curves.loss == {}
        assert torch.equal(resumed.weights, stopped.weights)
    more = train(tmp_path, resume=True, max_epochs=epochs + 1)  # unless nothing stops it
    assert list(more.curves.validation) == [(epochs + 1) * STEPS]


def test_a_run_whose_folder_was_moved_keeps_its_best(whole: Outcome, tmp_path, monkeypatch) -> None:
    before = interrupted(tmp_path / "here", monkeypatch, STEPS + 1)
    best = torch.load(tmp_path / "here" / "best.ckpt", weights_only=True)
    (tmp_path / "here").rename(tmp_path / "there")
    resumed = train(tmp_path / "there", resume=True)
    assert_continues(resumed, before, whole)
    kept = torch.load(tmp_path / "there" / "best.ckpt", weights_only=True)
    assert kept["global_step"] == best["global_step"] == STEPS
    states = torch.load(tmp_path / "there" / "last.ckpt", weights_only=True)["callbacks"]
    (state,) = [state for name, state in states.items() if name.startswith("ModelCheckpoint")]
    assert state["best_model_path"] == str(tmp_path / "there" / "best.ckpt")


@pytest.mark.parametrize("options", [{"accumulate_grad_batches": 2}, {"max_epochs": -1, "max_steps": 2 * STEPS}])
def test_accumulated_batches_and_steps_instead_of_epochs(options: dict[str, int], tmp_path, monkeypatch) -> None:
    expected = train(tmp_path / "whole", **options)
    before = interrupted(tmp_path / "cut", monkeypatch, STEPS + 1, **options)
    assert_continues(train(tmp_path / "cut", resume=True, **options), before, expected)


@pytest.mark.filterwarnings("ignore:.*could not find the monitored key")  # nothing was validated yet
@pytest.mark.parametrize("step", [1, STEPS - 1, STEPS, STEPS + 1])
def test_what_max_steps_cut_off_goes_on_at_the_next_window(step: int, whole: Outcome, tmp_path) -> None:
    before = train(tmp_path, max_steps=step)
    assert torch.load(tmp_path / "last.ckpt", weights_only=True)["global_step"] == step
    resumed = train(tmp_path, resume=True)
    assert list(before.curves.windows | resumed.curves.windows) == list(whole.curves.windows)
    assert before.curves.windows | resumed.curves.windows == whole.curves.windows
    assert resumed.curves.validation.keys() == whole.curves.validation.keys() - before.curves.validation.keys()


def test_sigkill_costs_the_steps_since_the_last_checkpoint(whole: Outcome, tmp_path) -> None:
    logged = {"logger": CSVLogger(tmp_path, name="", version=""), "log_every_n_steps": 1}
    arguments = (tmp_path, False, {STEPS + 3: signal.SIGKILL})
    process = get_context("fork").Process(target=train, args=arguments, kwargs=logged)
    process.start()
    process.join(60)
    assert process.exitcode == -signal.SIGKILL
    with open(tmp_path / "metrics.csv", newline="") as file:
        steps = [int(row["step"]) for row in csv.DictReader(file) if row["train/loss"]]
    assert steps == list(range(STEPS + 3)), "curves are on the disk, beyond the checkpoint too"
    resumed = train(tmp_path, resume=True)
    assert list(resumed.curves.loss.items()) == list(whole.curves.loss.items())[STEPS + 2 :], "two steps are kept"
    assert torch.equal(resumed.weights, whole.weights)
    assert resumed.best == whole.best


def test_a_full_disk_stops_the_run_and_leaves_the_earlier_checkpoints(whole: Outcome, tmp_path) -> None:
    class FullFrom(L.Callback):
        def on_train_batch_start(self, trainer, pl_module, batch, batch_idx) -> None:
            if trainer.global_step == STEPS:
                (tmp_path / ".new.ckpt.tmp").symlink_to("/dev/full")

    with pytest.MonkeyPatch.context() as patch, pytest.raises(InputError, match="No space left") as error:
        trainer = L.Trainer
        patch.setattr(L, "Trainer", lambda callbacks, **rest: trainer(callbacks=[FullFrom(), *callbacks], **rest))
        train(tmp_path)
    assert "resume with --ckpt_path last" in str(error.value)
    assert not list(tmp_path.glob(".*")), "nothing half-written is left"
    assert damage(tmp_path / "last.ckpt") is None
    resumed = train(tmp_path, resume=True)
    assert torch.equal(resumed.weights, whole.weights)


def test_resuming_within_an_epoch_needs_the_batch_size_it_had(tmp_path, monkeypatch) -> None:
    interrupted(tmp_path, monkeypatch, 1)
    with pytest.raises(InputError, match="within an epoch of 2 windows a batch over all processes, now there are 4"):
        make = SyntheticDataModule
        monkeypatch.setattr(f"{__name__}.SyntheticDataModule", lambda **options: make(**options | {"batch_size": 4}))
        train(tmp_path, resume=True)


def test_averaged_weights_are_validated_kept_beside_the_trained_ones_and_resumed(
    whole: Outcome, tmp_path, monkeypatch
) -> None:
    averaged = train(tmp_path / "whole", averaged=True)
    assert averaged.curves.loss == whole.curves.loss, "averaging changes nothing in training"
    assert averaged.curves.validation != whole.curves.validation
    held = torch.load(tmp_path / "whole" / "last.ckpt", weights_only=True)
    trained = [value for name, value in held["current_model_state"].items() if name.startswith("backbone.")]
    assert torch.equal(flat(trained), whole.weights[: len(flat(trained))])
    kept = [value for name, value in held["state_dict"].items() if name.startswith("backbone.")]
    assert torch.equal(flat(kept), averaged.weights[: len(flat(kept))]), "after training the average stays"

    before = interrupted(tmp_path / "cut", monkeypatch, STEPS + 1, averaged=True)
    assert_continues(train(tmp_path / "cut", resume=True, averaged=True), before, averaged)
    with pytest.raises(InputError, match=r"averages, --config configs/training/ema.yaml"):
        train(tmp_path / "cut", resume=True)


def test_an_interval_of_no_step_is_refused() -> None:
    with pytest.raises(InputError, match=r"every_n_steps 0: give 1 or more"):
        LastCheckpoint(0)
