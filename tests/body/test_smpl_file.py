"""Body files: SMPL's formats come through, everything else is refused with its name."""

import pickle
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse
import torch

from hummuss.body import smpl as smpl_module
from hummuss.body.smpl import BodyModel
from hummuss.body.unpickle import load_npz
from hummuss.errors import InputError

FREE = Path(smpl_module.__file__).with_name("free_body.npz")


def smpl_arrays() -> dict[str, np.ndarray]:
    """What an SMPL file holds, here with the free body's mesh; the root's parent is an unsigned -1."""
    arrays = dict(load_npz(FREE))
    arrays["posedirs"] = np.zeros((len(arrays["v_template"]), 3, 207), np.float32)
    arrays["kintree_table"] = arrays["kintree_table"].astype(np.uint32)
    return arrays


def test_a_licensed_body_needs_its_regressor(tmp_path) -> None:
    arrays = {key: value for key, value in smpl_arrays().items() if key != "h36m_regressor"}
    path = tmp_path / "SMPL_MALE.pkl"
    arrays["J_regressor"] = scipy.sparse.csc_matrix(arrays["J_regressor"])
    path.write_bytes(pickle.dumps(arrays, protocol=2))
    with pytest.raises(InputError, match=r"SMPL_MALE.pkl has no Human3.6M joint regressor: give h36m_regressor"):
        BodyModel(str(path))
    regressor = load_npz(FREE)["h36m_regressor"]
    np.save(tmp_path / "J_regressor_h36m.npy", regressor)
    body = BodyModel(str(path), str(tmp_path / "J_regressor_h36m.npy"))
    free = BodyModel()
    eye, zero = torch.eye(3).expand(24, 3, 3), torch.zeros(10)
    torch.testing.assert_close(
        body(eye, zero, torch.zeros(3)).joints17, free(eye, zero, torch.zeros(3)).joints17, atol=1e-6, rtol=0
    )
    legs = [0, 4, 5, 6, 1, 2, 3, *range(7, 17)]
    np.save(tmp_path / "left_first.npy", regressor[legs])
    with pytest.raises(InputError, match=r"left_first.npy: row 1 .* should be right_hip, .* other side"):
        BodyModel(str(path), str(tmp_path / "left_first.npy"))
    np.save(tmp_path / "wrong.npy", regressor[:, :100])
    with pytest.raises(InputError, match=r"wrong.npy: the joint regressor has shape \(17, 100\), expected \(17, \d+\)"):
        BodyModel(str(path), str(tmp_path / "wrong.npy"))
    np.save(tmp_path / "millimetres.npy", regressor / 1000)
    with pytest.raises(
        InputError, match=r"millimetres.npy: the joint regressor has weights in row 0 that sum to 0.001"
    ):
        BodyModel(str(path), str(tmp_path / "millimetres.npy"))
    np.savez(tmp_path / "several.npz", regressor)
    with pytest.raises(InputError, match=r"several.npz is an archive of several arrays"):
        BodyModel(str(path), str(tmp_path / "several.npz"))
    (tmp_path / "cut.npy").write_bytes((tmp_path / "wrong.npy").read_bytes()[:300])
    with pytest.raises(InputError, match=r"cut.npy is no .npy array, or a damaged one"):
        BodyModel(str(path), str(tmp_path / "cut.npy"))
    with pytest.raises(InputError, match="no joint regressor at"):
        BodyModel(str(path), str(tmp_path / "gone.npy"))


def broken(**changes) -> dict[str, np.ndarray]:
    arrays = smpl_arrays()
    for key, value in changes.items():
        if value is None:
            del arrays[key]
        else:
            arrays[key] = value(arrays[key])
    return arrays


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"weights": None, "f": None}, "is not a body of the SMPL format: it lacks f, weights"),
        ({"weights": lambda w: w[:, :16]}, r"weights has shape \(\d+, 16\), the SMPL format has \('V', 24\)"),
        ({"v_template": lambda v: v[:-1]}, r"shape \(\d+, 3, 10\), the SMPL format has"),
        ({"kintree_table": lambda k: k[:, ::-1]}, "24 joints form another tree"),
        ({"posedirs": None}, "it lacks posedirs"),
        (
            {"posedirs": lambda p: p[..., :135]},
            r"posedirs has shape \(\d+, 3, 135\), expected \(\d+, 3, 207\)",
        ),
        ({"shapedirs": lambda s: s[..., :4]}, "has 4 shape directions, at least 10"),
        ({"v_template": lambda v: np.where(np.arange(len(v))[:, None] == 3, np.nan, v)}, "v_template has a NaN or inf"),
        ({"f": lambda f: f + 10}, r"f names vertices \d+ to \d+ of \d+: the file is damaged"),
        ({"weights": lambda w: 2 * w}, r"weights has weights in row \d+ that sum to 2, expected 1"),
        ({"J_regressor": lambda r: 1e-3 * r}, "J_regressor has weights in row 0 that sum to 0.001, expected 1"),
    ],
)
def test_a_file_of_another_format_is_refused(tmp_path, changes, message) -> None:
    np.savez(tmp_path / "body.npz", **broken(**changes))
    with pytest.raises(InputError, match=message):
        BodyModel(str(tmp_path / "body.npz"))


def test_missing_empty_and_truncated_files_are_refused(tmp_path) -> None:
    with pytest.raises(InputError, match=r"no body file at .*gone.npz"):
        BodyModel(str(tmp_path / "gone.npz"))
    for name, content in (("empty.npz", b""), ("cut.npz", FREE.read_bytes()[:5000]), ("empty.pkl", b"")):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(InputError, match=name):
            BodyModel(str(tmp_path / name))
