"""Rows of a comparison that was cut off: kept by what they were computed from, whatever the interruption left."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from hummuss import InputError
from hummuss.evaluation import kept_rows
from hummuss.evaluation.kept_rows import KeptRows, digest

ROWS = [{"seed": 0, "mpjpe_mm": 51.25, "norm": None, "masked": True}, {"seed": 1, "mpjpe_mm": 0.1 + 0.2}]


def computing(done: list[int]) -> Iterator[dict[str, Any]]:
    for number, row in enumerate(ROWS):
        done.append(number)
        yield row


def test_rows_are_computed_once_for_what_they_are_of(tmp_path: Path) -> None:
    path, done = tmp_path / "new" / "a.partial.jsonl", []
    first = KeptRows(path)
    assert first.pieces == 0
    assert list(first.rows({"run": "a"}, computing(done))) == ROWS
    again = KeptRows(path)
    assert again.pieces == 1
    assert list(again.rows({"run": "a"}, computing(done))) == ROWS
    assert done == [0, 1]
    assert list(again.rows({"run": "b"}, computing(done))) == ROWS
    assert done == [0, 1, 0, 1]
    again.finish()
    assert not path.exists()


def test_what_another_comparison_left_stays(tmp_path: Path) -> None:
    path, done = tmp_path / "a.partial.jsonl", []
    list(KeptRows(path).rows({"run": "a"}, computing([])))
    other = KeptRows(path)
    list(other.rows({"run": "b"}, computing([])))
    other.finish()
    assert list(KeptRows(path).rows({"run": "a"}, computing(done))) == ROWS
    assert done == []


def test_other_code_computes_anew(tmp_path: Path, monkeypatch) -> None:
    path, done = tmp_path / "a.partial.jsonl", []
    list(KeptRows(path).rows({}, computing(done)))
    for what, now in ((f"{kept_rows.__name__}.code_hash", lambda *parts: "another"), ("torch.__version__", "3.0.0")):
        monkeypatch.setattr(what, now)
        later = KeptRows(path)
        assert later.outdated == later.pieces
        list(later.rows({}, computing(done)))
    assert done == [0, 1] * 3


def test_what_was_not_finished_is_computed_anew(tmp_path: Path) -> None:
    path, done = tmp_path / "a.partial.jsonl", []
    kept = KeptRows(path)
    list(kept.rows({"run": "a"}, computing(done)))
    next(kept.rows({"run": "b"}, computing(done)))
    assert KeptRows(path).pieces == 1
    whole = path.stat().st_size
    list(kept.rows({"run": "b"}, computing(done)))
    os.truncate(path, path.stat().st_size - 1)  # its line is not ended
    done.clear()
    torn = KeptRows(path)
    assert torn.pieces == 1
    assert path.stat().st_size == whole
    assert list(torn.rows({"run": "b"}, computing(done))) == ROWS
    assert done == [0, 1]
    assert KeptRows(path).pieces == 2


@pytest.mark.parametrize("line", ["{", "[1]", "{}", "null"])
def test_what_is_no_line_of_rows_ends_the_file(tmp_path: Path, line: str) -> None:
    path = tmp_path / "a.partial.jsonl"
    list(KeptRows(path).rows({"run": "a"}, computing([])))
    with open(path, "a") as file:
        file.write(f"{line}\n")
    assert KeptRows(path).pieces == 1
    assert len(path.read_text().splitlines()) == 1


def refuse() -> None:
    raise PermissionError(13, "no")


def test_a_file_that_cannot_be_read_or_written_is_named(tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "a").write_text("")
    (tmp_path / "b").mkdir()
    path = tmp_path / "b" / "c.jsonl"
    list(KeptRows(path).rows({}, computing([])))
    monkeypatch.setattr(KeptRows, "_read", lambda self, path: refuse())
    with pytest.raises(InputError, match=r"c\.jsonl cannot be gone on with \(no\): move it away"):
        KeptRows(path)
    with pytest.raises(InputError, match=r"a/b\.jsonl could not be written \(.*\): make room, or give another --out"):
        list(KeptRows(tmp_path / "a" / "b.jsonl").rows({}, computing([])))


def test_without_a_file_nothing_is_kept() -> None:
    done: list[int] = []
    kept = KeptRows()
    assert list(kept.rows({}, computing(done))) == list(kept.rows({}, computing(done))) == ROWS
    assert done == [0, 1, 0, 1]
    kept.finish()


def test_digests_tell_values_shapes_and_types_apart() -> None:
    one = torch.arange(6.0)
    others = [[one.flip(0)], [one.view(2, 3)], [one.double()], [one[:3], one[3:]], [one, one]]
    found = {digest([one]), *map(digest, others)}
    assert len(found) == 6
    assert digest([one.view(2, 3).T.contiguous()]) == digest([one.view(2, 3).T])
