"""Actions of arms and legs on the spot: waving, punching, kicking, throwing."""

import numpy as np

from hummuss.data.procedural.plan import Plan, Random
from hummuss.data.procedural.script import Script, on


def wave(rng: Random, duration: float) -> Plan:
    script, half = Script(), rng.uniform(0.2, 0.42)
    overhead, side = rng.uniform() < 0.35, "both" if rng.uniform() < 0.15 else "right"
    if overhead:  # the whole arm swings
        out, forward, twist, elbow = rng.uniform(115, 150), rng.uniform(0, 30), rng.uniform(10, 40), 35.0
    else:  # the forearm swings
        out, forward = rng.uniform(45, 95), rng.uniform(10, 55)
        twist, elbow = rng.uniform(55, 80), rng.uniform(55, 105)
    reach = rng.uniform(8, 22)
    script.begin(foot_out=rng.uniform(-0.02, 0.08), left_elbow=rng.uniform(8, 60))
    time = -rng.uniform(0.0, 3.0)
    while time < duration:
        raised = on(side, arm_out=out, arm_forward=forward, arm_twist=twist, elbow=elbow, forearm=rng.uniform(-20, 20))
        time = script.to(time, rng.uniform(0.5, 0.8), overlap=0.2, **raised)
        for count in range(2 * int(rng.integers(3, 7))):
            swing = reach if count % 2 else -reach
            arm = {"arm_out": out + 0.7 * swing} if overhead else {"arm_twist": twist + swing}
            waving = on(side, wrist=swing, elbow=elbow + swing, **arm)
            time = script.to(time, 1.25 * half, overlap=0.25 * half, **waving)
        lowered = on(side, arm_out=10, arm_forward=2, arm_twist=-12, elbow=20, wrist=6, forearm=10)
        time = script.to(time, rng.uniform(0.5, 0.9), **lowered) + rng.uniform(0.0, 0.5)
    return Plan(script)


def punch(rng: Random, duration: float) -> Plan:
    script, stagger = Script(), rng.uniform(0.1, 0.26)
    guard = {
        "arm_forward": rng.uniform(25, 50),
        "elbow": rng.uniform(105, 130),
        "arm_out": 14,
        "arm_twist": -20,
    }
    script.begin(left_foot_ahead=stagger, right_foot_ahead=-stagger, foot_out=0.04, right_heel_rise=12, wrist=0)
    script.begin(drop=rng.uniform(0.05, 0.12), yaw=-15, bend=rng.uniform(8, 18), **guard)
    fast, hooks = rng.uniform(0.15, 0.24), rng.uniform(0, 0.5)
    time, side = -rng.uniform(0.0, 1.0), "left"
    while time < duration + 0.5:
        forward, bent = rng.uniform(75, 100), rng.uniform(4, 18)
        strike = on(side, arm_forward=forward, elbow=bent, arm_out=6, arm_twist=-35)
        if rng.uniform() < hooks:
            strike = on(side, arm_forward=0.8 * forward, elbow=65 + bent, arm_out=75, arm_twist=0)
        sign = -1.0 if side == "left" else 1.0  # the trunk turns with the striking arm
        turned = {"yaw": -15 + sign * rng.uniform(8, 24), "twist": sign * rng.uniform(10, 28)}
        time = script.to(time, fast, **strike, **turned, pitch=rng.uniform(4, 12)) + rng.uniform(0.0, 0.06)
        script.to(time, 1.4 * fast, **on(side, **guard), yaw=-15, twist=0, pitch=4)
        time += rng.uniform(0.4, 1.2) * fast + (rng.uniform(0.2, 0.6) if rng.uniform() < 0.25 else 0.0)
        if rng.uniform() < 0.8:
            side = "right" if side == "left" else "left"
    return Plan(script)


