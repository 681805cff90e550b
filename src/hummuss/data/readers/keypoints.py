"""Your own 2D keypoints of one person: an npz or JSON with named fields, or an npy with the keypoints alone."""

from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from hummuss.body.skeleton import LAYOUTS
from hummuss.data.keypoints import check_size, clip_from_keypoints, numbers
from hummuss.data.motion import MotionClip
from hummuss.data.readers.json_file import load_json
from hummuss.errors import DAMAGED_ARCHIVE, InputError

FIELDS = ("keypoints", "layout", "fps", "timestamps", "width", "height")
SUFFIXES = (".npz", ".npy", ".json")


def read_keypoints(path: str | PathLike[str], **options: Any) -> MotionClip:
    """Read one person's detected keypoints; docs/predict.md describes the file.

    Args:
        path: .npz or .json with the fields `FIELDS`, or .npy with the array ``keypoints`` alone.
        options: fields that the file does not have, or has alike.

    Returns:
        A clip in camera coordinates with the 17 Human3.6M keypoints in pixels. Of its camera only the image size is
        known: its intrinsics are zeros, as in batches without a camera.

    Raises:
        InputError: a file that is missing, empty, damaged or of another kind; a field that is missing, unknown, given
            otherwise than the file has it, of the wrong shape or out of its range.
    """
    path = Path(path)
    values = _read(path)
    given = _given(values, options)
    _check_fields(path, [*values, *given], "what detectors write goes into a store with `hummuss prepare keypoints`")
    for name in given:
        if name in values and str(_plain(values[name])) != str(_plain(given[name])):
            raise InputError(f"{path} has {name} {values[name]}, and {given[name]} is given beside it: drop either")
    return _to_clip(path, values | given)


def read_keypoints_among_others(path: Path, **options: Any) -> MotionClip:
    """The same of a file among others that lack more: what it says itself, ``options`` do not change.

    Raises:
        InputError: see `read_keypoints`.
    """
    values = _read(path)
    _check_fields(path, [*values], "of what detectors write docs/predict.md says which files are read")
    return _to_clip(path, _given(values, options) | values)


def _given(values: dict[str, Any], options: dict[str, Any]) -> dict[str, Any]:
    """Options that were given; seconds are said by either, so a file with time stamps lacks no fps."""
    timed = "timestamps" in values
    return {name: value for name, value in options.items() if value is not None and not (timed and name == "fps")}


def _check_fields(path: Path, names: list[str], hint: str) -> None:
    for name in names:
        if name not in FIELDS:
            raise InputError(f"{path}: unknown field {name!r}: a keypoint file has {', '.join(FIELDS)}; {hint}")


def _plain(value: Any) -> Any:
    """A number as float, whatever wrote it; anything else as it is."""
    value = value.item() if isinstance(value, np.ndarray) and value.ndim == 0 else value
    return float(value) if isinstance(value, (int, float)) else value


def _read(path: Path) -> dict[str, Any]:
    """The fields of a file, arrays or plain values."""
    if not path.is_file():
        raise InputError(f"no keypoints at {path}: give a file of {', '.join(SUFFIXES)}, or a prepared store")
    if path.suffix not in SUFFIXES:
        raise InputError(
            f"{path} ends in {path.suffix!r}: give keypoints as {', '.join(SUFFIXES)}, or a prepared store"
        )
    if path.stat().st_size == 0:
        raise InputError(f"{path} is empty: write it again")
    try:
        if path.suffix == ".json":
            values = load_json(path)
        else:
            with path.open("rb") as file:
                loaded = np.load(file, allow_pickle=False)
                values = {"keypoints": loaded} if isinstance(loaded, np.ndarray) else dict(loaded)
    except InputError:
        raise
    # A header may promise any number of frames, a damaged archive raise much.
    except (*DAMAGED_ARCHIVE, MemoryError) as error:
        raise InputError(f"{path} cannot be read ({error}): write plain numbers, as docs/predict.md shows") from error
    if not isinstance(values, dict):
        raise InputError(
            f"{path} holds a {type(values).__name__}, expected an object with {', '.join(FIELDS)}: "
            "what detectors write goes into a store with `hummuss prepare keypoints`"
        )
    return values


def _to_clip(path: Path, values: dict[str, Any]) -> MotionClip:
    if "keypoints" not in values:
        raise InputError(f"{path} has no keypoints, only {', '.join(values) or 'nothing'}: expected (F, J, 2 or 3)")
    if "layout" not in values:
        raise InputError(
            f"{path} has no layout: name the joints' order (--layout), one of {', '.join(sorted(LAYOUTS))}"
        )
    if "fps" not in values and "timestamps" not in values:
        raise InputError(f"{path} has neither fps nor timestamps (seconds): the model must know when frames were taken")
    size = [name for name in ("width", "height") if name in values]
    if len(size) == 1:
        raise InputError(f"{path} has {size[0]} alone: give width and height of the image, in pixels")
    try:
        return clip_from_keypoints(
            values["keypoints"],
            str(values["layout"]),
            fps=float(numbers("fps", values["fps"], 0)) if "fps" in values else None,
            timestamps=numbers("timestamps", values["timestamps"], 1) if "timestamps" in values else None,
            image_size=check_size([values[name] for name in size]) if size else None,
            name=path.stem,
        )
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
