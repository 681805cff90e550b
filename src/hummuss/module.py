"""The LightningModule: one backbone, any heads."""

import math
from collections.abc import Callable, Sequence
from typing import Any, cast

import lightning as L
import torch
from jaxtyping import Float
from lightning.fabric.utilities.rank_zero import rank_zero_only
from lightning.pytorch.callbacks import WeightAveraging
from lightning.pytorch.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor, nn
from torchmetrics import MetricCollection

from hummuss.backbones.ssm import DiagonalSSM
from hummuss.data.datamodules import MotionDataModule
from hummuss.errors import InputError
from hummuss.heads.base import Batch, Head, Prediction
from hummuss.inference.strategy import Inference
from hummuss.protocols.base import Protocol, TestClips, scored_frames
from hummuss.protocols.plain import Plain
from hummuss.protocols.scoring import Results, Scoring, logged
from hummuss.tasks import TrainingBatch, batches_of, check_tasks, heads_of
from hummuss.training.initial_weights import take_over

PRECISIONS = ("32-true", "bf16-mixed", "16-mixed")


class MotionModule(L.LightningModule):
    """Train and evaluate heads on a shared backbone.

    Batches of several tasks (`hummuss.tasks`) each train the heads that they are for. Losses are summed over heads and
    logged by name; metrics are logged as ``<stage>/<metric>``, those of the trivial
    baseline beside them as ``<stage>/<its name>/<metric>``. Several heads put their name before the metric; named
    parts of the test data put theirs.

    Args:
        backbone: ``backbone(keypoints, dt, valid) -> (B, F, J, dim_rep)`` with attribute ``dim_rep``.
        heads: task name -> what makes its head from dim_rep (a `Head` class is).
        loss_weights: task name -> weight of its losses; 1 where not named.
        pretrained: what training begins with: a checkpoint, a run's folder, that of all runs of a name (the newest) or
            a shared model's. Its backbone must fit in full; heads that it has alike are taken over too; what was is
            printed. Not read but by a new ``fit``.
        learning_rate: peak of the cosine schedule.
        backbone_learning_rate: the same for the backbone; ``learning_rate`` by default.
        ssm_learning_rate: the same for its state space parameters, which take no weight decay either; the backbone's
            by default.
        weight_decay: of weight matrices only.
        warmup: share of the training steps in which the rate rises.
        inference: how whole test clips are predicted.
        protocol: how the test data are scored; `Plain` by default.

    Attributes:
        results: what the protocol found, after a test.
        selected_on_test: whether any part of the training was validated on the test split; None where a checkpoint
            does not say.
    """

    def __init__(
        self,
        backbone: nn.Module,
        heads: dict[str, Callable[[int], Head]],
        loss_weights: dict[str, float] | None = None,
        pretrained: str | None = None,
        learning_rate: float = 1e-3,
        backbone_learning_rate: float | None = None,
        ssm_learning_rate: float | None = None,
        weight_decay: float = 0.01,
        warmup: float = 0.05,
        inference: Inference | None = None,
        protocol: Protocol | None = None,
    ) -> None:
        super().__init__()
        self.backbone = backbone
        dim_rep = cast(int, backbone.dim_rep)
        made = nn.ModuleDict({name: make(dim_rep) for name, make in heads.items()})
        self.heads = cast(dict[str, Head], made)
        self.loss_weights, self.pretrained = loss_weights or {}, pretrained
        if unknown := sorted(self.loss_weights.keys() - heads.keys()):
            raise InputError(
                f"model.init_args.loss_weights names {', '.join(unknown)}, but the heads are {', '.join(heads)}"
            )
        self.backbone_learning_rate = learning_rate if backbone_learning_rate is None else backbone_learning_rate
        self.ssm_learning_rate = self.backbone_learning_rate if ssm_learning_rate is None else ssm_learning_rate
        self.learning_rate = learning_rate
        if not 0 <= warmup <= 1:
            raise InputError(f"model.init_args.warmup is {warmup}, expected a share of the training steps, 0 to 1")
        self.weight_decay, self.warmup = weight_decay, warmup
        self.inference = inference or Inference()
        self.protocol = protocol or Plain()
        self.scores: dict[str, MetricCollection] = {}
        self.scorings: list[tuple[str, Scoring, int]] = []
        self.results: Results = {}
        self.selected_on_test: bool | None = None
        self._restored = False  # from a checkpoint of its own: a resumed run does not begin again
        # Processes keep their buffers equal themselves (`RunningMean`). DDP would copy them before each batch, and
        # wait for ever where the last process has one validation batch fewer.
        self._ddp_params_and_buffers_to_ignore = {name for name, _ in self.named_buffers()}

    def forward(self, batch: Batch, heads: Sequence[str] | None = None) -> dict[str, Prediction]:
        """The prediction of every head, or of those named."""
        return self.decode(self.backbone(batch["keypoints"], batch["dt"], batch["valid"]), batch, heads)

    def decode(
        self, representation: Float[Tensor, "B F J dim_rep"], batch: Batch, heads: Sequence[str] | None = None
    ) -> dict[str, Prediction]:
        """What every head, or those named, make of the backbone's representation."""
        with self._full_precision():
            at_least = torch.promote_types(representation.dtype, torch.float32)
            names = self.heads if heads is None else heads
            return {name: self.heads[name](representation.to(at_least), batch) for name in names}

    def _full_precision(self) -> torch.autocast:
        """Mixed precision is for the backbone: bfloat16 would place a joint a metre away to within 4 mm."""
        return torch.autocast(self.device.type, enabled=False)

    def setup(self, stage: str) -> None:
        if stage == "test" and self.trainer.world_size > 1:
            raise InputError(
                f"a test scores whole clips in one process, not {self.trainer.world_size}: give --trainer.devices 1 "
                "--trainer.num_nodes 1"
            )
        if getattr(self.trainer, "overfit_batches", 0):
            raise InputError(
                "trainer.overfit_batches would replace the order of the windows: give --trainer.limit_train_batches, "
                "or data of few clips, such as --data.init_args.train_clips 1 of synthetic motion"
            )
        if self.trainer.precision not in PRECISIONS:
            raise InputError(
                f"trainer.precision is {self.trainer.precision}: give one of {', '.join(PRECISIONS)}; weights stay in "
                "float32, the precision that mixed ones keep for all that needs it"
            )

    def check_data(self, data: MotionDataModule) -> None:
        """Let every head look at the data, see `Head.check_data`: a data module asks before anything is trained."""
        check_tasks(data.tasks, self.heads)
        for task, part in data.tasks.items():
            for name in heads_of(task, self.heads):
                self.heads[name].check_data(part)

    def on_fit_start(self) -> None:
        self._seed = torch.initial_seed()
        data = getattr(self.trainer, "datamodule", None)
        # Once chosen on the test split, always chosen on the test split: what goes on or begins with earlier weights
        # does not forget it, nor a module that is fitted again.
        chosen: list[bool | None] = [bool(getattr(data, "select_on_test", False)), self.selected_on_test is True]
        if self._restored:
            chosen.append(self.selected_on_test)
        elif self.pretrained is not None:
            taken = take_over(self.backbone, dict(self.heads.items()), self.pretrained)
            rank_zero_only(print)(taken)
            chosen.append(taken.selected_on_test)
        self.selected_on_test = True if True in chosen else None if None in chosen else False

    def on_train_batch_start(self, batch: TrainingBatch, batch_idx: int) -> None:
        # Dropout depends on the seed and the batch alone: a resumed run draws what the uninterrupted one would have.
        # Several processes draw what one that accumulates their batches would.
        number = batch_idx * self.trainer.world_size + self.global_rank
        torch.manual_seed(hash((self._seed, self.current_epoch, number, 0)))

    def training_step(self, batch: TrainingBatch, batch_idx: int) -> Tensor:
        total, samples = torch.zeros((), device=self.device), 0
        for task, own in batches_of(batch).items():
            predictions = self(own, heads_of(task, self.heads))
            samples += len(own["dt"])
            with self._full_precision():
                for name, prediction in predictions.items():
                    head = self.heads[name]
                    head.observe(own)
                    for term, value in head.loss(prediction, own).items():
                        self.log(f"train/{name}/{term}", value, batch_size=len(own["dt"]))
                        total = total + self.loss_weights.get(name, 1.0) * value
        self.log("train/loss", total, prog_bar=True, batch_size=samples)
        return total

    def validation_step(self, batch: Batch, batch_idx: int, dataloader_idx: int = 0) -> dict[str, Prediction]:
        task, data = list(cast(Any, self.trainer).datamodule.tasks.items())[dataloader_idx]
        predictions = self(batch, heads_of(task, self.heads))
        if data.select_on_test:  # test clips mark what is not scored
            loaders = cast(Any, self.trainer).val_dataloaders
            loader = loaders[dataloader_idx] if isinstance(loaders, list) else loaders
            batch = batch | {"valid": scored_frames(loader.dataset.sources, batch["clip"], batch)}
        with self._full_precision():
            for name, head in ((name, self.heads[name]) for name in predictions):
                prefix = f"val/{name}" if len(self.heads) > 1 else "val"
                self._score(prefix, head, predictions[name], batch)
                self._score(f"{prefix}/{head.baseline_name}", head, head.baseline(batch), batch)
        return predictions

    def test_step(self, batch: Batch, batch_idx: int, dataloader_idx: int = 0) -> dict[str, Any]:
        """Returns ``predictions`` by head, and by head the ``errors`` of frames, (B, F) in mm, NaN: not counted."""
        task, scoring, loader = self.scorings[dataloader_idx]
        trained_frames = cast(Any, self.trainer).datamodule.tasks[task].frames
        with self._full_precision():
            every = self.inference.predict(self, batch, trained_frames)
            predictions = {name: every[name] for name in scoring.heads}
            return {"predictions": predictions, "errors": scoring.update(predictions, batch, loader)}

    def on_validation_epoch_start(self) -> None:
        self.scores = {}

    def on_test_epoch_start(self) -> None:
        loaders = iter(cast(list[Any], self.trainer.test_dataloaders))
        self.scorings = []  # of every loader: its task, what scores it, its number within the task
        for task, part in cast(Any, self.trainer).datamodule.tasks.items():
            clips = TestClips({group: next(loaders).dataset.sources for group in part.groups("test")}, part.classes)
            heads = {name: self.heads[name] for name in heads_of(task, self.heads)}
            scoring = Scoring(self.protocol, heads, clips, self.device)
            self.scorings += [(task, scoring, number) for number in range(len(clips.groups))]
        self.inference.forget()

    def on_validation_epoch_end(self) -> None:
        for prefix, collection in self.scores.items():
            _, *names = prefix.split("/")
            head = self.heads[names[0] if len(self.heads) > 1 else next(iter(self.heads))]
            for name, value in collection.compute().items():
                # Shown while training: what stands for the task; the baseline's figures wait for the final table.
                shown = name in head.headline and head.baseline_name not in names
                self.log(f"{prefix}/{name}", value.float(), prog_bar=shown, sync_dist=False)

    def on_test_epoch_end(self) -> None:
        self.results = {}
        for _, scoring, number in self.scorings:
            if number == 0:
                self.results |= scoring.results()
        for name, figure in logged(self.results, several_heads=len(self.heads) > 1):
            self.log(f"test/{name}", figure, sync_dist=False)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["selected_on_test"] = self.selected_on_test

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        trainer = cast(Any, self._trainer)
        averaged = trainer is None or any(isinstance(callback, WeightAveraging) for callback in trainer.callbacks)
        if "current_model_state" in checkpoint and not averaged and trainer.state.fn == "fit":
            raise InputError(
                "the checkpoint holds averaged weights beside those that were trained: resume with the overlay that "
                "averages, --config configs/training/ema.yaml"
            )
        own = type(self).configure_optimizers is not MotionModule.configure_optimizers
        if trainer is not None and trainer.state.fn == "fit" and not own:
            self._refuse_other_rates(checkpoint)
        self.selected_on_test = checkpoint.get("selected_on_test")
        self._restored = True

    def _refuse_other_rates(self, checkpoint: dict[str, Any]) -> None:
        """A resumed optimiser keeps the rates it had, whatever the config says by now."""
        for state in checkpoint.get("optimizer_states", []):
            had = [(group.get("initial_lr", group["lr"]), group["weight_decay"]) for group in state["param_groups"]]
            now = [(group["lr"], group["weight_decay"]) for group in self._parameter_groups()]
            if had != now:
                raise InputError(
                    f"the checkpoint was trained with (learning rate, weight decay) {_told(had)}, the config has "
                    f"{_told(now)}: resume with those it had, or begin anew from its weights with "
                    "--model.init_args.pretrained"
                )

    def _score(self, name: str, head: Head, prediction: Prediction, batch: Batch) -> None:
        if name not in self.scores:
            self.scores[name] = head.metrics().to(self.device)
        head.score(self.scores[name], prediction, batch)

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        """AdamW: decayed weight matrices, undecayed rest, state space and backbone at their own rates; cosine."""
        optimiser = torch.optim.AdamW(self._parameter_groups(), lr=self.learning_rate)
        if math.isinf(self.trainer.estimated_stepping_batches):
            raise InputError(
                "training has no end, over which the learning rate could fall: give --trainer.max_epochs or "
                "--trainer.max_steps"
            )
        steps = int(self.trainer.estimated_stepping_batches)
        rising = max(1, round(self.warmup * steps))

        def schedule(step: int) -> float:
            if step < rising:
                return (step + 1) / rising
            return 0.5 * (1 + math.cos(math.pi * min(1.0, (step - rising) / max(1, steps - rising))))

        scheduler = torch.optim.lr_scheduler.LambdaLR(optimiser, schedule)
        return {"optimizer": optimiser, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}

    def _parameter_groups(self) -> list[dict[str, Any]]:
        state_space = {
            id(parameter)
            for module in self.modules()
            if isinstance(module, DiagonalSSM)
            for parameter in module.parameters()
        }
        groups: dict[tuple[float, float], list[nn.Parameter]] = {}
        for part, rate in ((self.backbone, self.backbone_learning_rate), (self.heads, self.learning_rate)):
            for parameter in cast(nn.Module, part).parameters():
                own = self.ssm_learning_rate if id(parameter) in state_space else rate
                decay = self.weight_decay if id(parameter) not in state_space and parameter.ndim > 1 else 0.0
                groups.setdefault((own, decay), []).append(parameter)
        return [{"params": members, "lr": rate, "weight_decay": decay} for (rate, decay), members in groups.items()]


def _told(groups: list[tuple[float, float]]) -> str:
    """Rates and decays of an optimiser's groups, each once."""
    return ", ".join(f"({rate:g}, {decay:g})" for rate, decay in dict.fromkeys(groups))
