"""What a run leaves behind: summary.json, a table of metrics beside the baseline's, pictures of predictions."""

import json
import time
from dataclasses import replace
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any, cast

import lightning as L
import torch
from rich.table import Table
from torch import Tensor

from hummuss.backbones.cost import Cost, cost
from hummuss.callbacks.loggers import log_pictures
from hummuss.callbacks.pictures import draw_heads
from hummuss.console import make_console
from hummuss.heads.base import Batch, Prediction
from hummuss.metrics.units import BASELINES, unit
from hummuss.module import MotionModule
from hummuss.protocols.scoring import MODEL
from hummuss.provenance import SELECTED_ON_TEST, device_name, file_hash, git_commit, selection
from hummuss.table import ResultTable
from hummuss.tasks import TrainingBatch
from hummuss.training.tally import Tally
from hummuss.viz.charts import save_bars, save_confusion, save_curve
from hummuss.viz.draw import Panel, save_comparison
from hummuss.viz.worst import Worst
from hummuss.whole_file import whole_file

SUMMARY = "summary.json"
PANELS = 6


class RunReport(L.Callback):
    """Measures training and, after ``validate`` or ``test``, writes the run's summary, tables and pictures.

    Pictures also go to a W&B run where the trainer has one.

    Args:
        folder: the run's folder.
        seed: the run's seed, for the summary.
        label: of a test beside the run's own: its table and pictures are called ``test_<label>``, the summary stays.
    """

    def __init__(self, folder: Path, seed: int | None, label: str | None = None) -> None:
        self.folder, self.seed = folder, seed
        self.label, self._test = label, "test" if label is None else f"test_{label}"
        self.seconds, self.steps = 0.0, 0
        self.tally = Tally()
        self._started = 0.0
        self._worst: dict[str, Worst] = {}
        self._stage = "fit"

    def setup(self, trainer: L.Trainer, pl_module: L.LightningModule, stage: str) -> None:
        self._stage = stage

    def on_fit_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        assert isinstance(pl_module, MotionModule)
        if not trainer.is_global_zero:
            return
        found = self._cost(trainer, pl_module)
        total = sum(parameter.numel() for parameter in pl_module.parameters())
        make_console().print(
            f"{type(pl_module.backbone).__name__}: {found.parameters / 1e6:.2f} M parameters "
            f"({total / 1e6:.2f} M with heads), {found.multiply_adds / 1e6:.1f} M multiply-adds per frame "
            f"in clips of {found.frames} frames",
            highlight=False,
        )

    @staticmethod
    def _cost(trainer: L.Trainer, module: MotionModule) -> Cost:
        return cost(module.backbone, cast(Any, trainer).datamodule.frames)

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self._started = time.perf_counter()  # a run that resumes within an epoch starts none

    def on_train_epoch_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self._started = time.perf_counter()

    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, batch: TrainingBatch, batch_idx: int
    ) -> None:
        self.tally.add(batch, trainer.world_size)
        self.steps = trainer.global_step
        now = time.perf_counter()
        self.seconds, self._started = self.seconds + now - self._started, now

    def on_validation_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self._paused = time.perf_counter()

    def on_validation_batch_end(
        self,
        trainer: L.Trainer,
        pl_module: L.LightningModule,
        outputs: Any,
        batch: Batch,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        if trainer.state.fn != "fit" and batch_idx == 0:
            self._draw_first(trainer, cast(MotionModule, pl_module), outputs, batch, "val")

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        # Validation is no training time; the table waits for the best checkpoint's own validation.
        self._started += time.perf_counter() - self._paused
        if trainer.state.fn == "validate" and trainer.is_global_zero:
            metrics = self._summarise(trainer, pl_module, "val")
            print_metrics(metrics, f"val: {self.folder}")

    def on_test_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self._worst = {}

    def on_test_batch_end(
        self,
        trainer: L.Trainer,
        pl_module: L.LightningModule,
        outputs: Any,
        batch: Batch,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        module = cast(MotionModule, pl_module)
        _, scoring, loader = module.scorings[dataloader_idx]
        if batch_idx == loader == 0:
            self._draw_first(trainer, module, outputs["predictions"], batch, self._test)
        clips = scoring.clips.numbers(loader, batch["clip"]).tolist()
        for name, errors in outputs["errors"].items():
            worst = self._worst.setdefault(name, Worst(PANELS))
            for sample, (clip, error) in enumerate(zip(clips, errors.nanmean(1).tolist(), strict=True)):
                draw = partial(_worst_panel, module, name, outputs, batch, sample, scoring.clips[clip].name)
                worst.offer(clip, error, draw)

    def on_test_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if not trainer.is_global_zero:
            return
        module = cast(MotionModule, pl_module)
        if self.label is None:
            self._summarise(trainer, pl_module, "test")
        title = f"Test of {self.folder}" + (f", {self.label}" if self.label else "")
        table = ResultTable(title, self._facts(trainer, module), module.results)
        pictures = [picture for name in module.results for picture in self._draw_results(module, name)]
        log_pictures(trainer, {picture.stem: picture for picture in pictures})
        table.write(self.folder / self._test, pictures)
        table.print()

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self.tally.count()

    def state_dict(self) -> dict[str, Any]:
        return {"seconds": self.seconds, "steps": self.steps} | self.tally.state_dict()

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        if self._stage != "fit":
            return  # what is scored is the best checkpoint, which has counted the steps before it alone
        self.tally.load_state_dict(state_dict)
        self.seconds = state_dict["seconds"]
        self.steps = state_dict.get("steps", 0)  # runs of before it was counted can be resumed

    def _draw_first(
        self, trainer: L.Trainer, module: MotionModule, predictions: dict[str, Prediction], batch: Batch, stage: str
    ) -> None:
        """The first samples."""
        if not trainer.is_global_zero:
            return
        drawn = draw_heads(module, predictions, batch, PANELS, self.folder / f"{stage}_{{}}.png")
        log_pictures(trainer, {picture.stem: picture for picture in drawn.values()})

    def _draw_results(self, module: MotionModule, name: str) -> list[Path]:
        """Bars, curve, confusion matrix and worst clips of one head, whichever it has."""
        models, title = module.results[name], f"{module.protocol.name}, {name}"
        result, baseline = models[MODEL], models[module.heads[name].baseline_name]
        pictures = []

        def picture(what: str) -> Path:
            pictures.append(self.folder / f"{self._test}_{name}_{what}.png")
            return pictures[-1]

        for what, bars in result.bars.items():
            save_bars(picture(what), bars, f"{title}: error by {what.rstrip('s')}", baseline.bars.get(what))
        if result.curve:
            save_curve(picture("pck"), result.curve, f"{title}: PCK", baseline.curve)
        if result.confusion is not None:
            save_confusion(picture("confusion"), result.confusion, result.classes, title)
        worst = self._worst[name].panels() if name in self._worst else []
        if worst:
            save_comparison(picture("worst"), worst, module.heads[name].faces)
        return pictures

    def _summarise(self, trainer: L.Trainer, module: L.LightningModule, stage: str) -> dict[str, float | None]:
        """Write the figures of a stage into the run's summary; return them."""
        metrics = {
            key.removeprefix(f"{stage}/"): _plain(value)
            for key, value in trainer.callback_metrics.items()
            if key.startswith(f"{stage}/")
        }
        assert isinstance(module, MotionModule)
        self.tally.count()
        inference = module.inference.describe() if stage == "test" else None
        scored = None if trainer.ckpt_path is None else file_hash(Path(str(trainer.ckpt_path)))
        known = read_summary(self.folder)
        origin = {"seed": self.seed, "commit": git_commit(), "device": device_name(module.device)}
        if not self.seconds:  # scored by a later command: where and by what it was trained stays as it was
            origin |= {key: known[key] for key in origin if key in known}
        facts = {
            "dataset": cast(Any, trainer).datamodule.dataset,
            "heads": list(module.heads),
            "checkpoints": known.get("checkpoints", {}) | {stage: scored},
            "inference": inference,
            "protocol": _protocol(module) if stage == "test" else None,
            **(_shown(trainer) if stage == "test" else {}),
            "selected_on_test": SELECTED_ON_TEST[module.selected_on_test],
            "multiply_adds_per_frame": round(self._cost(trainer, module).multiply_adds),
            "steps": self.steps or None,
            "trained_rates": self.tally.told_rates(),
            "parameters": sum(parameter.numel() for parameter in module.parameters()),
            "seconds": round(self.seconds, 1) if self.seconds else None,
            "frames_per_second": round(self.tally.frames / self.seconds, 1) if self.seconds else None,
        } | origin
        write_summary(self.folder, {stage: metrics} | facts)
        return metrics

    def _facts(self, trainer: L.Trainer, module: MotionModule) -> dict[str, Any]:
        """Without which the table means nothing."""
        data, checkpoint = cast(Any, trainer).datamodule, trainer.ckpt_path
        path = None if checkpoint is None else Path(str(checkpoint))
        unscored = [name for name in module.heads if name not in module.results]
        return {
            "dataset": data.dataset,
            "protocol": _protocol(module),
            **_shown(trainer),
            "checkpoint": None if path is None else str(path),
            "sha256": None if path is None else file_hash(path),
            "selection": "untrained" if path is None else selection(path),
            "selected_on_test": SELECTED_ON_TEST[module.selected_on_test],
            "inference": module.inference.describe(),
            "test_time_flip": "on" if module.inference.flip else "off",
            "seed": self.seed,
            "commit": git_commit(),
            "date": str(date.today()),
            "device": device_name(module.device),
        } | ({"heads_not_scored": ", ".join(unscored)} if unscored else {})


def read_summary(folder: Path) -> dict[str, Any]:
    """A run's summary.json; empty where it has none yet."""
    path = folder / SUMMARY
    return json.loads(path.read_text()) if path.exists() else {}


def write_summary(folder: Path, entries: dict[str, Any]) -> None:
    """Merge entries into the run's summary.json; what other commands wrote stays."""
    known = read_summary(folder) | {key: value for key, value in entries.items() if value is not None}
    # Studies and reports read it meanwhile.
    with whole_file(folder / SUMMARY, ": make room, and score the run's checkpoint anew") as file:
        file.write(json.dumps(known, indent=2).encode())


def print_metrics(metrics: dict[str, float | None], title: str) -> None:
    """One row per metric: the model's figure and the trivial baseline's."""
    known = [name for name in BASELINES if any(name in key.split("/") for key in metrics)]
    table = Table("metric", "model", *(name.replace("_", " ") for name in known), title=title)
    for key, value in metrics.items():
        parts = key.split("/")
        if set(parts) & set(BASELINES):
            continue
        baselines = [metrics.get("/".join([*parts[:-1], name, parts[-1]])) for name in known]
        table.add_row(f"{key} ({unit(parts[-1])})", _figure(value), *map(_figure, baselines))
    make_console().print(table)


def _worst_panel(
    module: MotionModule, name: str, outputs: dict[str, Any], batch: Batch, sample: int, clip: str
) -> Panel:
    """A clip at its worst frame: the only one that is valid for the picture."""
    errors: Tensor = outputs["errors"][name][sample]
    frame = int(errors.nan_to_num(-1.0).argmax())
    only = {key: value[sample : sample + 1] for key, value in batch.items()}
    only["valid"] = torch.arange(len(errors), device=errors.device)[None] == frame
    prediction = {key: value[sample : sample + 1] for key, value in outputs["predictions"][name].items()}
    (panel,) = module.heads[name].panels(prediction, only, 1)
    where = f"frame {int(batch['frame_index'][sample, frame])}: {errors[frame]:.0f} mm"
    return replace(panel, title=f"{clip}\n{where}\nmean: {errors.nanmean():.0f} mm")


def _protocol(module: MotionModule) -> str:
    """The protocol's name and options."""
    options = (f"{name}={value}" for name, value in module.protocol.options().items())
    return " ".join([module.protocol.name, *options])


def _shown(trainer: L.Trainer) -> dict[str, str]:
    """What of the test data is shown, and at which rate."""
    data = cast(Any, trainer).datamodule
    return {
        "test_data": _share(data.test_windows, cast(Any, trainer).limit_test_batches),
        "frame_rate": ", ".join(dict.fromkeys(_rate(part.max_fps) for part in data.tasks.values())),
    }


def _share(clips: int | None, batches: int | float) -> str:
    """How much of the test split was scored; ``batches`` is a share of them, or as a whole number their count."""
    share = "all" if clips is None else f"{clips} clips of each group, evenly spaced"
    return share if isinstance(batches, float) and batches == 1.0 else f"{share}; of their batches {batches}"


def _rate(max_fps: float | None) -> str:
    """At which rate test clips are shown and scored."""
    return "the clips' own" + ("" if max_fps is None else f", every n-th frame of those above {max_fps:g} fps")


def _plain(value: Tensor) -> float | None:
    """A number JSON knows: NaN (nothing was scored) becomes null."""
    return round(float(value), 4) if torch.isfinite(value) else None


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}"
