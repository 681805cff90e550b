"""Test-wide set-up: the shapes and types of every annotated function are checked as the tests run."""

from collections.abc import Iterator

import jaxtyping
import pytest
from jaxtyping import install_import_hook

hook = install_import_hook("hummuss", "beartype.beartype")

import torch  # noqa: E402  (after the hook)

# The suite may run beside others on two cores: threads that wait for each other cost more than they bring.
torch.set_num_threads(1)


@pytest.fixture
def unchecked() -> Iterator[None]:
    """Switch the shape checks off, for tests of what users without them are told."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)
