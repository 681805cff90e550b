"""``hummuss prepare``: summary, failures, interruption, parallel equals sequential."""

import argparse
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from hummuss.cli import prepare as command
from hummuss.data.motion import MotionClip
from hummuss.data.readers.task import Archive, FailedFile, LeftOut, RawDataset, Reader, ReadTask
from hummuss.data.residuals import BIN_MM, ResidualTable
from hummuss.data.store import MotionStore, StoreWriter
from hummuss.errors import InputError


def make_clip(name: str, frames: int = 4) -> list[MotionClip]:
    joints = np.full((frames, 17, 3), len(name), np.float32)
    return [MotionClip(name, f"kind/{name}", "S1", "train", fps=2.0, joints3d=joints)]


def broken(name: str) -> list[MotionClip]:
    raise InputError(f"{name}: expected a clip, found none")


def reader(files: list[ReadTask | FailedFile]):
    return Reader(lambda raw: RawDataset(len(files), iter(files)), "files of a test")


def parse(*words: object) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    return parser.parse_args([str(word) for word in words])


GOOD = [ReadTask(f"{name}.amc", partial(make_clip, name)) for name in ("a", "b", "c", "d")]
BAD = [ReadTask("e.amc", partial(broken, "e.amc")), FailedFile("f.amc", "f.amc is missing")]


