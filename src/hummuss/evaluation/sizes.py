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
    overlays = {kind: sorted((configs / kind).glob("*.yaml")) for kind in ("backbone", "size")}
    for kind, found in overlays.items():
        if not found:
            raise InputError(f"no overlays in {configs / kind}: point --configs at the repository's configs folder")
    rows = []
    for size in overlays["size"]:
        for backbone in overlays["backbone"]:
            made, own = getattr(hummuss, _backbone(backbone)["class_path"].rpartition(".")[2]), _backbone(backbone)
            settings: dict[str, Any] = own.get("init_args", {}) | _backbone(size)["init_args"]
            if not set(settings) <= set(inspect.signature(made).parameters):
                continue
            costs = [cost(made(**settings), frames) for frames in FRAMES]
            counts = [round(found.multiply_adds) for found in costs]
            shape = (settings["dim"], settings["depth"], costs[0].parameters)
            rows.append(SizeRow(size.stem, backbone.stem, *shape, *counts))
    return sorted(rows, key=lambda row: (row.dim, row.parameters))


def _backbone(overlay: Path) -> dict[str, Any]:
    return yaml.safe_load(overlay.read_text())["model"]["init_args"]["backbone"]
