"""Run folders: runs/<config>/<n>."""

from pathlib import Path

from hummuss.errors import InputError

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
    for number in sorted(_numbers(root / config), reverse=True):
        checkpoint = root / config / str(number) / f"{name}.ckpt"
        if checkpoint.is_file():
            return checkpoint
    raise InputError(
        f"no run under {root / config} has a {name}.ckpt: train first with `hummuss fit`, or give --ckpt_path a file"
    )


def _numbers(parent: Path) -> list[int]:
    if not parent.is_dir():
        return []
    return [int(folder.name) for folder in parent.iterdir() if folder.name.isdigit()]
