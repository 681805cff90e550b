"""What decided a training beside its seed, read off the config of its run: what seeds of one line must share."""

import inspect
from collections.abc import Iterator
from importlib import import_module
from typing import Any

# Of a run's trainer, what decides its weights; of its data and its model, what does not.
_TRAINER = (
    "max_epochs", "max_steps", "max_time", "accumulate_grad_batches", "gradient_clip_val", "gradient_clip_algorithm",
    "precision", "limit_train_batches",
)  # fmt: skip
_ASIDE = {"root", "num_workers", "val_windows", "test_windows", "test_groups", "inference", "protocol"}


def training_settings(config: dict[str, Any], data: dict[str, Any]) -> dict[str, Any]:
    """What decided a training beside its seed, flat: of its trainer, its model and its data.

    An option that a class which the config names within its model or data has, and the config does not know, came after
    that run: its default is what the run did.
    """
    parts = {
        "trainer": {name: (config.get("trainer") or {}).get(name) for name in _TRAINER},
        "model": config["model"].get("init_args", {}),
        "data": data,
    }
    decisive = {part: {name: own[name] for name in own if name not in _ASIDE} for part, own in parts.items()}
    return dict(_flat(decisive, ""))


def _flat(values: Any, place: str) -> Iterator[tuple[str, Any]]:
    if not isinstance(values, dict):
        yield place, values
        return
    if "class_path" in values:
        values = values | {"init_args": _defaults(values["class_path"]) | (values.get("init_args") or {})}
    for name, value in values.items():
        # Where a class may be chosen its arguments lie deeper than where it is fixed: the same, said longer.
        yield from _flat(value, place if name == "init_args" else f"{place}.{name}".strip("."))


def _defaults(class_path: str) -> dict[str, Any]:
    """Arguments of a class whose default can stand in a config, as it would stand there; of what is not here, none."""
    module, _, name = class_path.rpartition(".")
    try:
        parameters = inspect.signature(getattr(import_module(module), name)).parameters
    except (ImportError, AttributeError, ValueError):
        return {}
    found = {name: parameter.default for name, parameter in parameters.items()}
    plain = (bool, int, float, str, tuple, type(None))
    return {name: list(v) if isinstance(v, tuple) else v for name, v in found.items() if isinstance(v, plain)}


def differences(first: dict[str, Any], second: dict[str, Any]) -> list[str]:
    """What two flat settings have otherwise, in words; of many the first three.

    >>> differences({"data.flip": 0.5, "model.dim": 8}, {"data.flip": 0.5, "model.dim": 16})
    ['model.dim is 8 and 16']
    """
    names = [name for name in dict.fromkeys([*first, *second]) if first.get(name) != second.get(name)]
    told = [f"{name} is {first.get(name)} and {second.get(name)}" for name in names[:3]]
    return [*told, f"and {len(names) - 3} more"] if len(names) > 3 else told
