"""Actions that raise and lower the body: jumping, squatting, picking up, sitting."""

from hummuss.data.procedural.leaps import Leaps
from hummuss.data.procedural.plan import Plan, Random
from hummuss.data.procedural.script import Script, on


def jump(rng: Random, duration: float) -> Plan:
    script, leaps = Script(), Leaps()
    spread = rng.uniform(0.0, 0.08)
    script.begin(foot_out=spread)
    reach, travel, far = rng.uniform(20, 165), rng.uniform(0, 0.5) * (rng.uniform() < 0.6), 0.0
    crouch, height = rng.uniform(0.18, 0.36), rng.uniform(0.12, 0.4)
    time = -rng.uniform(0.0, 1.5)
    while time < duration + 0.5:
        depth, lower = crouch * rng.uniform(0.8, 1.15), rng.uniform(0.32, 0.5)
        tuck = rng.uniform(0, 0.15)
        takeoff, landing, upright = leaps.add(time, depth, lower, height * rng.uniform(0.8, 1.2), tuck)
        lean = 95 * depth
        script.to(time, lower, pitch=lean, bend=0.7 * lean, arm_forward=-45, elbow=25, nod=-10)
        push = takeoff - time - lower
        thrown = {"arm_forward": reach, "elbow": 35, "arm_out": 15}
        script.to(time + lower - 0.1, push + 0.15, pitch=0, bend=2, nod=0, **thrown)
        script.to(takeoff - 0.16, 0.24, heel_rise=58)
        far += travel
        script.to(takeoff - 0.08, landing - takeoff + 0.16, ahead=far)
        script.to(takeoff, landing - takeoff, foot_ahead=far)
        script.to(landing - 0.08, 0.24, heel_rise=0)
        script.to(landing - 0.15, 0.45, pitch=0.7 * lean, bend=0.5 * lean, arm_forward=30, elbow=45)
        script.to(upright - lower, lower, pitch=2, bend=4, arm_forward=2, arm_out=10, elbow=20)
        time = upright + rng.uniform(0.05, 0.5)
    leaps.finish()
    return Plan(script, leaps=leaps)


def squat(rng: Random, duration: float) -> Plan:
    script, pace = Script(), rng.uniform(0.7, 1.3)
    depth, heels = rng.uniform(0.22, 0.5), rng.uniform(0, 22)
    script.begin(foot_out=rng.uniform(0.04, 0.14), toe_out=rng.uniform(8, 30))
    arms = {"arm_forward": rng.uniform(0, 95), "elbow": rng.uniform(8, 100), "arm_out": rng.uniform(8, 30)}
    rest = {"arm_forward": 2, "elbow": 20, "arm_out": 10} if rng.uniform() < 0.6 else arms
    lean = rng.uniform(35, 70)
    time = -rng.uniform(0.0, 2.0)
    while time < duration:
        low = depth * rng.uniform(0.85, 1.1)
        down = {"drop": low, "pitch": lean * low, "bend": 0.6 * lean * low, "nod": -0.4 * lean * low}
        down |= {"ahead": -0.16 * low, "heel_rise": heels * low / depth}
        time = script.to(time, pace * rng.uniform(0.7, 1.1), **down, **arms)
        time += rng.uniform(0.0, 0.5)
        up = {"drop": 0.0, "pitch": 2, "bend": 4, "ahead": 0.0, "nod": 4}
        time = script.to(time, pace * rng.uniform(0.6, 1.0), **up, **rest, heel_rise=0)
        time += rng.uniform(0.0, 0.4)
    return Plan(script)


def pick_up(rng: Random, duration: float) -> Plan:
    script, drop = Script(), rng.uniform(0.1, 0.48)
    script.begin(foot_out=rng.uniform(0.0, 0.1), left_foot_ahead=rng.uniform(-0.05, 0.2))
    low = {"drop": drop, "pitch": 72 - 85 * drop, "bend": rng.uniform(32, 52), "ahead": -0.14}
    low |= {"twist": rng.uniform(-25, 25), "nod": rng.uniform(-15, 15), "heel_rise": 25.0 * (drop > 0.35)}
    up: dict[str, float | int] = {
        "drop": 0,
        "pitch": 0,
        "bend": 4,
        "ahead": 0,
        "twist": 0,
        "nod": 4,
        "heel_rise": 0,
    }
    hands = "both"
    if rng.uniform() < 0.4:  # the other hand rests on a thigh
        hands = "right"
        low |= on("left", arm_forward=rng.uniform(25, 75), elbow=rng.uniform(20, 60))
        up |= on("left", arm_forward=2, elbow=20)
    low |= on(hands, arm_forward=rng.uniform(70, 95), elbow=rng.uniform(6, 25), arm_out=4)
    held = on(hands, arm_forward=rng.uniform(5, 30), elbow=rng.uniform(55, 100), arm_out=6, arm_twist=-30)
    ease = on(hands, arm_forward=2, elbow=20, arm_out=10, arm_twist=-12)
    time = -rng.uniform(0.0, 2.5)
    while time < duration:
        for after in (held, ease) if rng.uniform() < 0.7 else (ease,):
            time = script.to(time, rng.uniform(0.7, 1.1), **low) + rng.uniform(0.05, 0.35)
            time = script.to(time, rng.uniform(0.7, 1.1), **(up | after)) + rng.uniform(0.1, 0.6)
    return Plan(script)


def sit(rng: Random, duration: float) -> Plan:
    """Sit down on something of chair height, sit, stand up."""
    script, depth = Script(), rng.uniform(0.34, 0.45)
    script.begin(foot_out=rng.uniform(-0.01, 0.1))
    seated = {"drop": depth, "ahead": -rng.uniform(0.32, 0.42)}
    seated |= {"pitch": rng.uniform(-14, 6), "bend": rng.uniform(0, 20)}
    hands = {"arm_forward": rng.uniform(12, 38), "elbow": rng.uniform(30, 75), "arm_out": rng.uniform(4, 18)}
    stood = {"drop": 0.0, "ahead": 0.0, "pitch": 2.0, "bend": 4.0}
    stood |= {"arm_forward": 2.0, "elbow": 20.0, "arm_out": 10.0}
    time = -rng.uniform(0.0, 3.5)
    while time < duration:
        half = rng.uniform(0.45, 0.7)
        leaning = {"pitch": rng.uniform(20, 34), "bend": 24, "arm_forward": 30}
        script.to(time, half, drop=0.5 * depth, ahead=-0.22, **leaning)
        time = script.to(time + 0.75 * half, 1.3 * half, **seated, **hands)
        for _ in range(int(rng.integers(0, 3))):  # looks about, moves a hand
            fidget = {"twist": rng.normal(0, 12), "look": rng.normal(0, 20), "bend": rng.uniform(0, 25)}
            time = script.to(time, rng.uniform(0.5, 0.9), **fidget, right_elbow=rng.uniform(20, 120))
        script.to(time, half, pitch=rng.uniform(22, 34), bend=24, twist=0, look=0, arm_forward=30)
        time = script.to(time + 0.6 * half, 1.5 * half, **stood) + rng.uniform(0.0, 0.6)
    return Plan(script)
