"""`hummuss fit | validate | test`: LightningCLI with run folders and a report."""

import os
import re
import shlex
import sys
import warnings
from itertools import pairwise
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, cast

import lightning as L
import torch
from jsonargparse import Namespace
from lightning.fabric.plugins.io import TorchCheckpointIO
from lightning.fabric.utilities.rank_zero import rank_zero_only
from lightning.pytorch.cli import LightningArgumentParser, LightningCLI, SaveConfigCallback
from lightning.pytorch.loggers import CSVLogger
from lightning.pytorch.utilities.exceptions import SIGTERMException

from hummuss.cli import runs
from hummuss.cli.begun import tell_other_options
from hummuss.cli.dropped import telling_logger
from hummuss.cli.runs import new_run, newest_checkpoint, whole_checkpoint
from hummuss.data.datamodules import MotionDataModule
from hummuss.errors import InputError
from hummuss.inference.runs import CONFIG
from hummuss.module import MotionModule
from hummuss.report import RunReport
from hummuss.training.atomic_io import AtomicCheckpointIO, damage
from hummuss.training.last_checkpoint import LAST, TERMINATED, LastCheckpoint, Terminated
from hummuss.weights import find_checkpoint, in_short

RUNS = Path("runs")
NEWEST = ("last", "best")  # stand for the newest run's checkpoint
# Warnings that are about nothing a user does: how LightningCLI is called, calls within Lightning, and the run's own
# folder, which is never empty since the command makes it and keeps the curves that are in it.
QUIET = (
    "LightningCLI's args parameter",
    ".*isinstance.treespec, LeafSpec.. is deprecated",
    "Experiment logs directory .* exists and is not empty",
    "Checkpoint directory .* exists and is not empty",
    "The anonymous setting has no effect",
    # A checkpoint's weights are the averaged ones: nothing else of them is needed to score it.
    "You're using the WeightAveraging callback, but loading a checkpoint outside the 'fit' stage",
    # The size that the summary estimates is not shown.
    "Precision .* is not supported by the model summary",
    # Metrics are computed over all processes before they are logged.
    "It is recommended to use .*sync_dist=True",
)


class KeepConfig(SaveConfigCallback):
    """Writes a run's config, as given, once its checkpoint fits: one that does not leaves the run's own in place."""

    folder: Path

    def setup(self, trainer: L.Trainer, pl_module: L.LightningModule, stage: str) -> None:
        pass

    def on_fit_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if trainer.is_global_zero:
            self.parser.save(self.config, self.folder / CONFIG, skip_none=False, overwrite=True, multifile=False)


