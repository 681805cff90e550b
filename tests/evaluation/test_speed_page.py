"""The page of the benchmark of speed: what its notes say of made-up rows."""

from pathlib import Path

import pytest

from hummuss.evaluation import speed_page
from hummuss.evaluation.speed import default_clips
from hummuss.evaluation.speed_page import write_page


def row(model: str, frames: int, ms: float, **others: str) -> dict[str, str]:
    figures = {"params": "6253322", "multiply_adds_per_frame": "99856450", "ms_median": str(ms), "ms_min": str(ms)}
    rest = {"rounds": "3", "floor_ms": "1.5", "peak_mb": "", "ratio_to_dstformer": "", "state_bytes": "", "commit": "c"}
    place = {"device": "NVIDIA", "threads": "1", "precision": "32"}
    cell = {"model": model, "mode": "infer", "intervals": "even", "frames": str(frames)}
    return figures | rest | place | cell | {"batch": str(default_clips(frames))} | others


def page_of(folder: Path, *rows: dict[str, str]) -> str:
    write_page(folder / "speed", rows)
    assert (folder / "speed.png").stat().st_size > 0
    return (folder / "speed.md").read_text()


def test_slopes_are_told_of_either_kind_of_intervals(tmp_path: Path) -> None:
    page = page_of(
        tmp_path,
        row("hummuss-base", 27, 1.0),
        row("hummuss-base", 243, 10.0),
        row("hummuss-base", 2430, 100.0),
        row("hummuss-base", 24300, 100.0 * 10**1.2),
        row("hummuss-base", 243, 10.0, intervals="irregular", peak_mb="100"),
        row("hummuss-base", 2430, 200.0, intervals="irregular", peak_mb="900"),
        row("hummuss-base", 24300, 5000.0, intervals="irregular"),  # whose memory is not known
        row("hummuss-base", 243, 10.0, mode="train"),
    )
    assert [line for line in page.splitlines() if "slopes of hummuss-base" in line] == [
        "- infer, even intervals, log-log slopes of hummuss-base: time 1.10 from 243 to 24300 frames",
        "- infer, irregular intervals, log-log slopes of hummuss-base: time 1.35 from 243 to 24300 frames **no**; "
        "peak memory 0.95 from 243 to 2430 frames",
    ]


def test_the_same_model_measured_twice_shows_the_noise(tmp_path: Path) -> None:
    rows = [row("hummuss-base", 27, 10.0), row("hummuss-e1", 27, 8.0), row("hummuss-base", 81, 10.0)]
    far = row("hummuss-base", 27, 90.0, intervals="irregular")
    assert "hummuss-base and hummuss-e1, one model, are up to 25 % apart in time" in page_of(tmp_path, *rows, far)
    assert "apart in time" not in page_of(tmp_path, *rows[1:])
    assert "apart in time" not in page_of(tmp_path, rows[0], rows[1] | {"commit": "later"})


def test_targets_are_judged_by_time_and_by_memory(tmp_path: Path) -> None:
    page = page_of(
        tmp_path,
        row("hummuss-base", 81, 1.0, ratio_to_dstformer="1.0", peak_mb="120"),
        row("hummuss-base", 243, 1.0, ratio_to_dstformer="1.49", peak_mb="121"),
        row("hummuss-base", 2187, 1.0, ratio_to_dstformer="3.5"),
        row("hummuss-base", 8192, 1.0, peak_mb="121"),
        row("hummuss-base", 243, 1.0, ratio_to_dstformer="", peak_mb="130", intervals="irregular"),
        row("hummuss-e4", 243, 1.0, ratio_to_dstformer="9.0", peak_mb="1"),
        *(row("dstformer-lite", frames, 1.0, ratio_to_dstformer="1.0", peak_mb="100") for frames in (81, 243)),
        row("dstformer-lite", 2187, 1.0, ratio_to_dstformer="1.0"),
    )
    assert [line for line in page.splitlines() if "hummuss-base: times" in line] == [
        "- infer, even intervals, hummuss-base: times as quick as attention: 1.0 at 81, 1.49 at 243 **no**, "
        "3.5 at 2187, not measured in the same rounds at 27, 729; times its memory: 1.20 at 81, 1.21 at 243 **no**",
        "- infer, irregular intervals, hummuss-base: times its memory: 1.30 at 243 **no**",
    ]
    assert "at least 1, 1, 1.5, 2 and 3.5 times as quick as attention at 27, 81, 243, 729 and 2187 frames" in page


def test_gaps_beside_attention_are_named(tmp_path: Path) -> None:
    page = page_of(
        tmp_path,
        *(row(model, 27, 1.0) for model in ("hummuss-base", "hummuss-e4", "dstformer-lite")),
        row("hummuss-base", 27, 1.0, intervals="irregular"),
        *(row(model, 81, 1.0) for model in ("hummuss-base", "dstformer-lite")),
        row("hummuss-base", 8192, 1.0),
    )
    gaps = [line for line in page.splitlines() if "not measured" in line]
    assert gaps == ["- infer: not measured at 81 frames: hummuss-e4, hummuss-base irregular"]


@pytest.mark.parametrize(
    ("column", "values", "titles"),
    [
        ("threads", ("1", "8"), ["## NVIDIA, 1 threads, 32 bit, commit c", "## NVIDIA, 8 threads, 32 bit, commit c"]),
        (
            "precision",
            ("32", "bf16"),
            ["## NVIDIA, 1 threads, 32 bit, commit c", "## NVIDIA, 1 threads, bf16, commit c"],
        ),
        (
            "batch",
            ("9", "16"),  # 9 clips of 27 frames are the 243 that are the default
            ["## NVIDIA, 1 threads, 32 bit, commit c", "## NVIDIA, 1 threads, 32 bit, batches of 16, commit c"],
        ),
    ],
)
def test_every_place_has_a_section_and_panels(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, column: str, values: tuple[str, str], titles: list[str]
) -> None:
    drawn: list[list[dict[str, str]]] = []
    panel = speed_page._panel
    monkeypatch.setattr(speed_page, "_panel", lambda axes, rows: drawn.append(rows) or panel(axes, rows))
    rows = [row("hummuss-base", 27, 1.25 + number, **{column: value}) for number, value in enumerate(values)]
    page = page_of(tmp_path, *rows)
    assert [line for line in page.splitlines() if line.startswith("## ")] == titles
    assert [page.count(f"| {ms} | {ms} | 3 |") for ms in ("1.25", "2.25")] == [1, 1]
    assert drawn == [[], rows[:1], [], rows[1:]]  # no line joins what was measured at two places
