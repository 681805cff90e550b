"""People who come and go: the frames in which one was seen, as clips."""

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from jaxtyping import Float64, Int

from hummuss.data.motion import SPLITS, MotionClip
from hummuss.data.readers.task import LeftOut

# Longer absences part a clip in two. Shorter ones stay a longer interval between two of its frames: a model is told
# how long, and nothing is invented in between.
LONGEST_ABSENCE = 0.5
# At low frame rates that is less than from frame to frame: no absence is shorter than so many of the track's own steps.
SHORTEST_ABSENCE = 1.5
ALONE = "seen in a single frame, which gives no interval"


@dataclass(frozen=True)
class Stretch:
    """Frames of a track that make one clip.

    Attributes:
        rows: their places in the track.
        fps, timestamps: frames per second where they are evenly spaced, otherwise their times in seconds from the
            first, or from the recording's first where that is known; exactly one is given.
    """

    rows: slice
    fps: float | None
    timestamps: Float64[np.ndarray, "F"] | None

    def times(self) -> dict[str, float | np.ndarray | None]:
        """The two as `MotionClip` takes them."""
        return {"fps": self.fps, "timestamps": self.timestamps}


def longest_absence(frames: Int[np.ndarray, "N"], fps: float) -> float:
    """For how many frame numbers somebody may be away: half a second, or one and a half of the usual steps.

    Args:
        frames: numbers of the frames, increasing.
        fps: frame numbers per second.
    """
    steps = np.diff(frames)
    return max(LONGEST_ABSENCE * fps, SHORTEST_ABSENCE * float(np.median(steps)) if len(steps) else 0.0)


def stretches(frames: Int[np.ndarray, "N"], fps: float, origin: int | None = None) -> list[Stretch]:
    """Cut a track where its person was absent for more than half a second, or one and a half of its usual steps.

    Args:
        frames: numbers of the frames the person was seen in, increasing.
        fps: frame numbers per second.
        origin: number of the recording's first frame, for persons who are seen together: their times then count from
            it, and tell who came when.

    >>> [stretch.rows for stretch in stretches(np.array([0, 1, 2, 30, 32]), fps=30.0)]
    [slice(0, 3, None), slice(3, 5, None)]
    """
    steps = np.diff(frames)
    absent = steps > longest_absence(frames, fps)
    bounds = [0, *(np.flatnonzero(absent) + 1).tolist(), len(frames)]
    parts = []
    for start, end in pairwise(bounds):
        own = steps[start : end - 1]
        zero = frames[start] if origin is None else origin
        if frames[start] != zero or (len(own) and (own != own[0]).any()):
            parts.append(Stretch(slice(start, end), None, (frames[start:end] - zero) / fps))
        else:
            parts.append(Stretch(slice(start, end), fps / int(own[0]) if len(own) else fps, None))
    return parts


def track_clips(
    name: str, parts: list[Stretch], arrays: dict[str, np.ndarray], **fields: object
) -> list[MotionClip | LeftOut]:
    """One clip per stretch: ``name``, then ``name/part_2`` and so on. A stretch of one frame is left out.

    Args:
        name: of the first clip.
        parts: of the track.
        arrays: the clip's per-frame arrays over the whole track.
        fields: what else `MotionClip` takes, the same for all.

    Raises:
        InputError: as `MotionClip`.
    """
    made: list[MotionClip | LeftOut] = []
    for number, part in enumerate(parts, start=1):
        own = name if number == 1 else f"{name}/part_{number}"
        cut = {key: array[part.rows] for key, array in arrays.items()}
        if part.rows.stop - part.rows.start < 2:
            made.append(LeftOut(own, ALONE))
        else:
            made.append(MotionClip(name=own, **part.times(), **cut, **fields))  # type: ignore[arg-type]
    return made


def part_of_folder(path: Path, root: Path, otherwise: str) -> str:
    """The split that the folders from ``root`` down to a file say, the innermost first.

    >>> part_of_folder(Path("raw/val/a.json"), Path("raw"), "test")
    'val'
    """
    folders = path.relative_to(root).parts[:-1]
    return next((folder for folder in reversed(folders) if folder in SPLITS), otherwise)
