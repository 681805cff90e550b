"""Parameters and multiply-adds of the backbones that the size overlays make."""

import inspect
from pathlib import Path
from typing import Any, NamedTuple

import yaml

import hummuss
from hummuss.backbones.cost import cost
from hummuss.errors import InputError

FRAMES = (81, 243)


class SizeRow(NamedTuple):
    """One backbone at one size."""

    size: str
    backbone: str
    dim: int
    depth: int
    parameters: int
    multiply_adds_81: int
    multiply_adds_243: int


def size_rows(configs: Path) -> list[SizeRow]:
    """Every backbone overlay at every size overlay that has only settings it takes, smallest first.

    Raises:
        InputError: no overlays in that folder.
    """
    backbones, sizes = _overlays(configs / "backbone"), _overlays(configs / "size")
    rows = []
    for size, common in sizes.items():
        for name, own in backbones.items():
            make = getattr(hummuss, own["class_path"].rpartition(".")[2])
            settings = own.get("init_args", {}) | common["init_args"]
            if not set(settings) <= set(inspect.signature(make).parameters):
                continue
            backbone = make(**settings)
            costs = [cost(backbone, frames) for frames in FRAMES]
            counts = [round(found.multiply_adds) for found in costs]
            shape = (settings["dim"], settings["depth"], costs[0].parameters)
            rows.append(SizeRow(size, name, *shape, *counts))
    return sorted(rows, key=lambda row: (row.dim, row.parameters))


def _overlays(folder: Path) -> dict[str, dict[str, Any]]:
    """Name of each overlay -> what it says of the backbone."""
    found = {
        path.stem: yaml.safe_load(path.read_text())["model"]["init_args"]["backbone"]
        for path in sorted(folder.glob("*.yaml"))
    }
    if not found:
        raise InputError(f"no overlays in {folder}: point --configs at the repository's configs folder")
    return found
