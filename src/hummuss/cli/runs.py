"""Run folders: runs/<config>/<n>."""

import sys
from pathlib import Path

from lightning.fabric.utilities.rank_zero import rank_zero_only

from hummuss.errors import InputError
from hummuss.training.atomic_io import damage
from hummuss.training.last_checkpoint import PREVIOUS

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

    In the place of a damaged ``last.ckpt`` stands the one before, or the best one; standard error says so.

    Raises:
        InputError: no run of that config has it, or it is damaged and so is what could stand in.
    """
    stand_ins = [f"{name}.ckpt", *(STAND_INS if name == "last" else ())]
    for number in sorted(_numbers(root / config), reverse=True):
        folder = root / config / str(number)
        # Between the renames of a save, only the previous one is there.
        if (folder / stand_ins[0]).is_file() or (name == "last" and (folder / PREVIOUS).is_file()):
            return _first_whole([folder / file for file in stand_ins if (folder / file).is_file()])
    raise InputError(
        f"no run under {root / config} has a {name}.ckpt: train first with `hummuss fit`, or give --ckpt_path a file"
    )


def _first_whole(candidates: list[Path]) -> Path:
    faults: dict[Path, str] = {}
    for checkpoint in candidates:
        fault = damage(checkpoint)
        if fault is None:
            if faults:
                found = ", ".join(f"{path} is damaged ({fault})" for path, fault in faults.items())
                rank_zero_only(print)(f"hummuss: {found}: taking {checkpoint}", file=sys.stderr)
            return checkpoint
        faults[checkpoint] = fault
    found = ", ".join(f"{path} ({fault})" for path, fault in faults.items())
    raise InputError(f"damaged: {found}; give --ckpt_path the file of another run, or train anew without it")


def _numbers(parent: Path) -> list[int]:
    if not parent.is_dir():
        return []
    return [int(folder.name) for folder in parent.iterdir() if folder.name.isdigit()]
