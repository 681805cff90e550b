"""NTU's official splits."""

import pytest

from hummuss.data.readers.ntu_splits import (
    EXEMPLARS,
    NOVEL,
    PERFORMERS_60,
    PERFORMERS_120,
    check_benchmark,
    ntu_split,
    recording,
)
from hummuss.errors import InputError


def name(setup=1, camera=1, performer=3, replication=1, action=1) -> str:
    return f"S{setup:03}C{camera:03}P{performer:03}R{replication:03}A{action:03}"


def test_the_lists_have_the_official_sizes() -> None:
    assert (len(set(PERFORMERS_60)), len(set(PERFORMERS_120)), len(NOVEL)) == (20, 53, 20)
    assert max(PERFORMERS_60) <= 40 < min(PERFORMERS_120[20:])
    assert max(PERFORMERS_120) <= 106
    assert NOVEL[-1] == 115
    assert [EXEMPLARS[0], EXEMPLARS[9], EXEMPLARS[10]] == [
        "S001C003P008R001A001", "S001C003P008R001A055", "S018C003P008R001A061",
    ]  # fmt: skip


def test_splits_by_performer_camera_setup_and_class() -> None:
    assert ntu_split(name(performer=1), "xsub", 60) == "train"
    assert ntu_split(name(performer=3), "xsub", 60) == "test"
    assert [ntu_split(name(performer=45), "xsub", classes) for classes in (60, 120)] == ["test", "train"]
    assert [ntu_split(name(performer=performer), "xsub", 60) for performer in (35, 38)] == ["val", "val"]
    assert [ntu_split(name(camera=camera), "xview", 60) for camera in (1, 2, 3)] == ["test", "train", "train"]
    assert ntu_split(name(camera=2, performer=35), "xview", 60) == "val"
    assert ntu_split(name(camera=1, performer=35), "xview", 60) == "test"
    assert [ntu_split(name(setup=setup), "xset", 120) for setup in (1, 2, 31, 32)] == ["test", "train"] * 2
    assert [ntu_split(name(action=action), "oneshot", 120) for action in (1, 2, 115, 116)] == ["test", "train"] * 2
    assert recording("a/S002C003P004R001A120/person_1") == (2, 3, 4, 1, 120)
    with pytest.raises(InputError, match="clip waving is not named as NTU"):
        recording("waving")


@pytest.mark.parametrize(("split", "classes"), [("xview", 120), ("xset", 60), ("oneshot", 60)])
def test_a_benchmark_of_other_classes_is_refused(split, classes) -> None:
    with pytest.raises(InputError, match=f"{split} is defined for"):
        check_benchmark(split, classes)
    check_benchmark(split, 180 - classes)
