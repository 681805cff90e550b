"""An array out of an official file, checked before anything is computed with it."""

from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float64

from hummuss.errors import InputError


def checked_array(file: Path, name: str, value: Any, shape: tuple[int | None, ...]) -> Float64[np.ndarray, "..."]:
    """Finite numbers of the shape that a format prescribes.

    Args:
        file, name: what and where it is, for errors.
        value: what the file holds.
        shape: None stands for any length.

    Raises:
        InputError: no numbers, another shape, or a NaN or infinity, with its place.
    """
    try:
        array = np.asarray(value, np.float64)
    except (ValueError, TypeError) as error:
        raise InputError(f"{file}: {name} is not an array of numbers ({error}): get the file again") from error
    if array.ndim != len(shape) or any(want not in (None, got) for want, got in zip(shape, array.shape, strict=True)):
        wanted = ", ".join("F" if size is None else str(size) for size in shape)
        raise InputError(f"{file}: {name} has shape {array.shape}, expected ({wanted}): get the file again")
    if not np.isfinite(array).all():
        place = np.argwhere(~np.isfinite(array))[0].tolist()
        raise InputError(f"{file}: {name} has a NaN or infinity at {place}: get the file again")
    return array
