"""How a checkpoint was chosen, and which file it is."""

import hashlib
from pathlib import Path

import pytest
import torch

from hummuss import provenance
from hummuss.provenance import device_name, file_hash, git_commit, processor_name, selection


def checkpoint(path: Path, **state) -> Path:
    callbacks = {"ModelCheckpoint{'monitor': 'val/mpjpe'}": state} if state else {}
    torch.save({"callbacks": callbacks, "state_dict": {}}, path)
    return path


def test_selection_is_read_from_the_checkpoint_not_from_its_name(tmp_path) -> None:
    state = {"monitor": "val/mpjpe", "best_model_path": "/elsewhere/best.ckpt"}
    assert selection(checkpoint(tmp_path / "best.ckpt", **state)) == "best val/mpjpe"
    assert selection(checkpoint(tmp_path / "last.ckpt", **state)) == "last"
    assert selection(checkpoint(tmp_path / "epoch=3.ckpt", **state)) == "picked by hand"
    assert selection(checkpoint(tmp_path / "best.ckpt", monitor=None, best_model_path="best.ckpt")) == "last"
    assert selection(checkpoint(tmp_path / "mine.ckpt", monitor=None, best_model_path="best.ckpt")) == "picked by hand"
    assert selection(checkpoint(tmp_path / "best.ckpt")) == "picked by hand"


@pytest.mark.parametrize(
    ("told", "name"),
    [
        ("processor\t: 0\nmodel name\t: Some CPU @ 2.9GHz\n\nmodel name\t: Another\n", "Some CPU @ 2.9GHz"),
        ("processor\t: 0\nmodel name\t:\n", "riscv64 CPU"),  # as some boards leave it
        ("", "riscv64 CPU"),
        (None, "riscv64 CPU"),
    ],
)
def test_the_processor_is_named_where_linux_knows_it(tmp_path, monkeypatch, told: str | None, name: str) -> None:
    monkeypatch.setattr(provenance.platform, "machine", lambda: "riscv64")
    if told is not None:
        (tmp_path / "cpuinfo").write_text(told)
    assert processor_name(tmp_path / "cpuinfo") == name
    assert device_name(torch.device("cpu")) == f"{processor_name()}, {torch.get_num_threads()} threads"


def test_hash_is_sha256(tmp_path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"weights")
    assert file_hash(file) == hashlib.sha256(b"weights").hexdigest()[:12]


def test_code_without_history_is_named_by_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUMMUSS_COMMIT", "abc1234")
    assert git_commit() == "abc1234"


def test_the_code_hash_changes_with_code_and_file_names_alone(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provenance, "__file__", str(tmp_path / "provenance.py"))
    (tmp_path / "data").mkdir()
    (tmp_path / "heads").mkdir()
    (tmp_path / "data" / "a.py").write_text("a = 1")
    seen = [provenance.code_hash("data")]
    one = provenance.code_hash("data/a.py")
    assert one == seen[0]
    for path in ("heads/b.py", "data/a.pyc"):
        (tmp_path / path).write_text("no reader's business")
        assert provenance.code_hash("data") == seen[0]
    (tmp_path / "data" / "a.py").write_text("a = 2")
    seen.append(provenance.code_hash("data"))
    (tmp_path / "data" / "a.py").rename(tmp_path / "data" / "b.py")
    seen.append(provenance.code_hash("data"))
    assert len(set(seen)) == 3
    (tmp_path / "data" / "c.py").write_text("c = 3")
    assert provenance.code_hash("data/b.py") == seen[2] != provenance.code_hash("data")
