"""Leaps: the pelvis rises and falls as gravity has it, the feet follow."""

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float64

from hummuss.data.procedural.curves import quintic_through, smooth_max, smoothstep

GRAVITY = 9.81  # m/s²
TIPTOE = 0.07  # metres: the pelvis leaves the ground from this much above its standing height
STILL = (0.0, 0.0, 0.0)
Times = Float64[np.ndarray, "F"]


@dataclass
class Leaps:
    """Crouch, push-off, free flight, landing. Between take-off and landing the pelvis falls with `GRAVITY`.

    Attributes:
        knots: times of the states.
        states: height of the pelvis over standing, its speed and acceleration.
        takeoffs, speeds, tucks: of each flight: time, vertical speed (m/s), legs drawn up (metres).
    """

    knots: list[float] = field(default_factory=lambda: [-100.0])
    states: list[tuple[float, float, float]] = field(default_factory=lambda: [STILL])
    takeoffs: list[float] = field(default_factory=list)
    speeds: list[float] = field(default_factory=list)
    tucks: list[float] = field(default_factory=list)

    def add(self, time: float, crouch: float, lower: float, height: float, tuck: float) -> tuple[float, float, float]:
        """From ``time`` on sink by ``crouch`` metres over ``lower`` seconds, then fly ``height`` metres high.

        Returns:
            Times of take-off, landing and standing again.
        """
        speed = np.sqrt(2.0 * GRAVITY * height)
        push, absorb = 1.9 * (crouch + TIPTOE) / speed, 1.9 * (0.8 * crouch + TIPTOE) / speed
        takeoff = time + lower + push
        landing = takeoff + 2.0 * speed / GRAVITY
        upright = landing + absorb + lower
        self.knots += [time, time + lower, takeoff, landing, landing + absorb, upright]
        self.states += [STILL, (-crouch, 0.0, 0.0), (TIPTOE, speed, -GRAVITY)]
        self.states += [(TIPTOE, -speed, -GRAVITY), (-0.8 * crouch, 0.0, 0.0), STILL]
        self.takeoffs.append(takeoff)
        self.speeds.append(speed)
        self.tucks.append(tuck)
        return takeoff, landing, upright

    def finish(self) -> None:
        """Close the curve: the performer stands from here on."""
        knots, states = [*self.knots, self.knots[-1] + 100.0], [*self.states, STILL]
        self.rise = quintic_through(np.array(knots), np.array(states))
        self._flights = np.array([self.takeoffs, self.speeds, self.tucks])

    def at(self, times: Times, scale: float) -> tuple[Times, Times]:
        """Height of the pelvis over standing, and of the feet (at the rig's scale) over the floor, metres."""
        takeoffs, speeds, tucks = self._flights
        flight = 2.0 * speeds / GRAVITY
        some = (takeoffs < times.max(initial=-np.inf)) & (takeoffs + flight > times.min(initial=np.inf))
        takeoffs, flight, tucks = takeoffs[some], flight[some], tucks[some]
        aloft = np.clip(times[:, None] - takeoffs, 0.0, flight)
        drawn = smoothstep(aloft / (0.5 * flight)) * smoothstep((flight - aloft) / (0.5 * flight))
        # The feet leave the floor when the legs are straight and on tiptoe, and meet it so again.
        rise = self.rise(times)
        return rise, smooth_max(rise - TIPTOE * scale, 0.0, 0.06) + scale * (tucks * drawn).sum(-1)
