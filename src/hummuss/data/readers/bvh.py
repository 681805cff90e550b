"""Biovision hierarchy (BVH) motion capture files.

Channels multiply from left to right as they are listed; a joint is the start of its segment.
"""

from dataclasses import dataclass, field

import numpy as np
from scipy.spatial.transform import Rotation

from hummuss.data.readers.kinematics import CapturedMotion, KinematicTree, parse_numbers
from hummuss.errors import InputError

POSITIONS = ("Xposition", "Yposition", "Zposition")
ROTATIONS = ("Xrotation", "Yrotation", "Zrotation")
# Real skeletons nest about 15 deep.
DEEPEST = 100


@dataclass
class _Hierarchy:
    """What HIERARCHY declares; ``channels`` holds (joint, channel name) in the order of a frame's values."""

    joints: list[str] = field(default_factory=list)
    parents: list[int] = field(default_factory=list)
    offsets: list[list[float]] = field(default_factory=list)
    channels: list[tuple[int, str]] = field(default_factory=list)


class _Lines:
    """Non-empty lines with their numbers, read one by one."""

    def __init__(self, text: str, source: str) -> None:
        numbered = enumerate(text.splitlines(), start=1)
        self._lines = [(number, words) for number, line in numbered if (words := line.split())]
        self._next = 0
        self.source = source

    def next(self, expected: str) -> tuple[str, list[str]]:
        """The next line's place (file and line) and words."""
        if self._next == len(self._lines):
            raise InputError(f"{self.source}: ends where {expected} was expected: the file is empty or cut short")
        number, words = self._lines[self._next]
        self._next += 1
        return f"{self.source}, line {number}", words

    def expect(self, *words: str) -> None:
        place, found = self.next(repr(" ".join(words)))
        if tuple(found) != words:
            raise InputError(f"{place}: expected {' '.join(words)!r}, found {' '.join(found)[:60]!r}")

    def rest(self) -> list[tuple[int, list[str]]]:
        return self._lines[self._next :]


def parse_bvh(text: str, source: str) -> CapturedMotion:
    """Read a BVH file. End sites become joints named ``<parent>_end``.

    Args:
        text: the file's content.
        source: its name, for error messages.

    Returns:
        The motion in file units. The header's frame time is ignored: CMU's conversions state wrong ones.

    Raises:
        InputError: not a BVH file, cut short, an unknown channel, or a frame count that doesn't match; names
            file and line.
    """
    lines = _Lines(text, source)
    lines.expect("HIERARCHY")
    place, words = lines.next("'ROOT name'")
    if words[0] != "ROOT" or len(words) < 2:
        raise InputError(f"{place}: expected 'ROOT name', found {' '.join(words)[:60]!r}")
    hierarchy = _Hierarchy()
    _parse_joint(lines, hierarchy, " ".join(words[1:]), -1, place, 0)
    lines.expect("MOTION")
    values = _parse_motion(lines, len(hierarchy.channels))
    return _compose(hierarchy, values)


def _parse_joint(lines: _Lines, tree: _Hierarchy, name: str, parent: int, place: str, depth: int) -> None:
    """Read a joint's block and those within it."""
    if name in tree.joints:
        raise InputError(f"{place}: a second joint named {name!r}")
    if depth > DEEPEST:
        raise InputError(f"{place}: joints are nested more than {DEEPEST} deep: the file is damaged")
    joint, is_end = len(tree.joints), parent >= 0 and name == f"{tree.joints[parent]}_end"
    tree.joints.append(name)
    tree.parents.append(parent)
    lines.expect("{")
    place, words = lines.next("'OFFSET x y z'")
    if words[0] != "OFFSET" or len(words) != 4:
        raise InputError(f"{place}: expected 'OFFSET x y z', found {' '.join(words)[:60]!r}")
    tree.offsets.append(parse_numbers(words[1:], place, "'OFFSET x y z'"))
    while True:
        place, words = lines.next("'}'")
        if words == ["}"]:
            return
        if words[0] == "CHANNELS" and not is_end:
            _parse_channels(tree, joint, words, place)
        elif words[0] == "JOINT" and len(words) > 1 and not is_end:
            _parse_joint(lines, tree, " ".join(words[1:]), joint, place, depth + 1)
        elif words == ["End", "Site"] and not is_end:
            _parse_joint(lines, tree, f"{name}_end", joint, place, depth + 1)
        else:
            raise InputError(f"{place}: expected CHANNELS, JOINT, End Site or '}}', found {' '.join(words)[:60]!r}")


def _parse_channels(tree: _Hierarchy, joint: int, words: list[str], place: str) -> None:
    names = words[2:]
    if len(words) < 2 or words[1] != str(len(names)):
        raise InputError(f"{place}: expected as many channel names as announced, found {' '.join(words)[:60]!r}")
    for name in names:
        if name not in POSITIONS + ROTATIONS:
            raise InputError(f"{place}: unknown channel {name[:60]!r}: expected X/Y/Zposition or X/Y/Zrotation")
        if name in POSITIONS and joint > 0:
            raise InputError(f"{place}: {name} on {tree.joints[joint]!r}: only the root may move, other joints turn")
        if (joint, name) in tree.channels:
            raise InputError(f"{place}: channel {name} comes twice in joint {tree.joints[joint]!r}")
        tree.channels.append((joint, name))


def _parse_motion(lines: _Lines, channels: int) -> np.ndarray:
    """(F, channels) values of the MOTION section."""
    place, words = lines.next("'Frames: N'")
    if words[0] != "Frames:" or len(words) != 2 or not words[1].isdecimal():
        raise InputError(f"{place}: expected 'Frames: N', found {' '.join(words)[:60]!r}")
    count = int(words[1])
    place, words = lines.next("'Frame Time: seconds'")
    if words[:2] != ["Frame", "Time:"]:
        raise InputError(f"{place}: expected 'Frame Time: seconds', found {' '.join(words)[:60]!r}")
    frames = []
    for number, words in lines.rest():
        place = f"{lines.source}, line {number}"
        if len(words) != channels:
            raise InputError(f"{place}: expected a frame of {channels} channel values, found {len(words)}")
        frames.append(parse_numbers(words, place, f"a frame of {channels} channel values"))
    if len(frames) != count:
        raise InputError(f"{lines.source}: announces {count} frames and has {len(frames)}: the file is cut short")
    if not frames or not channels:
        raise InputError(f"{lines.source}: holds no motion: 0 frames or 0 channels")
    return np.array(frames)


def _compose(hierarchy: _Hierarchy, values: np.ndarray) -> CapturedMotion:
    tree = KinematicTree(
        joints=tuple(hierarchy.joints),
        parents=tuple(hierarchy.parents),
        offsets=np.array(hierarchy.offsets),
        carriers=tuple(hierarchy.parents),
    )
    rotations = np.broadcast_to(np.eye(3), (len(values), len(tree.joints), 3, 3)).copy()
    root = np.tile(tree.offsets[0], (len(values), 1))
    for joint in range(len(tree.joints)):
        columns = [(column, name) for column, (owner, name) in enumerate(hierarchy.channels) if owner == joint]
        turns = [(column, name) for column, name in columns if name in ROTATIONS]
        if turns:
            order = "".join(name[0] for _, name in turns)
            angles = values[:, [column for column, _ in turns]]
            rotations[:, joint] = Rotation.from_euler(order, angles, degrees=True).as_matrix()
        for column, name in columns:
            if name in POSITIONS:
                root[:, POSITIONS.index(name)] += values[:, column]
    return CapturedMotion(tree, rotations, root)
