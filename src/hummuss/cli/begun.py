"""Whether a training that begins with earlier weights uses them in the way that they were trained."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from lightning.fabric.utilities.rank_zero import rank_zero_only

# Of no weight's shape, and of none of its predictions.
REGULARISERS = {"dropout", "drop_path"}


def tell_other_options(model: Mapping[str, Any]) -> None:
    """Print which options of the backbone were others when the weights that a training begins with were trained.

    Names and shapes of weights tell a wrong size, but not whether two directions were added or multiplied.

    Args:
        model: the model's arguments, as its config says them.
    """
    if not model.get("pretrained"):
        return
    pretrained, now = Path(model["pretrained"]), model["backbone"].get("init_args") or {}
    earlier = _options(pretrained)
    changed = [
        f"{name} {earlier[name]} (here {now[name]})"
        for name in earlier
        if name in now and name not in REGULARISERS and _plain(earlier[name]) != _plain(now[name])
    ]
    if changed:
        rank_zero_only(print)(
            f"hummuss: the backbone of {pretrained} was trained with {', '.join(changed)}: it computes something else "
            "here",
            file=sys.stderr,
        )


def _options(pretrained: Path) -> dict[str, Any]:
    """Arguments of the backbone as the run's config or the shared model's says them; empty where there is neither."""
    folder = pretrained if pretrained.is_dir() else pretrained.parent
    for name, read in (("config.yaml", yaml.safe_load), ("config.json", json.loads)):
        if (folder / name).is_file():
            config = read((folder / name).read_text())
            model = config["model"]["init_args"] if name == "config.yaml" else config
            return dict(model["backbone"].get("init_args") or {})
    return {}


def _plain(value: Any) -> Any:
    """As JSON would say it: tuples are lists."""
    return json.loads(json.dumps(value, default=str))
