"""Who was detected where, whatever detector wrote it, before anybody is made a clip."""

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float64

from hummuss.data.readers.task import LeftOut
from hummuss.errors import InputError

PERSON_KEYS = ("track_id", "idx", "person_id")


class Seen(NamedTuple):
    """One person in one frame; ``person`` is None where nobody tracked."""

    frame: int
    person: str | None
    keypoints: Float64[np.ndarray, "J 3"]


@dataclass(frozen=True)
class Detections:
    """What a recording's detector saw.

    Attributes:
        seen: in the order of the file.
        rate: frame numbers per second where the file says it.
        layout: of the joints where the file says it.
        shares: x and y are shares of the image's width and height instead of pixels.
        first: number of the recording's first frame, whoever is seen in it, where the file says it.
        left_out: who was seen, and is nobody's.
    """

    seen: list[Seen]
    rate: float | None = None
    layout: str | None = None
    shares: bool = False
    first: int | None = None
    left_out: list[LeftOut] = field(default_factory=list)


def person_of(entry: dict[str, Any], place: str) -> str | None:
    """The number or name that a tracker gave a person; None where none did.

    Raises:
        InputError: it is neither; names the ``place``.

    >>> person_of({"person_id": [-1]}, "a.json"), person_of({"idx": [[7.0], [7.0]]}, "a.json")
    (None, '7')
    """
    for key in PERSON_KEYS:
        values = _flat(entry.get(key))
        # AlphaPose counts from 1 where it tracks, writes 0 where it does not, and both numbers of poses it has merged.
        if (
            not values
            or values[0] in (None, -1)
            or values != values[:1] * len(values)
            or (key, values[0]) == ("idx", 0)
        ):
            continue
        value = values[0]
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if not isinstance(value, (int, str)):
            raise InputError(f"{place}: expected {key} to be a whole number or a name, found {entry[key]!r:.60}")
        return str(value)
    return None


def _flat(value: Any) -> list[Any]:
    """A value, or those of a list of any depth."""
    return [one for part in value for one in _flat(part)] if isinstance(value, list) else [value]
