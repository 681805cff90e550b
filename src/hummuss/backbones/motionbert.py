"""MotionBERT's published checkpoint files: the backbone's weights in them, and the sizes these weights tell.

Layout: ``{"model_pos": state}`` (pose, pretraining) or ``{"model": state}`` with a ``backbone.`` prefix (action, mesh);
every name may have a ``module.`` prefix. Beside them stand optimiser state and numpy scalars.
"""

import re
from os import PathLike
from pickle import UnpicklingError
from typing import Any

import numpy as np
import torch
from torch import Tensor

from hummuss.errors import InputError

EXPECTED = "expected a MotionBERT .bin file: a DSTformer's weights under 'model_pos', or under 'model' as 'backbone.*'"

# What the files hold that torch does not load by itself: floating-point numpy scalars, pickled by numpy 1 or 2.
_SCALAR = np.float64(0).__reduce__()[0]
_ALLOWED: list[Any] = [
    (_SCALAR, "numpy.core.multiarray.scalar"),
    (_SCALAR, "numpy._core.multiarray.scalar"),
    np.dtype,
    type(np.dtype(np.float32)),
    type(np.dtype(np.float64)),
]


def read_state(path: str | PathLike[str]) -> dict[str, Tensor]:
    """The backbone's weights, float32, by their names without prefixes; a plain state dict of one is read as well.

    Raises:
        InputError: a file that is missing, unreadable or holds no such weights.
    """
    content = _load(path)
    key = next((key for key in ("model_pos", "model") if key in content), None)
    state = content[key] if key else content
    names = {str(name).removeprefix("module."): value for name, value in state.items()} if _is_dict(state) else {}
    if key == "model":
        prefix = "backbone."
        names = {name.removeprefix(prefix): value for name, value in names.items() if name.startswith(prefix)}
    weights = {name: value.float() for name, value in names.items() if isinstance(value, Tensor)}
    if "joints_embed.weight" not in weights:
        found = f"the names under {key!r} begin with" if key else "its keys are"
        raise InputError(f"{path}: {EXPECTED}; {found} {_some(state if _is_dict(state) else [])}")
    return weights


def read_sizes(state: dict[str, Tensor]) -> dict[str, Any]:
    """Constructor arguments of the `DSTformer` that a state dict belongs to; the number of heads is not in it.

    Raises:
        InputError: a weight that tells a size is missing or has another number of axes.
    """
    dim, hidden = _shape(state, "joints_embed.weight", 2)[0], _shape(state, "blocks_st.0.mlp_s.fc1.weight", 2)[0]
    return {
        "dim": dim,
        "depth": len({name.split(".")[1] for name in state if name.startswith("blocks_st.")}),
        "dim_rep": _shape(state, "pre_logits.fc.weight", 2)[0],
        "mlp_ratio": hidden / dim,
        "joints": _shape(state, "pos_embed", 3)[1],
        "max_frames": _shape(state, "temp_embed", 4)[1],
        "head": "head.weight" in state,
    }


def check_names(state: dict[str, Tensor], expected: dict[str, Tensor]) -> None:
    """Refuse a state dict that does not fill a model exactly.

    Raises:
        InputError: names that are missing or unexpected, or weights of another shape.
    """
    wrong = {
        "lacks": [name for name in expected if name not in state],
        "has unexpected": [name for name in state if name not in expected],
        "has other shapes than the rest of it implies at": [
            f"{name} {tuple(state[name].shape)}, not {tuple(value.shape)}"
            for name, value in expected.items()
            if name in state and state[name].shape != value.shape
        ],
    }
    if any(wrong.values()):
        found = "; ".join(f"{what} {_some(names)}" for what, names in wrong.items() if names)
        raise InputError(f"not the weights of one DSTformer: it {found}. Only its original network can be loaded")


def _load(path: str | PathLike[str]) -> dict[Any, Any]:
    try:
        with torch.serialization.safe_globals(_ALLOWED):
            content = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file; download it from MotionBERT's model zoo first") from error
    except UnpicklingError as error:
        refused = re.search(r"GLOBAL (\S+)", str(error))
        reason = f"it holds a pickled {refused[1]}, which is not loaded" if refused else "it is no torch checkpoint"
        raise InputError(f"{path}: {EXPECTED}; {reason}") from error
    except Exception as error:  # damaged files fail in as many ways as unpickling has steps
        raise InputError(f"{path}: {EXPECTED}; it is damaged or no torch checkpoint") from error
    if not _is_dict(content):
        raise InputError(f"{path}: {EXPECTED}; it holds a {type(content).__name__}")
    return content


def _is_dict(value: object) -> bool:
    return isinstance(value, dict)


def _shape(state: dict[str, Tensor], name: str, axes: int) -> torch.Size:
    if name not in state:
        raise InputError(f"{name}, which tells the size of the model, is missing; download the file again")
    if state[name].ndim != axes:
        raise InputError(f"{name} has shape {tuple(state[name].shape)}, expected {axes} axes: not a DSTformer's")
    return state[name].shape


def _some(names: Any) -> str:
    names = [str(name) for name in names]
    return ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "") if names else "none"
