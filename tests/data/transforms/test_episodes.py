"""Episodes: their share of time, their length, and that the frame rate has no say in either."""

import numpy as np
import pytest

from hummuss.data.transforms.episodes import active_episodes, check_episodes
from hummuss.errors import InputError


def draw(times, share=0.2, seconds=0.5, tracks=3, seed=0):
    return active_episodes(times, tracks, share, seconds, np.random.default_rng(seed))[0]


def test_more_frames_between_the_same_instants_see_the_same_episodes() -> None:
    fine = np.arange(241) / 60
    uneven = np.sort(np.random.default_rng(1).choice(np.arange(1, 240), 70, replace=False))
    kept = np.concatenate([[0], uneven, [240]])
    for seed in range(20):
        episodes = draw(fine, seed=seed)
        np.testing.assert_array_equal(draw(fine[::4], seed=seed), episodes[::4])
        np.testing.assert_array_equal(draw(fine[kept], seed=seed), episodes[kept])


@pytest.mark.parametrize("share", [0.03, 0.5])
def test_share_of_time_is_what_was_asked_for_from_the_first_frame_on(share) -> None:
    times = np.arange(61) / 30
    on = draw(times, share, tracks=20_000) >= 0
    assert on.mean() == pytest.approx(share, rel=0.04)
    for frame in (0, 30, 60):
        assert on[frame].mean() == pytest.approx(share, rel=0.1)


def test_episodes_last_as_long_as_asked_for_on_average() -> None:
    fps, seconds = 100, 0.4
    active, drawn = active_episodes(np.arange(4000) / fps, 200, 0.02, seconds, np.random.default_rng(0))
    frames = np.bincount(active[active >= 0], minlength=drawn)
    # Those cut by the ends, and the few that lie under a later one, count with what is seen of them.
    assert frames.mean() / fps == pytest.approx(seconds, rel=0.05)
    # Exponential: standard deviation = mean.
    assert frames.std() / fps == pytest.approx(seconds, rel=0.1)


def test_no_share_no_episodes_and_one_instant_is_enough() -> None:
    assert (draw(np.arange(100) / 30, share=0.0) == -1).all()
    assert draw(np.array([3.0]), share=0.9, tracks=100).shape == (1, 100)


@pytest.mark.parametrize(("shares", "durations", "message"), [
    ({"missed": 1.0}, {}, "noise: missed is 1.0, expected a share of the time from 0 to below 1"),
    ({"missed": -0.1}, {}, "missed is -0.1"),
    ({}, {"seconds": 0.0}, "noise: seconds is 0.0, expected seconds above 0"),
])  # fmt: skip
def test_impossible_settings_are_refused(shares, durations, message) -> None:
    with pytest.raises(InputError, match=message):
        check_episodes("noise", shares, durations)
