"""Numbers, histograms and pictures to whichever loggers a trainer has."""

from collections.abc import Mapping
from pathlib import Path

import lightning as L
import numpy as np
from jaxtyping import Float
from lightning.pytorch.loggers import WandbLogger
from torch import Tensor


def steps_done(trainer: L.Trainer) -> int:
    """The number under which Lightning logs the step that has just ended."""
    return max(0, trainer.global_step - 1)


def log_numbers(trainer: L.Trainer, numbers: Mapping[str, float], step: int) -> None:
    """To every logger, under a step: the CSV's columns, W&B's charts."""
    for logger in trainer.loggers:
        logger.log_metrics(dict(numbers), step=step)


def log_histograms(trainer: L.Trainer, values: Mapping[str, Float[Tensor, "..."]], step: int) -> None:
    """To the W&B run, where there is one, under a step."""
    for logger in trainer.loggers:
        if isinstance(logger, WandbLogger):
            import wandb  # takes a second, and only runs that log to W&B need it

            binned = {
                name: np.histogram(value.flatten().float().cpu().numpy(), bins=64) for name, value in values.items()
            }
            drawn = {name: wandb.Histogram(np_histogram=histogram) for name, histogram in binned.items()}
            logger.experiment.log({**drawn, "trainer/global_step": step})


def log_pictures(trainer: L.Trainer, pictures: Mapping[str, Path]) -> None:
    """To the W&B run, where there is one, under the names given."""
    for logger in trainer.loggers:
        if isinstance(logger, WandbLogger):
            for name, picture in pictures.items():
                logger.log_image(name, [str(picture)])
