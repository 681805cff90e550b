"""What other tools rely on can be reached from the package, and preparing data does not load Lightning."""

import subprocess
import sys

import pytest

import hummuss
import hummuss.data


@pytest.mark.parametrize("name", hummuss.__all__)
def test_package_names(name: str) -> None:
    assert getattr(hummuss, name).__name__ == name


@pytest.mark.parametrize("name", hummuss.data.__all__)
def test_data_names(name: str) -> None:
    assert getattr(hummuss.data, name).__name__ == name


def test_unknown_names_are_attribute_errors() -> None:
    for package in (hummuss, hummuss.data):
        with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
            _ = package.Nothing


def test_lightning_loads_only_when_needed() -> None:
    code = (
        "import sys, hummuss, hummuss.data.store; assert 'lightning' not in sys.modules; "
        "hummuss.metrics.MPJPE; hummuss.data.MotionStore"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
