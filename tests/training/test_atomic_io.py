"""Checkpoint files are whole or not there."""

import os

import pytest
import torch

from hummuss.errors import InputError
from hummuss.training.atomic_io import AtomicCheckpointIO, damage


def test_what_is_written_is_read_and_takes_the_place_of_the_old(tmp_path) -> None:
    io, path = AtomicCheckpointIO(), tmp_path / "new" / "a.ckpt"
    for value in (1, 2):
        io.save_checkpoint({"weights": torch.full((3,), value)}, path)
        assert io.load_checkpoint(path)["weights"].tolist() == [value] * 3
    assert os.listdir(path.parent) == ["a.ckpt"]


def test_a_crash_while_writing_leaves_the_old_file(tmp_path, monkeypatch) -> None:
    io, path = AtomicCheckpointIO(), tmp_path / "a.ckpt"
    io.save_checkpoint({"value": 1}, path)

    def fails(descriptor: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "fsync", fails)
    with pytest.raises(InputError, match=r"a.ckpt could not be written \(Input/output error\)"):
        io.save_checkpoint({"value": 2}, path)
    assert io.load_checkpoint(path) == {"value": 1}
    assert os.listdir(tmp_path) == ["a.ckpt"]


@pytest.mark.parametrize("harm", [lambda data: data[: len(data) // 2], lambda data: b"", lambda data: flipped(data)])
def test_damage_is_seen(harm, tmp_path) -> None:
    path = tmp_path / "a.ckpt"
    AtomicCheckpointIO().save_checkpoint({"weights": torch.arange(10_000.0)}, path)
    assert damage(path) is None
    path.write_bytes(harm(path.read_bytes()))
    assert damage(path)


def test_whatever_bit_of_the_end_is_flipped_nothing_but_damage_is_told(tmp_path) -> None:
    # There the archive's directory is, which has no checksum of its own.
    path = tmp_path / "a.ckpt"
    AtomicCheckpointIO().save_checkpoint({"weights": torch.zeros(8)}, path)
    whole = path.read_bytes()
    for place in range(len(whole) - 400, len(whole)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1 << place % 8]) + whole[place + 1 :])
        if damage(path) is None:
            assert torch.equal(torch.load(path, weights_only=True)["weights"], torch.zeros(8)), place


def flipped(data: bytes) -> bytes:
    """One bit of the weights turned over."""
    middle = len(data) // 2
    return data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]
