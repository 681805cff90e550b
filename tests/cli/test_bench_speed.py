"""`hummuss bench speed`: what is measured, and what becomes of the table. No time is asserted."""

import csv
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from hummuss.cli import bench_speed
from hummuss.cli.main import main
from hummuss.cli.messages import INTERRUPTED
from hummuss.evaluation import speed, speed_process
from hummuss.evaluation.floor import Rates
from hummuss.evaluation.speed import EVEN, IRREGULAR, MODELS, Entry, Row, Setting
from hummuss.provenance import processor_name

OLD = """\
model,params,multiply_adds_per_frame,mode,frames,batch,device,threads,precision,ms_median,ms_min,rounds,floor_ms,\
peak_mb,ratio_to_dstformer,state_bytes,commit
hummuss-base,6253322,99856450,infer,27,9,"x86_64 CPU, 1 threads",1,32,794.34,782.2,8,511.03,144.0,2.21,,old
dstformer-lite,16000010,273544960,infer,27,9,"x86_64 CPU, 1 threads",1,32,1759.23,1757.35,8,1403.17,223.0,1.0,,old
hummuss-causal,5839882,97008640,stream,10,1,"x86_64 CPU, 1 threads",1,32,14.14,13.46,50,4.83,1016,140.29,2785280,old
hummuss-causal,5839882,97008640,stream,999,1,"x86_64 CPU, 1 threads",1,32,14.85,13.89,50,4.83,1016,133.58,2785280,old
"""
TINY = ["--frames", "2", "--longest", "0", "--stream", "0", "--seconds", "0", "--no-memory", "--device", "cpu"]


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Models that take no time, all in this process."""
    for name, value in {"DIM": 16, "DEPTH": 2, "DIM_REP": 16, "WINDOW": 9}.items():
        monkeypatch.setattr(speed, name, value)
    monkeypatch.setattr(speed, "measure_rates", lambda *_: Rates(1e9, 1e9))
    monkeypatch.setattr(speed_process, "_afresh", speed_process._find)


@pytest.fixture
def planned(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Setting, list[Entry]]]:
    """What would be measured; rows are made up, and every peak is 7 MB."""
    asked: list[tuple[Setting, list[Entry]]] = []

    def measure(entries: list[Entry], setting: Setting, costs: dict[Entry, None], seconds: float) -> list[Row]:
        assert set(entries) <= set(costs)
        asked.append((setting, entries))
        return [made_up(entry, setting) for entry in entries]

    monkeypatch.setattr(bench_speed, "measure", measure)
    monkeypatch.setattr(bench_speed, "entry_cost", lambda *_: None)
    monkeypatch.setattr(bench_speed, "peak_memory", lambda *_: 7)
    monkeypatch.setattr(bench_speed, "stream_afresh", lambda *_: [])
    return asked


def made_up(entry: Entry, setting: Setting) -> Row:
    figures = {"params": 1, "multiply_adds_per_frame": 1, "ms_median": 2.0, "ms_min": 1.0, "rounds": 2, "floor_ms": 0.5}
    place = {"device": "x86_64 CPU, 1 threads", "threads": 1}
    return entry._asdict() | setting._asdict() | figures | place | {"ratio_to_dstformer": 1.0}


def rows_of(out: Path) -> list[dict[str, str]]:
    with open(out.with_suffix(".csv"), newline="") as file:
        return list(csv.DictReader(file))


def test_rows_are_complete_and_replaced(tmp_path: Path, small: None) -> None:
    out = tmp_path / "speed"
    command = ["bench", "speed", "--out", str(out), *TINY, "--modes", "infer"]
    command += ["--models", "hummuss-base", "dstformer-lite"]
    assert main([*command, "--stream", "12"]) == 0
    assert main([*command, "--stream", "0"]) == 0
    rows = rows_of(out)
    cells = [(row["model"], row["mode"], row["intervals"], row["frames"]) for row in rows]
    assert cells == [
        ("hummuss-base", "infer", "even", "2"),
        ("hummuss-base", "infer", "irregular", "2"),
        ("dstformer-lite", "infer", "even", "2"),
        ("dstformer-lite", "stream", "even", "9"),
        ("hummuss-causal", "stream", "even", "10"),
        ("hummuss-causal", "stream", "even", "12"),
    ]
    attention = float(rows[2]["ms_median"])
    for row in rows:
        assert float(row["ms_min"]) <= float(row["ms_median"])
        assert float(row["floor_ms"]) > 0
    for row in rows[:3]:
        assert float(row["ratio_to_dstformer"]) == pytest.approx(attention / float(row["ms_median"]), abs=0.006)
    assert rows[0]["multiply_adds_per_frame"] != rows[1]["multiply_adds_per_frame"]  # a scan is another computation
    assert (rows[0]["batch"], rows[0]["precision"]) == ("121", "32")
    states = {row["state_bytes"] for row in rows if row["model"] == "hummuss-causal"}
    # 4 blocks, 17 joints, 8 channels, 16 modes, two reals of four bytes, however many frames came before
    assert states == {str(4 * 17 * 8 * 16 * 2 * 4)}
    page = out.with_suffix(".md").read_text()
    assert "### Streaming" in page
    assert "| 2 | 121 | hummuss-base | irregular |" in page
    assert out.with_suffix(".png").stat().st_size > 0


def test_without_the_baseline_there_is_no_ratio(tmp_path: Path, small: None) -> None:
    command = ["bench", "speed", "--out", str(tmp_path / "speed"), *TINY, "--modes", "train"]
    assert main([*command, "--models", "hummuss-e2"]) == 0
    assert [(row["model"], row["ratio_to_dstformer"]) for row in rows_of(tmp_path / "speed")] == [("hummuss-e2", "")]


def test_by_default_all_is_measured_in_one_go(tmp_path: Path, planned: list[tuple[Setting, list[Entry]]]) -> None:
    assert main(["bench", "speed", "--out", str(tmp_path / "speed"), "--device", "cpu"]) == 0
    everything = {Entry(model, EVEN) for model in MODELS} | {Entry("hummuss-base", IRREGULAR)}
    found = {(setting.mode, setting.frames): entries for setting, entries in planned}
    assert found.pop(("infer", 8192)) == [Entry("hummuss-base", EVEN)]
    assert set(found) == {(mode, frames) for mode in ("train", "infer") for frames in (27, 81, 243, 729, 2187)}
    assert all(set(entries) == everything for entries in found.values())
    rows = rows_of(tmp_path / "speed")
    assert len(rows) == 2 * 5 * 7 + 1
    assert {row["peak_mb"] for row in rows} == {"7"}
    assert len({row["commit"] for row in rows}) == 1


def test_batches_of_another_size_stand_beside_those_of_the_default(
    tmp_path: Path, planned: list[tuple[Setting, list[Entry]]]
) -> None:
    command = ["bench", "speed", "--out", str(tmp_path / "speed"), "--device", "cpu", "--frames", "81"]
    command += ["--longest", "0", "--modes", "train", "--models", "dstformer-lite"]
    assert main(command) == 0
    assert main([*command, "--clips", "16"]) == 0
    assert [setting.batch for setting, _ in planned] == [3, 16]
    assert [row["batch"] for row in rows_of(tmp_path / "speed")] == ["3", "16"]
    assert "batches of 16" in (tmp_path / "speed.md").read_text()


@pytest.mark.parametrize("options", [["--models", "dstformer-lite"], ["--modes", "train"], ["--longest", "0"]])
def test_the_longest_clip_is_inference_of_the_base_model(
    tmp_path: Path, planned: list[tuple[Setting, list[Entry]]], options: list[str]
) -> None:
    command = ["bench", "speed", "--out", str(tmp_path / "speed"), "--device", "cpu", "--frames", "9"]
    assert main([*command, *options]) == 0
    assert {setting.frames for setting, _ in planned} == {9}


def test_an_interruption_loses_one_length_and_mode(
    tmp_path: Path, planned: list[tuple[Setting, list[Entry]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    measure: Callable[..., list[Row]] = bench_speed.measure

    def interrupted(entries: list[Entry], setting: Setting, *options: object) -> list[Row]:
        if (setting.frames, setting.mode) == (9, "infer"):
            raise KeyboardInterrupt
        return measure(entries, setting, *options)

    monkeypatch.setattr(bench_speed, "measure", interrupted)
    command = ["bench", "speed", "--out", str(tmp_path / "speed"), "--device", "cpu", "--models", "hummuss-e2"]
    assert main([*command, "--frames", "3", "9"]) == INTERRUPTED
    cells = [(row["frames"], row["mode"]) for row in rows_of(tmp_path / "speed")]
    assert cells == [("3", "infer"), ("3", "train"), ("9", "train")]


def test_what_memory_does_not_hold_is_said_and_left_out(
    tmp_path: Path,
    planned: list[tuple[Setting, list[Entry]]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def too_large(entry: Entry, setting: Setting) -> int | None:
        return None if (entry.model, setting.mode, setting.frames) == ("hummuss-e4", "train", 9) else 7

    monkeypatch.setattr(bench_speed, "peak_memory", too_large)
    command = ["bench", "speed", "--out", str(tmp_path / "speed"), "--device", "cpu", "--longest", "0"]
    assert main([*command, "--frames", "3", "9"]) == 0
    assert "train, 9 frames, hummuss-e4, even: no room in memory" in capsys.readouterr().out
    missing = [(row["mode"], row["frames"]) for row in rows_of(tmp_path / "speed") if row["model"] == "hummuss-e4"]
    assert missing == [("infer", "3"), ("infer", "9"), ("train", "3")]
    page = (tmp_path / "speed.md").read_text()
    assert "- train: not measured at 9 frames: hummuss-e4\n" in page
    assert "- infer: not measured" not in page


def test_what_found_no_room_beside_others_on_a_gpu_is_tried_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    entries = [Entry("hummuss-base"), Entry("hummuss-e2"), Entry("hummuss-e4")]
    tried: list[str] = []

    def peak(entry: Entry, setting: Setting) -> int | None:
        tried.append(entry.model)
        crowded = tried.count(entry.model) == 1
        return None if entry.model == "hummuss-e4" or (entry.model == "hummuss-e2" and crowded) else 7

    monkeypatch.setattr(bench_speed, "peak_memory", peak)
    found = bench_speed._peaks(entries, Setting("train", 9, 1, "cuda", "bf16"))
    assert list(found.items()) == list(zip(entries, (7, 7, None), strict=True))
    assert sorted(tried) == ["hummuss-base", *["hummuss-e2"] * 2, *["hummuss-e4"] * 2]


def test_nothing_to_show_is_told(
    tmp_path: Path, planned: list[tuple[Setting, list[Entry]]], capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["bench", "speed", "--out", str(tmp_path / "speed"), "--longest", "0", "--stream", "0", "--frames"]
    assert main(command) == 2
    assert "nothing was measured: give --frames or --stream" in capsys.readouterr().err


def test_rows_without_intervals_are_even_and_replaced(
    tmp_path: Path, planned: list[tuple[Setting, list[Entry]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "speed"
    out.with_suffix(".csv").write_text(OLD)
    command = ["bench", "speed", "--out", str(out), "--device", "cpu", "--longest", "0"]
    command += ["--modes", "infer", "--models", "hummuss-base"]
    streamed = made_up(Entry("hummuss-causal"), Setting("stream", 20, 1, "cpu", "32"))
    monkeypatch.setattr(bench_speed, "stream_afresh", lambda *_: [streamed])
    monkeypatch.setattr(bench_speed, "commit_name", lambda: "new")
    assert main([*command, "--frames", "27", "--stream", "20"]) == 0
    cells = [(row["model"], row["intervals"], row["frames"], row["commit"]) for row in rows_of(out)]
    assert cells == [
        ("hummuss-base", "even", "27", "new"),
        ("hummuss-base", "irregular", "27", "new"),
        ("dstformer-lite", "even", "27", "old"),
        ("hummuss-causal", "even", "20", "new"),  # streaming is one measurement: what it was told at is gone
    ]


def test_numbers_of_threads_stand_side_by_side(tmp_path: Path, small: None, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "speed"
    for count in (2, 1):
        monkeypatch.setattr(torch, "get_num_threads", lambda count=count: count)
        command = ["bench", "speed", "--out", str(out), *TINY, "--modes", "infer", "--models", "dstformer-lite"]
        assert main([*command, "--stream", "11"]) == 0
    counts = [row["threads"] for row in rows_of(out)]
    assert counts == ["1"] * 4 + ["2"] * 4
    page = out.with_suffix(".md").read_text()
    name = processor_name()
    assert page.count(f"## {name}, 1 threads, 32 bit, ") == page.count(f"## {name}, 2 threads, 32 bit, ") == 1
    assert page.count("### Streaming") == 2


def test_numbers_of_threads_beside_one_gpu_are_told_apart(
    tmp_path: Path, planned: list[tuple[Setting, list[Entry]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A GPU's name says nothing of the processor's threads."""
    out = tmp_path / "speed"
    measure: Callable[..., list[Row]] = bench_speed.measure
    for count in (8, 1):
        place = {"device": "NVIDIA", "threads": count}
        monkeypatch.setattr(bench_speed, "measure", lambda *asked, place=place: [r | place for r in measure(*asked)])
        assert main(["bench", "speed", "--out", str(out), *TINY, "--modes", "infer", "--models", "hummuss-e2"]) == 0
    assert [row["threads"] for row in rows_of(out)] == ["1", "8"]
    page = out.with_suffix(".md").read_text()
    assert page.count("## NVIDIA, 1 threads, 32 bit") == page.count("## NVIDIA, 8 threads, 32 bit") == 1


