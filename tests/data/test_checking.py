"""Checks of a whole store, its counts against the official ones, and the list of what is prepared."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hummuss.body.smpl import BodyModel
from hummuss.data import MotionClip, MotionStore, StoreWriter
from hummuss.data.checking import check_store
from hummuss.data.inventory import list_stores
from hummuss.data.official_counts import OFFICIAL_COUNTS, ClipFacts
from hummuss.data.synthetic import SyntheticMotion
from hummuss.errors import InputError

BODY = BodyModel()


def make_clip(name: str, number: int = 0, **fields) -> MotionClip:
    clip = SyntheticMotion(number, "train", body=BODY, duration=1.0).at(np.arange(30) / 30)
    return replace(
        clip, name=name, timestamps=None, fps=30.0, **{"sequence": name, "subject": "1", "split": "train"} | fields
    )


def write(path: Path, *clips: MotionClip, dataset: str = "made") -> MotionStore:
    with StoreWriter(path, {"dataset": dataset, "hummuss": "1.2.3"}) as writer:
        for clip in clips:
            writer.add(clip)
    return MotionStore(path)


def test_a_sound_store(tmp_path) -> None:
    read = []
    report = check_store(write(tmp_path / "s", make_clip("a", 0), make_clip("b", 1)), lambda: read.append(1))
    assert report.findings == []
    assert len(read) == 2
    assert [(fact.name, fact.frames, fact.valid) for fact in report.facts] == [("a", 30, 30), ("b", 30, 30)]
    assert report.facts[0].seconds == pytest.approx(29 / 30)
    assert len(report.lengths["height"]) == len(report.lengths["left thigh"]) == 2
    assert report.official == []
    assert report.rates == {"30 fps": 2}
    assert report.confidences == []


def test_confidences_and_rates(tmp_path) -> None:
    keypoints = np.full((30, 17, 3), 50, np.float32)
    keypoints[..., 2] = np.linspace(0.1, 0.9, 30)[:, None]
    keypoints[:15, 0] = 0
    first = replace(make_clip("a"), keypoints2d=keypoints)
    second = replace(make_clip("b", 1), fps=None, timestamps=np.arange(30) / 29.7)
    report = check_store(write(tmp_path / "s", first, second))
    assert report.rates == {"30 fps": 1, "time stamps": 1}
    ((least, middle, greatest, missing),) = report.confidences
    assert (least, greatest) == pytest.approx((0.1, 0.9))
    assert middle == pytest.approx(0.5, abs=0.02)
    assert missing == pytest.approx(15 / (30 * 17))


def test_duplicates_and_sequences_in_two_splits(tmp_path) -> None:
    first = make_clip("a", sequence="walk")
    again = replace(first, name="b", sequence="other")
    leak = make_clip("c", 1, sequence="walk", split="test")
    findings = check_store(write(tmp_path / "s", first, again, leak)).findings
    assert [(finding.check, finding.clip) for finding in findings] == [("duplicate", "b"), ("split", "c")]
    assert findings[0].value == "every number equals clip a's"
    assert findings[1].value == "sequence walk is in test, and in train as a"


def test_a_clip_that_cannot_be_read_is_a_finding_and_the_rest_is_checked(tmp_path) -> None:
    write(tmp_path / "s", make_clip("a"), make_clip("b", 1))
    joints = np.memmap(tmp_path / "s" / "joints3d.bin", np.float32, "r+", shape=(60, 17, 3))
    joints[5, 3, 1] = np.nan
    joints.flush()
    report = check_store(MotionStore(tmp_path / "s"))
    assert [(finding.check, finding.clip) for finding in report.findings] == [("unreadable", "a"), ("checksum", "s")]
    assert report.findings[1].value == f"{tmp_path / 's' / 'joints3d.bin'} differs from its checksum"
    assert report.findings[1].remedy == "the store is damaged, prepare it again"
    assert "NaN or infinity at frame 5" in report.findings[0].value
    assert [fact.name for fact in report.facts] == ["b"]


def facts(name="x", subject="S1", split="train", frames=10, valid=8, sequence="s") -> ClipFacts:
    return ClipFacts(name, sequence, subject, split, None, frames, valid, 1.0)


def official(dataset: str, unit: str):
    return [count for count in OFFICIAL_COUNTS if dataset in count.datasets and count.unit == unit]


def test_official_counts_count_what_they_say() -> None:
    persons = [facts(f"S001C00{camera}P001R001A001/{person}") for camera in (1, 2) for person in (0, 1)]
    assert [count.count(persons) for count in official("ntu", "recordings")] == [2]
    assert [count.count(persons) for count in official("ntu-pyskl", "recordings")] == [2]
    mixed = [facts(), facts(subject="S9", split="test"), facts(subject="TS1", split="test", sequence="TS1")]
    assert [count.count(mixed) for count in official("h36m", "clips")] == [1, 0, 0, 0, 0, 1, 0]
    assert [count.count(mixed) for count in official("h36m-motionbert", "frames")] == [10, 10]
    assert [count.count(mixed) for count in official("mpi-inf-3dhp", "valid frames")] == [16]
    assert [count.count(mixed) for count in official("pw3d", "sequences")] == [2]
    assert all(count.source for count in OFFICIAL_COUNTS)


def test_a_count_that_differs_is_a_finding(tmp_path) -> None:
    report = check_store(write(tmp_path / "s", make_clip("a"), dataset="pw3d"))
    assert report.official == [
        ("sequences", 1, (60,), "von Marcard et al., ECCV 2018"),
        ("valid frames (test)", 0, (35_515,), "SPIN (Kolotouros et al., ICCV 2019)"),
    ]
    finding, frames = report.findings
    assert (frames.clip, frames.value) == ("valid frames (test)", "0")
    assert (finding.check, finding.clip, finding.value) == ("official count", "sequences", "1")
    assert finding.expected == "60 (von Marcard et al., ECCV 2018)"


def test_inventory(tmp_path) -> None:
    write(tmp_path / "one", make_clip("a"), make_clip("b", 1, split="test"))
    stamped = replace(make_clip("c", 2), fps=None, timestamps=np.arange(30) / 10)
    write(tmp_path / "deeper" / "two", stamped, make_clip("d", 3))
    (tmp_path / ".one.partial-1").mkdir()
    (tmp_path / ".one.partial-1" / "index.json").write_text("{}")
    two, one = list_stores(tmp_path)
    assert (one.path, one.dataset, one.clips, one.frames) == (tmp_path / "one", "made", 2, 60)
    assert one.splits == (("train", 1), ("test", 1))
    assert one.rates == ("30",)
    assert two.rates == ("30", "time stamps")
    assert two.hours == pytest.approx((2.9 + 1) / 3600)
    assert one.fields == ("joints3d", "smpl_pose", "transl")
    assert one.size == sum(file.stat().st_size for file in one.path.iterdir()) > 60 * 17 * 3 * 4
    assert one.prepared_by == "1.2.3"
    assert list_stores(tmp_path / "one") == [one]


def test_damaged_stores_are_listed_with_their_damage(tmp_path) -> None:
    write(tmp_path / "s", make_clip("a"))
    index = json.loads((tmp_path / "s" / "index.json").read_text())
    (tmp_path / "s" / "index.json").write_text(json.dumps(index | {"version": 99}))
    (store,) = list_stores(tmp_path)
    assert "store of version 99" in store.damage
    with pytest.raises(InputError, match="no folder"):
        list_stores(tmp_path / "nowhere")
