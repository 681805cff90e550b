"""A body file as users have it, for datasets of body parameters."""

from types import SimpleNamespace

import numpy as np
import pytest

from hummuss.body import smpl as smpl_module
from hummuss.body.smpl import BodyModel
from hummuss.body.unpickle import load_npz


@pytest.fixture(scope="session")
def smpl(tmp_path_factory) -> SimpleNamespace:
    """``file`` and ``regressor`` of a body with SMPL's traits: its rest pelvis is not the origin, its skin follows the
    pose, and its file has no Human3.6M regressor; ``body`` is loaded from them, in float64.
    """
    folder = tmp_path_factory.mktemp("smpl")
    arrays = dict(load_npz(smpl_module.Path(smpl_module.__file__).with_name("free_body.npz")))
    arrays["v_template"] = arrays["v_template"] + np.float32([0.02, -0.23, 0.03])
    vertices = len(arrays["v_template"])
    arrays["posedirs"] = np.random.default_rng(0).normal(0, 1e-3, (vertices, 3, 207)).astype(np.float32)
    regressor = folder / "J_regressor_h36m.npy"
    np.save(regressor, arrays.pop("h36m_regressor"))
    file = folder / "SMPL_NEUTRAL.npz"
    np.savez(file, **arrays)
    body = BodyModel(str(file), str(regressor)).double()
    return SimpleNamespace(file=file, regressor=regressor, body=body)
