"""A study's YAML file, read and checked; `hummuss study --help` says what it holds."""

import re
from pathlib import Path
from typing import Any

from hummuss.errors import InputError
from hummuss.study import METRICS, Study, Variant
from hummuss.yaml_file import read_yaml

KEYS = {"title", "configs", "arguments", "seeds", "tested", "variants"}
OPTIONAL = {"metrics", "note"}
# What a study that is like another need not say: its title and variants are its own, and a note is on one page.
INHERITED = (KEYS | OPTIONAL) - {"title", "variants", "note"}
# Every variant is tested.
ALL = "all"
# In an argument, the folder of another variant's run of the same seed.
RUN = re.compile(r"\{run:([^}]*)\}")


def read_study(path: Path) -> Study:
    """The study of a YAML file.

    Raises:
        InputError: no such file, none in YAML, a missing or unknown key, a value of another kind, a tested variant that
            is not there, a variant that begins with one that does not stand before it, or another study that is asked
            for and is none.
    """
    if not path.is_file():
        raise InputError(f"no study at {path}: give a YAML file such as configs/studies/backbone.yaml")
    given = read_yaml(path)
    if isinstance(given, dict) and "like" in given:
        given = _completed(path, given)
    if not isinstance(given, dict) or not KEYS <= set(given) <= KEYS | OPTIONAL:
        found = sorted(given) if isinstance(given, dict) else type(given).__name__
        raise InputError(f"{path} has {found}, expected the keys {sorted(KEYS)} and perhaps {sorted(OPTIONAL)}")
    if isinstance(given["variants"], str):
        given["variants"] = _variants_of(path, Path(given["variants"]))
    _check_kinds(path, given)
    variants: dict[str, Variant] = {}
    for name, content in given["variants"].items():
        variants[name] = variant = _variant(path, name, content, given["configs"])
        for other in needed(variant):
            if other == name or other not in variants:
                raise InputError(f"{path}: variant {name!r} begins with {other!r}, which must stand before it")
    tested = list(variants) if given["tested"] == ALL else given["tested"]
    for name in tested:
        if name not in variants:
            raise InputError(f"{path}: tested variant {name!r} is none of {', '.join(variants)}")
    defaults: dict[str, Any] = {"metrics": METRICS}
    return Study(**defaults | given | {"variants": variants, "tested": tested})


def _check_kinds(path: Path, given: dict[str, Any]) -> None:
    """Refuse values that would end a study only after its trainings: YAML makes numbers and truths of some names."""
    for key in ("title", "note"):
        if not isinstance(given.get(key, ""), str):
            raise InputError(f"{path}: {key} is {given[key]!r}, expected text")
    for key, kind, name in (
        *((key, str, "texts") for key in ("configs", "arguments", "tested", "metrics")),
        ("seeds", int, "whole numbers"),
    ):
        values = given.get(key, ())
        if key == "tested" and values == ALL:
            continue
        if not isinstance(values, list | tuple) or not all(type(value) is kind for value in values):
            other = f", or {ALL}" if key == "tested" else ""
            raise InputError(f"{path}: {key} is {values!r}, expected a list of {name}, [] for none{other}")
    if twice := [seed for seed in given["seeds"] if given["seeds"].count(seed) > 1]:
        raise InputError(f"{path}: seeds has {twice[0]} twice: one training is no two seeds")
    variants = given["variants"]
    if not isinstance(variants, dict):
        raise InputError(f"{path}: variants is {variants!r}, expected a mapping from names to arguments")
    for variant in variants:
        if not isinstance(variant, str):
            raise InputError(f"{path}: the variant's name {variant!r} is no text to YAML: put it in quotes")


def needed(variant: Variant) -> list[str]:
    """Variants whose runs this one begins with."""
    return [name for argument in variant.arguments for name in RUN.findall(argument)]


def _completed(path: Path, given: dict[str, Any]) -> dict[str, Any]:
    """A file's content with what it takes from the study that it is like, its own arguments in place of that one's."""
    arguments = given.get("arguments", [])
    for key, value, right in (
        ("like", given["like"], isinstance(given["like"], str)),
        ("arguments", arguments, isinstance(arguments, list) and all(isinstance(text, str) for text in arguments)),
    ):
        if not right:
            expected = "the path of a study" if key == "like" else "a list of texts, [] for none"
            raise InputError(f"{path}: {key} is {value!r}, expected {expected}")
    other = Path(given["like"])
    content = _content(other)
    if content is None or "like" in content:
        raise InputError(f"{path} is like {other}, which is no study that says all itself: name one that does")
    study = read_study(other)
    # All of that study's variants are none of this one's.
    base = {key: getattr(study, key) for key in INHERITED} | {"tested": content["tested"]}
    own = {key: value for key, value in given.items() if key != "like"}
    changed = {_option(argument) for argument in arguments} - {"--config"}  # one beside the other
    kept = [argument for argument in study.arguments if _option(argument) not in changed]
    return base | own | {"arguments": [*kept, *arguments]}


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
    content = read_yaml(path) if path.is_file() else None
    return content if isinstance(content, dict) else None


def _variant(path: Path, name: str, content: Any, configs: list[str]) -> Variant:
    own = {"arguments": content} if isinstance(content, list) else content
    if (
        not isinstance(own, dict)
        or not set(own) <= {"configs", "arguments"}
        or not all(isinstance(texts, list) and all(isinstance(text, str) for text in texts) for texts in own.values())
    ):
        raise InputError(
            f"{path}: variant {name!r} is {content!r}, expected a list of arguments, or a mapping of configs and "
            "arguments to lists of them, all of them texts"
        )
    return Variant(own.get("configs", configs), own.get("arguments", []))
