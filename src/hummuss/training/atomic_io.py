"""Checkpoint files that are whole or not there, and a test whether one is whole."""

import io
import zipfile
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from lightning.fabric.plugins.io import TorchCheckpointIO

from hummuss.weights import in_short
from hummuss.whole_file import whole_file


class AtomicCheckpointIO(TorchCheckpointIO):
    """Writes beside the target, flushes to the disk, then renames: a crash leaves the old file or the new one.

    Lightning's own IO moves a file from the system's temporary folder, which is a copy across disks, and does not
    flush. Paths with a protocol (``s3://``) are left to it.
    """

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None) -> None:
        """Write ``checkpoint`` to ``path``.

        Raises:
            InputError: the file system did not take it. What was at ``path`` before is still there.
        """
        if "://" in str(path):
            super().save_checkpoint(checkpoint, path, storage_options)
            return
        path = Path(path)
        # Made in memory first: what fails after this is the disk's failure.
        buffer = io.BytesIO()
        torch.save(checkpoint, buffer)
        remedy = ", so the run stops; earlier checkpoints are whole: make room and resume with --ckpt_path last"
        with whole_file(path, remedy) as file:
            file.write(buffer.getbuffer())


def damage(path: Path) -> str | None:
    """What is wrong with a checkpoint file, or None.

    ``torch.save`` writes a ZIP archive with a checksum for each tensor: truncation and flipped bits both show. What
    lies between them shows when it is read; nothing in it is run.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            member = archive.testzip()
        if member is not None:
            return f"{member} fails its checksum"
        torch.load(path, map_location="cpu", weights_only=True)
    except UnpicklingError:
        return None  # whole by its checksums: what it holds is for others to refuse
    except Exception as error:  # a damaged archive raises anything
        return in_short(error)
    return None
