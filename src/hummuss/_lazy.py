"""Public names that are imported when first used: preparing data need not wait seconds for Lightning."""

from collections.abc import Mapping
from importlib import import_module
from typing import Any


def lazy_names(package: str, names: Mapping[str, str], name: str) -> Any:
    """Import ``name`` from the module that ``names`` gives for it.

    Raises:
        AttributeError: the package has no such public name.
    """
    if name not in names:
        raise AttributeError(f"module {package!r} has no attribute {name!r}")
    return getattr(import_module(names[name]), name)
