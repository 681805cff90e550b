"""The checkpoint that an interrupted run resumes from."""

import signal
import threading
from pathlib import Path
from types import FrameType
from typing import Any, cast

import lightning as L
from lightning.pytorch.callbacks import Checkpoint, EarlyStopping, ModelCheckpoint
from lightning.pytorch.callbacks.early_stopping import EarlyStoppingReason
from lightning.pytorch.utilities.exceptions import SIGTERMException

from hummuss.errors import InputError
from hummuss.whole_file import replace

LAST, PREVIOUS = "last.ckpt", "previous.ckpt"
# What a shell reports for a process that SIGTERM ended.
TERMINATED = 128 + signal.SIGTERM


class Terminated(SIGTERMException):
    """The run was told to end, and has saved itself.

    Attributes:
        checkpoint: where it goes on from.
    """

    def __init__(self, checkpoint: Path) -> None:
        super().__init__(TERMINATED)
        self.checkpoint = checkpoint


class LastCheckpoint(Checkpoint):
    """Keeps ``last.ckpt``, and ``previous.ckpt`` should that be damaged; ends the run in good order on SIGTERM.

    Saved after every epoch, within epochs every so many steps, and where a limit or `EarlyStopping` end one.
    SIGTERM lets the optimiser step end (in the last step of an epoch: the validation too), saves, and raises
    `Terminated`. All processes of a run stop at the same step, whichever of them was told.

    Lightning's `ModelCheckpoint(save_last=True)` saves only when the monitored metric has improved, and its handling
    of SIGTERM waits for other processes within the signal handler and may stop between two accumulated batches, whose
    gradients would be lost (lightning 2.6, callbacks/model_checkpoint.py, trainer/connectors/signal_connector.py).

    Args:
        every_n_steps: optimiser steps between two checkpoints: what a killed run has to do again at most.
        dirpath: folder of the files; the command line sets the run's.

    Raises:
        InputError: an interval of no step.
    """

    def __init__(self, every_n_steps: int = 500, dirpath: str | None = None) -> None:
        if every_n_steps < 1:
            raise InputError(f"last_checkpoint.every_n_steps {every_n_steps}: give 1 or more")
        self.every_n_steps, self.dirpath = every_n_steps, dirpath
        self._terminated = self._ending = self._after_validation = False
        self._step = -1

    def setup(self, trainer: L.Trainer, pl_module: L.LightningModule, stage: str) -> None:
        self.dirpath = trainer.strategy.broadcast(self.dirpath or str(trainer.default_root_dir))

    def on_load_checkpoint(self, trainer: L.Trainer, pl_module: L.LightningModule, checkpoint: dict[str, Any]) -> None:
        """A run whose folder was moved keeps its best checkpoint: `ModelCheckpoint` would take it for another's."""
        own = self._file(LAST).resolve().parent
        if trainer.ckpt_path is None or Path(trainer.ckpt_path).resolve().parent != own:
            return
        for callback in cast(Any, trainer).callbacks:
            state = checkpoint.get("callbacks", {}).get(callback.state_key)
            if isinstance(callback, ModelCheckpoint) and state and state["dirpath"] != callback.dirpath:
                _move(state, str(callback.dirpath))

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self._step = trainer.global_step
        # Lightning forgets that a run was ended early: it would go on, an epoch at each resumption.
        early = (own for own in cast(Any, trainer).callbacks if isinstance(own, EarlyStopping))
        trainer.should_stop |= any(own.stopping_reason is not EarlyStoppingReason.NOT_STOPPED for own in early)
        # Lightning puts back the handlers it found when the run ends.
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, self._note)

    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if trainer.global_step == self._step:
            return  # gradients are being accumulated
        self._step = trainer.global_step
        if trainer.is_last_batch:
            return  # a run resumed from here would skip the epoch's validation
        self._ending = self._must_stop(trainer)
        if self._ending or trainer.global_step % self.every_n_steps == 0:
            loop = cast(Any, trainer).fit_loop
            # A run resumed from before a validation within an epoch would never make it.
            self._after_validation = loop.epoch_loop._should_check_val_fx(loop._data_fetcher)
            if not self._after_validation:
                self._save(trainer)

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if self._after_validation:
            self._after_validation = False
            self._save(trainer)

    def on_train_batch_start(
        self, trainer: L.Trainer, pl_module: L.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        # Not before the loggers have been given what the last step came to.
        if self._ending:
            raise Terminated(self._file(LAST))

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        # Also called where training stops within an epoch, which Lightning has then counted as a whole one. (Where a
        # limit of time stops it between two accumulated batches, the gradients of the first are lost.)
        epochs, cut = cast(Any, trainer).fit_loop.epoch_progress.current, not trainer.is_last_batch
        epochs.processed -= cut
        self._save(trainer)
        epochs.processed += cut
        if self._must_stop(trainer):
            raise Terminated(self._file(LAST))

    def _note(self, signum: int, frame: FrameType | None) -> None:
        self._terminated = True

    def _must_stop(self, trainer: L.Trainer) -> bool:
        return bool(trainer.strategy.reduce_boolean_decision(self._terminated, all=False))

    def _file(self, name: str) -> Path:
        assert self.dirpath is not None
        return Path(self.dirpath) / name

    def _save(self, trainer: L.Trainer) -> None:
        if cast(Any, trainer).fast_dev_run:
            return
        new, last = self._file("new.ckpt"), self._file(LAST)
        trainer.save_checkpoint(new)
        if trainer.is_global_zero:
            if last.exists():
                replace(last, self._file(PREVIOUS))
            replace(new, last)


def _move(state: dict[str, Any], folder: str) -> None:
    """Let a `ModelCheckpoint`'s state name its files, which lay side by side, in another folder."""

    def moved(path: str) -> str:
        return str(Path(folder) / Path(path).relative_to(before)) if path else path

    before, state["dirpath"] = state["dirpath"], folder
    for name in ("best_model_path", "last_model_path", "kth_best_model_path"):
        state[name] = moved(state[name])
    state["best_k_models"] = {moved(path): score for path, score in state["best_k_models"].items()}
