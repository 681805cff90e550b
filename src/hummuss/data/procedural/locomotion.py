"""Actions that go somewhere: walking, running, dancing."""

from dataclasses import replace

import numpy as np

from hummuss.data.procedural.controls import SIDES
from hummuss.data.procedural.curves import Sway, Track
from hummuss.data.procedural.gait import MARGIN, Gait, Style
from hummuss.data.procedural.plan import Plan, Random
from hummuss.data.procedural.script import Script, on

STEADY = Track(np.ones(1), np.zeros(0), np.ones(0), np.zeros((0, 1)))


def _turns(rng: Random, duration: float, turn: float, every: float) -> Track:
    """A value that changes by normal amounts of deviation ``turn`` about every so many seconds."""
    gaps = rng.uniform(0.6, 1.4, int((duration + 2 * MARGIN) / (0.6 * every)) + 1) * every
    widths = rng.uniform(0.8, 1.2, len(gaps)) * every
    return Track(np.zeros(1), np.cumsum(gaps) - gaps[0] - MARGIN, widths, turn * rng.standard_normal((len(gaps), 1)))


def _gait(rng: Random, style: Style, pace: Track, turning: Track, duration: float) -> Gait:
    rhythm = Sway.draw(rng, np.array([0.03 / style.cadence]), 0.1, 0.5, 3)
    return Gait(style, pace, turning, rhythm, duration, rng.uniform())


def walk(rng: Random, duration: float) -> Plan:
    script, speed = Script(), rng.uniform(0.55, 1.6)
    energy = rng.uniform(0.4, 1.6)
    style = Style(
        cadence=0.85 * speed**0.42 * rng.uniform(0.9, 1.1),
        speed=speed,
        stance=rng.uniform(0.6, 0.66),
        lift=rng.uniform(0.03, 0.08),
        heel_rise=35 + 10 * speed,
        toe_rise=rng.uniform(8, 22),
        sway=rng.uniform(0.01, 0.035),
        pelvis_yaw=rng.uniform(2, 8),
        twist=rng.uniform(2, 8) * energy,
        arm_swing=18 * energy,
        elbow_swing=9 * energy,
    )
    pace = STEADY
    if rng.uniform() < 0.3:  # stops for a moment and goes on
        stop = rng.uniform(0.0, duration)
        pace = Track(np.ones(1), np.array([stop, stop + rng.uniform(1.2, 2.2)]), np.ones(2), np.array([[-1.0], [1.0]]))
    script.begin(elbow=rng.uniform(12, 35), pitch=rng.uniform(0, 5), drop=rng.uniform(0.01, 0.04))
    if rng.uniform() < 0.25:  # carries something, hands in front or in the pockets
        carrying = {"arm_forward": rng.uniform(5, 30), "elbow": rng.uniform(50, 100), "arm_twist": -35.0}
        script.begin(**{f"{side}_{k}": v for side in SIDES if rng.uniform() < 0.6 for k, v in carrying.items()})
    return Plan(script, _gait(rng, style, pace, _turns(rng, duration, rng.uniform(0, 0.5), 1.5), duration))


def run(rng: Random, duration: float) -> Plan:
    script, speed = Script(), rng.uniform(2.2, 4.2)
    style = Style(
        cadence=(1.15 + 0.09 * speed) * rng.uniform(0.94, 1.06),
        speed=speed,
        stance=rng.uniform(0.27, 0.34),
        lift=0.06 + 0.06 * speed * rng.uniform(0.7, 1.2),
        heel_rise=rng.uniform(55, 70),
        toe_rise=rng.uniform(0, 12),
        bob=rng.uniform(0.03, 0.05),
        sway=0.01,
        pelvis_yaw=rng.uniform(4, 9),
        twist=rng.uniform(6, 14),
        arm_swing=rng.uniform(22, 45),
        elbow_swing=rng.uniform(5, 18),
    )
    script.begin(
        elbow=rng.uniform(70, 105),
        pitch=3 + 2.5 * speed * rng.uniform(0.5, 1.2),
        bend=rng.uniform(4, 14),
        drop=rng.uniform(0.05, 0.09),
        arm_forward=rng.uniform(-12, 4),
        arm_out=rng.uniform(10, 22),
        arm_twist=-25,
        nod=rng.uniform(-10, 5),
    )
    return Plan(script, _gait(rng, style, STEADY, _turns(rng, duration, rng.uniform(0, 0.4), 1.5), duration))


def dance(rng: Random, duration: float) -> Plan:
    """Stepping on the beat, turning, arms and trunk changing pose every beat or two."""
    script, cadence = Script(), rng.uniform(0.75, 1.25)
    style = Style(
        cadence=cadence,
        speed=rng.uniform(0.15, 0.5),
        stance=rng.uniform(0.52, 0.62),
        lift=rng.uniform(0.04, 0.16),
        heel_rise=rng.uniform(25, 50),
        toe_rise=0.0,
        march=rng.uniform(0.5, 0.9),
        sway=rng.uniform(0.03, 0.07),
        pelvis_yaw=rng.uniform(0, 14),
        twist=rng.uniform(0, 18),
        arm_swing=rng.uniform(0, 20),
        elbow_swing=rng.uniform(0, 25),
    )
    ranges = {"arm_forward": (-20, 110), "arm_out": (10, 110), "arm_twist": (-45, 70), "elbow": (15, 120)}
    beat, time = 0.5 / cadence, -rng.uniform(0.0, 1.0)
    alike, low = rng.uniform() < 0.4, rng.uniform(0.03, 0.07)
    while time < duration + 1.0:
        left, right = ({name: rng.uniform(*limits) for name, limits in ranges.items()} for _ in SIDES)
        arms = on("left", **left) | on("right", **(left if alike else right))
        trunk = {"lean": rng.normal(0, 9), "bend": rng.normal(8, 8), "look": rng.normal(0, 15)}
        width = beat * rng.choice([1.0, 1.0, 2.0])
        trunk |= {"tilt": rng.normal(0, 8), "drop": rng.uniform(low, 2.5 * low)}
        time = script.to(time, width * 1.25, overlap=0.25 * width, **arms, **trunk)
    # To and fro: every change of pace takes back the one before.
    pace, turning = _turns(rng, duration, 1.0, 1.2), _turns(rng, duration, rng.uniform(0.3, 1.6), 1.2)
    pace = replace(pace, changes=np.diff(pace.changes, axis=0, prepend=0.0))
    return Plan(script, _gait(rng, style, pace, turning, duration))
