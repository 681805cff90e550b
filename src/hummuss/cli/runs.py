"""Run folders: runs/<config>/<n>."""

import sys
from pathlib import Path

from lightning.fabric.utilities.rank_zero import rank_zero_only

from hummuss.errors import InputError
from hummuss.training.atomic_io import damage
from hummuss.training.last_checkpoint import LAST, PREVIOUS

STAND_INS = (PREVIOUS, "best.ckpt")

# The run that this process's command works in, once it has one: what goes wrong is logged there.
opened: Path | None = None


def new_run(root: Path, config: str) -> Path:
    """Make and return the folder of the next run of a config."""
    parent = root / config
    parent.mkdir(parents=True, exist_ok=True)
    number = max(_numbers(parent), default=0) + 1
    while True:
        try:
            (parent / str(number)).mkdir()
            return parent / str(number)
        except FileExistsError:  # another process was quicker
            number += 1


def newest_checkpoint(root: Path, config: str, name: str) -> Path:
    """The checkpoint ``<name>.ckpt`` of the newest run of a config that has one.

    Raises:
        InputError: no run of that config has it.
    """
    # Between the two renames of a save there is no last one, and the one before is.
    names = (LAST, PREVIOUS) if name == "last" else (f"{name}.ckpt",)
    for number in sorted(_numbers(root / config), reverse=True):
        for checkpoint in (root / config / str(number) / name for name in names):
            if checkpoint.is_file():
                return checkpoint
    raise InputError(
        f"no run under {root / config} has a {name}.ckpt: train first with `hummuss fit`, or give --ckpt_path a file"
    )


def whole_checkpoint(checkpoint: Path) -> Path:
    """The checkpoint itself, or for a damaged last one the one before it or the best; standard error says so.

    Raises:
        InputError: it is damaged, and so is what could stand in.
    """
    stand_ins = STAND_INS if checkpoint.name in (LAST, PREVIOUS) else ()
    faults: dict[Path, str] = {}
    for candidate in dict.fromkeys([checkpoint, *(checkpoint.with_name(name) for name in stand_ins)]):
        if not candidate.is_file():
            continue
        fault = damage(candidate)
        if fault is None:
            if faults:
                rank_zero_only(print)(f"hummuss: damaged: {_listed(faults)}: taking {candidate}", file=sys.stderr)
            return candidate
        faults[candidate] = fault
    raise InputError(f"damaged: {_listed(faults)}; give --ckpt_path the file of another run, or train anew without it")


def _listed(faults: dict[Path, str]) -> str:
    return ", ".join(f"{path} ({fault})" for path, fault in faults.items())


def _numbers(parent: Path) -> list[int]:
    if not parent.is_dir():
        return []
    return [int(folder.name) for folder in parent.iterdir() if folder.name.isdigit()]
