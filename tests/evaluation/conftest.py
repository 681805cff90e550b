"""Runs as `hummuss fit` leaves them behind, untrained, in a moment."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from jsonargparse import ArgumentParser

from hummuss.module import MotionModule

MakeRun = Callable[..., Path]


@pytest.fixture
def make_run(tmp_path: Path) -> MakeRun:
    """Makes the folder of a run with random weights."""

    def make(
        name: str,
        backbone: str = "HumMUSS",
        seed: int = 0,
        frame_rate: dict[str, Any] | None = None,
        frames: int = 9,
        head: str = "PoseHead",
        view: dict[str, Any] | None = None,
        **options: Any,
    ) -> Path:
        sizes = {"dim": 8, "depth": 1} | ({"num_heads": 2} if backbone == "DSTformer" else {}) | options
        model = {
            "class_path": "hummuss.MotionModule",
            "init_args": {
                "backbone": {"class_path": f"hummuss.{backbone}", "init_args": sizes},
                "heads": {"any": {"class_path": f"hummuss.heads.{head}"}},
            },
        }
        parser = ArgumentParser(exit_on_error=False)
        parser.add_subclass_arguments(MotionModule, "model")
        torch.manual_seed(seed)
        module = parser.instantiate_classes(parser.parse_object({"model": model})).model
        folder = tmp_path / "runs" / name / "1"
        folder.mkdir(parents=True)
        torch.save({"state_dict": module.state_dict()}, folder / "best.ckpt")
        data = {"frames": frames, "frame_rate": frame_rate, "view": view}
        config = {"seed_everything": seed, "model": model, "data": {"class_path": "any", "init_args": data}}
        (folder / "config.yaml").write_text(yaml.safe_dump(config))
        return folder

    return make
