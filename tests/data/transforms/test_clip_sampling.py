"""Whole clips in windows: instants and intervals against direct computation, and what must hold for any clip."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hummuss.backbones.intervals import prepare_intervals
from hummuss.data import ClipSampling
from hummuss.errors import InputError


def test_evaluation_takes_the_centres_of_equal_segments() -> None:
    times = np.arange(101) / 25  # 4 s
    [taken] = ClipSampling().evaluation(times, frames=8, max_fps=None)
    centres = np.array([(2 * segment + 1) * 4 / 16 for segment in range(8)])
    np.testing.assert_allclose(taken.times, centres, rtol=1e-12)
    np.testing.assert_allclose(taken.dt, 0.5, rtol=1e-12)
    np.testing.assert_allclose(taken.positions, 25 * centres, rtol=1e-12)
    three = ClipSampling(test_clips=3).evaluation(times, frames=8, max_fps=None)
    for window, place in zip(three, (1 / 6, 3 / 6, 5 / 6), strict=True):
        np.testing.assert_allclose(window.times, 0.5 * (np.arange(8) + place), rtol=1e-12)


def test_a_short_clip_keeps_its_frames_whatever_the_number_of_windows() -> None:
    times = np.array([0.0, 0.1, 0.2, 0.5, 0.6])  # someone was away for a moment
    for sampling in (ClipSampling(), ClipSampling(test_clips=4)):
        [taken] = sampling.evaluation(times, frames=5, max_fps=None)
        np.testing.assert_array_equal(taken.times, times)
        np.testing.assert_allclose(taken.dt, [0.1, 0.1, 0.1, 0.3, 0.1])
    # Of a fast capture, the frames at the base rate.
    [taken] = ClipSampling().evaluation(np.arange(20) / 120, frames=10, max_fps=60.0)
    np.testing.assert_array_equal(taken.positions, np.arange(0, 20, 2))
    np.testing.assert_allclose(taken.dt, 1 / 60)


@given(
    gaps=st.lists(st.floats(1e-3, 0.5), min_size=1, max_size=120),
    start=st.floats(0, 5),
    frames=st.integers(1, 50),
    cover=st.floats(0.05, 1),
    max_fps=st.sampled_from([None, 20.0]),
    seed=st.integers(0, 99),
)
@settings(max_examples=150, deadline=None)
def test_instants_increase_within_the_clip_and_dt_is_their_difference(
    gaps, start, frames, cover, max_fps, seed
) -> None:
    times = start + np.concatenate([[0.0], np.cumsum(gaps)])
    sampling = ClipSampling(cover=(cover, 1.0), test_clips=2)
    windows = [sampling.training(times, frames, max_fps, np.random.default_rng(seed))]
    for taken in (*windows, *sampling.evaluation(times, frames, max_fps)):
        assert 1 <= len(taken.times) <= frames
        assert (np.diff(taken.positions) > 0).all()
        assert taken.times[0] >= times[0] - 1e-9
        assert taken.times[-1] <= times[-1] + 1e-9
        np.testing.assert_allclose(taken.dt[1:], np.diff(taken.times), rtol=1e-6, atol=1e-9)
        assert (taken.dt > 0).all()
        np.testing.assert_allclose(np.interp(taken.positions, np.arange(len(times)), times), taken.times, atol=1e-9)


def test_training_spans_a_random_share_of_the_clip() -> None:
    times, rng = np.arange(301) / 30, np.random.default_rng(0)
    sampling = ClipSampling(cover=(0.5, 0.9))
    taken = [sampling.training(times, 40, None, rng) for _ in range(300)]
    spans = np.array([window.dt[0] * 40 / 10 for window in taken])
    assert 0.5 <= spans.min() < 0.55
    assert 0.85 < spans.max() <= 0.9
    firsts, lasts = np.array([window.times[[0, -1]] for window in taken]).T
    assert firsts.min() < 0.5
    assert lasts.max() > 9.5
    places = np.array([window.times[0] / window.dt[0] for window in taken]) % 1
    assert np.histogram(places, 4, (0, 1))[0].min() > 40


def test_batches_of_whole_clips_can_be_convolved() -> None:
    sampling, rng = ClipSampling(), np.random.default_rng(0)
    dt, valid = torch.ones(3, 40), torch.zeros(3, 40, dtype=torch.bool)
    for row, count in enumerate((301, 90, 25)):
        own = torch.from_numpy(sampling.training(np.arange(count) / 30, 40, None, rng).dt)
        dt[row, : len(own)], valid[row, : len(own)] = own.float(), True
    assert not valid.all()
    even = prepare_intervals(dt, valid).even
    assert even is not None
    assert len(even) == 3


def test_wrong_settings_are_refused() -> None:
    for wrong in ({"cover": (0.0, 1.0)}, {"cover": (0.9, 0.8)}, {"test_clips": 0}):
        with pytest.raises(InputError, match="clip sampling: "):
            ClipSampling(**wrong)
