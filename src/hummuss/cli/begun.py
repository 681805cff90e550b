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
    pretrained = Path(model["pretrained"])
    earlier, now = _options(pretrained), _at(model, "backbone", "init_args")
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
    if (folder / "config.yaml").is_file():
        return _at(yaml.safe_load((folder / "config.yaml").read_text()), "model", "init_args", "backbone", "init_args")
    if (folder / "config.json").is_file():
        return _at(json.loads((folder / "config.json").read_text()), "backbone", "init_args")
    return {}


def _at(content: Any, *keys: str) -> dict[str, Any]:
    """What stands there in a file that may be another's; empty where nothing does."""
    for key in keys:
        content = content.get(key) if isinstance(content, Mapping) else None
    return dict(content) if isinstance(content, Mapping) else {}


def _plain(value: Any) -> Any:
    """As JSON would say it: tuples are lists."""
    return json.loads(json.dumps(value, default=str))
