"""Which detections are one person's: by a tracker's numbers, or as ``--untracked`` says where there are none."""

from itertools import pairwise

import numpy as np
from jaxtyping import Float64, Int64

from hummuss.data.readers.detected import Seen
from hummuss.data.readers.tracking import FARTHEST, pose_distances, track_people
from hummuss.data.readers.tracks import longest_absence
from hummuss.errors import InputError

# Somebody has jumped who moved by so much of their own size while somebody else stood nearer to where they were.
JUMP = 0.25


def find_tracks(
    seen: list[Seen], untracked: str, rate: float, source: str
) -> dict[str | None, tuple[Int64[np.ndarray, "F"], Float64[np.ndarray, "F J 3"]]]:
    """Frames and keypoints of every person; of the one person None where nobody told people apart.

    Args:
        seen: of a recording, in pixels.
        untracked: of several people in a frame whom nobody has tracked, ``best`` keeps the one of highest mean
            confidence, ``refuse`` none; ``track`` follows everybody by `track_people`, unless all have numbers.
        rate: frame numbers per second.
        source: the file's name, for error messages.

    Raises:
        InputError: nobody was seen, people whom nobody tracked (``refuse``), the surest of which are different ones
            (``best``), tracked and untracked ones, somebody twice in a frame, or joints that differ in number.
    """
    seen = [one for one in seen if one.keypoints[:, 2].any()]
    if not seen:
        raise InputError(f"{source}: nobody was detected in any frame")
    counts = sorted({len(one.keypoints) for one in seen})
    if len(counts) > 1:
        raise InputError(f"{source}: some people have {counts[0]} joints, some {counts[-1]}: keep one kind")
    tracked = {one.person is not None for one in seen}
    if untracked == "track" and False in tracked:
        seen = track_people(seen, rate)
    elif len(tracked) > 1:
        raise InputError(
            f"{source}: some people have a number and some have none: track all of them, or none, or all anew with "
            "--untracked track"
        )
    people: dict[str | None, dict[int, list[Seen]]] = {}
    for one in seen:
        people.setdefault(one.person, {}).setdefault(one.frame, []).append(one)
    tracks = {}
    for person, frames in people.items():
        chosen = _one_a_frame(person, dict(sorted(frames.items())), untracked, rate, source)
        tracks[person] = (np.array([one.frame for one in chosen]), np.stack([one.keypoints for one in chosen]))
    return tracks


def _one_a_frame(
    person: str | None, frames: dict[int, list[Seen]], untracked: str, rate: float, source: str
) -> list[Seen]:
    several = [frame for frame, found in frames.items() if len(found) > 1]
    if several and person is not None:
        raise InputError(f"{source}: person {person} comes twice in frame {several[0]}")
    if several and untracked == "refuse":
        raise InputError(
            f"{source}: frame {several[0]} has several people and no tracker has told them apart: let the detector "
            "track them, follow them with --untracked track, or keep the surest of each frame with --untracked best"
        )
    chosen = [max(found, key=lambda one: float(one.keypoints[:, 2].mean())) for found in frames.values()]
    jumps = _jumps(chosen, frames, rate) if several else []
    if jumps:
        times = f"{len(jumps)} times, first" if len(jumps) > 1 else "once,"
        raise InputError(
            f"{source}: the surest of each frame are different people: it jumps from one to another {times} from frame "
            f"{jumps[0][0]} to {jumps[0][1]}: follow everybody with --untracked track"
        )
    return chosen


def _jumps(chosen: list[Seen], frames: dict[int, list[Seen]], rate: float) -> list[tuple[int, int]]:
    """From which frame to which the chosen one cannot be the same person; who was away for long is another anyway."""
    patience = longest_absence(np.array(list(frames)), rate)
    found = []
    for before, after in pairwise(chosen):
        if after.frame - before.frame > patience:
            continue
        there = np.stack([after.keypoints, *(one.keypoints for one in frames[after.frame])])
        moved, *all_moved = pose_distances(before.keypoints[None], there)[0]
        if moved >= FARTHEST or (moved > JUMP and min(all_moved) < moved):
            found.append((before.frame, after.frame))
    return found
