"""What the benchmark of speed times and counts. No time is asserted."""

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest
import torch

from hummuss import InputError
from hummuss.backbones.ssm import DiagonalSSM
from hummuss.evaluation import speed, speed_process
from hummuss.evaluation.floor import Rates, work_of
from hummuss.evaluation.speed import BASE, BASELINE, CAUSAL, EVEN, IRREGULAR, Entry, Setting

HERE = ("cpu", "32")


@pytest.fixture(autouse=True)
def small(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Models that take no time; a byte takes a microsecond to move, and products none."""
    if "sizes" not in request.node.name:
        for name, value in {"DIM": 16, "DEPTH": 2, "DIM_REP": 16, "WINDOW": 9}.items():
            monkeypatch.setattr(speed, name, value)
    monkeypatch.setattr(speed, "measure_rates", lambda *_: Rates(operations=1e30, bytes=1e6))


def measured(mode: str, *entries: Entry) -> list[speed.Row]:
    costs = {entry: speed.entry_cost(entry, 12, "cpu") for entry in entries}
    return speed.measure(entries, Setting(mode, 12, 2, *HERE), costs, 0.0)


@pytest.mark.parametrize(("mode", "keeps"), [("infer", True), ("train", False)])
def test_the_floor_is_that_of_a_run_such_as_those_timed(mode: str, keeps: bool) -> None:
    run = speed.make_run(Entry(BASE), Setting(mode, 12, 2, *HERE))
    cold, warm, again = (work_of(run) for _ in range(3))
    assert warm == again
    assert (cold.bytes > warm.bytes) == keeps  # inference keeps its kernels; a train step makes its own every time
    (row,) = measured(mode, Entry(BASE))
    assert row["floor_ms"] == pytest.approx(warm.bytes / 1e3, abs=0.01)
    assert "work" not in row


def test_the_floor_of_streaming_is_that_of_a_frame_in_mid_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(speed_process, "_afresh", speed_process._find)
    backbone = speed.build(CAUSAL, 1).eval()
    state, keypoints, dt = [backbone.init_state(1)], torch.rand(1, 17, 3), torch.full((1,), 1 / 50)

    def advance() -> None:
        with torch.inference_mode():
            state[0] = backbone.step(keypoints, dt, state[0])[1]

    cold, warm = work_of(advance), work_of(advance)
    assert cold.bytes > warm.bytes
    few, many, attention = speed_process.stream_afresh(12, "cpu")
    assert few["floor_ms"] == many["floor_ms"] == pytest.approx(warm.bytes / 1e3, abs=0.01)
    window = work_of(speed.make_run(Entry(BASELINE), Setting("infer", 9, 1, *HERE)))
    assert attention["floor_ms"] == pytest.approx(window.bytes / 1e3, abs=0.01)
    assert [(row["model"], row["frames"]) for row in (few, many, attention)] == [
        (CAUSAL, 10),
        (CAUSAL, 12),
        (BASELINE, 9),
    ]


def rates(events: list[str]) -> Iterator[Rates]:
    """What a machine reaches that is busy first with one, then with the other."""
    for found in (Rates(operations=1e30, bytes=1e6), Rates(operations=1.0, bytes=4e6)):
        events.append("rates")
        yield found


def test_rates_are_the_best_of_before_and_after_the_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    events: list[str] = []
    found = rates(events)
    monkeypatch.setattr(speed, "measure_rates", lambda *_: next(found))
    monkeypatch.setattr(speed, "_timed", lambda *_: events.append("run") or 1.0)
    (row,) = measured("infer", Entry(BASELINE))
    assert events == ["rates", "run", "run", "run", "rates"]
    work = work_of(speed.make_run(Entry(BASELINE), Setting("infer", 12, 2, *HERE)))
    assert row["floor_ms"] == pytest.approx(work.bytes / 4e3, abs=0.01)


def test_rates_are_the_best_of_before_and_after_streaming(monkeypatch: pytest.MonkeyPatch) -> None:
    events: list[str] = []
    found = rates(events)
    monkeypatch.setattr(speed, "measure_rates", lambda *_: next(found))
    monkeypatch.setattr(
        speed_process, "_afresh", lambda *_: events.append("stream") or [{"frames": 10, "work": [1e3, 1e6]}]
    )
    assert speed_process.stream_afresh(12, "cpu") == [{"frames": 10, "floor_ms": 250.0}]
    assert events == ["rates", "stream", "rates"]


@pytest.mark.parametrize(("slowest", "rounds"), [(9.9, 3), (10.0, 2)])
def test_slow_runs_have_fewer_rounds(monkeypatch: pytest.MonkeyPatch, slowest: float, rounds: int) -> None:
    times, seen = {Entry(BASE): 1.0, Entry(CAUSAL): 2.0, Entry(BASELINE): slowest}, []

    def make_run(entry: Entry, _setting: Setting) -> Callable[[], Entry]:
        return lambda: entry

    def timed(run: Callable[[], Entry], _device: str) -> float:
        seen.append(run())
        return times[seen[-1]]

    monkeypatch.setattr(speed, "make_run", make_run)
    monkeypatch.setattr(speed, "_timed", timed)
    rows = measured("infer", *times)
    assert [(row["ms_median"], row["rounds"]) for row in rows] == [(1e3 * took, rounds) for took in times.values()]
    orders = [tuple(seen[first : first + 3]) for first in range(0, len(seen), 3)]
    assert all(set(order) == set(times) for order in orders)
    assert len(set(orders)) > 1  # drawn anew: none always follows the same one


def test_irregular_intervals_are_scanned_along_time(monkeypatch: pytest.MonkeyPatch) -> None:
    scanned: list[torch.Tensor] = []
    scan = DiagonalSSM._scan
    monkeypatch.setattr(DiagonalSSM, "_scan", lambda self, u, dt, size: scanned.append(dt) or scan(self, u, dt, size))
    setting = Setting("infer", 12, 2, *HERE)
    speed.make_run(Entry(BASE, EVEN), setting)()
    assert scanned == []
    speed.make_run(Entry(BASE, IRREGULAR), setting)()
    assert scanned
    dt = speed.make_intervals(IRREGULAR, 3, 400)
    assert torch.equal(dt, speed.make_intervals(IRREGULAR, 3, 400))  # every process measures the same
    assert 0.01 <= dt.min() < 0.011
    assert 0.029 < dt.max() <= 0.03
    assert not torch.equal(dt[0], dt[1])


def test_sizes_are_those_compared_with_motionbert_lite() -> None:
    sizes = {name: sum(p.numel() for p in speed.build(name, 27).parameters()) for name in speed.MODELS}
    assert sizes["hummuss-base"] == sizes["hummuss-e1"] == 6253322
    assert sizes["hummuss-e1"] < sizes["hummuss-e2"] < sizes["hummuss-e3"] < sizes["hummuss-e4"]
    assert sizes["dstformer-lite"] == 16000010


def test_peak_memory_is_that_of_a_process_of_its_own() -> None:
    peak = speed_process.peak_memory(Entry(BASE, IRREGULAR), Setting("train", 2, 1, *HERE))
    assert peak is not None
    assert 20 < peak < 1500  # at least the 25 MB of parameters


def test_a_run_for_which_there_is_no_room_ends_by_itself() -> None:
    code = (
        "from hummuss.evaluation import speed_process as p; p.free_bytes = lambda device: 200_000_000; "
        "print([p._peak('hummuss-base', 'even', 'train', frames, '1', 'cpu', '32') for frames in ('2', '243')])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    fits, too_large = found.strip("[]\n").split(", ")
    assert 20 < float(fits) < 200
    assert too_large == "None"


def test_a_run_that_the_system_ends_had_no_room(monkeypatch: pytest.MonkeyPatch) -> None:
    def ended(by: int) -> Callable[..., str]:
        return lambda *_: subprocess.check_output([sys.executable, "-c", f"import os; os.kill(os.getpid(), {by})"])

    monkeypatch.setattr(speed_process, "_afresh", ended(signal.SIGKILL))
    assert speed_process.peak_memory(Entry(BASE), Setting("train", 2, 1, *HERE)) is None
    monkeypatch.setattr(speed_process, "_afresh", ended(signal.SIGABRT))
    with pytest.raises(subprocess.CalledProcessError, match="SIGABRT"):
        speed_process.peak_memory(Entry(BASE), Setting("train", 2, 1, *HERE))


def test_unknown_models_are_refused() -> None:
    with pytest.raises(InputError, match="no model 'hummus': choose from hummuss-base"):
        speed.build("hummus", 27)
