"""Random poses within the limits of the joints: covers what no named action does."""

from hummuss.data.procedural.controls import HIGHEST, INDEX, LOWEST, SIDES
from hummuss.data.procedural.plan import Plan, Random
from hummuss.data.procedural.script import Script, on

# Standard deviations of the trunk's channels, degrees. Arms are drawn evenly from most of their range.
TRUNK = {"pitch": 14, "roll": 7, "bend": 16, "lean": 13, "twist": 20, "nod": 16, "tilt": 12, "look": 26}
ARM = ("arm_forward", "arm_out", "arm_twist", "elbow", "forearm", "wrist")


def freestyle(rng: Random, duration: float) -> Plan:
    """One pose flows into the next; feet step, stand or are held up."""
    script, tempo, reach = Script(), rng.uniform(0.5, 1.4), rng.uniform(0.6, 1.0)
    time, held = -rng.uniform(0.0, 1.0), "neither"
    while time < duration + 0.5:
        width = tempo * rng.uniform(0.7, 1.3)
        deep = rng.uniform() < 0.35
        goal = {name: rng.normal(0, reach * spread) for name, spread in TRUNK.items()}
        goal |= {"drop": rng.uniform(0.2, 0.5) if deep else rng.uniform(0.0, 0.15), "yaw": rng.normal(0, 25)}
        goal["pitch"] += 60 * goal["drop"] * rng.uniform()
        for side in SIDES:
            goal |= _arm(rng, side)
        script.to(time, 1.25 * width, **goal)
        free = "neither" if deep else rng.choice(["neither", *SIDES], p=[0.4, 0.3, 0.3])
        # One foot after the other: whichever is up comes down before the other leaves the floor.
        feet = [held, *(side for side in SIDES if side != held)] if held in SIDES else list(SIDES)
        if free in SIDES:
            feet = [side for side in feet if side != free] if free != held else []
            _hold_up(rng, script, free, time + 0.5 * width * len(feet), 0.6 * width)
        for turn, side in enumerate(feet):
            _step(rng, script, side, time + 0.5 * turn * width, 0.5 * width)
        held = free
        over = {"neither": rng.normal(0, 0.04), "left": -0.09, "right": 0.09}[free]
        script.to(time, width, aside=over, ahead=rng.normal(0, 0.05))
        time += width
    return Plan(script)


def _arm(rng: Random, side: str) -> dict[str, float | int]:
    goal = {}
    for name in ARM:
        low, high = LOWEST[INDEX[f"{side}_{name}"]], HIGHEST[INDEX[f"{side}_{name}"]]
        goal[name] = rng.uniform(low + 0.05 * (high - low), high - 0.12 * (high - low))
    # A raised arm lifts forward or sideways, not both at once to their ends.
    goal["arm_out"] -= max(goal["arm_forward"] + goal["arm_out"] - 170.0, 0.0)
    return on(side, **goal)


def _hold_up(rng: Random, script: Script, side: str, time: float, width: float) -> None:
    """Hold a foot up in front, behind or aside."""
    ahead = rng.uniform(-0.4, 0.55)
    roll = {"heel_rise": 50.0 * (ahead < 0), "toe_rise": 20.0 * (ahead > 0.3)}
    place = {"foot_lift": rng.uniform(0.1, 0.7), "foot_ahead": ahead, "foot_out": rng.uniform(-0.05, 0.4)}
    script.to(time, width, **on(side, **place, **roll))


def _step(rng: Random, script: Script, side: str, time: float, width: float) -> None:
    """Step somewhere near the spot."""
    place = {"foot_ahead": rng.uniform(-0.22, 0.22), "foot_out": rng.uniform(-0.04, 0.22)}
    script.to(time, 0.45 * width, **on(side, foot_lift=0.08, heel_rise=25, toe_rise=0))
    script.to(time, 0.85 * width, **on(side, **place, toe_out=rng.uniform(-5, 35)))
    script.to(time + 0.4 * width, 0.5 * width, **on(side, foot_lift=0, heel_rise=0))
