"""What a dataset's reader yields: files to be read, each on its own, in any process."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from hummuss.data.motion import MotionClip


@dataclass(frozen=True)
class ReadTask:
    """One file, fetched but not yet understood.

    Attributes:
        file: its name, for reports.
        read: makes the clips of the file, raises InputError if it cannot; picklable, to run in any process.
        captured: joints3d come from the file; False where the body labels pose them and so cannot miss them.
    """

    file: str
    read: Callable[[], list[MotionClip]]
    captured: bool = True


@dataclass(frozen=True)
class FailedFile:
    """A file that gave no clip.

    Attributes:
        file: its name.
        reason: one line: what was expected, what was found, what to do.
    """

    file: str
    reason: str


@dataclass(frozen=True)
class RawDataset:
    """The files of a dataset in stored order.

    Attributes:
        total: how many there are, for progress.
        files: each to be read, or already failed.
        notes: what holds for the whole store and its user must know, a line each.
    """

    total: int
    files: Iterator[ReadTask | FailedFile]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Reader:
    """How ``hummuss prepare NAME RAW OUT`` reads a dataset.

    Attributes:
        read: RAW and the options -> its files; raises InputError if RAW as a whole cannot be used.
        describe: one line for the command's help: what RAW is.
        options: flag -> what `argparse.ArgumentParser.add_argument` takes; ``--image-size`` is read's ``image_size``.
    """

    read: Callable[..., RawDataset]
    describe: str
    options: dict[str, dict[str, Any]] = field(default_factory=dict)
