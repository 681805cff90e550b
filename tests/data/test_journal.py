"""The journal of an unfinished store: whatever moment a writer is killed at, the next one ends with the same store."""

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hummuss.data.journal import JOURNAL
from hummuss.data.motion import MotionClip
from hummuss.data.store import INDEX, MotionStore, StoreWriter
from hummuss.errors import InputError

KEY = {"dataset": "made", "options": {"image_size": "(640, 480)"}}
FILES = ("a", "bb", "ccc", "dddd")


def clip(name: str) -> MotionClip:
    frames = 2 + len(name)
    joints = np.random.default_rng(len(name)).normal(size=(frames, 17, 3)).astype(np.float32)
    extras = {"factor": np.ones(frames)} if name >= "c" else {}  # a field that earlier files lack
    return MotionClip(name, name, "1", "train", fps=50.0, joints3d=joints, extras=extras)


def write(path: Path, key: dict | None = KEY, stop: int = len(FILES)) -> int:
    """Write the files that are missing, and die in the middle of number ``stop``; how many were there before."""
    with StoreWriter(path, {"dataset": "made"}, key) as writer:
        before = writer.files
        assert stop >= before
        assert [done.file for done in writer.finished] == list(FILES[:before])
        assert [done.note for done in writer.finished] == [{"length": len(name)} for name in FILES[:before]]
        for number, name in enumerate(FILES[before:], before):
            writer.add(clip(name))
            if number == stop:
                raise KeyboardInterrupt
            writer.commit(name, {"length": len(name)})
    return before


def interrupted(path: Path, stop: int) -> None:
    with pytest.raises(KeyboardInterrupt):
        write(path, stop=stop)


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> dict[str, bytes]:
    path = tmp_path_factory.mktemp("whole") / "store"
    write(path)
    return contents(path)


@pytest.fixture(scope="module")
def left(tmp_path_factory) -> Path:
    """What a writer killed in its last file leaves."""
    path = tmp_path_factory.mktemp("left") / "store"
    interrupted(path, len(FILES) - 1)
    return path.with_name("store.partial")


def contents(path: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in path.iterdir()}


@pytest.mark.parametrize("stop", range(1, len(FILES)))
def test_a_continued_store_equals_an_uninterrupted_one(tmp_path, whole, stop) -> None:
    interrupted(tmp_path / "store", stop)
    assert os.listdir(tmp_path) == ["store.partial"]
    assert write(tmp_path / "store") == stop
    assert os.listdir(tmp_path) == ["store"]
    assert contents(tmp_path / "store") == whole


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_a_journal_cut_off_anywhere_is_continued(tmp_path_factory, left, whole, data) -> None:
    journal = (left / JOURNAL).read_bytes()
    end = data.draw(st.integers(0, len(journal)))
    folder = tmp_path_factory.mktemp("cut")
    shutil.copytree(left, folder / "store.partial")
    os.truncate(folder / "store.partial" / JOURNAL, end)
    done = max(journal[:end].count(b"\n") - 1, 0)  # the header's line is not a file's
    again = data.draw(st.integers(done, len(FILES) - 1), "killed again in")
    interrupted(folder / "store", again)
    assert write(folder / "store") == again
    assert contents(folder / "store") == whole


@pytest.mark.parametrize("damage", ["shorter", "other bytes", "gone"])
def test_fields_that_differ_from_the_journal_are_not_trusted(tmp_path, left, whole, damage) -> None:
    shutil.copytree(left, tmp_path / "store.partial")
    field = tmp_path / "store.partial" / "joints3d.bin"
    if damage == "shorter":
        os.truncate(field, 100)
    elif damage == "gone":
        field.unlink()
    else:
        field.write_bytes(b"\0" + field.read_bytes()[1:])
    with StoreWriter(tmp_path / "store", key=KEY) as writer:
        assert writer.discarded == "joints3d.bin isn't what the journal says"
        assert writer.files == 0
    write(tmp_path / "store")
    assert contents(tmp_path / "store") == whole