@pytest.mark.parametrize(
    "row",
    [
        "hummuss-base,infer,even,2,,1,1,1,1.0,1.0",
        "hummus,infer,even,2,9,1,1,1,1.0,1.0",
        "hummuss-base,infer,odd,2,9,1,1,1,1.0,1.0",
        "hummuss-base,walk,even,2,9,1,1,1,1.0,1.0",
        "hummuss-base,infer,even,2,9,1,1,1,,1.0",
        "hummuss-base,infer,even,2,9,1,1,1,1.0,nan",
    ],
)
def test_a_damaged_table_is_told_before_anything_is_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], row: str
) -> None:
    for name in ("measure", "entry_cost"):
        monkeypatch.setattr(bench_speed, name, lambda *_: pytest.fail("measured"))
    columns = "model,mode,intervals,frames,batch,threads,params,multiply_adds_per_frame,ms_median,ms_min"
    (tmp_path / "speed.csv").write_text(f"{columns}\n{row}\n")
    assert main(["bench", "speed", "--out", str(tmp_path / "speed"), "--device", "cpu"]) == 2
    assert "speed.csv, row 2 is no measurement of hummuss-causal" in capsys.readouterr().err


@pytest.mark.parametrize("option", ["--frames=-3", "--longest=-1", "--stream=-5", "--frames=2.5"])
def test_counts_below_none_are_refused(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["bench", "speed", option])
    assert "is no whole number from" in capsys.readouterr().err