def kick(rng: Random, duration: float) -> Plan:
    script, stagger, height = Script(), rng.uniform(0.0, 0.16), rng.uniform(0.3, 0.95)
    arms = {"arm_forward": rng.uniform(5, 45), "elbow": rng.uniform(25, 110), "arm_out": rng.uniform(14, 35)}
    stance = on("right", foot_ahead=-stagger, foot_lift=0, toe_rise=0, heel_rise=0)
    script.begin(left_foot_ahead=stagger, right_foot_ahead=-stagger, drop=0.05, **arms)
    time, side, quick = -rng.uniform(0.0, 1.5), rng.uniform(-0.05, 0.25), rng.uniform(0.85, 1.2)
    while time < duration + 0.5:
        peak = height * rng.uniform(0.85, 1.15)
        script.to(time - 0.15, 0.4, aside=0.08, ahead=0.9 * stagger, drop=0.06)
        script.to(time, 0.22, right_heel_rise=40)
        behind = {"right_foot_lift": 0.2 + 0.25 * peak, "right_foot_ahead": -0.15, "pitch": 4}
        time = script.to(time, 0.3 * quick, overlap=0.08, **behind)
        raised = {"right_foot_lift": min(0.55 * peak + 0.12, 0.5), "right_foot_ahead": 0.22}
        raised |= {"pitch": -6, "bend": 12, "yaw": 8, "left_arm_forward": 45, "right_arm_forward": -15}
        time = script.to(time, 0.28 * quick, overlap=0.1, **raised)
        # The foot goes as far as the outstretched leg reaches from a hip about 0.77 m above a standing ankle.
        ahead = 0.9 * stagger + np.sqrt(0.74 - (0.77 - peak) ** 2)
        extended = {"right_foot_lift": peak, "right_foot_ahead": ahead, "right_foot_out": side, "pitch": -14}
        time = script.to(time, 0.25 * quick, **extended, right_heel_rise=0, right_toe_rise=55 * peak) + 0.06
        drawn = {"right_foot_lift": 0.28, "right_foot_ahead": 0.1, "right_foot_out": 0, "pitch": 0, "bend": 6}
        down = script.to(time, 0.34, overlap=0.1, **drawn)
        script.to(down, 0.4, aside=0, ahead=0, drop=0.05, pitch=2, yaw=0)
        time = script.to(down, 0.42, **stance, **arms) + rng.uniform(0.1, 0.6)
    return Plan(script)


def throw(rng: Random, duration: float) -> Plan:
    script, stagger, under = Script(), rng.uniform(0.12, 0.26), rng.uniform() < 0.3
    script.begin(left_foot_ahead=stagger, right_foot_ahead=-stagger, foot_out=0.03, drop=0.05, yaw=-12)
    rest = on("right", arm_forward=15, arm_out=12, arm_twist=-12, elbow=50)
    if under:
        cocked = on("right", arm_forward=-48, arm_out=14, arm_twist=0, elbow=10)
        released = on("right", arm_forward=rng.uniform(70, 115), arm_out=6, elbow=18)
        through = rest
    else:
        out, bent = rng.uniform(80, 105), rng.uniform(80, 120)
        cocked = on("right", arm_forward=5, arm_out=out, arm_twist=75, elbow=bent)
        released = on("right", arm_forward=100, arm_out=35, arm_twist=10, elbow=12)
        through = on("right", arm_forward=35, arm_out=-5, arm_twist=-35, elbow=30)
    time, turn, fast = -rng.uniform(0.0, 2.0), rng.uniform(18, 35), rng.uniform(0.24, 0.36)
    while time < duration + 0.5:
        back = {"twist": -turn, "yaw": -12 - 0.8 * turn, "ahead": -0.5 * stagger, "pitch": -6, "bend": 0}
        aim = on("left", arm_forward=65, elbow=25)
        time = script.to(time, rng.uniform(0.5, 0.8), overlap=0.05, **cocked, **back, **aim)
        hurl = {"twist": 0.8 * turn, "yaw": 10, "ahead": 0.7 * stagger, "pitch": 14, "right_heel_rise": 35}
        script.to(time, fast * 1.3, **hurl, **on("left", arm_forward=-10, elbow=50))
        time = script.to(time + 0.12, fast, overlap=0.02, **released)
        time = script.to(time, 0.35, **through, bend=18, pitch=18) + rng.uniform(0, 0.2)
        settle: dict[str, float | int] = {
            "twist": 0,
            "yaw": -12,
            "ahead": 0,
            "pitch": 4,
            "bend": 4,
            "right_heel_rise": 0,
        }
        settle |= rest | on("left", arm_forward=2, elbow=20)
        time = script.to(time, rng.uniform(0.5, 0.8), **settle) + rng.uniform(0, 0.4)
    return Plan(script)
