"""What every LightningDataModule of motion does: windows for training, validation and test, wherever motion is from."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, cast

import lightning as L
from jsonargparse import set_parsing_settings
from torch.utils.data import DataLoader, Dataset

from hummuss.body.smpl import BodyModel
from hummuss.data.recordings import Rows, Windows, fold
from hummuss.data.samplers import EpochSampler, EvaluationSampler, ResumableLoader, outlive_sigterm
from hummuss.data.transforms.clip_sampling import ClipSampling
from hummuss.data.transforms.frame_rate import FrameRateAugmentation
from hummuss.data.transforms.noise import DetectionNoise, RealisticNoise
from hummuss.data.transforms.occlusion import Occlusion
from hummuss.data.transforms.random_move import RandomMove
from hummuss.data.view import View
from hummuss.data.windows import EvaluationWindows, MotionSource, Sample, TrainingWindows
from hummuss.errors import InputError

# Parsers write a dataclass by its fields alone, and of the two that ``view.noise`` may be then take the default's for
# the other's: these keep their class_path through overlays, overrides and saved configs.
set_parsing_settings(subclasses_enabled=[DetectionNoise, RealisticNoise])


def check_at_least_one(counts: dict[str, int | None]) -> None:
    """Refuse settings that must be a number of things; None is all of them.

    Raises:
        InputError: one below 1.
    """
    for name, count in counts.items():
        if count is not None and count < 1:
            raise InputError(f"data.init_args.{name} is {count}, expected 1 or more")


class MotionDataModule(L.LightningDataModule, ABC):
    """Windows of motion for training and validation, whole clips for test.

    A test batch is one whole clip, seen by one camera; the module's `Inference` decides how it is predicted.

    Args:
        frames: frames in a window, at most.
        batch_size: windows in a batch.
        windows_per_epoch: training windows drawn between two validations.
        val_windows: validation windows, evenly spaced over the split; None for all of it.
        test_windows: the same for the test split, whose windows are whole clips.
        frame_rate: random rates in training; None keeps every base frame. Validation keeps every base frame too, or
            every so many where training has a single stride.
        max_fps: faster captures are thinned by a whole factor to this base rate; None keeps the capture rate.
        flip: probability of mirroring a training window.
        occlusion: hides joints of training windows for a while; None hides none.
        move: moves the picture of training windows about, for heads that learn from 2D alone; None leaves it.
        clip_sampling: spreads every window, in training, validation and test, over a whole clip, as action recognition
            needs it; None takes consecutive frames by ``frame_rate``. Give one of the two.
        persons_together: clips of one sequence that show persons at the same time make one sample: at the same
            instants, in the same camera, mirrored together or not. Each has a row of the batch, ``sample`` is the same;
            a batch then has ``batch_size`` samples.
        view: virtual camera, detection noise, normalisation.
        body_path: body file the labels pose; None for the free body.
        h36m_regressor: regressor file to the 17 Human3.6M joints that belongs to ``body_path``.
        classes: action names, in the order of the class indices.
        clips_per_class: so many consecutive training windows are of one class, classes taking turns at random: for
            losses that compare clips of a class. A batch has whole such groups.
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
        move: RandomMove | None = None,
        clip_sampling: ClipSampling | None = None,
        persons_together: bool = False,
        view: View | None = None,
        body_path: str | None = None,
        h36m_regressor: str | None = None,
        classes: Sequence[str] = (),
        balance_classes: bool = False,
        clips_per_class: int = 1,
        num_workers: int = 0,
        seed: int = 0,
        select_on_test: bool = False,
    ) -> None:
        super().__init__()
        self.frames, self.batch_size, self.windows_per_epoch = frames, batch_size, windows_per_epoch
        self.val_windows, self.test_windows = val_windows, test_windows
        self.frame_rate, self.max_fps, self.flip, self.view = frame_rate, max_fps, flip, view or View()
        self.move, self.clips_per_class = move, clips_per_class
        self.occlusion, self.clip_sampling, self.persons_together = occlusion, clip_sampling, persons_together
        counts = {"frames": frames, "batch_size": batch_size, "val_windows": val_windows, "test_windows": test_windows}
        check_at_least_one(counts)
        if max_fps is not None and max_fps <= 0:
            raise InputError(
                f"data.init_args.max_fps is {max_fps}, expected frames per second above 0, or null: no limit"
            )
        if not 0 <= flip <= 1:
            raise InputError(f"data.init_args.flip is {flip}, expected a probability from 0 to 1")
        if clips_per_class < 1 or batch_size % clips_per_class:
            raise InputError(
                f"data.init_args.clips_per_class is {clips_per_class}, expected a divisor of the batch_size "
                f"{batch_size}"
            )
        if clip_sampling and frame_rate:
            raise InputError(
                "data.init_args.clip_sampling spreads windows over whole clips, which leaves data.init_args.frame_rate "
                "nothing to choose: set either to null"
            )
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

    def recordings(self, sources: Sequence[MotionSource]) -> list[list[int]] | None:
        """Places of the sources that make one sample each; None where each is one."""
        if self.persons_together:
            raise InputError(
                f"data.init_args.persons_together: {self.dataset} shows every person alone, set it to false"
            )
        return None

    def carries(self, field: str) -> bool:
        """Whether training windows of any clip have that array, as ``joints3d`` or ``smpl_pose``."""
        return self.move is None or field == "keypoints2d"

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
        return self._drawn(self._shares(self.recordings(self.sources("train"))), self.occlusion)

    def _drawn(self, shares: Sequence[float], occlusion: Occlusion | None) -> TrainingWindows:
        sources = self.sources("train")
        recordings, labels = self.recordings(sources), list(self.labels("train"))
        if recordings is not None:
            labels = [labels[own[0]] for own in recordings]
        if self.clips_per_class > 1 and not set(labels) & set(self.classes):
            raise InputError(f"no training clip is labelled with one of the {len(self.classes)} classes")
        return TrainingWindows(
            sources,
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
            sampling=self.clip_sampling,
            move=self.move,
            labels=labels,
            clips_per_class=self.clips_per_class,
            recordings=recordings,
        )

    def _shares(self, recordings: Sequence[Sequence[int]] | None = None) -> list[float]:
        """How often each training source, or each recording, is drawn, relative to the others: in proportion to its
        duration, in balance to its duration within its class. Windows that span a whole clip draw each as often.
        """
        seconds, labels = list(self.seconds("train")), list(self.labels("train"))
        if recordings is not None:
            seconds, labels = [seconds[own[0]] for own in recordings], [labels[own[0]] for own in recordings]
        if self.clip_sampling is not None:
            seconds = [1.0] * len(seconds)
        if not self.balance_classes:
            return seconds
        totals: dict[str | None, float] = dict.fromkeys(labels, 0.0)
        for label, duration in zip(labels, seconds, strict=True):
            totals[label] += duration
        return [duration / totals[label] for label, duration in zip(labels, seconds, strict=True)]

    def val_dataloader(self) -> DataLoader[Sample]:
        sources = self.sources("test" if self.select_on_test else "val")
        low, high = (1.0, 1.0) if self.frame_rate is None else self.frame_rate.strides
        stride = low if low == high else 1.0
        return self._evaluation(sources, self.frames, self.val_windows, self.batch_size, stride)

    def test_dataloader(self) -> list[DataLoader[Sample]]:
        return self.whole_clips("test")

    def whole_clips(self, split: str) -> list[DataLoader[Sample]]:
        """Each clip of a split once, as a test shows it: a loader for each of the split's `groups`."""
        parts = self.groups(split).values()
        frames = None if self.clip_sampling is None else self.frames
        return [self._evaluation(part, frames, self.test_windows, 1) for part in parts]  # clips differ in length

    def _evaluation(
        self,
        sources: Sequence[MotionSource],
        frames: int | None,
        max_windows: int | None,
        batch_size: int,
        stride: float = 1.0,
    ) -> DataLoader[Sample]:
        windows = EvaluationWindows(
            sources,
            frames=frames,
            max_windows=max_windows,
            max_fps=self.max_fps,
            view=self.view,
            bodies=self.bodies,
            classes=self.classes,
            sampling=self.clip_sampling,
            recordings=self.recordings(sources),
            stride=stride,
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
        folded = self.persons_together or self.clip_sampling is not None
        return ResumableLoader(
            Rows(cast(Windows, windows)) if folded else windows,
            batch_size=batch_size,
            collate_fn=fold if folded else None,
            sampler=sampler,
            num_workers=self.num_workers,
            persistent_workers=self.num_workers > 0,
            worker_init_fn=outlive_sigterm,
        )

    def _process(self) -> tuple[int, int]:
        """This process's rank, of how many that train together."""
        return (0, 1) if self.trainer is None else (self.trainer.global_rank, self.trainer.world_size)

    def setup(self, stage: str) -> None:
        """Called by Lightning before anything of a checkpoint is restored, and before callbacks copy the model: by then
        heads must have seen the data.
        """
        self.resumed = None
        check = None if self.trainer is None else getattr(self.trainer.lightning_module, "check_data", None)
        if check is not None:
            check(self)

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
        the first batches of a resumed run. What a checkpoint is only scored on has no place to go on from.
        """
        if self.trainer is None or self.trainer.state.fn == "fit":
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
