"""Your own 2D keypoints of one person: an npz or JSON with named fields, or an npy with the keypoints alone."""

import zlib
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from jaxtyping import Float

from hummuss.body.skeleton import LAYOUTS, convert_keypoints
from hummuss.data.motion import Camera, MotionClip
from hummuss.data.readers.json_file import LARGEST_CONFIDENCE, LARGEST_POSITION, load_json
from hummuss.errors import InputError

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
    # Seconds are said by either: a file with time stamps lacks no fps.
    timed = "fps" in options and "timestamps" in values
    given = {name: value for name, value in options.items() if value is not None and not (timed and name == "fps")}
    for name in [*values, *given]:
        if name not in FIELDS:
            raise InputError(f"{path}: unknown field {name!r}: a keypoint file has {', '.join(FIELDS)}")
    for name in given:
        if name in values and str(_plain(values[name])) != str(_plain(given[name])):
            raise InputError(f"{path} has {name} {values[name]}, and {given[name]} is given beside it: drop either")
    return _to_clip(path, values | given)


def _plain(value: Any) -> Any:
    """A number as float, whatever wrote it; anything else as it is."""
    value = value.item() if isinstance(value, np.ndarray) and value.ndim == 0 else value
    return float(value) if isinstance(value, (int, float)) else value


def _read(path: Path) -> dict[str, Any]:
    """The fields of a file, arrays or plain values."""
    if path.suffix not in SUFFIXES:
        raise InputError(
            f"{path} ends in {path.suffix!r}: give keypoints as {', '.join(SUFFIXES)}, or a prepared store"
        )
    if not path.is_file():
        raise InputError(f"no keypoints at {path}: give a file of {', '.join(SUFFIXES)}, or a prepared store")
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
    except (ValueError, OSError, EOFError, MemoryError, NotImplementedError, BadZipFile, zlib.error) as error:
        raise InputError(f"{path} cannot be read ({error}): write plain numbers, as docs/predict.md shows") from error
    if not isinstance(values, dict):
        raise InputError(
            f"{path} holds a {type(values).__name__}, expected an object with {', '.join(FIELDS)}: "
            "what detectors write goes into a store with `hummuss prepare keypoints`"
        )
    return values


def _to_clip(path: Path, values: dict[str, Any]) -> MotionClip:
    keypoints = _keypoints(path, values)
    if "layout" not in values:
        raise InputError(f"{path} has no layout: name the joints' order, one of {', '.join(sorted(LAYOUTS))}")
    if "fps" not in values and "timestamps" not in values:
        raise InputError(f"{path} has neither fps nor timestamps (seconds): the model must know when frames were taken")
    timestamps = _numbers(path, "timestamps", values["timestamps"], 1) if "timestamps" in values else None
    if timestamps is not None and not np.isfinite(timestamps).all():
        raise InputError(f"{path}: time stamp {int(np.argmin(np.isfinite(timestamps)))} is not a finite number")
    camera = _image(path, values)
    try:
        clip = MotionClip(
            name=path.stem,
            sequence=path.stem,
            subject="",
            split="test",
            frame="camera",
            fps=_number(path, "fps", values["fps"]) if "fps" in values else None,
            timestamps=timestamps,
            camera=camera,
            keypoints2d=keypoints,
        )
        _check_seconds(clip)
        return replace(clip, keypoints2d=convert_keypoints(keypoints, str(values["layout"]), "h36m17"))
    except InputError as error:
        raise InputError(f"{path}: {error}") from error


def _keypoints(path: Path, values: dict[str, Any]) -> Float[np.ndarray, "F J 3"]:
    """Pixels and confidence; joints of no confidence are zeros."""
    if "keypoints" not in values:
        raise InputError(f"{path} has no keypoints, only {', '.join(values) or 'nothing'}: expected (F, J, 2 or 3)")
    keypoints = _numbers(path, "keypoints", values["keypoints"], 3)
    if (np.abs(keypoints, where=np.isfinite(keypoints), out=np.zeros_like(keypoints)) > LARGEST_POSITION).any():
        raise InputError(f"{path}: a keypoint lies beyond {LARGEST_POSITION:g} pixels: the file is damaged")
    keypoints = keypoints.astype(np.float32)
    if keypoints.shape[-1] not in (2, 3) or 0 in keypoints.shape:
        raise InputError(
            f"{path}: keypoints have shape {keypoints.shape}, expected (frames, joints, 2 or 3): "
            "x and y in pixels, and confidence"
        )
    if keypoints.shape[-1] == 2:
        if (nowhere := (keypoints == 0).all(-1)).any():
            frame, joint = np.argwhere(nowhere)[0]
            raise InputError(
                f"{path}: joint {joint} of frame {frame} is at (0, 0): if that stands for a missing joint, "
                "give confidence as a third number, 0 for missing"
            )
        return np.concatenate([keypoints, np.ones_like(keypoints[..., :1])], -1)
    confidence = keypoints[..., 2:]
    if (outside := (confidence < 0) | (confidence > LARGEST_CONFIDENCE)).any():
        frame, joint, _ = np.argwhere(outside)[0]
        raise InputError(
            f"{path}: joint {joint} of frame {frame} has confidence {confidence[frame, joint, 0]:g}, "
            "expected 0 to 1: scale it"
        )
    if not (confidence > 0).any():
        raise InputError(f"{path}: every joint of every frame has confidence 0: nobody was detected")
    keypoints = np.concatenate([keypoints[..., :2], np.minimum(confidence, 1)], -1)
    return np.where(confidence == 0, 0, keypoints)  # whatever stands for "nowhere", NaN too


def _image(path: Path, values: dict[str, Any]) -> Camera | None:
    """A camera that knows its image's size alone."""
    given = [name for name in ("width", "height") if name in values]
    if not given:
        return None
    if len(given) == 1:
        raise InputError(f"{path} has {given[0]} alone: give width and height of the image, in pixels")
    width, height = (_number(path, name, values[name]) for name in ("width", "height"))
    if not all(1 <= length <= LARGEST_POSITION and length == round(length) for length in (width, height)):
        raise InputError(f"{path}: the image is {width:g} x {height:g}, expected whole numbers of pixels above 0")
    check_pixels(path, np.nan_to_num(np.asarray(values["keypoints"], np.float64)), width, height)
    return Camera.of_size(int(width), int(height))


def check_pixels(path: Path, keypoints: Float[np.ndarray, "F J _"], width: int | float, height: int | float) -> None:
    """Refuse shares of an image given as pixels.

    Raises:
        InputError: all keypoints lie in the corner of the image.
    """
    if np.abs(keypoints[..., :2]).max() <= 2 < min(width, height):
        raise InputError(
            f"{path}: all keypoints lie within 2 pixels of the image's corner: give pixels, not shares of it"
        )


def _check_seconds(clip: MotionClip) -> None:
    interval = 1 / clip.fps if clip.fps is not None else clip.duration / max(1, len(clip) - 1)
    if interval > 1:
        raise InputError(f"frames are {interval:g} s apart on average: give timestamps in seconds, fps per second")


def _numbers(path: Path, name: str, value: Any, dimensions: int) -> Float[np.ndarray, "..."]:
    try:
        array = np.asarray(value, np.float64)
    except (ValueError, TypeError, OverflowError) as error:
        raise InputError(f"{path}: {name} is not an array of numbers ({error})") from error
    if array.ndim != dimensions:
        raise InputError(f"{path}: {name} has shape {array.shape}, expected {dimensions} dimensions")
    return array


def _number(path: Path, name: str, value: Any) -> float:
    return float(_numbers(path, name, value, 0))
