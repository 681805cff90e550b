"""What all comparisons of runs have in common on the command line."""

import csv
from pathlib import Path

import numpy as np
import pytest

from hummuss import InputError
from hummuss.cli.main import main
from hummuss.cli.pages import write_rows
from hummuss.data import MixtureDataModule, MotionClip, StoreDataModule, StoreWriter
from hummuss.evaluation.moments import datasets


@pytest.mark.parametrize(
    ("kind", "option", "value", "least"),
    [("framerate", "--windows", "0", 1), ("long", "--clips", "-1", 1), ("long", "--lengths", "x", 1),
     ("framerate", "--frames", "2", 3)],
)  # fmt: skip
def test_numbers_that_make_no_sense_are_refused_by_name(kind, option, value, least, capsys) -> None:
    with pytest.raises(SystemExit):
        main(["eval", kind, "--config", "a.yaml", "--ckpt", "a", option, value])
    assert f"argument {option}: {value} is no whole number from {least} on" in capsys.readouterr().err


def test_a_table_that_cannot_be_written_leaves_the_old_one(tmp_path: Path) -> None:
    write_rows(tmp_path / "a.csv", ("x",), [{"x": 1}])
    with pytest.raises(ValueError, match="fields not in fieldnames"):
        write_rows(tmp_path / "a.csv", ("x",), [{"x": 2}, {"y": 3}])
    with open(tmp_path / "a.csv", newline="") as file:
        assert list(csv.DictReader(file)) == [{"x": "1"}]
    with pytest.raises(InputError, match=r"a\.csv/b\.csv could not be written .* make room, or name another place"):
        write_rows(tmp_path / "a.csv" / "b.csv", ("x",), [{"x": 1}])


def test_groups_that_are_reported_apart_are_so_in_a_mixture_too(tmp_path: Path) -> None:
    with StoreWriter(tmp_path) as writer:
        for name in ("asf-amc/a", "bvh-daz/b"):
            joints = np.random.default_rng(0).normal(size=(9, 17, 3)).astype(np.float32)
            writer.add(MotionClip(name=name, sequence=name, subject="1", split="test", fps=50.0, joints3d=joints))
    store = StoreDataModule(tmp_path, test_groups={"asf-amc": "asf-amc/*", "bvh-daz": "bvh-daz/*"})
    for data in (store, MixtureDataModule({"one": store}, {"one": 1.0})):
        found = {name: [source.name for source in sources] for name, sources in datasets(data, "test").items()}
        assert list(found.values()) == [["asf-amc/a"], ["bvh-daz/b"]]
        assert [name.endswith("-test-daz") for name in found] == [False, True]
