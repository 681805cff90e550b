"""Which of the bodies in an NTU RGB+D recording are people: at most two of them, no ghosts.

A Kinect now and then sees a body in a chair, and gives a person who was lost for a moment a new tracking id. The rules
and their thresholds are those of Microsoft's SGN and VA-CNN (data/ntu/get_raw_denoised_data.py, taken over by CTR-GCN
and, for ntu*_3danno.pkl, by pyskl), and like them hold only where there are several bodies:

1. A body seen in 11 frames or fewer is a ghost.
2. A frame is odd where the body is wider than 0.8 of its height. A body with 69.754 % of odd frames or more is a ghost.
3. Bodies are ranked by how much they move: the variance of the coordinates of all joints, summed over x, y and z, in
   all frames or in those that are not odd, whichever is less. The first is person 1. Each of the others continues
   person 1 or else person 2, whichever it does not overlap in time; one that overlaps both is left out.

Here the rules never leave nobody: the longest body passes the first, the least odd one the second. And frames keep
their numbers: the original counts a body's frames on without gap when it leaves and returns.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from hummuss.data.readers.ntu_skeleton import KinectBody

SHORTEST = 11
WIDEST = 0.8
ODDEST = 0.69754
PERSONS = 2
BRIEF = f"a ghost: a body seen in {SHORTEST} frames or fewer beside others"
WIDE = f"a ghost: a body wider than {WIDEST} of its height in {100 * ODDEST:.1f} % of its frames or more, beside others"
THIRD = "a third body at the same time as two that move more"


@dataclass(frozen=True)
class Persons:
    """The people of a recording.

    Attributes:
        persons: each as the bodies that follow one another in time.
        others: every other body, and why it is none of them.
    """

    persons: list[list[KinectBody]]
    others: list[tuple[KinectBody, str]]


def find_persons(bodies: list[KinectBody]) -> Persons:
    """Sort the bodies of a recording by the rules above.

    Args:
        bodies: one at least, all joints finite.
    """
    others: list[tuple[KinectBody, str]] = []
    if len(bodies) > 1:
        longest = max(bodies, key=len)
        bodies = _keep(bodies, [len(body) > SHORTEST or body is longest for body in bodies], BRIEF, others)
    if len(bodies) > 1:
        oddness = [float(_odd(body.joints).mean()) for body in bodies]
        bodies = _keep(bodies, [odd < ODDEST or odd == min(oddness) for odd in oddness], WIDE, others)
    persons: list[list[KinectBody]] = []
    for body in sorted(bodies, key=_motion, reverse=True):
        for person in persons:
            if not any(_overlap(body, own) for own in person):
                person.append(body)
                break
        else:
            if len(persons) < PERSONS:
                persons.append([body])
            else:
                others.append((body, THIRD))
    return Persons([sorted(person, key=lambda body: body.frames[0]) for person in persons], others)


def _keep(
    bodies: list[KinectBody], kept: list[bool], reason: str, others: list[tuple[KinectBody, str]]
) -> list[KinectBody]:
    others += [(body, reason) for body, keep in zip(bodies, kept, strict=True) if not keep]
    return [body for body, keep in zip(bodies, kept, strict=True) if keep]


def _odd(joints: Float[np.ndarray, "F 25 3"]) -> Bool[np.ndarray, "F"]:
    """Frames in which a body is too wide for its height."""
    width, height = np.moveaxis(np.ptp(joints[..., :2], axis=1), -1, 0)
    return width > WIDEST * height


def _motion(body: KinectBody) -> float:
    """Variance of the coordinates of all joints in all frames, summed over x, y and z; square metres."""
    amounts = [_variance(body.joints)]
    usual = ~_odd(body.joints)
    if usual.any() and not usual.all():
        amounts.append(_variance(body.joints[usual]))
    return min(amounts)


def _variance(joints: Float[np.ndarray, "F 25 3"]) -> float:
    return float(joints.reshape(-1, 3).var(0).sum())


def _overlap(one: KinectBody, other: KinectBody) -> bool:
    return bool(one.frames[0] <= other.frames[-1] and other.frames[0] <= one.frames[-1])
