"""What trained runs of any task are, by their own configs, and which of them no table may put side by side."""

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from os import PathLike
from typing import Any, TypeVar

import yaml

from hummuss.data.datamodules import MotionDataModule
from hummuss.errors import InputError
from hummuss.evaluation.settings import differences, training_settings
from hummuss.heads.base import Head
from hummuss.inference.runs import CONFIG, Run, data_options, load_run

# What tables call a backbone, by its class; a causal one's name says so.
MODELS = {"HumMUSS": "hummuss", "DSTformer": "dstformer", "PerFrame": "per-frame"}

T = TypeVar("T", bound="Trained")
H = TypeVar("H", bound=Head)


@dataclass(frozen=True)
class Trained:
    """A run and what its config says of its training.

    Attributes:
        run: the model and where it comes from.
        model: name in tables: ``hummuss``, ``hummuss-causal``, ``dstformer`` or ``per-frame``.
        seed: of its training.
        settings: all that decided its training but the seed, by dotted names of its config, see `training_settings`.
    """

    run: Run
    model: str
    seed: int
    settings: dict[str, Any]


def load_trained(path: str | PathLike[str], device: str, head: type[Head]) -> Trained:
    """A run that has a head of that class, from a checkpoint or a run's folder.

    Raises:
        InputError: see `load_run`; a run without such a head, or of a backbone that tables have no name for.
    """
    run = load_run(path, device, head)
    find_head(run, head)
    config = read_config(run)
    settings = training_settings(config, data_options(config, run.model, head))
    return Trained(run, model_name(run), int(config.get("seed_everything") or 0), settings)


def find_head(run: Run, kind: type[H]) -> tuple[str, H]:
    """A run's first head of a class, behind the name that its config gives it.

    Raises:
        InputError: it has none.
    """
    for name, head in run.model.heads.items():
        if isinstance(head, kind):
            return name, head
    word = kind.__name__.removesuffix("Head").lower()
    raise InputError(f"{run.checkpoint} has no {word} head, only {', '.join(run.model.heads)}: give runs that have one")


def read_config(run: Run) -> dict[str, Any]:
    """The config beside a run's checkpoint."""
    return yaml.safe_load(run.checkpoint.with_name(CONFIG).read_text())


def model_name(run: Run) -> str:
    """What tables call a run's backbone.

    Raises:
        InputError: they have no name for it.
    """
    backbone = type(run.model.backbone).__name__
    if backbone not in MODELS:
        raise InputError(
            f"{run.checkpoint} has a backbone {backbone}, tables know {', '.join(MODELS)}: "
            "compare others by `hummuss study`"
        )
    return MODELS[backbone] + ("-causal" if getattr(run.model.backbone, "causal", False) else "")


def refuse_alike(runs: Sequence[T], key: Callable[[T], Hashable]) -> None:
    """Refuse runs that a table could not tell apart, or would take for seeds of one training which they are not.

    Args:
        runs: what is compared.
        key: what a table says of a run beside its seed.

    Raises:
        InputError: two runs of one key and seed, or two of one key that differ in `Trained.settings`.
    """
    found: dict[Hashable, T] = {}
    for own in runs:
        line = key(own)
        other = found.setdefault((line, own.seed), own)
        if other is not own:
            raise InputError(
                f"{own.run.checkpoint} and {other.run.checkpoint} are both {own.model}, seed {own.seed}, trained "
                "alike: they would share their rows, give one of them"
            )
        other = found.setdefault(line, own)
        if found_otherwise := differences(own.settings, other.settings):
            raise InputError(
                f"{own.run.checkpoint} and {other.run.checkpoint} are both {own.model}, but not seeds of one training: "
                f"{'; '.join(found_otherwise)}; give either"
            )


def refuse_other_normalisation(runs: Iterable[Trained], data: MotionDataModule) -> None:
    """Refuse runs that the data would show keypoints unlike those they were trained on.

    Raises:
        InputError: another normalisation than the data's.
    """
    for own in runs:
        normalisation = own.run.view.normalisation
        if normalisation != data.view.normalisation:
            raise InputError(
                f"{own.run.checkpoint} was trained with normalisation {normalisation!r}, the data has "
                f"{data.view.normalisation!r}: one setting serves every row, so compare runs of that one"
            )
