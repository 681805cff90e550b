"""Frame-rate augmentation: dt follows every choice of instants."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hummuss.data.transforms.frame_rate import (
    FrameRateAugmentation,
    Rhythm,
    base_stride,
    random_instants,
    window_instants,
)
from hummuss.errors import InputError


@given(
    frames=st.integers(1, 60),
    length=st.integers(2, 300),
    stride=st.floats(1, 8),
    dropped=st.floats(0, 0.9),
    jitter=st.floats(0, 0.3),
    seed=st.integers(0, 10**6),
)
def test_windows_lie_in_the_clip_and_dt_is_the_time_between_frames(frames, length, stride, dropped, jitter, seed):
    times = np.arange(length) / 50 + 3
    window = random_instants(times, stride, Rhythm(frames, dropped, jitter), np.random.default_rng(seed))
    assert 1 <= len(window.times) <= frames
    assert window.times[0] >= 3
    assert window.times[-1] <= times[-1]
    assert (window.dt > 0).all()
    np.testing.assert_allclose(np.diff(window.times), window.dt[1:])
    np.testing.assert_allclose(window.times, 3 + window.positions / 50)


def test_whole_strides_land_on_the_clips_own_frames() -> None:
    times = np.arange(200) / 120
    for seed in range(20):
        window = random_instants(times, 3.0, Rhythm(40, 0.0, 0.0), np.random.default_rng(seed))
        assert len(window.times) == 40
        assert set(window.times) <= set(times)
        np.testing.assert_allclose(window.dt, 3 / 120)


def test_first_dt_reaches_back_to_the_frame_before_the_window_where_there_is_one() -> None:
    times = np.cumsum([0.1, 0.2, 0.3, 0.4, 0.5])
    assert window_instants(times, np.array([1.0, 2.0, 3.0]), frames=2).dt == pytest.approx([0.3, 0.4])
    assert window_instants(times, np.array([0.0, 1.0, 2.0]), frames=3).dt == pytest.approx([0.2, 0.2, 0.3])
    assert window_instants(times, np.array([4.0]), frames=1).dt == pytest.approx([0.2])


def test_dropped_frames_lengthen_dt_and_keep_the_count() -> None:
    times = np.arange(400) / 50
    window = random_instants(times, 1.0, Rhythm(50, 0.5, 0.0), np.random.default_rng(0))
    assert len(window.times) == 50
    ratios = window.dt * 50
    np.testing.assert_allclose(ratios, ratios.round(), atol=1e-9)
    assert ratios.mean() == pytest.approx(2, rel=0.2)
    assert ratios.max() > 2


@pytest.mark.parametrize(("length", "kept"), [(400, 80), (200, 25), (20, 3), (2, 1)])
def test_of_short_clips_as_large_a_share_is_dropped(length, kept) -> None:
    window = random_instants(np.arange(length) / 50, 4.0, Rhythm(80, 0.5, 0.0), np.random.default_rng(0))
    assert len(window.times) == pytest.approx(min(kept, length / 4 / 2), abs=1)
    if length >= 200:
        assert np.ptp(window.dt) > 0.07


def test_jitter_is_irregular_and_of_the_size_asked_for() -> None:
    times = np.arange(3000) / 50
    window = random_instants(times, 1.0, Rhythm(2000, 0.0, 0.1), np.random.default_rng(0))
    # Two independent deviations of 0.1 intervals stand in each difference.
    assert window.dt.std() * 50 == pytest.approx(0.1 * np.sqrt(2), rel=0.1)


def test_augmentation_draws_whole_and_fractional_strides_in_range() -> None:
    augmentation = FrameRateAugmentation(strides=(1.0, 4.0), fractional=0.5)
    rng = np.random.default_rng(0)
    strides = np.array([augmentation.stride(rng) for _ in range(2000)])
    assert strides.min() >= 1
    assert strides.max() <= 4
    whole = strides == strides.round()
    assert whole.mean() == pytest.approx(0.5, abs=0.05)
    assert set(strides[whole]) == {1, 2, 3, 4}


def test_rhythm_draws_span_and_irregularity() -> None:
    augmentation = FrameRateAugmentation(min_frames=20, irregular=0.5, max_dropped=0.4, max_jitter=0.1)
    rng = np.random.default_rng(0)
    rhythms = [augmentation.rhythm(81, rng) for _ in range(1000)]
    assert {rhythm.frames for rhythm in rhythms} == set(range(20, 82))
    irregular = [rhythm for rhythm in rhythms if rhythm.jitter > 0]
    assert len(irregular) == pytest.approx(500, abs=60)
    assert max(rhythm.dropped for rhythm in irregular) <= 0.4


@pytest.mark.parametrize(
    ("fps", "max_fps", "stride"),
    [(120, 60.0, 2), (60, 60.0, 1), (60.2, 60.0, 1), (50, None, 1), (240, 50.0, 5)],
)
def test_base_stride(fps, max_fps, stride) -> None:
    assert base_stride(np.arange(100) / fps, max_fps) == stride


def test_a_range_without_a_whole_stride_draws_fractions() -> None:
    augmentation, rng = FrameRateAugmentation(strides=(1.2, 1.8), fractional=0.0), np.random.default_rng(0)
    assert all(1.2 <= augmentation.stride(rng) <= 1.8 for _ in range(50))


def test_impossible_settings_are_refused() -> None:
    with pytest.raises(InputError, match=r"min_frames is 0"):
        FrameRateAugmentation(min_frames=0)
    with pytest.raises(InputError, match=r"strides are \(0.5, 2.0\)"):
        FrameRateAugmentation(strides=(0.5, 2.0))
    with pytest.raises(InputError, match=r"fractional is 1.5"):
        FrameRateAugmentation(fractional=1.5)
    with pytest.raises(InputError, match=r"max_jitter is -0.1, expected 0 or more"):
        FrameRateAugmentation(max_jitter=-0.1)
