"""`hummuss fit | validate | test | predict`: LightningCLI with run folders and a report."""

import os
import warnings
from pathlib import Path
from typing import Any

import lightning as L
from lightning.pytorch.cli import LightningArgumentParser, LightningCLI

from hummuss.cli.runs import new_run, newest_checkpoint
from hummuss.data.datamodules import MotionDataModule
from hummuss.module import MotionModule
from hummuss.report import RunReport

RUNS = Path("runs")


class HummussCLI(LightningCLI):
    """One config names model, data and trainer; the command decides where the run lives.

    A new ``fit`` gets the folder runs/<name of its first config>/<n>; loggers, checkpoints, config and report all go
    there. ``--ckpt_path last`` and ``best`` stand for the newest run's checkpoint, whose folder is then used again.
    """

    folder: Path

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        parser.link_arguments("seed_everything", "data.init_args.seed", compute_fn=int)

    def before_instantiate_classes(self) -> None:
        config = self.config[self.subcommand]
        if config.get("ckpt_path") in ("last", "best"):
            config.ckpt_path = str(newest_checkpoint(RUNS, self._config_name(), config.ckpt_path))
        if "verbose" in config:
            config.verbose = False  # the run's report replaces Lightning's table
        if config.trainer.fast_dev_run:
            return
        self.folder = (
            Path(config.ckpt_path).parent if config.get("ckpt_path") else new_run(RUNS, self._config_name())
        )
        if self.subcommand != "fit":
            config.trainer.logger = False  # the report is the record; a logger would overwrite the training's curves
        else:
            _keep_curves(self.folder)
        for logger in config.trainer.logger if isinstance(config.trainer.logger, list) else []:
            logger.init_args.save_dir = str(self.folder)
            if logger.class_path.endswith("WandbLogger") and _wandb_has_no_account():
                logger.init_args.mode = "offline"
        for callback in config.trainer.callbacks or []:
            if callback.class_path.endswith("ModelCheckpoint") and callback.init_args.dirpath is None:
                callback.init_args.dirpath = str(self.folder)

    def instantiate_trainer(self, **kwargs: Any) -> L.Trainer:
        trainer: Any = super().instantiate_trainer(**kwargs)
        if not trainer.fast_dev_run:
            trainer.callbacks.append(RunReport(self.folder, self.config[self.subcommand].seed_everything))
        return trainer

    def after_fit(self) -> None:
        """Report the best checkpoint, on the validation split."""
        trainer: Any = self.trainer
        if not trainer.fast_dev_run:
            trainer.validate(self.model, datamodule=self.datamodule, ckpt_path="best", verbose=False)

    def _config_name(self) -> str:
        configs = self.config[self.subcommand].config
        return Path(str(configs[0])).stem if configs else "default"


def _keep_curves(folder: Path) -> None:
    """Set the curves of the run's earlier sessions aside: CSVLogger deletes the file it finds."""
    curves = folder / "metrics.csv"
    if curves.exists():
        curves.rename(folder / f"metrics-{len(list(folder.glob('metrics-*.csv'))) + 1}.csv")


def _wandb_has_no_account() -> bool:
    """Whether W&B could neither log in nor was told what to do instead."""
    import wandb  # takes a second, and only runs that log to W&B need it

    return "WANDB_MODE" not in os.environ and not wandb.login(prompt=False)


def run(arguments: list[str]) -> None:
    """Run one LightningCLI command."""
    # Neither is about anything the user does: how this function is called, and a call within Lightning itself.
    warnings.filterwarnings("ignore", message="LightningCLI's args parameter")
    warnings.filterwarnings("ignore", message=".*isinstance.treespec, LeafSpec.. is deprecated")
    HummussCLI(
        MotionModule,
        MotionDataModule,
        args=arguments,
        subclass_mode_model=True,
        subclass_mode_data=True,
        auto_configure_optimizers=False,
        seed_everything_default=0,
        save_config_kwargs={"overwrite": True},
        parser_kwargs={"exit_on_error": False},
    )
