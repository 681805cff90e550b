"""A trained run back from its folder: the model with its weights, and how it was shown its inputs."""

from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

import torch
import yaml
from jsonargparse import ArgumentParser

from hummuss.data.windows import View
from hummuss.errors import InputError
from hummuss.heads.base import Head
from hummuss.module import MotionModule
from hummuss.tasks import heads_of
from hummuss.weights import find_checkpoint, in_short, read_checkpoint

CONFIG = "config.yaml"


@dataclass(frozen=True)
class Run:
    """What a trained run needs to predict.

    Attributes:
        checkpoint: the file its weights come from.
        model: in eval mode.
        view: how its inputs were made; its normalisation serves every input.
        trained_frames: frames in its training windows, those of the head that it was loaded for.
    """

    checkpoint: Path
    model: MotionModule
    view: View
    trained_frames: int


def load_run(path: str | PathLike[str], device: str | torch.device = "cpu", head: type[Head] | None = None) -> Run:
    """Load a run that ``hummuss fit`` left behind.

    Args:
        path: a checkpoint beside its run's config.yaml, or the run's folder, whose best.ckpt is taken, or the folder of
            all runs of a name, such as runs/pose, of which the newest that has one is taken.
        device: where the model shall run.
        head: whose training windows and normalisation count, where each task had its own; heads that were trained with
            another normalisation are left out. By default the windows of the first one.

    Raises:
        InputError: no such file, no config.yaml beside it, one that is no run's, or weights of another model; tasks of
            different normalisations, of which no ``head`` chooses one.
    """
    checkpoint = find_checkpoint(Path(path))
    if not checkpoint.is_file():
        raise InputError(f"no checkpoint at {checkpoint}: give a file such as runs/pose/1/best.ckpt, or its folder")
    config = _read_config(checkpoint.with_name(CONFIG))
    parser = ArgumentParser(exit_on_error=False)
    parser.add_subclass_arguments(MotionModule, "model")
    model: MotionModule = parser.instantiate_classes(parser.parse_object({"model": config["model"]})).model
    if head is None:
        _refuse_other_normalisations(config, checkpoint)
    data = data_options(config, model, head)
    try:
        model.load_state_dict(read_checkpoint(checkpoint))
    except RuntimeError as error:
        raise InputError(
            f"{checkpoint} does not hold the weights of the model in the {CONFIG} beside it: {in_short(error)}"
        ) from error
    view = _view(data)
    if head is not None and any(isinstance(own, head) for own in model.heads.values()):
        _leave_out_other_normalisations(config, view, model)
    return Run(checkpoint, model.to(device).eval(), view, data["frames"])


def _view(data: dict[str, Any]) -> View:
    """How a data module's options say that inputs were made."""
    parser = ArgumentParser(exit_on_error=False)
    parser.add_argument("--view", type=View | None)
    view: View | None = parser.instantiate_classes(parser.parse_object({"view": data.get("view")})).view
    return view or View()


def _refuse_other_normalisations(config: dict[str, Any], checkpoint: Path) -> None:
    """Refuse a run whose heads cannot be shown the same keypoints."""
    found = _normalisations(config)
    if len(set(found.values())) > 1:
        told = ", ".join(f"{task} {normalisation!r}" for task, normalisation in found.items())
        raise InputError(
            f"{checkpoint}: its tasks were trained with different normalisations, {told}, so no clip can be shown to "
            "all of its heads at once: train them with one, or choose a head in Python, load_run(path, head=PoseHead)"
        )


def _leave_out_other_normalisations(config: dict[str, Any], view: View, model: MotionModule) -> None:
    """Take away the heads that were shown keypoints otherwise normalised than by that view."""
    for task, normalisation in _normalisations(config).items():
        if normalisation != view.normalisation:
            for name in heads_of(task, model.heads):
                del model.heads[name]


def _normalisations(config: dict[str, Any]) -> dict[str, str]:
    """How the keypoints of each task were normalised, by the names of its heads; of the only one by ``None``."""
    return {str(task): _view(data).normalisation for task, data in training_data(config).items()}


def data_options(config: dict[str, Any], model: MotionModule, head: type[Head] | None) -> dict[str, Any]:
    """How inputs were made and windowed, by a run's config; where each task has its own way, that of the first head of
    a class, or the first of all.
    """
    tasks = training_data(config)
    if None in tasks:
        return tasks[None]
    names = [name for name, own in model.heads.items() if head is None or isinstance(own, head)]
    parts = {name: task for task in tasks if task is not None for name in task.split("+")}
    return tasks[parts[(names or list(parts))[0]]]


def training_data(config: dict[str, Any]) -> dict[str | None, dict[str, Any]]:
    """Arguments of the data module of each task in a run's config; of its only one under None."""
    options = config["data"]["init_args"]
    if "frames" in options:
        return {None: options}
    return {task: part["init_args"] for task, part in options["parts"].items()}


def _read_config(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise InputError(
            f"{path.parent} has no {CONFIG} beside the checkpoint, which says what model it is of: "
            "point at the folder that `hummuss fit` made, or copy that file from it"
        )
    try:
        config = yaml.safe_load(path.read_text())
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is no YAML, or damaged ({str(error).splitlines()[0]}): copy it again") from error
    try:
        options = config["data"]["init_args"]
        _ = config["model"]["class_path"], options["parts"] if "parts" in options else options["frames"]
    except (KeyError, TypeError) as error:
        raise InputError(
            f"{path} is not the config of a run of `hummuss fit`: it names no model.class_path and "
            "data.init_args.frames"
        ) from error
    return config
