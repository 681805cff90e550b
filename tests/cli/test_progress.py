"""Progress where there is no terminal: whole lines, now and then."""

import io
import time

import pytest
from rich.console import Console

from hummuss.cli.progress import progress


@pytest.fixture
def clock(monkeypatch) -> list[float]:
    """Seconds, set by the test."""
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    return now


def test_a_log_gets_a_line_every_so_often_and_the_last(clock) -> None:
    out = io.StringIO()
    with progress(Console(file=out, width=20), "preparing cmu", 7, done=2, every=10.0) as advance:
        for seconds in (4, 5, 2, 10, 1):
            clock[0] += seconds
            advance(1)
    lines = out.getvalue().splitlines()
    assert lines == [
        "preparing cmu: 5 of 7 after 11 s",
        "preparing cmu: 6 of 7 after 21 s",
        "preparing cmu: 7 of 7 after 22 s",
    ]


def test_bytes_are_shown_as_megabytes(clock) -> None:
    out = io.StringIO()
    with progress(Console(file=out), "fetching", 3_000_000, data=True, every=10.0) as advance:
        clock[0] += 12
        advance(1_500_000)
    assert out.getvalue() == "fetching: 1.5 of 3.0 MB after 12 s\n"


def test_a_terminal_gets_a_bar() -> None:
    out = io.StringIO()
    with progress(Console(file=out, force_terminal=True, width=80), "preparing cmu", 4, done=1) as advance:
        advance(2)
    assert "3/4" in out.getvalue()
