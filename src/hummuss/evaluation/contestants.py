"""Trained runs side by side: what each one is, by its own config, and the data that all of them are shown."""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Bool, Float
from jsonargparse import ArgumentParser
from torch import Tensor

from hummuss.data.datamodules import MotionDataModule
from hummuss.data.transforms.frame_rate import FrameRateAugmentation
from hummuss.errors import InputError
from hummuss.evaluation.strides import Strides
from hummuss.evaluation.trained import Trained, find_head, load_trained, read_config, refuse_other_normalisation
from hummuss.heads.pose import PoseHead
from hummuss.inference.runs import CONFIG, Run, data_options
from hummuss.provenance import device_name, file_hash, git_commit
from hummuss.yaml_file import read_yaml


@dataclass(frozen=True)
class Contestant(Trained):
    """A trained run with a pose head; attributes beside those of `Trained`:

    Attributes:
        strides: of its training windows; 1 alone without augmentation.
        masked: whether training hid joints, see `Occlusion`.
        recipe: what else its training was, in words: steps, learning rate, loss weights.
        checkpoint: first digits of the file's SHA-256.
    """

    strides: Strides
    masked: bool
    recipe: str
    checkpoint: str

    @property
    def augmented(self) -> bool:
        """Whether training varied the frame rate."""
        return self.strides.low != self.strides.high

    @property
    def most_frames(self) -> int | None:
        """Frames it may be given at once, None for any number: it has trained positions for no more."""
        most = getattr(self.run.model.backbone, "max_frames", None)
        return None if most is None else min(most, self.run.trained_frames)

    @property
    def size(self) -> int:
        """Parameters of the backbone."""
        return sum(parameter.numel() for parameter in self.run.model.backbone.parameters())

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        return next(self.run.model.parameters()).device

    @cached_property
    def computes(self) -> dict[str, str]:
        """What changes with its weights, with what its config says of it, or with the kind of device it is on."""
        config = file_hash(self.run.checkpoint.with_name(CONFIG))
        return {"checkpoint": self.checkpoint, "config": config, "kind": self.device.type}

    @cached_property
    def origin(self) -> dict[str, str | None]:
        """What its rows say of where they come from. Asked once: the commit takes two calls of git."""
        return {"recipe": self.recipe, "commit": git_commit(), "device": device_name(self.device)}

    @torch.inference_mode()
    def joints(
        self,
        keypoints: Float[Tensor, "B F 17 3"],
        dt: Float[Tensor, "B F"],
        valid: Bool[Tensor, "B F"] | None = None,
    ) -> Float[Tensor, "B F 17 3"]:
        """Root-relative joints, metres, from normalised keypoints and seconds since each previous frame.

        Computed where the model is, and handed back where the keypoints are.
        """
        valid = None if valid is None or bool(valid.all()) else valid.to(self.device)
        representation = self.run.model.backbone(keypoints.to(self.device), dt.to(self.device), valid)
        return pose_head(self.run)(representation, {})["joints"].to(keypoints.device)


def load_contestants(paths: Sequence[str | PathLike[str]], device: str = "cpu") -> list[Contestant]:
    """Load runs from checkpoints or run folders.

    Raises:
        InputError: see `load_run`; a run without a pose head, or of a backbone that tables have no name for.
    """
    return [_load(path, device) for path in paths]


def load_data(configs: Sequence[Path], contestants: Sequence[Contestant]) -> MotionDataModule:
    """The data module of `read_data`, fit to score all contestants' joints alike.

    Raises:
        InputError: see `read_data`; data without 3D joints, or another normalisation than a contestant was trained
            with.
    """
    data = read_data(configs)
    if not data.carries("joints3d"):
        raise InputError(f"no clip of {data.dataset} has joints3d to score against: it is 2D only")
    refuse_other_normalisation(contestants, data)
    return data