def test_another_key_starts_afresh_and_says_what_differs(tmp_path) -> None:
    interrupted(tmp_path / "store", 2)
    with pytest.raises(RuntimeError), StoreWriter(tmp_path / "store", key=KEY | {"dataset": "other"}) as writer:
        assert writer.discarded == "dataset was made, is now other"
        raise RuntimeError
    assert os.listdir(tmp_path) == []


def test_a_writer_without_key_is_never_continued(tmp_path, whole) -> None:
    with pytest.raises(KeyboardInterrupt):
        write(tmp_path / "store", key=None, stop=2)
    assert os.listdir(tmp_path) == []
    interrupted(tmp_path / "store", 2)
    assert write(tmp_path / "store", key=None) == 0
    assert contents(tmp_path / "store") == whole


def test_two_writers_at_once_are_refused(tmp_path, whole) -> None:
    with StoreWriter(tmp_path / "store", {"dataset": "made"}, KEY) as writer:
        writer.add(clip("a"))
        writer.commit("a", {"length": 1})
        with pytest.raises(InputError, match=r"another process is writing to .*store\.partial: wait until it ends"):
            write(tmp_path / "store")
    assert MotionStore(tmp_path / "store").names() == ["a"]
    write(tmp_path / "store")
    assert contents(tmp_path / "store") == whole


def test_a_kill_between_the_renames_keeps_the_old_store(tmp_path, whole) -> None:
    write(tmp_path / "store")
    (tmp_path / "store").rename(tmp_path / "store.replaced")
    with pytest.raises(RuntimeError), StoreWriter(tmp_path / "store"):
        raise RuntimeError
    assert contents(tmp_path / "store") == whole
    shutil.copytree(tmp_path / "store", tmp_path / "store.replaced")  # or killed just after them
    write(tmp_path / "store")
    assert os.listdir(tmp_path) == ["store"]


def test_the_old_store_goes_when_the_new_one_is_on_the_disk(tmp_path, monkeypatch) -> None:
    write(tmp_path / "store")
    forced, removed, fsync, rmtree = set(), [], os.fsync, shutil.rmtree

    def force(descriptor: int) -> None:
        forced.add(os.fstat(descriptor).st_ino)
        fsync(descriptor)

    def remove(path, **options) -> None:
        removed.append(path.name)
        new = [tmp_path, tmp_path / "store", *(tmp_path / "store").iterdir()]
        assert {file.stat().st_ino for file in new} <= forced
        rmtree(path, **options)

    monkeypatch.setattr(os, "fsync", force)
    monkeypatch.setattr(shutil, "rmtree", remove)
    write(tmp_path / "store")
    assert removed == ["store.replaced"]


def test_checksums_tell_damage(tmp_path) -> None:
    write(tmp_path / "store")
    assert MotionStore(tmp_path / "store").verify() == []
    content = bytearray((tmp_path / "store" / "joints3d.bin").read_bytes())
    content[1000] ^= 1
    (tmp_path / "store" / "joints3d.bin").write_bytes(content)
    (problem,) = MotionStore(tmp_path / "store").verify()
    assert problem.endswith("joints3d.bin differs from its checksum: the store is damaged, prepare it again")
    index = json.loads((tmp_path / "store" / INDEX).read_text())
    for layout in index["fields"].values():
        del layout["crc32"]
    (tmp_path / "store" / INDEX).write_text(json.dumps(index))
    assert ["has no checksum" in problem for problem in MotionStore(tmp_path / "store").verify()] == [True, True]


def test_a_clip_that_does_not_fit_leaves_no_rows_behind(tmp_path) -> None:
    with StoreWriter(tmp_path / "store") as writer:
        writer.add(clip("ccc"))
        odd = MotionClip(
            "odd", "odd", "1", "train", fps=50.0, joints3d=clip("ccc").joints3d, extras={"factor": np.ones((5, 2))}
        )
        with pytest.raises(InputError, match="field 'factor' is"):
            writer.add(odd)
    index = json.loads((tmp_path / "store" / INDEX).read_text())
    assert {name: layout["rows"] for name, layout in index["fields"].items()} == {"joints3d": 5, "factor": 5}
