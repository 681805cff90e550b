"""JSON that others wrote: whatever it holds, an error that says what is wrong with it, or numbers of sane size."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float64

from hummuss.data.keypoints import LARGEST_CONFIDENCE, LARGEST_POSITION, missing_at_the_origin
from hummuss.errors import InputError

LARGEST_NUMBER = 2**53


def load_json(path: Path) -> Any:
    """What a JSON file holds.

    Raises:
        InputError: no such file, an empty, damaged or absurdly nested one.
    """
    try:
        return json.loads(path.read_bytes())
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}): is it there?") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} is no JSON file, or a damaged one ({error}): write it again") from error


def keypoint_triples(value: Any, place: str) -> Float64[np.ndarray, "J 3"]:
    """A flat list x1, y1, c1, x2, ... as rows of finite numbers; the last of each is whatever stands there.

    Raises:
        InputError: it is none, or empty; names the ``place``.

    >>> keypoint_triples([1, 2, 0.5, 3, 4, 0.9], "a.json").shape
    (2, 3)
    """
    if not isinstance(value, list) or not value or len(value) % 3:
        raise InputError(f"{place}: expected keypoints x, y, confidence, x, ..., found {str(value)[:60]}")
    for entry, one in enumerate(value):
        if not isinstance(one, (int, float)) or not abs(one) <= LARGEST_POSITION:
            raise InputError(
                f"{place}: joint {entry // 3} has {('x', 'y', 'confidence')[entry % 3]} {str(one)[:60]}, expected a "
                f"number, {LARGEST_POSITION:g} at most: a missing joint has 0, 0, 0"
            )
    return np.array(value, np.float64).reshape(-1, 3)


def check_confidence(keypoints: Float64[np.ndarray, "J 3"], place: str) -> Float64[np.ndarray, "J 3"]:
    """The same keypoints, confidences a little above 1, as OpenPose writes some, counted as 1; missing at (0, 0).

    Raises:
        InputError: a confidence below 0, or so high that it is on another scale; names the ``place``.
    """
    outside = (keypoints[:, 2] < 0) | (keypoints[:, 2] > LARGEST_CONFIDENCE)
    if outside.any():
        joint = int(np.argmax(outside))
        raise InputError(f"{place}: joint {joint} has confidence {keypoints[joint, 2]:g}, expected 0 to 1: scale it")
    return missing_at_the_origin(np.concatenate([keypoints[:, :2], np.minimum(keypoints[:, 2:], 1)], -1))


def frame_number(value: Any, place: str) -> int:
    """A frame's number: a whole number, or what the name of an image ends in.

    Raises:
        InputError: it is neither; names the ``place``.

    >>> frame_number("run/frame_0012.jpg", "a.json"), frame_number(7, "a.json")
    (12, 7)
    """
    if isinstance(value, str):
        digits = re.search(r"([0-9]{1,16})$", value.rsplit("/", 1)[-1].rsplit(".", 1)[0])
        value = int(digits[1]) if digits else None
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= LARGEST_NUMBER:
        raise InputError(f"{place}: expected a frame's number, or an image name that ends in one, found {value!r:.60}")
    return value