class HummussCLI(LightningCLI):
    """One config names model, data and trainer; the command decides where the run lives.

    A new ``fit`` gets the folder runs/<name>/<n>, where the name is ``--name`` or its first config's; loggers,
    checkpoints, config and report all go there. ``--ckpt_path last`` and ``best`` stand for the newest run's
    checkpoint, whose folder is then used again. Of several processes the first makes the folder, and it alone writes.
    """

    folder: Path
    given: Namespace  # what the run's config.yaml says: no folder, no checkpoint and no W&B run of its own

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        parser.link_arguments("seed_everything", "data.init_args.seed", compute_fn=int)
        parser.add_lightning_class_args(LastCheckpoint, "last_checkpoint")
        parser.add_argument("--name", type=str, default=None, help="runs/NAME holds the run; its first config's name")
        parser.add_argument("--label", type=str, default=None, help="of a test: its files are test_LABEL.csv and so on")

    def _parse_ckpt_path(self) -> None:
        """Look at the checkpoint, first of all, but not as Lightning would: it takes settings, and classes to import,
        out of the file; the config says all.
        """
        config = self.config[self.config.subcommand]
        checkpoint = config.get("ckpt_path")
        if checkpoint and checkpoint not in NEWEST and "://" not in str(checkpoint):
            if self.config.subcommand != "fit":  # what to go on with is for the user to say: a folder has several
                config.ckpt_path = str(find_checkpoint(Path(checkpoint)))
            _refuse_damaged(Path(config.ckpt_path))

    def before_instantiate_classes(self) -> None:
        config = self.config[self.subcommand]
        _refuse_label(str(self.subcommand), config.label)
        _refuse_test_monitors(config.trainer.callbacks or [])
        if config.get("ckpt_path") in NEWEST:
            newest = newest_checkpoint(RUNS, self._config_name(), config.ckpt_path)
            config.ckpt_path = str(whole_checkpoint(newest))
        if self.subcommand == "fit" and not config.get("ckpt_path"):
            _name_the_beginning(config.model.init_args)
            tell_other_options(config.model.init_args.as_dict())
        self.given = config.clone()
        self.given.ckpt_path = None
        config.weights_only = True  # a checkpoint from elsewhere must not run code
        if "verbose" in config:
            config.verbose = False  # the run's report replaces Lightning's table
        if config.trainer.accelerator == "auto" and torch.backends.mps.is_available():
            config.trainer.accelerator = "cpu"  # Apple's GPU has no float64, in which scores are added up
        if config.trainer.fast_dev_run:
            return
        self.folder = self._run_folder(config.get("ckpt_path"))
        runs.opened = self.folder
        loggers = config.trainer.logger or []
        loggers = [] if loggers is True else loggers if isinstance(loggers, list) else [loggers]
        run = _wandb_run(self.folder)
        if self.subcommand != "fit":
            # The report is the record, and a CSV logger would overwrite the training's curves: only the W&B run that
            # the training began, if it did, is taken up again.
            loggers = [logger for logger in loggers if run and _is(logger, "WandbLogger")]
            config.trainer.logger = loggers or False
        elif _is_first():
            _keep_curves(self.folder)
        for logger in loggers:
            logger.init_args.save_dir = str(self.folder)
            if _is(logger, "WandbLogger"):
                if run:
                    logger.init_args.id, logger.init_args.resume = run, "allow"
                if logger.init_args.mode is None:
                    logger.init_args.mode = _wandb_mode()
        config.last_checkpoint.dirpath = str(self.folder)
        for callback in config.trainer.callbacks or []:
            if _is(callback, "ModelCheckpoint"):
                callback.init_args.save_last = False  # `LastCheckpoint` does
                callback.init_args.dirpath = _checkpoint_folder(callback.init_args.dirpath) or str(self.folder)
            if callback.class_path.startswith("hummuss.callbacks.") and "folder" in callback.get("init_args", {}):
                callback.init_args.folder = str(self.folder)

    def instantiate_trainer(self, **kwargs: Any) -> L.Trainer:
        trainer: Any = super().instantiate_trainer(**kwargs)
        if type(trainer.strategy.checkpoint_io) is TorchCheckpointIO:
            trainer.strategy.checkpoint_io = AtomicCheckpointIO()
        if not trainer.fast_dev_run:
            config = self.config[self.subcommand]
            # First, so that checkpoints hold what it has counted.
            trainer.callbacks.insert(0, RunReport(self.folder, config.seed_everything, config.label))
            for callback in trainer.callbacks:
                if isinstance(callback, KeepConfig):
                    callback.folder, callback.config = self.folder, self.given
        return trainer

    def _run_subcommand(self, subcommand: str) -> None:
        try:
            super()._run_subcommand(subcommand)
        except UnpicklingError as error:
            path = self.config[subcommand].ckpt_path
            raise InputError(
                f"{path} holds more than weights and could run code: it is not loaded; give one of `hummuss fit`"
            ) from error
        except RuntimeError as error:
            if "loading state_dict" not in str(error):
                raise
            path = Path(self.config[subcommand].ckpt_path)
            raise InputError(
                f"{path} does not hold the weights of the model that the configs describe ({in_short(error)}): give "
                f"those of its run, {path.with_name(CONFIG)}, or train a model of its own, without --ckpt_path"
            ) from error

    def after_fit(self) -> None:
        """Report the best checkpoint, or the last weights where none is kept, on the validation split."""
        trainer: Any = self.trainer
        if not trainer.fast_dev_run:
            best = getattr(trainer.checkpoint_callback, "best_model_path", None) or None
            # In the curves its figures would stand for a step behind the last.
            trainer.loggers = [logger for logger in trainer.loggers if not isinstance(logger, CSVLogger)]
            trainer.validate(self.model, datamodule=self.datamodule, ckpt_path=best, verbose=False, weights_only=True)

    def _run_folder(self, checkpoint: str | None) -> Path:
        if checkpoint:
            return Path(checkpoint).parent
        return new_run(RUNS, self._config_name()) if _is_first() else RUNS / self._config_name()

    def _config_name(self) -> str:
        config = self.config[self.subcommand]
        if config.name:
            return config.name
        return Path(str(config.config[0])).stem if config.config else "default"


def _is_first() -> bool:
    """Whether this is the first of a run's processes, before there is a trainer to ask."""
    return cast(Any, rank_zero_only).rank == 0


def _is(entry: Any, name: str) -> bool:
    """Whether an entry of a config is of the class of that name."""
    return entry.class_path.rpartition(".")[2] == name


def _checkpoint_folder(given: str | None) -> str | None:
    """The folder that a config gives, unless it is a run's: a run's own config, used again, names that run's."""
    return None if given is None or (Path(given) / CONFIG).is_file() else given


