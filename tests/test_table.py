"""One table, printed and in three files."""

import csv
import json
import math

import pytest

from hummuss.protocols import Result, Row
from hummuss.table import ResultTable


@pytest.fixture
def table() -> ResultTable:
    def rows(shift: float) -> list[Row]:
        return [
            Row("Walking", {"accel": 1.25 + shift, "mpjpe": 40.06 + shift}, 8),
            Row("mean", {"accel": math.nan, "mpjpe": 50.0 + shift}, 20, ""),
        ]

    results = {"pose": {"model": Result(rows(0), notes=["fps 25"]), "mean_pose": Result(rows(100), notes=["fps 25"])}}
    return ResultTable("Test of runs/a/1", {"dataset": "h36m", "checkpoint": None, "selected_on_test": "yes"}, results)


def test_markdown_has_facts_notes_rows_and_pictures(table, tmp_path) -> None:
    table.write(tmp_path / "test", [tmp_path / "test_pose_joints.png"])
    lines = (tmp_path / "test.md").read_text().splitlines()
    assert lines[0] == "# Test of runs/a/1"
    assert {"- dataset: h36m", "- checkpoint: -", "- selected on test: yes"} <= set(lines)
    assert lines.count("- fps 25") == 1
    start = lines.index("## pose") + 2
    assert lines[start : start + 6] == [
        "| part | model | frames | mpjpe (mm) | accel (m/s²) |",
        "|---|---|---:|---:|---:|",
        "| Walking | model | 8 | 40.1 | 1.2 |",
        "| Walking | mean pose | 8 | 140.1 | 101.2 |",
        "| mean | model | 20 | 50.0 | - |",
        "| mean | mean pose | 20 | 150.0 | - |",
    ]
    assert lines[-1] == "![test pose joints](test_pose_joints.png)"


def test_csv_rows_stand_on_their_own(table, tmp_path) -> None:
    table.write(tmp_path / "test", [])
    with open(tmp_path / "test.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 4
    assert rows[0] == {
        "head": "pose", "model": "model", "part": "Walking", "frames": "8", "accel (m/s²)": "1.25",
        "mpjpe (mm)": "40.06", "dataset": "h36m", "checkpoint": "", "selected_on_test": "yes",
    }  # fmt: skip
    assert rows[1]["accel (m/s²)"] == ""


def test_json_has_nulls_for_what_was_not_scored(table, tmp_path) -> None:
    table.write(tmp_path / "test", [])
    whole = json.loads((tmp_path / "test.json").read_text(), parse_constant=lambda name: pytest.fail(name))
    assert whole["facts"] == table.facts
    assert whole["notes"] == ["fps 25"]
    assert whole["rows"][1]["figures"] == {"accel": None, "mpjpe": 50.0}


def test_printed_figures_are_not_cut_where_there_is_no_terminal(table, capsys) -> None:
    table.print()
    text = capsys.readouterr().out
    for piece in ("Walking", "mean pose", "140.1", "dataset: h36m", "selected on test: yes", "fps 25"):
        assert piece in text
    assert "…" not in text
