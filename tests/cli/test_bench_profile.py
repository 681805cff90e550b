"""The profile of the backbones: operators add up to the run, and the page names the longest. No time is asserted."""

import csv
from pathlib import Path

import pytest

from hummuss.cli.bench_profile import page
from hummuss.cli.main import main
from hummuss.evaluation import speed
from hummuss.evaluation.operators import OUTSIDE, OperatorRow


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"DIM": 16, "DEPTH": 1, "DIM_REP": 16}.items():
        monkeypatch.setattr(speed, name, value)


def test_operators_add_up_to_their_run(tmp_path: Path, small: None) -> None:
    out = tmp_path / "profile"
    assert main(["bench", "profile", "--out", str(out), "--frames", "9", "--clips", "2", "--device", "cpu"]) == 0
    with open(out.with_suffix(".csv"), newline="") as file:
        rows = [row for row in csv.DictReader(file)]
    runs = dict.fromkeys((row["mode"], row["model"], row["intervals"]) for row in rows)
    assert list(runs) == [
        (mode, *entry)
        for mode in ("train", "infer")
        for entry in (("hummuss-base", "even"), ("hummuss-base", "irregular"), ("dstformer-lite", "even"))
    ]
    for run in runs:
        own = [row for row in rows if (row["mode"], row["model"], row["intervals"]) == run]
        assert sum(float(row["ms"]) for row in own) == pytest.approx(float(own[0]["run_ms"]), rel=0.01)
        (outside,) = [float(row["ms"]) for row in own if row["operator"] == OUTSIDE]
        assert 0 < outside < 0.98 * float(own[0]["run_ms"]), "operators have a share of it, and Python"
        assert {row["operator"] for row in own} & {"aten::mm", "aten::addmm", "aten::bmm"}
        assert any("scaled_dot_product" in row["operator"] for row in own) == (run[1] == "dstformer-lite")
        assert any("Backward" in row["operator"] for row in own) == (run[0] == "train")
    text = out.with_suffix(".md").read_text()
    assert "## Train step, 2 x 9 frames" in text
    assert "## Inference, 2 x 9 frames" in text


def test_the_page_shows_the_longest_and_adds_up_the_others() -> None:
    def rows(model: str, times: dict[str, float], whole: float) -> list[OperatorRow]:
        place = (model, "even", "infer", 9, 1, "32", "a processor")
        ordered = sorted(times.items(), key=lambda item: -item[1])
        return [OperatorRow(*place, name, 3, ms, whole) for name, ms in ordered]

    many = {f"op{number}": 10.0 - number for number in range(8)}
    text = page(rows("hummuss-base", many | {"few": 0.5, OUTSIDE: 0.25}, 52.75) + rows("b", {"few": 9.5}, 9.5), "p")
    body = [line.split(" | ") for line in text.splitlines() if line.startswith("| ")]
    assert body[0] == ["| operator", "hummuss-base, even", "b, even |"]
    assert body[1] == ["| op0", "10.0 (3)", "- |"]
    assert ["| few", "0.5 (3)", "9.5 (3) |"] in body  # named for one, shown for both
    assert body[-2:] == [["| all others", "0.2", "0.0 |"], ["| **all**", "**52.8**", "**9.5** |"]]
