"""``hummuss data``: exit statuses, what is printed, what is written."""

import csv
from dataclasses import replace

import numpy as np
import pytest

from hummuss.cli.main import main
from hummuss.data import MotionClip, StoreWriter
from hummuss.data.synthetic import SyntheticMotion


@pytest.fixture(autouse=True)
def wide_terminal(monkeypatch) -> None:
    monkeypatch.setenv("COLUMNS", "240")


def make_clip(name: str, number: int, body, **fields) -> MotionClip:
    clip = SyntheticMotion(number, "train", body=body, duration=1.0).at(np.arange(30) / 30)
    values = {"sequence": name, "subject": f"P{number % 2}", "label": "jump", "split": "train"}
    return replace(clip, name=name, timestamps=None, fps=30.0, **values | fields)


@pytest.fixture
def store(tmp_path):
    from hummuss.body.smpl import BodyModel

    body = BodyModel()
    clips = [make_clip(name, number, body) for number, name in enumerate("abcd")]
    clips[3] = replace(clips[3], split="test", label=None)

    def write(*extra: MotionClip):
        with StoreWriter(tmp_path / "data" / "made", {"dataset": "made", "hummuss": "0.1.0"}) as writer:
            for clip in (*clips, *extra):
                writer.add(clip)
        return tmp_path / "data" / "made"

    write.clips = clips
    return write


def read_rows(path) -> list[dict[str, str]]:
    return list(csv.DictReader(path.read_text().splitlines()))


def test_a_sound_store(store, capsys) -> None:
    path = store()
    assert main(["data", "check", str(path), "--pictures", "2"]) == 0
    shown = capsys.readouterr().out
    assert "no findings" in shown
    assert "left thigh" in shown
    assert "frame rates: 30 fps: 4 clips" in shown
    folder = path.with_name("made.check")
    assert {file.name for file in folder.iterdir()} == {"findings.csv", "counts.csv", "contact_sheet.png"}
    rows = read_rows(folder / "counts.csv")
    assert [(row["split"], row["subject"], row["action"], row["clips"], row["frames"]) for row in rows] == [
        ("test", "P1", "", "1", "30"), ("train", "P0", "jump", "2", "60"), ("train", "P1", "jump", "1", "30"),
    ]  # fmt: skip
    assert sorted(file.name for file in path.iterdir()) == ["index.json", "joints3d.bin", "smpl_pose.bin", "transl.bin"]


def test_findings_are_named_and_numbered_and_change_the_status(store, tmp_path, capsys) -> None:
    tall = [
        replace(store.clips[0], name=f"[mm] {number}", sequence=f"mm{number}", smpl_pose=None, transl=None, betas=None,
                body=None, joints3d=store.clips[0].joints3d * np.float32(1000 + number))
        for number in range(12)
    ]  # fmt: skip
    path = store(*tall)
    report = tmp_path / "elsewhere"
    assert main(["data", "check", str(path), "--report", str(report), "--pictures", "0"]) == 1
    shown = capsys.readouterr().out
    assert "units [mm] 0: height 1." in shown
    assert "looks like millimetres: convert to metres in the reader" in shown
    assert "units [mm] 10" not in shown
    assert "units: 2 more in findings.csv" in shown
    rows = read_rows(report / "findings.csv")
    units = [row for row in rows if row["check"] == "units"]
    assert [row["clip"] for row in units] == [f"[mm] {number}" for number in range(12)]
    assert {file.name for file in report.iterdir()} == {"findings.csv", "counts.csv"}


def test_not_a_store(tmp_path, capsys) -> None:
    assert main(["data", "check", str(tmp_path)]) == 2
    assert "is not a prepared store" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_info(store, tmp_path, capsys, monkeypatch) -> None:
    path = store()
    broken = tmp_path / "data" / "broken"
    broken.mkdir()
    (broken / "index.json").write_text("{")
    monkeypatch.chdir(tmp_path)
    assert main(["data", "info"]) == 0
    shown = capsys.readouterr().out
    for part in ("made", "train 3, test 1", "120", "30", "joints3d, smpl_pose, transl", "0.1.0", "is damaged"):
        assert part in shown
    assert main(["data", "info", str(path)]) == 0
    assert "made" in capsys.readouterr().out
    (tmp_path / "none").mkdir()
    assert main(["data", "info", str(tmp_path / "none")]) == 0
    assert "nothing is prepared" in capsys.readouterr().out
    assert main(["data", "info", str(tmp_path / "nowhere")]) == 2
