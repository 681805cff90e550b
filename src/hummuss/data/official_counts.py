"""How much each dataset holds by its makers' or its standard loaders' count, and where that is written."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple


class ClipFacts(NamedTuple):
    """What counts of a clip; ``valid`` are its frames that evaluations score."""

    name: str
    sequence: str
    subject: str
    split: str
    label: str | None
    frames: int
    valid: int
    seconds: float


@dataclass(frozen=True)
class OfficialCount:
    """One known number.

    Attributes:
        datasets: names of the readers it holds for.
        unit: clips, frames, valid frames, sequences or recordings.
        expected: the official number; several where a dataset comes in several extents.
        source: where it is written.
        subjects: the subjects it counts; all where empty.
        split: the split it counts; all where empty.
    """

    datasets: tuple[str, ...]
    unit: str
    expected: tuple[int, ...]
    source: str
    subjects: tuple[str, ...] = ()
    split: str = ""

    @property
    def what(self) -> str:
        """In words: ``clips of S1, S5``."""
        part = f" of {', '.join(self.subjects)}" if self.subjects else ""
        return self.unit + part + (f" ({self.split})" if self.split else "")

    def count(self, clips: Iterable[ClipFacts]) -> int:
        """The same number in a store.

        >>> clip = ClipFacts("S1/Posing/cam", "S1/Posing", "S1", "train", "Posing", 100, 90, 2.0)
        >>> OfficialCount(("h36m",), "valid frames", (90,), "").count([clip])
        90
        """
        chosen = [
            clip
            for clip in clips
            if (not self.subjects or clip.subject in self.subjects) and self.split in ("", clip.split)
        ]
        if self.unit in ("frames", "valid frames"):
            return sum(clip.frames if self.unit == "frames" else clip.valid for clip in chosen)
        if self.unit == "recordings":
            found = (re.search(r"S\d{3}C\d{3}P\d{3}R\d{3}A\d{3}", clip.name) for clip in chosen)
            return len({match[0] for match in found if match})
        return len(chosen) if self.unit == "clips" else len({clip.sequence for clip in chosen})


_VIDEOPOSE = (
    "VideoPose3D, data/prepare_data_h36m.py: 15 actions twice, four cameras; S11's first Directions is left out"
)
_SKELETOOL = "mpii_get_sequence_info.m, mpii_get_camera_set.m ('vnect'): 16 sequences, 8 cameras"
_TRAINING = ("S1", "S5", "S6", "S7", "S8")
_MPI = ("mpi-inf-3dhp", "mpi-inf-3dhp-npz")
MPI_VALID_FRAMES = 2929
PW3D_VALID_FRAMES = 35_515  # of all persons of the test split; frames are valid where campose_valid is set
OFFICIAL_COUNTS = (
    *(OfficialCount(("h36m",), "clips", (120,), _VIDEOPOSE, (subject,)) for subject in (*_TRAINING, "S9")),
    OfficialCount(("h36m",), "clips", (116,), _VIDEOPOSE, ("S11",)),
    OfficialCount(("h36m-motionbert",), "frames", (1_559_752,), "arrays of the pickle's train part", _TRAINING),
    OfficialCount(("h36m-motionbert",), "frames", (566_920,), "arrays of the pickle's test part", ("S9", "S11")),
    OfficialCount(("mpi-inf-3dhp",), "clips", (128,), _SKELETOOL, tuple(f"S{number}" for number in range(1, 9))),
    OfficialCount(_MPI, "sequences", (6,), "mpi_inf_3dhp_test_set: TS1 to TS6", split="test"),
    OfficialCount(_MPI, "valid frames", (MPI_VALID_FRAMES,), "HMR (Kanazawa et al., CVPR 2018)", split="test"),
    OfficialCount(("pw3d",), "sequences", (60,), "von Marcard et al., ECCV 2018"),
    OfficialCount(("pw3d",), "valid frames", (PW3D_VALID_FRAMES,), "SPIN (Kolotouros et al., ICCV 2019)", split="test"),
    OfficialCount(
        ("ntu", "ntu-pyskl"), "recordings", (56_578, 56_880, 113_945, 114_480),
        "github.com/shahroudy/NTURGB-D: 56,880 with 60 classes, 114,480 with 120; 302 and 535 lack skeletons",
    ),
)  # fmt: skip
