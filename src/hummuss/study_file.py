"""A study's YAML file, read and checked; `hummuss study --help` says what it holds."""

import re
from pathlib import Path
from typing import Any

import yaml

from hummuss.errors import InputError
from hummuss.study import METRICS, Study, Variant

KEYS = {"title", "configs", "arguments", "seeds", "tested", "variants"}
OPTIONAL = {"metrics", "note"}
# What a study that is like another need not say: its title and variants are its own, and a note is on one page.
INHERITED = (KEYS | OPTIONAL) - {"title", "variants", "note"}
# In an argument, the folder of another variant's run of the same seed.
RUN = re.compile(r"\{run:([^}]*)\}")


def read_study(path: Path) -> Study:
    """The study of a YAML file.

    Raises:
        InputError: no such file, a missing or unknown key, a tested variant that is not there, a variant that begins
            with one that does not stand before it, or another study that is asked for and is none.
    """
    if not path.is_file():
        raise InputError(f"no study at {path}: give a YAML file such as configs/studies/backbone.yaml")
    given = yaml.safe_load(path.read_text())
    if isinstance(given, dict) and "like" in given:
        given = _completed(path, given)
    if not isinstance(given, dict) or not KEYS <= set(given) <= KEYS | OPTIONAL:
        found = sorted(given) if isinstance(given, dict) else type(given).__name__
        raise InputError(f"{path} has {found}, expected the keys {sorted(KEYS)} and perhaps {sorted(OPTIONAL)}")
    if isinstance(given["variants"], str):
        given["variants"] = _variants_of(path, Path(given["variants"]))
    variants: dict[str, Variant] = {}
    for name, content in given["variants"].items():
        variants[name] = variant = _variant(path, name, content, given["configs"])
        for other in needed(variant):
            if other == name or other not in variants:
                raise InputError(f"{path}: variant {name!r} begins with {other!r}, which must stand before it")
    for name in given["tested"]:
        if name not in variants:
            raise InputError(f"{path}: tested variant {name!r} is none of {', '.join(variants)}")
    defaults: dict[str, Any] = {"metrics": METRICS}
    return Study(**defaults | given | {"variants": variants})


def needed(variant: Variant) -> list[str]:
    """Variants whose runs this one begins with."""
    return [name for argument in variant.arguments for name in RUN.findall(argument)]


def _completed(path: Path, given: dict[str, Any]) -> dict[str, Any]:
    """A file's content with what it takes from the study that it is like, its own arguments in place of that one's."""
    other = Path(given["like"])
    content = _content(other)
    if content is None or "like" in content:
        raise InputError(f"{path} is like {other}, which is no study that says all itself: name one that does")
    study = read_study(other)
    base = {key: getattr(study, key) for key in INHERITED}
    own = {key: value for key, value in given.items() if key != "like"}
    changed = {_option(argument) for argument in own.get("arguments", ())} - {"--config"}  # one beside the other
    kept = [argument for argument in study.arguments if _option(argument) not in changed]
    return base | own | {"arguments": [*kept, *own.get("arguments", ())]}


def _option(argument: str) -> str:
    return argument.partition("=")[0]


def _variants_of(path: Path, other: Path) -> dict[str, Any]:
    """Those of another study's file."""
    content = _content(other)
    if content is None or not isinstance(content.get("variants"), dict):
        raise InputError(f"{path} takes the variants of {other}, which is no study with variants of its own")
    return content["variants"]


def _content(path: Path) -> dict[str, Any] | None:
    """What a file says, None for none that says anything."""
    content = yaml.safe_load(path.read_text()) if path.is_file() else None
    return content if isinstance(content, dict) else None


def _variant(path: Path, name: str, content: Any, configs: list[str]) -> Variant:
    if isinstance(content, list):
        return Variant(configs, content)
    if not isinstance(content, dict) or not set(content) <= {"configs", "arguments"}:
        raise InputError(
            f"{path}: variant {name!r} is {content!r}, expected arguments, or a mapping of configs and them"
        )
    return Variant(content.get("configs", configs), content.get("arguments", []))
