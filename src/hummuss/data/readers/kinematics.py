"""Articulated skeletons as motion capture files describe them, and their forward kinematics."""

from dataclasses import dataclass, replace
from math import isfinite

import numpy as np
from jaxtyping import Float64

from hummuss.errors import InputError

# Angles (degrees) and lengths (file units) beyond this are damage; the bound also rules out overflow.
LARGEST_NUMBER = 1e6


@dataclass(frozen=True)
class KinematicTree:
    """A skeleton at rest: every segment's global rotation is the identity.

    Attributes:
        joints: joint names, parents before children.
        parents: index of each joint's parent, -1 for the root.
        offsets: (J, 3) position relative to the parent joint at rest.
        carriers: index of the segment whose rotation carries each offset: the parent's in BVH (a joint is the
            start of its segment), the joint's own in ASF (a joint is the end of its bone).
    """

    joints: tuple[str, ...]
    parents: tuple[int, ...]
    offsets: Float64[np.ndarray, "J 3"]
    carriers: tuple[int, ...]

    def scaled(self, unit: float) -> "KinematicTree":
        """The same skeleton with lengths multiplied by ``unit``, the metres per file unit."""
        return replace(self, offsets=self.offsets * unit)

    def forward(
        self, rotations: Float64[np.ndarray, "F J 3 3"], root: Float64[np.ndarray, "F 3"]
    ) -> tuple[Float64[np.ndarray, "F J 3"], Float64[np.ndarray, "F J 3 3"]]:
        """Pose the skeleton.

        Args:
            rotations: rotation of each segment relative to its parent.
            root: position of the root, in the unit of the offsets.

        Returns:
            Positions of the joints and global rotations of the segments.
        """
        positions, turned = np.empty(rotations.shape[:3]), np.empty(rotations.shape)
        for joint, parent in enumerate(self.parents):
            turned[:, joint] = rotations[:, joint] if parent < 0 else turned[:, parent] @ rotations[:, joint]
            origin = root if parent < 0 else positions[:, parent]
            carrier = self.carriers[joint]
            positions[:, joint] = origin if carrier < 0 else origin + turned[:, carrier] @ self.offsets[joint]
        return positions, turned

    def rest(self) -> Float64[np.ndarray, "J 3"]:
        """Joint positions at rest, root at the origin."""
        identity = np.broadcast_to(np.eye(3), (1, len(self.joints), 3, 3)).copy()
        return self.forward(identity, np.zeros((1, 3)))[0][0]

    def index(self, joint: str, source: str) -> int:
        """Position of a joint in the arrays.

        Raises:
            InputError: the skeleton of file ``source`` has no such joint.
        """
        if joint not in self.joints:
            raise InputError(
                f"{source}: its skeleton has no joint {joint!r} (it has {', '.join(self.joints[:6])}, ...): "
                "is the file of another skeleton convention?"
            )
        return self.joints.index(joint)


@dataclass(frozen=True)
class CapturedMotion:
    """A skeleton in motion.

    Attributes:
        tree: the skeleton, in file units until :meth:`scaled`.
        rotations: (F, J, 3, 3) rotation of each segment relative to its parent.
        root: (F, 3) position of the root.
    """

    tree: KinematicTree
    rotations: Float64[np.ndarray, "F J 3 3"]
    root: Float64[np.ndarray, "F 3"]

    def __len__(self) -> int:
        return len(self.root)

    def scaled(self, unit: float) -> "CapturedMotion":
        """The same motion with lengths multiplied by ``unit``, the metres per file unit."""
        return replace(self, tree=self.tree.scaled(unit), root=self.root * unit)

    def since(self, frame: int) -> "CapturedMotion":
        """The motion without the frames before ``frame``."""
        return replace(self, rotations=self.rotations[frame:], root=self.root[frame:])


def parse_numbers(words: list[str], place: str, expected: str) -> list[float]:
    """Words as finite numbers of sane size.

    Raises:
        InputError: a word is no number; names the ``place`` (file and line) and what was ``expected`` there.
    """
    try:
        numbers = [float(word) for word in words]
    except ValueError as error:
        raise InputError(f"{place}: expected {expected}, found {' '.join(words)[:60]!r}") from error
    # Millions of numbers come by here: the bad one is sought only where there is one. NaN shows in the sum.
    if numbers and not (max(map(abs, numbers)) < LARGEST_NUMBER and isfinite(sum(numbers))):
        word = next(word for word, number in zip(words, numbers, strict=True) if not abs(number) < LARGEST_NUMBER)
        raise InputError(f"{place}: expected {expected}, found the number {word[:60]}: the file is damaged")
    return numbers
