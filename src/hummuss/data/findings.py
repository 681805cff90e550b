"""What a check of prepared data reports."""

from dataclasses import dataclass

# Of one clip: the frame (None where it is about the whole clip), what was found, what should be, what to do.
Found = tuple[int | None, str, str, str]


@dataclass(frozen=True)
class Finding:
    """Something that is probably wrong.

    Attributes:
        check: which check found it.
        clip: the clip, or what else it concerns.
        frame: the first frame, or the worst; None where it is about the whole clip.
        value, expected: what was found, and what should be.
        remedy: what to do.
    """

    check: str
    clip: str
    frame: int | None
    value: str
    expected: str
    remedy: str
