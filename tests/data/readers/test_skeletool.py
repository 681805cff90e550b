"""Skeletool's calibrations: every damage is an error that names it."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hummuss.data.readers.skeletool import read_calibration
from hummuss.errors import InputError


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("Skeletool", "Canon", "does not begin with 'Skeletool Camera Calibration File'"),
        ("  size        2048 2048\n", "", "camera 0 lacks size"),
        ("2048 2048", "0 2048", "camera 0: its size is 0 x 2048, expected pixels above 0"),
        ("1490.5", "wide", r"line 6: intrinsic holds no numbers"),
        ("1400 ", "", r"line 7: extrinsic has 15 numbers, expected 16"),
        ("0.9659258", "0.5", "camera 0: the upper left of its extrinsic is no rotation"),
    ],
)
def test_a_calibration_that_cannot_be_used(tmp_path, calibration, old: str, new: str, message: str) -> None:
    path = tmp_path / "camera.calibration"
    path.write_text(calibration.replace(old, new))
    with pytest.raises(InputError, match=rf"camera\.calibration.*{message}"):
        read_calibration(path)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 700), st.integers(0, 60), st.text(max_size=5))
def test_a_damaged_calibration_is_read_or_refused(tmp_path, calibration, place: int, length: int, instead: str) -> None:
    """Any stretch of the first two cameras replaced by anything: finite cameras, or our own error."""
    text = "name".join(calibration.split("name")[:3])
    path = tmp_path / "camera.calibration"
    path.write_text(text[:place] + instead + text[place + length :], encoding="utf-8")
    try:
        cameras = read_calibration(path)
    except InputError:
        return
    for camera in cameras.values():
        assert all(np.isfinite(array).all() for array in (camera.intrinsics, camera.rotation, camera.translation))
        assert np.allclose(camera.rotation @ camera.rotation.T, np.eye(3), atol=1e-2)
        assert min(camera.width, camera.height) > 0