def _refuse_damaged(checkpoint: Path) -> None:
    if not checkpoint.is_file():
        raise InputError(
            f"no checkpoint at {checkpoint}: give --ckpt_path a file such as runs/pose/1/best.ckpt, or "
            f"{' or '.join(NEWEST)} for that of the config's newest run"
        )
    fault = damage(checkpoint)
    if fault is not None:
        others = [other.name for other in sorted(checkpoint.parent.glob("*.ckpt")) if other != checkpoint]
        raise InputError(
            f"{checkpoint} is damaged ({fault}): give --ckpt_path another file; its folder has "
            + (", ".join(others) or "no other")
        )


def _keep_curves(folder: Path) -> None:
    """Set the curves of the run's earlier sessions aside: CSVLogger deletes the file it finds."""
    curves = folder / "metrics.csv"
    if curves.exists():
        curves.rename(folder / f"metrics-{len(list(folder.glob('metrics-*.csv'))) + 1}.csv")


def _name_the_beginning(model: Namespace) -> None:
    """Put the newest run's checkpoint in the place of a folder of all runs: there may be a newer one by tomorrow."""
    if model.get("pretrained"):
        given = Path(model.pretrained)
        newest = find_checkpoint(given)
        if newest.parent not in (given, given.parent):
            model.pretrained = str(newest)


def _refuse_label(command: str, label: str | None) -> None:
    """It is a part of the names of a test's files, whose endings are put behind it."""
    if label is None:
        return
    if command != "test":
        raise InputError(f"--label is for `hummuss test`, whose tables it names, not for {command}: drop it")
    if not re.fullmatch(r"[A-Za-z0-9_-]+", label):
        raise InputError(f"--label is {label!r}, expected letters, digits, - and _: it is a part of files' names")


def _refuse_test_monitors(callbacks: list[Any]) -> None:
    """A checkpoint that is chosen by what it is scored on scores too well."""
    for callback in callbacks:
        monitor = callback.get("init_args", {}).get("monitor")
        if monitor and monitor.startswith("test/"):
            raise InputError(
                f"{callback.class_path.rpartition('.')[2]} monitors {monitor}: monitor val/... instead; to choose on "
                "the test split all the same, set data.init_args.select_on_test: true, which every table then says"
            )


def _wandb_run(folder: Path) -> str | None:
    """Id of the newest W&B run that this run's folder holds: its folders are called run-<time>-<id>."""
    runs = sorted((folder / "wandb").glob("*run-*-*"), key=lambda run: run.stat().st_mtime)
    return runs[-1].name.rpartition("-")[2] if runs else None


def _wandb_mode() -> str:
    """What the environment says, else online with an account and offline without one."""
    if "WANDB_MODE" in os.environ:
        return os.environ["WANDB_MODE"]
    import wandb  # takes a second, and only runs that log to W&B need it

    return "online" if wandb.login(prompt=False) else "offline"


def run(arguments: list[str]) -> int:
    """Run one LightningCLI command; return its exit status."""
    for message in QUIET:
        warnings.filterwarnings("ignore", message=message)
    try:
        _run(arguments)
    except SIGTERMException as end:
        rank_zero_only(print)(f"hummuss: stopped by SIGTERM{_what_next(end, arguments)}", file=sys.stderr)
        return TERMINATED
    finally:
        if "wandb" in sys.modules:
            sys.modules["wandb"].finish()  # an unfinished run would swallow the next one of this process
    return 0


def _what_next(end: SIGTERMException, arguments: list[str]) -> str:
    """How a run that was told to end goes on."""
    if isinstance(end, Terminated):
        return f" and saved; resume with: {_resumption(arguments, end.checkpoint)}"
    last = None if runs.opened is None else runs.opened / LAST
    if arguments[0] == "fit" and last is not None and last.is_file():  # in the validation behind the training
        return f"; go on with: {_resumption(arguments, last)}"
    return ": run it again"


def _resumption(arguments: list[str], checkpoint: Path) -> str:
    """The command that goes on from a checkpoint.

    >>> _resumption(["fit", "--ckpt_path", "last", "--config", "a.yaml"], Path("runs/a/1/last.ckpt"))
    'hummuss fit --config a.yaml --ckpt_path runs/a/1/last.ckpt'
    """
    kept = [
        argument
        for before, argument in pairwise(["", *arguments])
        if not (before == "--ckpt_path" or argument == "--ckpt_path" or argument.startswith("--ckpt_path="))
    ]
    return shlex.join(["hummuss", *kept, "--ckpt_path", str(checkpoint)])


def _run(arguments: list[str]) -> None:
    HummussCLI(
        MotionModule,
        MotionDataModule,
        args=arguments,
        subclass_mode_model=True,
        subclass_mode_data=True,
        auto_configure_optimizers=False,
        seed_everything_default=0,
        # A test must leave alone the config that its checkpoint was trained with.
        save_config_callback=KeepConfig if arguments[0] == "fit" else None,
        parser_kwargs={"exit_on_error": False, "prog": "hummuss", "logger": telling_logger()},
    )
