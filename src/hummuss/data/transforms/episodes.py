"""Things that begin now and then and last a while: in seconds, the same process at whatever frame rate it is seen."""

import numpy as np
from jaxtyping import Float, Int64

from hummuss.errors import InputError


def active_episodes(
    times: Float[np.ndarray, "F"], tracks: int, share: float, seconds: float, rng: np.random.Generator
) -> tuple[Int64[np.ndarray, "F N"], int]:
    """Which episode is on, per frame and track.

    Episodes begin as a Poisson process and last exponentially long, each track on its own (an M/M/infinity queue in its
    steady state, so the first frame is like any other). They are drawn between the first instant and the last, before
    any frame is looked at: more frames between the same two instants see the same episodes. Of two that overlap, the
    one that began later is on.

    Args:
        times: seconds, increasing.
        tracks: N, independent things that can be on or off.
        share: of the time that a track is on, from 0 to below 1.
        seconds: mean duration of an episode.
        rng: source of randomness.

    Returns:
        (F, N) number of the episode that is on, -1 where none is; and how many episodes were drawn.
    """
    active = np.full((len(times), tracks), -1, np.int64)
    # Busy servers are Poisson with mean rate * seconds: none is busy for exp(-rate * seconds) of the time.
    load = -np.log1p(-share)
    span = times[-1] - times[0]
    before = rng.poisson(load, tracks)
    during = rng.poisson(load / seconds * span, tracks)
    number = 0
    for track in range(tracks):
        # An exponential duration has no memory: those on at the first instant last as long again as a new one.
        starts = np.sort(
            np.concatenate([np.full(before[track], times[0]), rng.uniform(times[0], times[-1], during[track])])
        )
        ends = starts + rng.exponential(seconds, len(starts))
        for first, after in zip(np.searchsorted(times, starts), np.searchsorted(times, ends), strict=True):
            active[first:after, track] = number
            number += 1
    return active, number


def check_episodes(owner: str, shares: dict[str, float], durations: dict[str, float]) -> None:
    """Refuse settings that `active_episodes` cannot follow.

    Raises:
        InputError: a share of time outside [0, 1), or a duration that is not positive; with its name.
    """
    for name, share in shares.items():
        if not 0 <= share < 1:
            raise InputError(f"{owner}: {name} is {share}, expected a share of the time from 0 to below 1")
    for name, seconds in durations.items():
        if not seconds > 0:
            raise InputError(f"{owner}: {name} is {seconds}, expected seconds above 0")
