"""Smooth functions of continuous time from which performances are made. All are C2 and keep no state."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64
from scipy.interpolate import PPoly

Array = Float64[np.ndarray, "..."]


def smoothstep(u: Array) -> Array:
    """Quintic step: 0 for u <= 0, 1 for u >= 1, first and second derivatives 0 at both ends.

    >>> smoothstep(np.array([-1.0, 0.5, 2.0])).tolist()
    [0.0, 0.5, 1.0]
    """
    u = np.clip(u, 0.0, 1.0)
    return u * u * u * (10.0 + u * (6.0 * u - 15.0))


def glide(u: Array) -> Array:
    """Step from 0 to 1 over u in [0, 1] with a flat speed of 1.54, nearer to a foot's than smoothstep's 1.88.

    The speed is a plateau with smoothstep ramps, each 0.35 long; their integral is u⁶ - 3u⁵ + 2.5u⁴.
    """
    ramp = 0.35
    u = np.clip(u, 0.0, 1.0)
    rising, falling = np.clip(u / ramp, 0.0, 1.0), np.clip((1.0 - u) / ramp, 0.0, 1.0)

    def ramp_integral(x: Array) -> Array:
        return x**4 * (2.5 + x * (x - 3.0))

    travelled = ramp * ramp_integral(rising) + np.clip(u - ramp, 0.0, None)
    # Past the plateau: what a full-speed run would have covered, less what the falling ramp lost.
    lost = np.clip(u - (1.0 - ramp), 0.0, None) - ramp * (0.5 - ramp_integral(falling))
    travelled = travelled - np.where(u > 1.0 - ramp, lost, 0.0)
    return travelled / (1.0 - ramp)


def smooth_min(a: Array, b: Array | float, width: Array | float) -> Array:
    """Minimum with a C2 join where they are within ``width``; exact elsewhere, never above it."""
    overlap = np.clip(width - np.abs(a - b), 0.0, None) / width
    return np.minimum(a, b) - overlap**3 * width / 6.0


def smooth_max(a: Array, b: Array | float, width: Array | float) -> Array:
    """Maximum with a C2 join where they are within ``width``; exact elsewhere, never below it."""
    overlap = np.clip(width - np.abs(a - b), 0.0, None) / width
    return np.maximum(a, b) + overlap**3 * width / 6.0


@dataclass(frozen=True)
class Track:
    """Channels that move from value to value: smoothstep transitions, free to overlap, between held poses.

    Attributes:
        base: values before the first transition.
        starts, widths: seconds at which each transition begins and how long it takes.
        changes: what each transition adds.
    """

    base: Float64[np.ndarray, "C"]
    starts: Float64[np.ndarray, "K"]
    widths: Float64[np.ndarray, "K"]
    changes: Float64[np.ndarray, "K C"]

    def at(self, times: Float64[np.ndarray, "F"]) -> Float64[np.ndarray, "F C"]:
        """Values at any instants (seconds)."""
        # Of a long script, few transitions are under way at instants close to one another.
        over = self.starts + self.widths <= times.min(initial=np.inf)
        under_way = ~over & (self.starts < times.max(initial=-np.inf))
        shares = smoothstep((times[:, None] - self.starts[under_way]) / self.widths[under_way])
        return self.base + self.changes[over].sum(0) + shares @ self.changes[under_way]


@dataclass(frozen=True)
class Sway:
    """Band-limited variation of many channels: sinusoids of shared frequencies, each channel with its phases.

    Attributes:
        frequencies: Hz.
        cosines, sines: amplitude of each frequency in each channel.
    """

    frequencies: Float64[np.ndarray, "K"]
    cosines: Float64[np.ndarray, "K C"]
    sines: Float64[np.ndarray, "K C"]

    @classmethod
    def draw(
        cls,
        rng: np.random.Generator,
        scale: Float64[np.ndarray, "C"],
        slowest: float,
        fastest: float,
        count: int = 5,
    ) -> "Sway":
        """Random sway of standard deviation ``scale`` per channel; frequencies log-uniform, power 1/f."""
        frequencies = np.exp(rng.uniform(np.log(slowest), np.log(fastest), count))
        weights = frequencies**-0.5
        weights /= np.sqrt((weights**2).sum())
        amplitudes = weights[:, None] * scale * rng.standard_normal((2, count, len(scale)))
        return cls(frequencies, amplitudes[0], amplitudes[1])

    def at(self, times: Float64[np.ndarray, "F"]) -> Float64[np.ndarray, "F C"]:
        """Values at any instants (seconds)."""
        angles = 2.0 * np.pi * times[:, None] * self.frequencies
        return np.cos(angles) @ self.cosines + np.sin(angles) @ self.sines


def quintic_through(times: Float64[np.ndarray, "K"], states: Float64[np.ndarray, "K 3"]) -> PPoly:
    """The C2 piecewise quintic with given (value, velocity, acceleration) at given times (seconds).

    Between two states of free fall it is the parabola of that fall.
    """
    h = np.diff(times)
    (p0, v0, a0), (p1, v1, a1) = states[:-1].T, states[1:].T
    gap = p1 - p0 - v0 * h - 0.5 * a0 * h**2
    speed_gap, force_gap = v1 - v0 - a0 * h, a1 - a0
    coefficients = np.stack([
        (6.0 * gap - 3.0 * speed_gap * h + 0.5 * force_gap * h**2) / h**5,
        (-15.0 * gap + 7.0 * speed_gap * h - force_gap * h**2) / h**4,
        (10.0 * gap - 4.0 * speed_gap * h + 0.5 * force_gap * h**2) / h**3,
        0.5 * a0,
        v0,
        p0,
    ])  # fmt: skip
    return PPoly(coefficients, times)
