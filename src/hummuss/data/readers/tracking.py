"""People told apart from frame to frame by where they are, where no detector has done it."""

import numpy as np
from jaxtyping import Float64
from scipy.optimize import linear_sum_assignment

from hummuss.data.readers.detected import Seen
from hummuss.data.readers.tracks import longest_absence

# Farther than that from where somebody was last seen, in their own size, is somebody else.
FARTHEST = 0.5
# Who is followed for less, in seconds, is mostly nobody: something that a detector took for a person for a moment.
SHORTEST_TRACK = 0.25
SHORT = f"followed by --untracked track for less than {SHORTEST_TRACK} s"


def track_people(seen: list[Seen], rate: float) -> list[Seen]:
    """The same people, numbered from 1 in the order in which they appear.

    In each frame people are matched to those of the frames before so that the sum of the `pose_distances` is smallest;
    who is `FARTHEST` or more from everybody is new. Who is not seen for as long as `longest_absence` is forgotten.

    Args:
        seen: in pixels, everybody with the same joints.
        rate: frame numbers per second.
    """
    frames: dict[int, list[int]] = {}
    for place, one in enumerate(seen):
        frames.setdefault(one.frame, []).append(place)
    patience = longest_absence(np.array(sorted(frames)), rate)
    latest: list[int] = []  # of each person, the place where they were seen last
    numbers = [0] * len(seen)
    for frame in sorted(frames):
        places = frames[frame]
        known = [person for person, place in enumerate(latest) if frame - seen[place].frame <= patience]
        matched: dict[int, int] = {}
        if known:
            before = np.stack([seen[latest[person]].keypoints for person in known])
            now = np.stack([seen[place].keypoints for place in places])
            # Nobody is moved to a worse match to spare another a hopeless one: all of those cost the same.
            costs = np.minimum(pose_distances(before, now), FARTHEST)
            for row, column in zip(*linear_sum_assignment(costs), strict=True):
                if costs[row, column] < FARTHEST:
                    matched[places[column]] = known[row]
        for place in places:
            person = matched.get(place, len(latest))
            latest[person : person + 1] = [place]
            numbers[place] = person + 1
    return [one._replace(person=str(number)) for one, number in zip(seen, numbers, strict=True)]


def pose_distances(
    first: Float64[np.ndarray, "N J 3"], second: Float64[np.ndarray, "M J 3"]
) -> Float64[np.ndarray, "N M"]:
    """How far apart people are: the mean distance of a joint, weighted by confidence, over the larger one's size.

    The size is the diagonal of the box around the joints, one pixel at least. Without a joint that both have people
    are infinitely far apart.

    >>> sitting = np.array([[[0, 0, 1.0], [30, 40, 1.0]]])
    >>> pose_distances(sitting, sitting + [25, 0, 0])
    array([[0.5]])
    """
    weights = first[:, None, :, 2] * second[None, :, :, 2]
    apart = np.linalg.norm(first[:, None, :, :2] - second[None, :, :, :2], axis=-1)
    total = weights.sum(-1)
    size = np.maximum(np.maximum(_sizes(first)[:, None], _sizes(second)[None]), 1.0)
    mean = np.divide((weights * apart).sum(-1), total, out=np.full_like(total, np.inf), where=total > 0)
    return mean / size


def _sizes(people: Float64[np.ndarray, "N J 3"]) -> Float64[np.ndarray, "N"]:
    missing = people[..., 2:] == 0
    low = np.where(missing, np.inf, people[..., :2]).min(-2)
    high = np.where(missing, -np.inf, people[..., :2]).max(-2)
    return np.linalg.norm(high - low, axis=-1)
