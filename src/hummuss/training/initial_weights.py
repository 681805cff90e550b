"""Weights to begin a training with: what is taken over of an earlier run, and what starts anew."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn

from hummuss.errors import InputError
from hummuss.provenance import SELECTED_ON_TEST, file_hash
from hummuss.weights import find_checkpoint, open_checkpoint, read_safetensors

NAMED = 3  # of weights that do not fit, so many are named


class TakenOver(NamedTuple):
    """What a training begins with.

    Attributes:
        file: where the weights are from.
        backbone: how many of its tensors were taken over: all of them.
        heads: names of the heads whose weights were taken over.
        anew: head -> why it starts anew.
        left: heads of the file that the new model has not.
        selected_on_test: whether the file was chosen on the test split; None where it does not say.
    """

    file: Path
    backbone: int
    heads: list[str]
    anew: dict[str, str]
    left: list[str]
    selected_on_test: bool | None

    def __str__(self) -> str:
        parts = [f"begins with {self.file} (sha256 {file_hash(self.file)}): backbone ({self.backbone} tensors)"]
        parts += [f"head {name}" for name in self.heads]
        said = ", ".join(parts) + "".join(f"; head {name} starts anew: {why}" for name, why in self.anew.items())
        return said + "".join(f"; head {name} of the file is not taken: the model has none" for name in self.left)


def take_over(backbone: nn.Module, heads: Mapping[str, nn.Module], path: str | Path) -> TakenOver:
    """Load an earlier run's backbone, which must fit in full, and every head that it has alike.

    A head's buffers stay as they are: they are what it learnt of the data, whose trivial baseline it is.

    Args:
        backbone, heads: of the new run.
        path: a checkpoint of ``hummuss fit``, its run's folder (best.ckpt), that of all runs of its name (of which the
            newest that has one counts), or a shared model's folder.

    Raises:
        InputError: no such file, a damaged one, or a backbone with other weights: names them.
    """
    file = _file(Path(path))
    state, selected_on_test = _read(file)
    own = backbone.state_dict()
    given = _part(state, "backbone.")
    for said, names in (
        ("lacks", sorted(own.keys() - given.keys())),
        ("has besides", sorted(given.keys() - own.keys())),
        ("has in other shapes", [name for name in own if name in given and own[name].shape != given[name].shape]),
    ):
        if names:
            more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
            raise InputError(
                f"the backbone in {file} {said} {', '.join(names[:NAMED])}{more}: give the model the backbone and the "
                "size that the file was trained with"
            )
    backbone.load_state_dict(given)
    taken, anew = [], {}
    for name, head in heads.items():
        reason = _load_head(head, _part(state, f"heads.{name}."))
        if reason is None:
            taken.append(name)
        else:
            anew[name] = reason
    there = dict.fromkeys(name.split(".")[1] for name in state if name.startswith("heads."))
    return TakenOver(file, len(own), taken, anew, [name for name in there if name not in heads], selected_on_test)


def _file(path: Path) -> Path:
    for file in (find_checkpoint(path), path / "model.safetensors"):
        if file.is_file():
            return file
    raise InputError(
        f"nothing to begin with at {path}: give a checkpoint such as runs/pose/1/best.ckpt, its folder, that of all "
        "runs of its name, or the folder of a shared model"
    )


def _read(file: Path) -> tuple[dict[str, Tensor], bool | None]:
    """A file's weights, and whether it was chosen on the test split, as its run or its model card says."""
    if file.suffix != ".safetensors":
        content = open_checkpoint(file)
        return content["state_dict"], content.get("selected_on_test")
    config = file.with_name("config.json")
    card = json.loads(config.read_text()).get("card", {}) if config.is_file() else {}
    word = card.get("provenance", {}).get("selected_on_test")
    return read_safetensors(file), {text: value for value, text in SELECTED_ON_TEST.items()}.get(word)


def _part(state: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}


def _load_head(head: nn.Module, given: dict[str, Tensor]) -> str | None:
    """Load the head's parameters where they fit; else say why not."""
    if not given:
        return "the file has none of that name"
    own = dict(head.named_parameters())
    if any(name not in given or given[name].shape != value.shape for name, value in own.items()):
        return "that of the file is another one"
    mine = head.state_dict()
    if any(name.endswith("_extra_state") and not torch.equal(value, given[name]) for name, value in mine.items()):
        return "that of the file tells apart other classes"
    with torch.no_grad():
        for name, value in own.items():
            value.copy_(given[name])
    return None
