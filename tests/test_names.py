"""Every name that the package's code looks up exists: shape strings in annotations keep ruff and mypy from telling."""

import builtins
import dis
import pkgutil
from collections.abc import Iterator
from importlib import import_module
from types import CodeType

import pytest

import hummuss

MODULES = [name for _, name, _ in pkgutil.walk_packages(hummuss.__path__, "hummuss.") if not name.endswith("__main__")]


def looked_up(code: CodeType) -> Iterator[str]:
    """Names that a piece of code, or one within it, takes from its module."""
    yield from (str(step.argval) for step in dis.get_instructions(code) if step.opname == "LOAD_GLOBAL")
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from looked_up(constant)


@pytest.mark.parametrize("name", MODULES)
def test_every_name_that_is_looked_up_exists(name: str) -> None:
    module = import_module(name)
    assert module.__file__ is not None
    with open(module.__file__) as file:
        code = compile(file.read(), module.__file__, "exec")
    assert set(looked_up(code)) - set(vars(module)) - set(vars(builtins)) == set()
