"""``.skeleton`` text of NTU RGB+D: what a Kinect v2 reported, frame by frame and body by body.

A number of frames; for each frame a number of bodies; for each body a line of ten numbers that begins with its tracking
id, the number of its joints (25), and a line per joint: x y z, depth x y, colour x y, orientation w x y z, tracking
state (read_skeleton_file.m of github.com/shahroudy/NTURGB-D).
"""

from dataclasses import dataclass
from itertools import chain

import numpy as np
from jaxtyping import Float32, Float64, Int64

from hummuss.errors import InputError

JOINTS, BODY_NUMBERS, JOINT_NUMBERS = 25, 10, 12
# A Kinect v2 tracks six people at most, between 0.5 and 4.5 m away (mathworks.com, Data Streams Returned by the Kinect
# V2 Adaptor); what lies far beyond is damage.
MOST_BODIES, FARTHEST, FARTHEST_PIXEL = 6, 100.0, 1e6
CUT_SHORT = "the file is empty or cut short, get it again"


@dataclass(frozen=True)
class KinectBody:
    """One body under one tracking id.

    Attributes:
        tracking_id: the sensor's.
        frames: numbers of the frames it was seen in, from 0, increasing.
        joints: metres in the sensor's camera space: x to its LEFT, y up, z forward, which is right-handed
            (learn.microsoft.com, Kinect for Windows, Coordinate mapping). NaN or infinity where the file has them.
        pixels: the joints in the colour image of 1920 x 1080. NaN or infinity where the file has them.
        states: 2 tracked, 1 inferred, 0 not tracked.
    """

    tracking_id: str
    frames: Int64[np.ndarray, "F"]
    joints: Float32[np.ndarray, "F 25 3"]
    pixels: Float32[np.ndarray, "F 25 2"]
    states: Int64[np.ndarray, "F 25"]

    def __len__(self) -> int:
        return len(self.frames)


class _Lines:
    """Lines that are not empty, split into words, with their numbers."""

    def __init__(self, text: str, source: str) -> None:
        self.source = source
        self._lines = [(n, words) for n, line in enumerate(text.splitlines(), 1) if (words := line.split())]
        self._next = 0

    def place(self, back: int = 0) -> str:
        """File and line of the line read last, or of one before it."""
        return f"{self.source}, line {self._lines[self._next - 1 - back][0]}"

    def take(self, count: int, expected: str) -> list[list[str]]:
        taken = self._lines[self._next : self._next + count]
        if len(taken) < count:
            raise InputError(f"{self.source}: ends where {expected} was expected: {CUT_SHORT}")
        self._next += count
        return [words for _, words in taken]

    def number(self, expected: str, most: int) -> int:
        """A line with one whole number."""
        [words] = self.take(1, expected)
        if len(words) != 1 or not (words[0].isascii() and words[0].isdecimal()) or len(words[0]) > 9:
            raise InputError(f"{self.place()}: expected {expected}, found {' '.join(words)[:60]!r}")
        if int(words[0]) > most:
            raise InputError(f"{self.place()}: {words[0]} is no {expected}, {most} at most: the file is damaged")
        return int(words[0])

    def ended(self) -> None:
        if self._next < len(self._lines):
            number, words = self._lines[self._next]
            raise InputError(
                f"{self.source}, line {number}: expected the end after the last frame, "
                f"found {' '.join(words)[:60]!r}: the file is damaged"
            )


def parse_skeleton(text: str, source: str) -> list[KinectBody]:
    """Read a ``.skeleton`` file.

    Args:
        text: the file's content.
        source: its name, for error messages.

    Returns:
        The bodies in the order in which they appear; none where nobody was seen.

    Raises:
        InputError: not such a file, cut short, or damaged; names file and line.
    """
    lines = _Lines(text, source)
    # Every frame takes a line at least, so no header can promise more frames than the file has lines.
    count = lines.number("number of frames", most=10**9)
    if count == 0:
        raise InputError(f"{source}: says it has no frames: {CUT_SHORT}")
    frames: dict[str, list[int]] = {}
    numbers: dict[str, list[np.ndarray]] = {}
    for frame in range(count):
        for _ in range(lines.number(f"number of bodies of frame {frame + 1} of {count}", most=MOST_BODIES)):
            [head] = lines.take(1, f"a body of frame {frame + 1}")
            if len(head) != BODY_NUMBERS:
                raise InputError(
                    f"{lines.place()}: expected a body's {BODY_NUMBERS} numbers, found {' '.join(head)[:60]!r}"
                )
            if frames.setdefault(head[0], [])[-1:] == [frame]:
                raise InputError(f"{lines.place()}: body {head[0]} comes twice in frame {frame + 1}")
            if lines.number("number of joints", most=JOINTS) != JOINTS:
                raise InputError(f"{lines.place()}: expected {JOINTS} joints, as a Kinect v2 has them")
            frames[head[0]].append(frame)
            numbers.setdefault(head[0], []).append(_joints(lines))
    lines.ended()
    return [_body(name, frames[name], np.stack(numbers[name])) for name in frames]


def _joints(lines: _Lines) -> Float64[np.ndarray, "25 12"]:
    rows = lines.take(JOINTS, f"{JOINTS} joints of a body")
    for back, words in enumerate(reversed(rows)):
        if len(words) != JOINT_NUMBERS:
            raise InputError(f"{lines.place(back)}: expected {JOINT_NUMBERS} numbers of a joint, found {len(words)}")
    try:
        values = np.array([float(word) for word in chain.from_iterable(rows)])
    except ValueError as error:
        raise InputError(f"{lines.place(JOINTS - 1)} and on: a joint's numbers are none ({error})") from error
    values = values.reshape(JOINTS, JOINT_NUMBERS)
    for columns, limit, what in ((slice(0, 3), FARTHEST, "metres"), (slice(5, 7), FARTHEST_PIXEL, "pixels")):
        beyond = np.isfinite(values[:, columns]) & (np.abs(values[:, columns]) > limit)
        if beyond.any():
            joint = int(np.argmax(beyond.any(1)))
            raise InputError(
                f"{lines.place(JOINTS - 1 - joint)}: a joint at {values[joint, columns].tolist()} {what}: "
                "the file is damaged"
            )
    known = (values[:, 11, None] == (0, 1, 2)).any(1)
    if not known.all():
        joint = int(np.argmin(known))
        raise InputError(
            f"{lines.place(JOINTS - 1 - joint)}: expected a tracking state of 0, 1 or 2, found {values[joint, 11]:g}"
        )
    return values


def _body(name: str, frames: list[int], numbers: Float64[np.ndarray, "F 25 12"]) -> KinectBody:
    return KinectBody(
        tracking_id=name,
        frames=np.array(frames),
        joints=numbers[..., :3].astype(np.float32),
        pixels=numbers[..., 5:7].astype(np.float32),
        states=numbers[..., 11].astype(np.int64),
    )
