"""`hummuss fit | validate | test`: LightningCLI with run folders and a report."""

import os
import sys
import warnings
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import lightning as L
from lightning.pytorch.cli import LightningArgumentParser, LightningCLI, SaveConfigCallback

from hummuss.cli import runs
from hummuss.cli.runs import new_run, newest_checkpoint
from hummuss.data.datamodules import MotionDataModule
from hummuss.errors import InputError
from hummuss.module import MotionModule
from hummuss.report import RunReport

RUNS = Path("runs")
# Warnings that are about nothing a user does: how LightningCLI is called, calls within Lightning, and the run's own
# folder, which is never empty since the command makes it and keeps the curves that are in it.
QUIET = (
    "LightningCLI's args parameter",
    ".*isinstance.treespec, LeafSpec.. is deprecated",
    "Experiment logs directory .* exists and is not empty",
    "Checkpoint directory .* exists and is not empty",
    "The anonymous setting has no effect",
)


class HummussCLI(LightningCLI):
    """One config names model, data and trainer; the command decides where the run lives.

    A new ``fit`` gets the folder runs/<name>/<n>, where the name is ``--name`` or its first config's; loggers,
    checkpoints, config and report all go there. ``--ckpt_path last`` and ``best`` stand for the newest run's
    checkpoint, whose folder is then used again.
    """

    folder: Path

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        parser.link_arguments("seed_everything", "data.init_args.seed", compute_fn=int)
        parser.add_argument("--name", type=str, default=None, help="runs/NAME holds the run; its first config's name")

    def before_instantiate_classes(self) -> None:
        config = self.config[self.subcommand]
        _refuse_test_monitors(config.trainer.callbacks or [])
        if config.get("ckpt_path") in ("last", "best"):
            config.ckpt_path = str(newest_checkpoint(RUNS, self._config_name(), config.ckpt_path))
        config.weights_only = True  # a checkpoint from elsewhere must not run code
        if "verbose" in config:
            config.verbose = False  # the run's report replaces Lightning's table
        if config.trainer.fast_dev_run:
            return
        self.folder = Path(config.ckpt_path).parent if config.get("ckpt_path") else new_run(RUNS, self._config_name())
        runs.opened = self.folder
        loggers = config.trainer.logger if isinstance(config.trainer.logger, list) else []
        if self.subcommand != "fit":
            # The report is the record, and a CSV logger would overwrite the training's curves: only the W&B run that
            # the training began, if it did, is taken up again.
            run = _wandb_run(self.folder)
            loggers = [logger for logger in loggers if run and logger.class_path.endswith("WandbLogger")]
            for logger in loggers:
                logger.init_args.id, logger.init_args.resume = run, "allow"
            config.trainer.logger = loggers or False
        else:
            _keep_curves(self.folder)
        for logger in loggers:
            logger.init_args.save_dir = str(self.folder)
            if logger.class_path.endswith("WandbLogger") and logger.init_args.mode is None:
                logger.init_args.mode = _wandb_mode()
        for callback in config.trainer.callbacks or []:
            if callback.class_path.endswith("ModelCheckpoint") and callback.init_args.dirpath is None:
                callback.init_args.dirpath = str(self.folder)
            if callback.class_path.startswith("hummuss.callbacks.") and "folder" in callback.get("init_args", {}):
                callback.init_args.folder = str(self.folder)

    def instantiate_trainer(self, **kwargs: Any) -> L.Trainer:
        trainer: Any = super().instantiate_trainer(**kwargs)
        if not trainer.fast_dev_run:
            trainer.callbacks.append(RunReport(self.folder, self.config[self.subcommand].seed_everything))
        return trainer

    def _parse_ckpt_path(self) -> None:
        """Nothing: Lightning would take settings, and classes to import, out of the checkpoint; the config says all."""

    def _run_subcommand(self, subcommand: str) -> None:
        try:
            super()._run_subcommand(subcommand)
        except UnpicklingError as error:
            path = self.config[subcommand].ckpt_path
            raise InputError(
                f"{path} holds more than weights and could run code: it is not loaded; give one of `hummuss fit`"
            ) from error

    def after_fit(self) -> None:
        """Report the best checkpoint, on the validation split."""
        trainer: Any = self.trainer
        if not trainer.fast_dev_run:
            trainer.validate(self.model, datamodule=self.datamodule, ckpt_path="best", verbose=False, weights_only=True)

    def _config_name(self) -> str:
        config = self.config[self.subcommand]
        if config.name:
            return config.name
        return Path(str(config.config[0])).stem if config.config else "default"


def _keep_curves(folder: Path) -> None:
    """Set the curves of the run's earlier sessions aside: CSVLogger deletes the file it finds."""
    curves = folder / "metrics.csv"
    if curves.exists():
        curves.rename(folder / f"metrics-{len(list(folder.glob('metrics-*.csv'))) + 1}.csv")


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


def run(arguments: list[str]) -> None:
    """Run one LightningCLI command."""
    for message in QUIET:
        warnings.filterwarnings("ignore", message=message)
    try:
        _run(arguments)
    finally:
        if "wandb" in sys.modules:
            sys.modules["wandb"].finish()  # an unfinished run would swallow the next one of this process


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
        save_config_callback=SaveConfigCallback if arguments[0] == "fit" else None,
        save_config_kwargs={"overwrite": True},
        parser_kwargs={"exit_on_error": False, "prog": "hummuss"},
    )
