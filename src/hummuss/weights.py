"""Weights out of files, as tensors only: nothing in such a file is run."""

from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from hummuss.backbones import motionbert
from hummuss.errors import InputError


def find_checkpoint(path: Path) -> Path:
    """The file itself, or for a folder the best checkpoint of its run, or of the newest of its numbered runs."""
    if not path.is_dir():
        return path
    runs = sorted((own for own in path.iterdir() if own.name.isdigit()), key=lambda own: int(own.name), reverse=True)
    return next((own / "best.ckpt" for own in runs if (own / "best.ckpt").is_file()), path / "best.ckpt")


def read_checkpoint(path: Path) -> dict[str, Tensor]:
    """The weights in a checkpoint of ``hummuss fit``.

    Raises:
        InputError: another file, or a damaged one.
    """
    return open_checkpoint(path)["state_dict"]


def open_checkpoint(path: Path) -> dict[str, Any]:
    """All that is in a checkpoint of ``hummuss fit``, the weights as ``state_dict``.

    Raises:
        InputError: another file, or a damaged one.
    """
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
        odd = [name for name, value in content["state_dict"].items() if not isinstance(value, Tensor)]
    except Exception as error:  # a damaged archive, or another object, raises anything
        known = "it seems to be MotionBERT's, which hummuss.DSTformer.from_motionbert reads"
        why = known if _of_motionbert(path) else in_short(error)
        raise InputError(f"{path} is not a checkpoint of `hummuss fit`, or damaged: {why}") from error
    if odd:
        raise InputError(f"{path} is not a checkpoint of `hummuss fit`: its {odd[0]!r} is no tensor")
    return content


def _of_motionbert(path: Path) -> bool:
    """Whether a file holds what MotionBERT publishes."""
    try:
        motionbert.read_state(path)
    except InputError:
        return False
    return True


def read_safetensors(path: Path) -> dict[str, Tensor]:
    """The weights of a shared model.

    Raises:
        InputError: another file, or a damaged one.
    """
    try:
        return load_file(path)
    except (SafetensorError, OSError) as error:
        raise InputError(f"{path} is no safetensors file, or damaged ({error}): copy it again") from error


def in_short(error: BaseException) -> str:
    """The first complaint of an error that has several lines.

    >>> in_short(RuntimeError("sizes differ:\\n  size of a\\n  size of b"))
    'sizes differ: size of a'
    """
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return " ".join(lines[:2])[:300] if lines else type(error).__name__
