"""What every LightningDataModule of motion does: windows for training, validation and test, wherever motion is from."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, cast

import lightning as L
from jsonargparse import set_parsing_settings
from torch.utils.data import DataLoader, Dataset

from hummuss.body.smpl import BodyModel
from hummuss.data.samplers import EpochSampler, EvaluationSampler, ResumableLoader
from hummuss.data.transforms.frame_rate import FrameRateAugmentation
from hummuss.data.transforms.noise import DetectionNoise, RealisticNoise
from hummuss.data.transforms.occlusion import Occlusion
from hummuss.data.windows import EvaluationWindows, MotionSource, Sample, TrainingWindows, View
from hummuss.errors import InputError

# Parsers write a dataclass by its fields alone, and of the two that ``view.noise`` may be then take the default's for
# the other's: these keep their class_path through overlays, overrides and saved configs.
set_parsing_settings(subclasses_enabled=[DetectionNoise, RealisticNoise])


class MotionDataModule(L.LightningDataModule, ABC):
    """Windows of motion for training and validation, whole clips for test.

    A test batch is one whole clip, seen by one camera; the module's `Inference` decides how it is predicted.

    Args:
        frames: frames in a window, at most.
        batch_size: windows in a batch.
        windows_per_epoch: training windows drawn between two validations.
        val_windows: validation windows, evenly spaced over the split; None for all of it.
        test_windows: the same for the test split, whose windows are whole clips.
        frame_rate: random rates in training; None keeps every base frame.
        max_fps: faster captures are thinned by a whole factor to this base rate; None keeps the capture rate.
        flip: probability of mirroring a training window.
        occlusion: hides joints of training windows for a while; None hides none.
        view: virtual camera, detection noise, normalisation.
        body_path: body file the labels pose; None for the free body.
        h36m_regressor: regressor file to the 17 Human3.6M joints that belongs to ``body_path``.
        classes: action names, in the order of the class indices.
        num_workers: loader processes; 0 loads in the training process.
        balance_classes: use only clips of ``classes``, and draw as many training windows from each class.
        seed: of every random choice in training; evaluation is the same for all seeds.
        select_on_test: validate on the test split, so that the best checkpoint is the best on the test data. Many
            papers do it, nobody should: every table of such a run says so.

    Attributes:
        dataset: what tables call the data.
    """

    dataset: str

    def __init__(
        self,
        frames: int = 81,
        batch_size: int = 8,
        windows_per_epoch: int = 800,
        val_windows: int | None = 64,
        test_windows: int | None = None,
        frame_rate: FrameRateAugmentation | None = None,
        max_fps: float | None = 60.0,
        flip: float = 0.5,
        occlusion: Occlusion | None = None,
        view: View | None = None,
        body_path: str | None = None,
        h36m_regressor: str | None = None,
        classes: Sequence[str] = (),
        balance_classes: bool = False,
        num_workers: int = 0,
        seed: int = 0,
        select_on_test: bool = False,
    ) -> None:
        super().__init__()
        self.frames, self.batch_size, self.windows_per_epoch = frames, batch_size, windows_per_epoch
        self.val_windows, self.test_windows = val_windows, test_windows
        self.frame_rate, self.max_fps, self.flip, self.view = frame_rate, max_fps, flip, view or View()
        self.occlusion = occlusion
        self.body = BodyModel(body_path, h36m_regressor)
        self.classes, self.num_workers, self.seed = list(classes), num_workers, seed
        self.select_on_test, self.balance_classes = select_on_test, balance_classes
        self.resumed: dict[str, Any] | None = None

    @abstractmethod
    def sources(self, split: str) -> Sequence[MotionSource]:
        """The motion of one split."""

    @abstractmethod
    def seconds(self, split: str) -> Sequence[float]:
        """The duration of each source."""

    @abstractmethod
    def labels(self, split: str) -> Sequence[str | None]:
        """The action of each source."""

    def carries(self, field: str) -> bool:
        """Whether any clip has that array, as ``joints3d`` or ``smpl_pose``."""
        return True

    def groups(self, split: str) -> dict[str, Sequence[MotionSource]]:
        """Parts of a split that are also reported on their own; one unnamed part by default."""
        return {"": self.sources(split)}

    @property
    def bodies(self) -> dict[str, BodyModel]:
        """The bodies that clips' parameters pose, by name."""
        return {self.body.name: self.body}

    @property
    def tasks(self) -> dict[str, "MotionDataModule"]:
        """Which data are for which heads, see `hummuss.tasks`; these are for all."""
        return {"": self}

    def train_dataloader(self) -> DataLoader[Sample]:
        rank, processes = self._process()
        if self.windows_per_epoch < self.batch_size * processes:
            raise InputError(
                f"windows_per_epoch {self.windows_per_epoch} is less than one batch of {self.batch_size} for each of "
                f"{processes} processes: lower data.init_args.batch_size or raise data.init_args.windows_per_epoch"
            )
        sampler = EpochSampler(self.windows_per_epoch, self.batch_size, rank, processes, *self._resumed(processes))
        return self._loader(self._training_windows(len(sampler) * processes), sampler, self.batch_size)

    def _training_windows(self, per_epoch: int) -> Dataset[Sample]:
        """Endless windows, of which an epoch takes so many, one epoch's after the other's."""
        return self._drawn(self._shares(), self.occlusion)

    def _drawn(self, shares: Sequence[float], occlusion: Occlusion | None) -> TrainingWindows:
        return TrainingWindows(
            self.sources("train"),
            shares,
            frames=self.frames,
            batch_size=self.batch_size,
            frame_rate=self.frame_rate,
            max_fps=self.max_fps,
            flip=self.flip,
            occlusion=occlusion,
            view=self.view,
            bodies=self.bodies,
            classes=self.classes,
            seed=self.seed,
        )

    def _shares(self) -> list[float]:
        """How often each training source is drawn, relative to the others: in proportion to its duration, in balance
        to its duration within its class.
        """
        seconds, labels = list(self.seconds("train")), self.labels("train")
        if not self.balance_classes:
            return seconds
        totals: dict[str | None, float] = dict.fromkeys(labels, 0.0)
        for label, duration in zip(labels, seconds, strict=True):
            totals[label] += duration
        return [duration / totals[label] for label, duration in zip(labels, seconds, strict=True)]

    def val_dataloader(self) -> DataLoader[Sample]:
        sources = self.sources("test" if self.select_on_test else "val")
        return self._evaluation(sources, self.frames, self.val_windows, self.batch_size)

    def test_dataloader(self) -> list[DataLoader[Sample]]:
        parts = self.groups("test").values()
        return [self._evaluation(part, None, self.test_windows, 1) for part in parts]  # clips differ in length

    def _evaluation(
        self, sources: Sequence[MotionSource], frames: int | None, max_windows: int | None, batch_size: int
    ) -> DataLoader[Sample]:
        windows = EvaluationWindows(
            sources,
            frames=frames,
            max_windows=max_windows,
            max_fps=self.max_fps,
            view=self.view,
            bodies=self.bodies,
            classes=self.classes,
        )
        rank, processes = self._process()
        if len(windows) < processes:
            raise InputError(
                f"{len(windows)} evaluation windows are fewer than {processes} processes: "
                "raise data.init_args.val_windows or lower trainer.devices"
            )
        return self._loader(windows, EvaluationSampler(len(windows), rank, processes), batch_size)

    def _loader(
        self,
        windows: Dataset[Sample],
        sampler: EpochSampler | EvaluationSampler,
        batch_size: int,
    ) -> DataLoader[Sample]:
        return ResumableLoader(
            windows,
            batch_size=batch_size,
            sampler=sampler,
            num_workers=self.num_workers,
            persistent_workers=self.num_workers > 0,
        )

    def _process(self) -> tuple[int, int]:
        """This process's rank, of how many that train together."""
        return (0, 1) if self.trainer is None else (self.trainer.global_rank, self.trainer.world_size)

    def state_dict(self) -> dict[str, Any]:
        """Where training is: its epoch, each process's batches of it, and how many windows a batch of all has."""
        assert self.trainer is not None
        loop = cast(Any, self.trainer.fit_loop)
        epochs, batches = loop.epoch_progress.current, loop.epoch_loop.batch_progress
        place = (epochs.started, 0) if batches.is_last_batch else (epochs.processed, batches.current.processed)
        return {"epoch": place[0], "batches": place[1], "windows": self.batch_size * self.trainer.world_size}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Called by Lightning before it asks for the loaders.

        The sampler's `set_epoch` would be too late: Lightning calls it when loader processes have already begun on
        the first batches of a resumed run.
        """
        self.resumed = state_dict

    def _resumed(self, processes: int) -> tuple[int, int]:
        if self.resumed is None:
            return 0, 0
        windows = self.batch_size * processes
        if self.resumed["batches"] and self.resumed["windows"] != windows:
            raise InputError(
                f"the checkpoint was written within an epoch of {self.resumed['windows']} windows a batch over all "
                f"processes, now there are {windows}: resume with the batch size and devices it had"
            )
        return self.resumed["epoch"], self.resumed["batches"]
