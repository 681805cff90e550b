"""NTU RGB+D 60 and 120: what a recording's name says, and which part of a benchmark it belongs to."""

import re
from typing import Literal, NamedTuple

from hummuss.errors import InputError

Split = Literal["xsub", "xview", "xset", "oneshot"]
# Performers of the training set, as both papers list them; the second list goes on from the first.
PERFORMERS_60 = (1, 2, 4, 5, 8, 9, 13, 14, 15, 16, 17, 18, 19, 25, 27, 28, 31, 34, 35, 38)
PERFORMERS_120 = (
    *PERFORMERS_60, 45, 46, 47, 49, 50, 52, 53, 54, 55, 56, 57, 58, 59, 70, 74, 78, 80, 81, 82, 83, 84, 85, 86, 89, 91,
    92, 93, 94, 95, 97, 98, 100, 103,
)  # fmt: skip
TRAINING_CAMERAS = (2, 3)
NOVEL = tuple(range(1, 121, 6))  # A1, A7, ..., A115
# The one example of each novel class: of setup 1 up to A55, of setup 18 from A61 on.
EXEMPLARS = tuple(f"S{1 if action <= 60 else 18:03}C003P008R001A{action:03}" for action in NOVEL)
# Training performers who validate; which two is this package's choice.
VALIDATION_PERFORMERS = (35, 38)
# Recordings of the test parts, by benchmark and classes: those that have skeletons, which standard loaders count
# (302 of NTU 60 and 535 of NTU 120 have none); of NTU 60 also all, as its paper counts.
TEST_RECORDINGS: dict[tuple[Split, int], tuple[int, ...]] = {
    ("xsub", 60): (16_487, 16_560),
    ("xview", 60): (18_932, 18_960),
    ("xsub", 120): (50_919,),
    ("xset", 120): (59_477,),
}
BENCHMARKS = {"xsub": (60, 120), "xview": (60,), "xset": (120,), "oneshot": (120,)}


class Recording(NamedTuple):
    """The numbers in a name SsssCcccPpppRrrrAaaa."""

    setup: int
    camera: int
    performer: int
    replication: int
    action: int


def recording(name: str) -> Recording:
    """The recording that a clip's name names, whatever else stands around it.

    Raises:
        InputError: no such name in it.

    >>> recording("S001C003P008R001A055/person_1").action
    55
    """
    found = re.search(r"S(\d{3})C(\d{3})P(\d{3})R(\d{3})A(\d{3})", name)
    if found is None:
        raise InputError(f"clip {name} is not named as NTU RGB+D names its recordings (SsssCcccPpppRrrrAaaa)")
    return Recording(*(int(number) for number in found.groups()))


def ntu_split(name: str, split: Split, classes: int) -> str:
    """``train``, ``val`` or ``test``: the part of a benchmark that a recording belongs to.

    x-sub divides by performer, x-view by camera (1 tests), x-set by setup (odd ones test), one-shot by class: the 20
    novel ones test, their exemplars among them. The training part's clips of two performers validate.

    Source: Shahroudy et al. (CVPR 2016), Liu et al. (PAMI 2020).

    >>> [ntu_split(f"S001C00{camera}P001R001A002", "xview", 60) for camera in (1, 2)]
    ['test', 'train']
    """
    clip = recording(name)
    performers = PERFORMERS_60 if classes == 60 else PERFORMERS_120
    trained = {
        "xsub": clip.performer in performers,
        "xview": clip.camera in TRAINING_CAMERAS,
        "xset": clip.setup % 2 == 0,
        "oneshot": clip.action not in NOVEL,
    }[split]
    if not trained:
        return "test"
    return "val" if clip.performer in VALIDATION_PERFORMERS else "train"


def check_benchmark(split: Split, classes: int) -> None:
    """Refuse a benchmark that is not one.

    Raises:
        InputError: x-view is a benchmark of NTU 60 alone, x-set and one-shot of NTU 120 alone.
    """
    if classes not in BENCHMARKS[split]:
        official = " or ".join(map(str, BENCHMARKS[split]))
        raise InputError(f"ntu: {split} is defined for {official} classes, not for {classes}")
