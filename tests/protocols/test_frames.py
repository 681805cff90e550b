"""Figures by frame and spreads of errors, against direct computation."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hummuss.metrics import MPJPE, AccelerationError
from hummuss.protocols.frames import FrameFigures, official_rows
from hummuss.protocols.spread import ErrorSpread


def test_hidden_joints_and_runs_of_frames_weigh_as_in_the_metric() -> None:
    generator = torch.Generator().manual_seed(0)
    target = torch.randn(3, 7, 17, 3, generator=generator)
    arguments = {
        "predicted": target + torch.randn(target.shape, generator=generator), "target": target,
        "valid": torch.rand(3, 7, generator=generator) < 0.9,
        "visible": torch.rand(3, 7, 17, generator=generator) < 0.8,
        "dt": torch.full((3, 7), 0.02),
    }  # fmt: skip
    kinds = {"mpjpe": MPJPE(), "accel": AccelerationError()}
    figures = FrameFigures(kinds)
    figures.update(torch.tensor([4, 5, 6]), torch.arange(7).expand(3, 7), **arguments)
    frames = figures.frames()
    for name, metric in kinds.items():
        metric.update(**metric._filter_kwargs(**arguments))
        assert frames.means()[name] == pytest.approx(metric.compute().item(), rel=1e-6)
    accelerated = frames.frame[frames.counts["accel"] > 0]
    assert accelerated.min() == 2, "a figure over three frames belongs to the last"
    assert np.isnan(frames.means(frames.clip == 99)["mpjpe"])
    again = frames.means(frames.clip == 5)["mpjpe"]
    alone = MPJPE()
    alone.update(**{k: v[1:2] for k, v in arguments.items() if k != "dt"})
    assert again == pytest.approx(alone.compute().item(), rel=1e-6)


def test_a_nan_in_what_counts_shows() -> None:
    figures = FrameFigures({"mpjpe": MPJPE()})
    predicted = torch.zeros(1, 2, 17, 3)
    predicted[0, 1, 3] = torch.nan
    frame = torch.arange(2)[None]
    figures.update(torch.tensor([0]), frame, predicted=predicted, target=torch.zeros(1, 2, 17, 3))
    frames = figures.frames()
    assert np.isnan(frames.means()["mpjpe"])
    assert frames.means(frames.frame == 0)["mpjpe"] == 0


def test_official_rows_are_in_the_official_order() -> None:
    figures = FrameFigures({"mpjpe": MPJPE()})
    predicted = torch.zeros(2, 2, 17, 3)
    predicted[1, :, :, 0] = 0.1
    figures.update(torch.tensor([0, 1]), torch.arange(2).expand(2, 2), predicted=predicted, target=0 * predicted)
    rows = official_rows("p", figures.frames(), ["late", "early"], ["early", "late"], "mean", "")
    assert [(row.part, round(row.figures["mpjpe"], 3), row.count, row.log) for row in rows] == [
        ("early", 100.0, 2, None), ("late", 0.0, 2, None), ("mean", 50.0, 4, ""),
    ]  # fmt: skip


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(0, 600, width=32), min_size=1, max_size=60), st.integers(0, 59))
def test_spread_against_numpy(errors: list[float], cut: int) -> None:
    spread = ErrorSpread(["a", "b"])
    for part in (errors[:cut], errors[cut:]):
        spread.update(torch.tensor(part), torch.ones(len(part), dtype=torch.long))
    bars, curve = spread.bars(), spread.curve()
    assert set(bars) == {"b"}
    assert bars["b"].mean == pytest.approx(np.mean(errors), rel=1e-5, abs=1e-9)
    for threshold in (0.0, 5.0, 150.0, 300.0, 500.0):
        assert curve[threshold] == pytest.approx(100 * np.mean(np.array(errors) < threshold), abs=1e-4)
    assert all(later >= earlier for earlier, later in pairwise(curve.values()))
    if any(errors):
        for share, found in ((0.25, bars["b"].low), (0.75, bars["b"].high)):
            exact = np.quantile(np.array(errors).clip(0, 500), share, method="inverted_cdf")
            assert abs(found - exact) <= 5.01, "within a step"


def test_no_errors_no_pictures() -> None:
    spread = ErrorSpread(["a"])
    spread.update(torch.zeros(0), torch.zeros(0, dtype=torch.long))
    assert (spread.bars(), spread.curve()) == ({}, {})


def test_a_single_frame_and_a_single_part() -> None:
    """torchmetrics makes scalars of results with one entry."""
    figures = FrameFigures({"mpjpe": MPJPE()})
    target = torch.zeros(1, 1, 17, 3)
    figures.update(torch.tensor([3]), torch.tensor([[5]]), predicted=target + 0.1, target=target)
    frames = figures.frames()
    assert (frames.clip.tolist(), frames.frame.tolist()) == ([3], [5])
    spread = ErrorSpread(["all"])
    spread.update(torch.tensor([12.0]), torch.tensor([0]))
    assert spread.bars()["all"].mean == 12
