"""Several tasks in one run: which batches are whose.

A data module of several tasks (`hummuss.data.MultiDataModule`) has names for its parts, and gives training steps a dict
of batches under these names. A name says which heads its batches train and score, joined by + where there are several.
What knows of one task only has the empty name, and serves every head.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from torch import Tensor

from hummuss.errors import InputError

# What a training step gets: a batch, or one of each task.
TrainingBatch = dict[str, Tensor] | dict[str, dict[str, Tensor]]


def batches_of(batch: Mapping[str, Any]) -> Mapping[str, Any]:
    """Task -> batch, of a batch of one task or of several.

    >>> batches_of({"dt": 1}), batches_of({"pose": {"dt": 1}})
    ({'': {'dt': 1}}, {'pose': {'dt': 1}})
    """
    return batch if isinstance(next(iter(batch.values())), Mapping) else {"": batch}


def heads_of(task: str, heads: Iterable[str]) -> list[str]:
    """Names of the heads that a task's batches are for.

    >>> heads_of("", ["pose", "mesh"]), heads_of("pose+mesh", ["pose", "mesh", "action"])
    (['pose', 'mesh'], ['pose', 'mesh'])
    """
    return task.split("+") if task else list(heads)


def check_tasks(tasks: Iterable[str], heads: Iterable[str]) -> None:
    """Check that every head has one part of the data, and every part a head.

    Raises:
        InputError: which has none.
    """
    heads = list(heads)
    served = [name for task in tasks for name in heads_of(task, heads)]
    if sorted(served) != sorted(heads):
        raise InputError(
            f"data.init_args.parts serve the heads {', '.join(served)}, the model has {', '.join(heads)}: name every "
            "head in exactly one part, such as pose, or pose+mesh for both"
        )
