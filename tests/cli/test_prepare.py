"""``hummuss prepare``: summary, failures, interruption, parallel equals sequential."""

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from hummuss.cli import prepare as command
from hummuss.data.motion import MotionClip
from hummuss.data.readers.task import FailedFile, RawDataset, Reader, ReadTask
from hummuss.data.residuals import BIN_MM, ResidualTable
from hummuss.data.store import MotionStore
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


def test_interrupt_leaves_no_store(tmp_path, monkeypatch, capsys):
    def files() -> Iterator[ReadTask | FailedFile]:
        yield GOOD[0]
        os.kill(os.getpid(), signal.SIGTERM)
        yield GOOD[1]

    monkeypatch.setitem(command.READERS, "cmu", Reader(lambda raw: RawDataset(2, files()), "two files"))
    before = signal.getsignal(signal.SIGTERM)
    assert command.run(parse("cmu", tmp_path, tmp_path / "store", "--workers", 1)) == 130
    assert list(tmp_path.iterdir()) == []
    assert signal.getsignal(signal.SIGTERM) is before
    assert "interrupted" in capsys.readouterr().out


# Importable by the worker processes, which know nothing of this test module.
HELPER = """
import sys, time
from functools import partial
from pathlib import Path
import numpy as np
from hummuss.cli import prepare as command
from hummuss.data.motion import MotionClip
from hummuss.data.readers.task import RawDataset, Reader, ReadTask

def slow_clip(name, seconds):
    Path(name).touch()
    time.sleep(seconds)
    joints = np.zeros((4, 17, 3), np.float32)
    return [MotionClip(Path(name).name, "kind/x", "S1", "train", fps=2.0, joints3d=joints)]

def read(raw):
    # Later files are quicker: in a store ordered by completion they would come first.
    waits = [float(word) for word in sys.argv[2].split(",")]
    names = [str(raw / f"clip{i}") for i in range(len(waits))]
    tasks = [ReadTask(name, partial(slow_clip, name, wait)) for name, wait in zip(names, waits)]
    return RawDataset(len(tasks), iter(tasks))

if __name__ == "__main__":
    import argparse
    command.READERS["cmu"] = Reader(read, "files of a test")
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    folder = sys.argv[1]
    sys.exit(command.run(parser.parse_args(["cmu", folder, folder + "/store", "--workers", "2"])))
"""


@pytest.fixture
def helper(tmp_path) -> Path:
    (tmp_path / "helper.py").write_text(HELPER)
    (tmp_path / "raw").mkdir()
    return tmp_path / "helper.py"


def test_workers_keep_the_order(helper):
    raw = helper.parent / "raw"
    subprocess.run([sys.executable, helper, raw, "0.6,0,0.3,0,0"], check=True, capture_output=True)
    assert MotionStore(raw / "store").names() == [f"clip{i}" for i in range(5)]


@pytest.mark.parametrize(("kind", "status"), [(signal.SIGTERM, 130), (signal.SIGKILL, -signal.SIGKILL)])
def test_killed_while_workers_run(helper, kind, status):
    raw = helper.parent / "raw"
    words = [sys.executable, helper, raw, "0,0,0.5,0.5,0.5,0.5"]
    # Generous: a busy machine takes long to start three interpreters.
    deadline = time.monotonic() + 240
    with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as started:
        try:
            while not (raw / "clip3").exists():
                assert time.monotonic() < deadline
                assert started.poll() is None
                time.sleep(0.05)
            children = Path(f"/proc/{started.pid}/task/{started.pid}/children").read_text().split()
            os.kill(started.pid, kind)
            assert started.wait(timeout=60) == status
        finally:
            started.kill()
    with pytest.raises(InputError, match="no prepared store"):
        MotionStore(raw / "store")
    while any(Path(f"/proc/{child}").exists() for child in children):
        assert time.monotonic() < deadline, "workers outlive the command"
        time.sleep(0.05)


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
