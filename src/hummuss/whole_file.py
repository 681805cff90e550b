"""Files that are whole or not there: written beside their place, then renamed."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from hummuss.errors import InputError


@contextmanager
def whole_file(path: Path, remedy: str) -> Iterator[BinaryIO]:
    """A file to write to, which takes the place of the one at ``path`` once all is on the disk; makes its folder.

    Args:
        path: where it goes.
        remedy: what the error says behind the reason.

    Raises:
        InputError: the file system did not take it. What was at ``path`` before is still there.
    """
    # One name per target, so that what a killed process left is overwritten by the next.
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with open(temporary, "wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise InputError(f"{path} could not be written ({error.strerror}){remedy}") from error


def replace(source: Path, target: Path) -> None:
    """Rename within a folder, so that the new name outlives a power cut."""
    os.replace(source, target)
    folder = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
