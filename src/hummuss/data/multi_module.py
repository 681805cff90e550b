"""The data module of several tasks at once: a batch of each in every step."""

from typing import Any

from lightning.pytorch.utilities import CombinedLoader
from torch.utils.data import DataLoader

from hummuss.data.datamodules import MotionDataModule
from hummuss.data.parts_module import PartsDataModule
from hummuss.data.windows import Sample
from hummuss.errors import InputError


class MultiDataModule(PartsDataModule):
    """Several data modules, each for the heads that its name says: ``pose``, or ``pose+mesh`` for both.

    A training step has one batch of every part, as the part alone would draw it with the same seed: a run of one task
    and one of many see the same windows of it in the same order. A part may be a `MixtureDataModule`. Validation and
    test run over every part with its heads alone.

    Args:
        parts: heads -> data module.
        seed: of every random choice in training; the parts' own are not used.

    Raises:
        InputError: parts of which one has more batches in an epoch, or other ``test_windows``.
    """

    def __init__(self, parts: dict[str, MotionDataModule], seed: int = 0) -> None:
        super().__init__(parts, seed=seed)
        for part in parts.values():
            part.seed = seed
        self.frames = max(part.frames for part in parts.values())
        self.select_on_test = any(part.select_on_test for part in parts.values())
        self.test_windows, *others = [part.test_windows for part in parts.values()]
        if any(other != self.test_windows for other in others):
            raise InputError("data.init_args.parts have different test_windows: tables tell of one, give all the same")

    @property
    def tasks(self) -> dict[str, MotionDataModule]:
        return self.parts

    def train_dataloader(self) -> CombinedLoader:  # type: ignore[override]
        loaders = {name: part.train_dataloader() for name, part in self._attached().items()}
        batches = {name: len(loader) for name, loader in loaders.items()}
        if len(set(batches.values())) > 1:
            said = ", ".join(f"{name} {count}" for name, count in batches.items())
            raise InputError(
                f"the parts have different numbers of batches in an epoch: {said}; change their windows_per_epoch or "
                "batch_size, so that a resumed run knows where each of them is"
            )
        return CombinedLoader(loaders, "min_size")

    def val_dataloader(self) -> list[DataLoader[Sample]]:  # type: ignore[override]
        return [part.val_dataloader() for part in self._attached().values()]

    def test_dataloader(self) -> list[DataLoader[Sample]]:
        return [loader for part in self._attached().values() for loader in part.test_dataloader()]

    def state_dict(self) -> dict[str, Any]:
        return {name: part.state_dict() for name, part in self._attached().items()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Called by Lightning for every checkpoint; see `MotionDataModule.load_state_dict`."""
        if self.trainer is not None and self.trainer.state.fn != "fit":
            return
        if set(state_dict) != set(self.parts):
            raise InputError(
                f"the checkpoint is of a run with the parts {', '.join(state_dict)}, now they are "
                f"{', '.join(self.parts)}: resume with the data it had"
            )
        for name, part in self._attached().items():
            part.load_state_dict(state_dict[name])

    def setup(self, stage: str) -> None:
        super().setup(stage)
        for part in self.parts.values():
            part.resumed = None

    def _attached(self) -> dict[str, MotionDataModule]:
        """The parts, told of the trainer: Lightning tells only this module."""
        for part in self.parts.values():
            part.trainer = self.trainer
        return self.parts
