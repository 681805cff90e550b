"""One picture of how a training went, at its end."""

import csv
from pathlib import Path

import lightning as L
from lightning.pytorch.loggers import CSVLogger

from hummuss.callbacks.loggers import log_pictures
from hummuss.viz.curves import Series, save_training

PICTURE = "curves.png"


class TrainingCurves(L.Callback):
    """Draws the run's metrics.csv, those of earlier sessions included, to ``<folder>/curves.png`` and W&B.

    Args:
        folder: the run's folder; the command line sets it, without one nothing is drawn.
    """

    def __init__(self, folder: str | None = None) -> None:
        self.folder = folder

    def on_fit_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if self.folder is None or not trainer.is_global_zero:
            return
        for logger in trainer.loggers:
            if isinstance(logger, CSVLogger):
                logger.save()
        folder = Path(self.folder)
        series = read_curves(folder)
        if series:
            save_training(folder / PICTURE, series, f"{folder.parent.name} {folder.name}")
            log_pictures(trainer, {"curves": folder / PICTURE})


def read_curves(folder: Path) -> dict[str, Series]:
    """Column of a run's metrics files -> its steps and figures, one session after another.

    Where a session goes on before the end of the one it follows (the steps after the last checkpoint are repeated),
    the later session's figures count.
    """
    earlier = sorted(folder.glob("metrics-*.csv"), key=lambda path: int(path.stem.partition("-")[2]))
    found: dict[str, dict[int, float]] = {}
    for path in [*earlier, folder / "metrics.csv"]:
        if not path.is_file():
            continue
        with open(path, newline="") as file:
            rows = list(csv.DictReader(file))
        first = min((int(row["step"]) for row in rows), default=0)
        for known in found.values():
            for step in [step for step in known if step >= first]:
                del known[step]
        for row in rows:
            for name, value in row.items():
                if value and name not in ("step", "epoch"):
                    found.setdefault(name, {})[int(row["step"])] = float(value)
    return {name: Series(list(values), list(values.values())) for name, values in found.items() if values}
