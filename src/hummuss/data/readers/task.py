"""What a dataset's reader yields: files to be read, each on its own, in any process."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hummuss.data.motion import MotionClip


@dataclass(frozen=True)
class ReadTask:
    """One file, fetched but not yet understood.

    Attributes:
        file: its name, for reports.
        read: makes the clips of the file and says what of it is left out, raises InputError if it cannot; picklable,
            to run in any process.
        captured: joints3d come from the file; False where the body labels pose them and so cannot miss them.
    """

    file: str
    read: Callable[[], "Sequence[MotionClip | LeftOut]"]
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
class LeftOut:
    """A file, or a part of one, that is not wanted: no failure, but counted and named.

    Attributes:
        file: its name, or the part's.
        reason: why, in the words that all those left out for the same reason share.
    """

    file: str
    reason: str


@dataclass(frozen=True)
class RawDataset:
    """The files of a dataset in stored order.

    Attributes:
        total: how many there are, for progress.
        files: each to be read, or already failed, or not wanted.
        notes: what holds for the whole store and its user must know, a line each.
        fingerprint: changes with whatever decides the content of the store beside RAW's path, its files' names and
            the options; an interrupted preparation is continued only under the same one.
    """

    total: int
    files: Iterator[ReadTask | FailedFile | LeftOut]
    notes: tuple[str, ...] = ()
    fingerprint: str = ""


@dataclass(frozen=True)
class Archive:
    """An official file that may be fetched without an account.

    Attributes:
        url: where it is.
        file: its name in RAW.
        check: raises InputError if the file is damaged.
    """

    url: str
    file: str
    check: Callable[[Path], None]


@dataclass(frozen=True)
class Reader:
    """How ``hummuss prepare NAME RAW OUT`` reads a dataset.

    Attributes:
        read: RAW and the options -> its files; raises InputError if RAW as a whole cannot be used.
        describe: one line for the command's help: what RAW is.
        options: flag -> what `argparse.ArgumentParser.add_argument` takes; ``--image-size`` is read's ``image_size``.
        archive: what ``--download`` fetches; None where there is nothing to be had without an account.
    """

    read: Callable[..., RawDataset]
    describe: str
    options: dict[str, dict[str, Any]] = field(default_factory=dict)
    archive: Archive | None = None