def test_all_good(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(command.READERS, "cmu", reader(GOOD))
    assert command.run(parse("cmu", tmp_path, tmp_path / "store", "--workers", 1)) == 0
    assert MotionStore(tmp_path / "store").names() == ["a", "b", "c", "d"]
    shown = capsys.readouterr().out
    assert "kind" in shown
    assert "16" in shown


def test_failures_are_named_and_stop_nothing(tmp_path, monkeypatch, capsys):
    files = [BAD[0], GOOD[0], BAD[1], GOOD[1], GOOD[1]]
    monkeypatch.setitem(command.READERS, "cmu", reader(files))
    assert command.run(parse("cmu", tmp_path, tmp_path / "store", "--workers", 1)) == 1
    store = MotionStore(tmp_path / "store")
    assert store.names() == ["a", "b"]
    shown = " ".join(capsys.readouterr().out.split())
    assert "failed e.amc: e.amc: expected a clip, found none" in shown
    assert "failed f.amc: f.amc is missing" in shown
    assert "two clips are named 'b'" in shown
    assert [name for name, _ in store.source["failed"]] == ["e.amc", "f.amc", "b"]


def test_notes_are_shown_and_kept(tmp_path, monkeypatch, capsys):
    noted = RawDataset(4, iter(GOOD), ("betas were dropped: no --body",))
    monkeypatch.setitem(command.READERS, "cmu", Reader(lambda raw: noted, "files of a test"))
    assert command.run(parse("cmu", tmp_path, tmp_path / "store", "--workers", 1)) == 0
    assert "note betas were dropped: no --body" in capsys.readouterr().out
    assert MotionStore(tmp_path / "store").source["notes"] == ["betas were dropped: no --body"]


def test_labels_that_pose_the_joints_have_no_residuals(tmp_path, monkeypatch):
    monkeypatch.setattr("hummuss.data.preparing.label_residuals", lambda clip: np.zeros((4, 17, 3), np.float32))
    posed = [ReadTask("a", partial(make_clip, "a"), captured=False)]
    monkeypatch.setitem(command.READERS, "cmu", reader(posed))
    command.run(parse("cmu", tmp_path, tmp_path / "store", "--workers", 1))
    assert MotionStore(tmp_path / "store").source["residual_mm"] == []


def part_of(name: str) -> list[MotionClip | LeftOut]:
    return [LeftOut(f"{name}/ghost", "seen in one frame"), *make_clip(name)]


def test_what_is_not_wanted_is_counted_and_named_and_no_failure(tmp_path, monkeypatch, capsys):
    unwanted = [LeftOut(name, "in the list of missing ones") for name in ("x", "y")]
    files = [unwanted[0], ReadTask("a.amc", partial(part_of, "a")), unwanted[1], GOOD[1]]
    monkeypatch.setitem(command.READERS, "cmu", reader(files))
    assert command.run(parse("cmu", tmp_path, tmp_path / "store", "--workers", 1)) == 0
    store = MotionStore(tmp_path / "store")
    assert store.names() == ["a", "b"]
    assert store.source["left_out"] == {"in the list of missing ones": ["x", "y"], "seen in one frame": ["a/ghost"]}
    shown = " ".join(capsys.readouterr().out.split())
    assert "left out 2: in the list of missing ones (x, ...)" in shown
    assert "left out 1: seen in one frame (a/ghost)" in shown

    monkeypatch.setitem(command.READERS, "cmu", reader(unwanted))
    with pytest.raises(InputError, match="none of the 2 files"):
        command.run(parse("cmu", tmp_path, tmp_path / "none", "--workers", 2))
    assert "left out 2: in the list" in " ".join(capsys.readouterr().out.split())


def test_none_usable(tmp_path, monkeypatch):
    monkeypatch.setitem(command.READERS, "cmu", reader(BAD))
    with pytest.raises(InputError, match="none of the 2 files"):
        command.run(parse("cmu", tmp_path, tmp_path / "store", "--workers", 1))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("words", [("nosuch", "raw", "out"), ("cmu", "raw", "out", "--workers", "0"), ("cmu", "raw")])
def test_usage_errors(words):
    with pytest.raises(SystemExit) as stop:
        parse(*words)
    assert stop.value.code == 2


def test_no_raw_folder(tmp_path):
    with pytest.raises(InputError, match=r"index\.csv does not exist"):
        command.run(parse("cmu", tmp_path / "nowhere", tmp_path / "store"))


def test_download(tmp_path, monkeypatch, capsys):
    fetched: list[tuple[str, Path]] = []

    def fetch(url, path, check, show):
        check(path)
        with show(3_000_000, 0) as advance:
            advance(3_000_000)
        fetched.append((url, path))
        path.write_text("all of it")

    def read(raw):
        assert (raw / "all.zip").read_text() == "all of it"
        return RawDataset(1, iter(GOOD[:1]), notes=("made up",))

    checked: list[Path] = []
    monkeypatch.setattr(command, "download", fetch)
    archive = Archive("http://official/all.zip", "all.zip", checked.append)
    monkeypatch.setitem(command.READERS, "cmu", Reader(read, "files of a test", archive=archive))
    words = ("cmu", tmp_path, tmp_path / "store", "--workers", 1, "--download")
    assert command.run(parse(*words, "--download-from", "http://mirror/all.zip")) == 0
    assert fetched == [("http://mirror/all.zip", tmp_path / "all.zip")]
    assert checked == [tmp_path / "all.zip"]
    shown = " ".join(capsys.readouterr().out.split())
    assert "fetching all.zip: 3.0 of 3.0 MB" in shown
    assert "note made up" in shown
    assert MotionStore(tmp_path / "store").source["notes"] == ["made up"]
    assert command.run(parse(*words)) == 0
    assert len(fetched) == 1
    assert "all.zip is there already" in " ".join(capsys.readouterr().out.split())
    assert parse(*words).download_from == "http://official/all.zip"
    with pytest.raises(SystemExit):
        monkeypatch.setitem(command.READERS, "cmu", reader(GOOD))
        parse(*words)  # nothing to fetch


def stop_after(count: int, files: list[ReadTask | FailedFile]) -> Reader:
    """A reader whose command is terminated once ``count`` files have been handed out."""

    def hand_out() -> Iterator[ReadTask | FailedFile]:
        yield from files[:count]
        os.kill(os.getpid(), signal.SIGTERM)
        yield from files[count:]

    return Reader(lambda raw: RawDataset(len(files), hand_out()), "files of a test")


def contents(store: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in store.iterdir()}


def test_an_interrupted_run_leaves_no_store_and_is_continued(tmp_path, monkeypatch, capsys):
    files = [GOOD[0], BAD[0], GOOD[1], BAD[1], GOOD[2], GOOD[3]]
    residuals = lambda clip: np.full((4, 17, 3), 0.001 * len(clip.name), np.float32)  # noqa: E731
    monkeypatch.setattr("hummuss.data.preparing.label_residuals", residuals)
    words = ("cmu", tmp_path, tmp_path / "store", "--workers", 1)
    before = signal.getsignal(signal.SIGTERM)
    monkeypatch.setitem(command.READERS, "cmu", stop_after(3, files))
    assert command.run(parse(*words)) == 130
    assert signal.getsignal(signal.SIGTERM) is before
    assert os.listdir(tmp_path) == ["store.partial"]
    shown = " ".join(capsys.readouterr().out.split())
    assert f"3 of 6 files are done and kept in {tmp_path / 'store.partial'}: the same command continues" in shown
    assert "interrupted: no store was written" in shown

    # What is done is not read again: it would fail now.
    monkeypatch.setitem(command.READERS, "cmu", reader([replace(files[0], read=broken), *files[1:]]))
    assert command.run(parse(*words)) == 1
    shown = " ".join(capsys.readouterr().out.split())
    assert "continuing an interrupted run: 3 of 6 files are already done" in shown
    assert "failed e.amc: e.amc: expected a clip, found none" in shown
    assert os.listdir(tmp_path) == ["store"]

    monkeypatch.setitem(command.READERS, "cmu", reader(files))
    assert command.run(parse("cmu", tmp_path, tmp_path / "other", "--workers", 1)) == 1
    assert contents(tmp_path / "store") == contents(tmp_path / "other")
    assert MotionStore(tmp_path / "store").source["residual_mm"][-1]["frames"] == 16


@pytest.mark.parametrize(
    ("difference", "reason"),
    [
        ("options", "options was"),
        ("code", "code was old, is now"),
        ("index", "what RAW holds was first, is now second"),
    ],
)
def test_another_command_or_code_starts_afresh(tmp_path, monkeypatch, capsys, difference, reason):
    now = {"code": "old", "index": "first"}

    def read(raw, image_size):
        return replace(stop_after(2, GOOD).read(raw), fingerprint=now["index"])

    size = {"--image-size": {"type": int, "default": 1}}
    monkeypatch.setitem(command.READERS, "cmu", Reader(read, "files of a test", size))
    monkeypatch.setattr(command, "code_hash", lambda *packages: now["code"])
    words = ["cmu", tmp_path, tmp_path / "store", "--workers", 1]
    assert command.run(parse(*words)) == 130
    if difference == "options":
        words += ["--image-size", 2]
    else:
        now |= {"code": {"code": "new"}, "index": {"index": "second"}}[difference]
    assert command.run(parse(*words)) == 130
    shown = " ".join(capsys.readouterr().out.split())
    assert f"starting afresh: {tmp_path / 'store.partial'}, left by an interrupted run, is of no use ({reason}" in shown
    assert "2 of 4 files are done and kept" in shown


def test_files_that_changed_since_are_read_again(tmp_path, monkeypatch):
    monkeypatch.setitem(command.READERS, "cmu", stop_after(3, GOOD))
    assert command.run(parse("cmu", tmp_path, tmp_path / "store", "--workers", 1)) == 130
    monkeypatch.setitem(command.READERS, "cmu", reader([GOOD[0], GOOD[3], GOOD[2]]))
    assert command.run(parse("cmu", tmp_path, tmp_path / "store", "--workers", 1)) == 0
    store = MotionStore(tmp_path / "store")
    assert store.names() == ["a", "d", "c"]
    assert store.verify() == []
    assert [clip.name for clip in store] == ["a", "d", "c"]


def test_an_interrupt_stops_the_workers(tmp_path, monkeypatch):
    idle = [ReadTask(str(number), partial(time.sleep, 0.01)) for number in range(3)]
    monkeypatch.setitem(command.READERS, "cmu", stop_after(1, idle))
    assert command.run(parse("cmu", tmp_path, tmp_path / "store", "--workers", 2)) == 130
    assert multiprocessing.active_children() == []
    assert list(tmp_path.iterdir()) == []  # nothing done, nothing kept


# Importable by the worker processes, which know nothing of this test module.
HELPER = """
import sys, time
from functools import partial
from pathlib import Path
import numpy as np
from hummuss.data.motion import MotionClip
from hummuss.data.readers.task import RawDataset, Reader, ReadTask

def slow_clip(name, seconds):
    Path(name).touch()
    time.sleep(seconds)
    joints = np.zeros((4, 17, 3), np.float32)
    return [MotionClip(Path(name).name, "kind/x", "S1", "train", fps=2.0, joints3d=joints)]

def read(raw):
    # The second file is quicker than the first: in a store ordered by completion it would come first.
    names = [str(raw / f"clip{i}") for i in range(6)]
    tasks = [ReadTask(name, partial(slow_clip, name, wait)) for name, wait in zip(names, (0.5, 0, 0, 0, 60, 60))]
    return RawDataset(len(tasks), iter(tasks))

if __name__ == "__main__":
    from hummuss.cli import main, prepare
    prepare.READERS["cmu"] = Reader(read, "files of a test")
    sys.exit(main.main(["prepare", "cmu", sys.argv[1], sys.argv[1] + "/store", "--workers", "2"]))
"""


def test_killed_while_workers_run(tmp_path, monkeypatch):
    (tmp_path / "helper.py").write_text(HELPER)
    (raw := tmp_path / "raw").mkdir()
    journal = raw / "store.partial" / "journal.jsonl"
    # Generous: a busy machine takes long to start three interpreters.
    deadline = time.monotonic() + 240
    words = [sys.executable, tmp_path / "helper.py", raw]
    with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as started:
        try:
            while not (journal.exists() and journal.read_bytes().count(b"\n") == 5):
                assert time.monotonic() < deadline
                assert started.poll() is None
                time.sleep(0.05)
            with pytest.raises(InputError, match=r"another process is writing to .*store\.partial: wait"):
                StoreWriter(raw / "store").__enter__()
            children = Path(f"/proc/{started.pid}/task/{started.pid}/children").read_text().split()
            os.kill(started.pid, signal.SIGKILL)
            assert started.wait(timeout=60) == -signal.SIGKILL
        finally:
            started.kill()
    with pytest.raises(InputError, match="no prepared store"):
        MotionStore(raw / "store")
    while any(Path(f"/proc/{child}").exists() for child in children):
        assert time.monotonic() < deadline, "workers outlive the command"
        time.sleep(0.05)
    with open(journal, "ab") as file:  # as if it had been killed at a worse moment
        file.write(b'{"file": "clip4", "cl')
    with open(journal.with_name("joints3d.bin"), "ab") as file:
        file.write(b"half a clip")
    left = [ReadTask(str(raw / f"clip{i}"), partial(make_clip, f"clip{i}")) for i in range(6)]
    monkeypatch.setitem(command.READERS, "cmu", reader(left))
    assert command.run(parse("cmu", raw, raw / "store", "--workers", 1)) == 0
    store = MotionStore(raw / "store")
    assert store.names() == [f"clip{i}" for i in range(6)]
    assert store.verify() == []
    assert [float(clip.joints3d.max()) for clip in store] == [0, 0, 0, 0, 5, 5]  # the last two were read anew


def test_residual_table():
    table, rng = ResidualTable(), np.random.default_rng(0)
    parts = [rng.normal(scale=0.02, size=(frames, 17, 3)) for frames in (50, 70)]
    for part in parts:
        table.add("kind", part)
    distance = 1e3 * np.linalg.norm(np.concatenate(parts), axis=-1)
    rows = {row["joint"]: row for row in table.rows()}
    assert rows["all"]["frames"] == 120
    assert rows["head"]["mean_mm"] == pytest.approx(distance[:, 10].mean(), abs=0.01)
    assert rows["all"]["mean_mm"] == pytest.approx(distance.mean(), abs=0.01)
    assert rows["all"]["p95_mm"] == pytest.approx(np.percentile(distance, 95), abs=2 * BIN_MM)
    relative = np.concatenate(parts)
    relative = relative - relative[:, :1]
    assert rows["pelvis"]["root_relative_mm"] == 0
    expected = 1e3 * np.linalg.norm(relative[:, 10], axis=-1).mean()
    assert rows["head"]["root_relative_mm"] == pytest.approx(expected, abs=0.01)


def test_report(tmp_path, monkeypatch):
    table = ResidualTable()
    table.add("kind", np.full((3, 17, 3), 0.01))
    clip = ReadTask("a", partial(make_clip, "a"))
    monkeypatch.setitem(command.READERS, "cmu", reader([clip]))
    monkeypatch.setattr("hummuss.data.preparing.label_residuals", lambda clip: np.full((4, 17, 3), 0.01, np.float32))
    prefix = tmp_path / "docs" / "residuals"
    assert command.run(parse("cmu", tmp_path, tmp_path / "store", "--workers", 1, "--report", prefix)) == 0
    page = prefix.with_suffix(".md").read_text()
    assert "| head | 17.3 / 17.5 | 0.0 |" in page
    assert prefix.with_suffix(".csv").read_text().startswith("group,joint,frames,mean_mm,p95_mm,root_relative_mm\n")
    assert prefix.with_suffix(".png").stat().st_size > 1000
    stored = json.loads((tmp_path / "store" / "index.json").read_text())["source"]["residual_mm"]
    figures = {"mean_mm": 17.32, "p95_mm": 17.5, "root_relative_mm": 0.0}
    assert stored[-1] == {"group": "kind", "joint": "all", "frames": 4, **figures}
