"""What the state space layers and their gates are doing while they learn."""

from typing import Any

import lightning as L
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from hummuss.backbones.gdssm import GDSSM
from hummuss.backbones.ssm import DiagonalSSM
from hummuss.callbacks.loggers import log_histograms, log_numbers
from hummuss.tasks import TrainingBatch

# What numbers stand for a histogram in a CSV.
QUANTILES = {"p05": 0.05, "median": 0.5, "p95": 0.95}
# A gate whose factor is smaller than that lets nothing through.
CLOSED = 0.05


class StateSpaceMonitor(L.Callback):
    """Logs how step sizes Δ, poles λ and gates are distributed: histograms to W&B, their quantiles everywhere.

    Keys are ``ssm/<axis>/<quantity>/<p05, median, p95>``; the axis is ``time`` or ``joints``. Quantities: ``step_size``
    (Δ), ``decay`` (-Re λ), ``frequency`` (Im λ) and, of time, ``memory_seconds``, after which a mode has fallen to 1/e:
    1 / (Δ · reference_fps · -Re λ). ``gate`` is gelu(z W_v) of the step's batch, and ``gate/closed`` the share of
    gates below 0.05 either way; blocks without a gate have neither. Backbones without such layers log nothing.

    Args:
        every_n_steps: optimiser steps from one entry to the next.
    """

    def __init__(self, every_n_steps: int = 50) -> None:
        self.every_n_steps = every_n_steps
        self._hooks: list[RemovableHandle] = []
        self._gates: dict[str, list[Tensor]] = {}
        self._due = False
        self._logged: int | None = None

    def on_train_batch_start(
        self, trainer: L.Trainer, pl_module: L.LightningModule, batch: TrainingBatch, batch_idx: int
    ) -> None:
        due = trainer.global_step % self.every_n_steps == 0 and trainer.global_step != self._logged
        self._due = due and bool(trainer.loggers)
        if not self._due:
            return
        self._logged = trainer.global_step  # of several batches that make a step, the first
        self._gates = {}
        for path, module in pl_module.named_modules():
            if isinstance(module, GDSSM) and module.gate != "none":
                self._hooks.append(module.to_value.register_forward_hook(self._keep(axis_of(path))))

    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, batch: TrainingBatch, batch_idx: int
    ) -> None:
        if not self._due:
            return
        for hook in self._hooks:
            hook.remove()
        self._hooks = []
        values = layer_values(pl_module)
        if not values:
            return
        numbers: dict[str, float] = {}
        for axis, gates in self._gates.items():
            values[f"{axis}/gate"] = torch.cat(gates)
            numbers[f"ssm/{axis}/gate/closed"] = float((values[f"{axis}/gate"].abs() < CLOSED).float().mean())
        self._gates = {}
        for name, value in values.items():
            found = torch.quantile(value.float(), value.new_tensor(list(QUANTILES.values()), dtype=torch.float32))
            numbers |= {f"ssm/{name}/{key}": float(one) for key, one in zip(QUANTILES, found, strict=True)}
        # Under the step that the batch is of, which may not have ended.
        assert self._logged is not None
        log_numbers(trainer, numbers, self._logged)
        log_histograms(trainer, {f"ssm/{name}": value for name, value in values.items()}, self._logged)

    def _keep(self, axis: str) -> Any:
        def hook(module: nn.Module, inputs: Any, output: Tensor) -> None:
            # A few thousand of millions show the distribution as well.
            flat = output.detach().flatten()
            self._gates.setdefault(axis, []).append(F.gelu(flat[:: max(1, len(flat) // 4096)].float()))

        return hook


@torch.no_grad()
def layer_values(module: nn.Module) -> dict[str, Float[Tensor, "values"]]:
    """``<axis>/<quantity>`` -> its values in all state space layers of a module; empty where there are none.

    >>> from hummuss import HumMUSS
    >>> sorted(layer_values(HumMUSS(dim=8, depth=1, modes=2)))[:3]
    ['joints/decay', 'joints/frequency', 'joints/step_size']
    """
    found: dict[str, list[Tensor]] = {}
    for path, layer in module.named_modules():
        if not isinstance(layer, DiagonalSSM):
            continue
        axis, decay = axis_of(path), layer.log_decay.exp()
        rate = layer.step_size[:, None] * layer.reference_fps * decay
        values = {"step_size": layer.step_size, "decay": decay, "frequency": layer.frequency}
        values |= {"memory_seconds": 1 / rate} if axis == "time" else {}
        for name, value in values.items():
            found.setdefault(f"{axis}/{name}", []).append(value.flatten())
    return {name: torch.cat(parts) for name, parts in found.items()}


def axis_of(path: str) -> str:
    """The axis that a layer runs along, by its path in the model."""
    return "joints" if "spatial" in path else "time"
