"""A body file as users have it, and recordings in the official formats, made up by the tests."""

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


# A person of 1.7 m who stands upright and faces a Kinect 3 m away: x to the sensor's LEFT (the person's right), y up.
# Rows as NTU RGB+D numbers its joints.
STANDING = np.array(
    [
        [0, 0, 0], [0, 0.3, 0], [0, 0.55, 0], [0, 0.7, 0],
        [-0.18, 0.45, 0], [-0.25, 0.2, 0], [-0.27, -0.05, 0], [-0.27, -0.12, 0],
        [0.18, 0.45, 0], [0.25, 0.2, 0], [0.27, -0.05, 0], [0.27, -0.12, 0],
        [-0.1, 0, 0], [-0.1, -0.45, 0], [-0.1, -0.85, 0], [-0.1, -0.9, -0.1],
        [0.1, 0, 0], [0.1, -0.45, 0], [0.1, -0.85, 0], [0.1, -0.9, -0.1],
        [0, 0.48, 0], [-0.27, -0.18, 0], [-0.24, -0.12, 0], [0.27, -0.18, 0], [0.24, -0.12, 0],
    ]
)  # fmt: skip
STANDING[:, 2] += 3


def seen(frames, at=0.0, sway=0.05, wide=1.0, name="72057594037931101") -> SimpleNamespace:
    """A body in the frames given, ``at`` metres to the sensor's left, swaying; ``wide`` stretches it sideways."""
    frames = np.asarray(frames)
    joints = np.repeat(STANDING[None] * [wide, 1, 1], len(frames), 0)
    joints[..., 0] += at + sway * np.sin(frames / 3)[:, None]
    # Kinect's mirrored colour image: x grows with its x, y downwards; about 1060 pixels of focal length.
    pixels = np.stack([960 + 1060 * joints[..., 0] / joints[..., 2], 540 - 1060 * joints[..., 1] / joints[..., 2]], -1)
    states = np.full(joints.shape[:2], 2)
    return SimpleNamespace(name=name, frames=frames, joints=joints, pixels=pixels, states=states)


def skeleton(count: int, *bodies: SimpleNamespace) -> str:
    """The text of a ``.skeleton`` file."""
    lines = [str(count)]
    for frame in range(count):
        present = [body for body in bodies if frame in body.frames]
        lines.append(str(len(present)))
        for body in present:
            row = int(np.flatnonzero(body.frames == frame)[0])
            lines += [f"{body.name} 0 1 1 1 1 0 0.02764709 0.05745083 2", "25"]
            for joint, pixel, state in zip(body.joints[row], body.pixels[row], body.states[row], strict=True):
                numbers = (*joint, 277.419, 191.8218, *pixel, -0.2059419, 0.05349901, 0.9692109, -0.1239193)
                lines.append(" ".join(f"{number:.7g}" for number in numbers) + f" {state}")
    return "\n".join(lines) + "\n"


@pytest.fixture(scope="session")
def kinect() -> SimpleNamespace:
    """`seen` makes a body, `skeleton` a file of bodies."""
    return SimpleNamespace(standing=STANDING, seen=seen, skeleton=skeleton)
