"""Checks that readers of official files share: what is in a file, of which shape."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float64

from hummuss.body.unpickle import load_npz, load_pickle
from hummuss.errors import InputError


def open_file(path: Path, contents: str) -> dict[str, Any]:
    """Read a pickle or npz whose top level is a dict.

    Args:
        path: the file.
        contents: what it should hold and where it comes from, for errors.

    Raises:
        InputError: no such file, an empty or damaged one, or one that holds something else.
    """
    if not path.is_file():
        raise InputError(f"{path} does not exist: expected {contents}")
    if path.stat().st_size == 0:
        raise InputError(f"{path} is empty: expected {contents}: get it again")
    values = load_npz(path) if path.suffix == ".npz" else load_pickle(path)
    return mapping(values, str(path), contents)


def mapping(value: Any, place: str, contents: str) -> dict[str, Any]:
    """The value, if it is a dict with something in it.

    Raises:
        InputError: it isn't.
    """
    if not isinstance(value, dict) or not value:
        found = "nothing" if isinstance(value, dict) else f"a {type(value).__name__}"
        raise InputError(f"{place} holds {found}, expected {contents}: is it another file?")
    return value


def need(values: Mapping[str, Any], keys: Iterable[str], place: str, contents: str) -> None:
    """Refuse a dict that lacks a key.

    Raises:
        InputError: which, and what is there instead.
    """
    missing = [key for key in keys if key not in values]
    if missing:
        found = ", ".join(map(str, list(values)[:8]))
        raise InputError(
            f"{place} lacks {', '.join(missing)}, it holds {found}: expected {contents}: is it another file?"
        )


def numbers(value: Any, shape: tuple[int | None, ...], place: str) -> np.ndarray:
    """The value as an array of numbers of a shape; None stands for any size but 0.

    Raises:
        InputError: no array of numbers, or one of another shape.
    """
    wanted = _in_words(shape)
    array = np.asarray(value) if not isinstance(value, (list, tuple)) or _regular(value) else np.array(None)
    if array.dtype.kind not in "fiub":
        raise InputError(f"{place} is no array of numbers, expected shape ({wanted}): is the file damaged?")
    fits = array.ndim == len(shape) and all(
        got == want or (want is None and got > 0) for want, got in zip(shape, array.shape, strict=True)
    )
    if not fits:
        raise InputError(f"{place} has shape {array.shape}, expected ({wanted}): is the file cut short or another one?")
    return array


def checked_array(file: Path, name: str, value: Any, shape: tuple[int | None, ...]) -> Float64[np.ndarray, "..."]:
    """The value as finite numbers of a shape, copied to float64; unlike `numbers`, None may stand for 0, too.

    Args:
        file, name: what and where it is, for errors.
        value: what the file holds.
        shape: as the format prescribes it; None stands for any length.

    Raises:
        InputError: no numbers, another shape, or a NaN or infinity, with its place.
    """
    try:
        array = np.asarray(value, np.float64)
    except (ValueError, TypeError) as error:
        raise InputError(f"{file}: {name} is not an array of numbers ({error}): get the file again") from error
    if array.ndim != len(shape) or any(want not in (None, got) for want, got in zip(shape, array.shape, strict=True)):
        raise InputError(f"{file}: {name} has shape {array.shape}, expected ({_in_words(shape)}): get the file again")
    if not np.isfinite(array).all():
        place = np.argwhere(~np.isfinite(array))[0].tolist()
        raise InputError(f"{file}: {name} has a NaN or infinity at {place}: get the file again")
    return array


def _in_words(shape: tuple[int | None, ...]) -> str:
    return ", ".join("F" if size is None else str(size) for size in shape)


def _regular(value: list[Any] | tuple[Any, ...]) -> bool:
    """Whether numpy can make one array of a sequence."""
    return len({np.shape(item) for item in value}) <= 1
