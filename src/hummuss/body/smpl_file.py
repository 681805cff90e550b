"""Files of the SMPL format, and of the regressor to Human3.6M's joints: read and checked."""

import io
from contextlib import redirect_stdout
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import smplx
import torch
from torch import Tensor

from hummuss.body.skeleton import H36M17, SMPL24
from hummuss.body.unpickle import load_npz, load_pickle
from hummuss.errors import InputError

# Shape of each array of an SMPL-format file; V vertices and T triangles.
FORMAT: dict[str, tuple[int | str, ...]] = {
    "v_template": ("V", 3),
    "shapedirs": ("V", 3, "S"),
    "J_regressor": (24, "V"),
    "weights": ("V", 24),
    "f": ("T", 3),
    "kintree_table": (2, 24),
}
BETAS = 10
SUM_TOLERANCE = 0.1  # of weights, whose sum is 1
POSE_FEATURES = 207  # 23 joints x 9 entries of R - I


def read_body(file: Path) -> dict[str, Any]:
    """Arrays of an SMPL-format file by name.

    Raises:
        InputError: the file is missing, damaged, lacks arrays or holds another kind of body.
    """
    if not file.is_file():
        raise InputError(f"no body file at {file}: leave the path out for the free body, or see docs/body.md")
    arrays = load_npz(file) if file.suffix == ".npz" else load_pickle(file)
    missing = sorted(set(FORMAT) - set(arrays if isinstance(arrays, dict) else ()))
    if missing:
        raise InputError(f"{file} is not a body of the SMPL format: it lacks {', '.join(missing)}; see docs/body.md")
    arrays = {key: _dense(value) for key, value in arrays.items()}
    vertices = np.shape(arrays["v_template"])[:1]
    for key, shape in FORMAT.items():
        wanted = tuple(size if size != "V" or not vertices else vertices[0] for size in shape)
        got = np.shape(arrays[key])
        fits = len(got) == len(wanted) and all(
            want == have or isinstance(want, str) for want, have in zip(wanted, got, strict=True)
        )
        if not fits:
            raise InputError(f"{file}: {key} has shape {got}, the SMPL format has {shape}: is it another body model?")
        if not np.isfinite(arrays[key]).all():
            raise InputError(f"{file}: {key} has a NaN or infinity: the file is damaged, get it again")
    triangles = arrays["f"]
    if triangles.size and not 0 <= int(triangles.min()) <= int(triangles.max()) < vertices[0]:
        raise InputError(
            f"{file}: f names vertices {triangles.min()} to {triangles.max()} of {vertices[0]}: the file is damaged"
        )
    for key in ("weights", "J_regressor"):
        _check_sums(arrays[key], f"{file}: {key}")
    parents = arrays["kintree_table"][0].astype(np.int64)
    if not np.array_equal(parents[1:], SMPL24.parents[1:]):
        raise InputError(
            f"{file}: its 24 joints form another tree than SMPL's (kintree_table): is it another body model?"
        )
    if arrays["shapedirs"].shape[-1] < BETAS:
        raise InputError(f"{file} has {arrays['shapedirs'].shape[-1]} shape directions, at least {BETAS} are needed")
    return arrays


def load_through_smplx(arrays: dict[str, Any], file: Path) -> smplx.SMPL:
    """The body as smplx holds it: dense float32 tensors.

    Raises:
        InputError: pose blend shapes that are missing or of the wrong shape.
    """
    wanted = (len(arrays["v_template"]), 3, POSE_FEATURES)
    if "posedirs" not in arrays:
        raise InputError(f"{file} is not a body of the SMPL format: it lacks posedirs {wanted}; see docs/body.md")
    if np.shape(arrays["posedirs"]) != wanted:
        raise InputError(f"{file}: posedirs has shape {np.shape(arrays['posedirs'])}, expected {wanted}")
    data = SimpleNamespace(**{key: arrays[key] for key in (*FORMAT, "posedirs")})
    # smplx picks face and hand vertices by SMPL's numbers, which another mesh may not have: any will do.
    landmarks = dict.fromkeys(smplx.vertex_ids.vertex_ids["smplh"], 0)
    with redirect_stdout(io.StringIO()):  # it prints that ten shape coefficients are few
        return smplx.SMPL("", data_struct=data, vertex_ids=landmarks, num_betas=BETAS)


def read_h36m_regressor(arrays: dict[str, Any], file: Path, regressor_file: str | None) -> Tensor:
    """(17, V) regressor from vertices to Human3.6M's joints: the given file's, else the body's own.

    Raises:
        InputError: none of the two, a damaged file, another mesh's regressor, or sides that are swapped.
    """
    shape = (17, len(arrays["v_template"]))
    if regressor_file is not None:
        if not Path(regressor_file).is_file():
            raise InputError(f"no joint regressor at {regressor_file}: give the .npy file that belongs to {file}")
        try:
            regressor = np.load(regressor_file, allow_pickle=False)
        except (ValueError, EOFError, OSError) as error:
            raise InputError(f"{regressor_file} is no .npy array, or a damaged one ({error}): get it again") from error
        if not isinstance(regressor, np.ndarray):
            raise InputError(f"{regressor_file} is an archive of several arrays: save the regressor alone, by np.save")
    elif "h36m_regressor" in arrays:
        regressor = arrays["h36m_regressor"]
    else:
        raise InputError(
            f"{file} has no Human3.6M joint regressor: give h36m_regressor its .npy file, see docs/body.md"
        )
    if regressor.shape != shape:
        raise InputError(f"{regressor_file or file}: the joint regressor has shape {regressor.shape}, expected {shape}")
    _check_sums(regressor, f"{regressor_file or file}: the joint regressor")
    # SPIN's file lists the left leg before the right one, which no later check would notice.
    for joint, x in zip(H36M17.joints, (regressor @ arrays["v_template"])[:, 0], strict=True):
        if (joint.startswith("left") and x <= 0) or (joint.startswith("right") and x >= 0):
            row = H36M17.joints.index(joint)
            raise InputError(
                f"{regressor_file or file}: row {row} of the joint regressor should be {joint}, but is on "
                f"the body's other side (x = {x:.2f} m): give one in Human3.6M's order, right leg first"
            )
    return torch.as_tensor(regressor, dtype=torch.float32)


def _check_sums(rows: np.ndarray, place: str) -> None:
    """Refuse weights that do not sum to 1: they would move or shrink what is averaged by them."""
    sums = rows.sum(1)
    if not np.isclose(sums, 1, atol=SUM_TOLERANCE).all():
        row = int(np.argmax(np.nan_to_num(np.abs(sums - 1), nan=np.inf)))
        raise InputError(f"{place} has weights in row {row} that sum to {sums[row]:.3g}, expected 1: is it damaged?")


def _dense(value: Any) -> Any:
    return value.toarray() if hasattr(value, "toarray") else value
