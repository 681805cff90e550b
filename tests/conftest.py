"""Test-wide set-up: the shapes and types of every annotated function are checked as the tests run."""

from jaxtyping import install_import_hook

hook = install_import_hook("hummuss", "beartype.beartype")

import torch  # noqa: E402  (after the hook)

# The suite may run beside others on two cores: threads that wait for each other cost more than they bring.
torch.set_num_threads(1)
