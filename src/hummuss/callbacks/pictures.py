"""Predictions of the same validation clips, drawn as training goes."""

from pathlib import Path
from typing import Any, cast

import lightning as L

from hummuss.callbacks.loggers import log_pictures
from hummuss.heads.base import Batch, Prediction
from hummuss.module import MotionModule
from hummuss.viz.draw import save_comparison


class PredictionPictures(L.Callback):
    """Draws the first validation batch to ``<folder>/epochs/<head>_<epoch>.png`` and W&B's ``prediction/<head>``.

    Where several tasks are trained, the first batch of each, by its own heads.

    Args:
        every_n_epochs: draw after epoch N, 2 N and so on, counted from 1.
        panels: frames in a picture, each of another clip.
        folder: the run's folder; the command line sets it, without one nothing is drawn.
    """

    def __init__(self, every_n_epochs: int = 2, panels: int = 4, folder: str | None = None) -> None:
        self.every_n_epochs, self.panels, self.folder = every_n_epochs, panels, folder

    def on_validation_batch_end(
        self,
        trainer: L.Trainer,
        pl_module: L.LightningModule,
        outputs: Any,
        batch: Batch,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        epoch = trainer.current_epoch + 1
        wanted = trainer.state.fn == "fit" and not trainer.sanity_checking and trainer.is_global_zero
        if not wanted or self.folder is None or batch_idx or epoch % self.every_n_epochs:
            return
        files = Path(self.folder) / "epochs" / f"{{}}_{epoch:03d}.png"
        drawn = draw_heads(cast(MotionModule, pl_module), outputs, batch, self.panels, files)
        log_pictures(trainer, {f"prediction/{name}": picture for name, picture in drawn.items()})


def draw_heads(
    module: MotionModule, predictions: dict[str, Prediction], batch: Batch, count: int, files: Path
) -> dict[str, Path]:
    """Draw ``count`` frames of every head that predicts something to draw; return head -> picture.

    ``files`` is the pictures' path, with ``{}`` in its last part for the head's name.
    """
    drawn = {}
    for name, prediction in predictions.items():
        head = module.heads[name]
        panels = head.panels(prediction, batch, count)
        if panels:
            drawn[name] = files.with_name(files.name.format(name))
            save_comparison(drawn[name], panels, head.faces)
    return drawn