def refuse_short(contestants: Sequence[Contestant], frames: int) -> None:
    """Refuse runs that cannot be shown the windows of a comparison.

    Raises:
        InputError: a run that takes fewer than ``frames`` at once.
    """
    for contestant in contestants:
        if contestant.most_frames is not None and contestant.most_frames < frames:
            raise InputError(
                f"{contestant.run.checkpoint} takes {contestant.most_frames} frames at most, the data's windows have "
                f"{frames}: add a config with data.init_args.frames: {contestant.most_frames}"
            )


def read_data(configs: Sequence[Path]) -> MotionDataModule:
    """The data module that these configs, in this order, give ``hummuss fit``; nothing else of them is made.

    Raises:
        InputError: no such file, no data in any of them, or data of several tasks.
    """
    parser = ArgumentParser(exit_on_error=False)
    parser.add_subclass_arguments(MotionDataModule, "data")
    arguments, named = [], False
    for config in configs:
        if not config.is_file():
            raise InputError(f"no config at {config}: give those that the runs were fitted with")
        content = read_yaml(config) or {}
        if not isinstance(content, dict) or not isinstance(content.get("data", {}), dict):
            raise InputError(f"{config} is no config: it has no mapping from names to values, or none for data")
        if "data" in content:
            arguments.append(f"--data={json.dumps(content['data'])}")
            named = named or "class_path" in content["data"]
    if not named:
        raise InputError(
            f"{', '.join(map(str, configs))} name no data.class_path: give all that the runs were fitted with, such as "
            "configs/pose.yaml before an overlay"
        )
    data = parser.instantiate_classes(parser.parse_args(arguments)).data
    if list(data.tasks) != [""]:
        raise InputError(
            f"{', '.join(map(str, configs))} give data of {len(data.tasks)} tasks, {', '.join(data.tasks)}: give the "
            "configs of one, such as configs/pose.yaml and configs/data/cmu.yaml"
        )
    return data


def _load(path: str | PathLike[str], device: str) -> Contestant:
    trained = load_trained(path, device, PoseHead)
    run, config = trained.run, read_config(trained.run)
    options = data_options(config, run.model, PoseHead)
    return Contestant(
        **vars(trained),
        strides=_strides(options.get("frame_rate")),
        masked=options.get("occlusion") is not None,
        recipe=_recipe(run, config, options),
        checkpoint=file_hash(run.checkpoint),
    )


def _recipe(run: Run, config: dict[str, Any], data: dict[str, Any]) -> str:
    trainer, model, head = config.get("trainer") or {}, config["model"].get("init_args", {}), pose_head(run)
    steps = trainer.get("max_steps") or -1
    facts = {
        "steps": steps if steps > 0 else None,
        "epochs": trainer.get("max_epochs"),
        "windows an epoch": data.get("windows_per_epoch"),
        "windows a batch": data.get("batch_size"),
        "batches a step": trainer.get("accumulate_grad_batches"),
        "learning rate": model.get("learning_rate"),
        "of the backbone": model.get("backbone_learning_rate"),
        "of state space layers": model.get("ssm_learning_rate"),
        "weight decay": model.get("weight_decay"),
        "scale weight": head.scale_weight,
        "velocity weight": head.velocity_weight,
    }
    told = [f"{name} {value:g}" for name, value in facts.items() if value is not None]
    told += ["begun with another run's weights"] if model.get("pretrained") else []
    told += [f"{name}'s losses by {weight:g}" for name, weight in (model.get("loss_weights") or {}).items()]
    return ", ".join(told)


def _strides(entry: dict[str, Any] | None) -> Strides:
    """The strides that a config's ``frame_rate`` draws."""
    parser = ArgumentParser(exit_on_error=False)
    parser.add_argument("--frame_rate", type=FrameRateAugmentation | None)
    made = parser.instantiate_classes(parser.parse_object({"frame_rate": entry})).frame_rate
    if made is None:
        return Strides(1.0, 1.0)
    low, high = made.strides
    # As `FrameRateAugmentation.stride` draws: fractions where the range has no whole number.
    return Strides(low, high, whole=low != high and made.fractional == 0 and math.ceil(low) <= math.floor(high))


def pose_head(run: Run) -> PoseHead:
    """A contestant's pose head, whichever name its config gives it."""
    return find_head(run, PoseHead)[1]
