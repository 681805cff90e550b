"""Procedural actions: joint coordinates of a person as continuous functions of time.

A pose is a set of anatomical coordinates (flexions, abductions, twists; radians), so that every action reads as one
would describe it and hinges stay hinges. Everything is in closed form in t: no state, no integration, any rate.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import roma
import torch
from jaxtyping import Float64

from hummuss.body.skeleton import SMPL24

Times = Float64[np.ndarray, "F"]
Pose = dict[str, np.ndarray]

GRAVITY = 9.81
# Neutral standing, and the limits every action keeps to; per side where a side exists.
NEUTRAL = {
    "hip_flex": 0.05, "hip_abduct": 0.06, "hip_twist": 0.0, "knee": 0.1, "ankle": 0.05,
    "shoulder_flex": 0.05, "shoulder_abduct": 0.2, "shoulder_twist": 0.0, "elbow": 0.3, "wrist": 0.0,
    "spine_flex": 0.05, "spine_side": 0.0, "spine_twist": 0.0, "neck_flex": 0.0, "neck_side": 0.0, "neck_twist": 0.0,
}  # fmt: skip
LIMITS = {
    "hip_flex": (-0.5, 2.0), "hip_abduct": (-0.25, 0.9), "hip_twist": (-0.5, 0.5), "knee": (0.02, 2.3),
    "ankle": (-0.6, 0.4), "shoulder_flex": (-0.9, 2.9), "shoulder_abduct": (0.05, 2.7),
    "shoulder_twist": (-1.0, 1.0), "elbow": (0.05, 2.4), "wrist": (-0.6, 0.6), "spine_flex": (-0.4, 1.3),
    "spine_side": (-0.5, 0.5), "spine_twist": (-0.7, 0.7), "neck_flex": (-0.5, 0.7), "neck_side": (-0.4, 0.4),
    "neck_twist": (-0.9, 0.9),
}  # fmt: skip
SIDED = tuple(name for name in NEUTRAL if not name.startswith(("spine", "neck")))
COORDINATES = tuple(
    f"{side}_{name}" if side else name
    for name in NEUTRAL
    for side in (("left", "right") if name in SIDED else ("",))
)


@dataclass(frozen=True)
class Travel:
    """How the root moves besides its pose: metres and radians at every time, before the floor is found."""

    forward: np.ndarray  # along the heading at the start, metres
    turn: np.ndarray  # heading, radians
    lift: np.ndarray  # above standing on the floor, metres
    curvature: float = 0.0  # of the path, radians per metre


Performance = Callable[[Times], tuple[Pose, Travel]]
Random = np.random.Generator


def still(times: Times) -> Travel:
    """A person who stays on the spot."""
    zero = np.zeros_like(times)
    return Travel(zero, zero, zero)


def bump(phase: np.ndarray, start: float, end: float) -> np.ndarray:
    """Smooth rise and fall, 0 to 1 to 0, while the cyclic ``phase`` goes from ``start`` to ``end``."""
    inside = np.mod(phase - start, 1.0) / (end - start)
    return np.where(inside < 1, np.sin(np.pi * np.minimum(inside, 1)) ** 2, 0.0)


def plateau(phase: np.ndarray, start: float, end: float, ramp: float) -> np.ndarray:
    """Smooth step up over ``ramp`` after ``start`` and down before ``end`` of the cyclic ``phase``."""
    inside = np.mod(phase - start, 1.0)
    up = np.clip(inside / ramp, 0, 1)
    down = np.clip((end - start - inside) / ramp, 0, 1)
    share = np.minimum(up, down)
    return share * share * (3 - 2 * share)


def gait(random: Random, running: bool) -> Performance:
    """Walking or running along a gentle curve; the speed follows from the stride."""
    rate = random.uniform(1.2, 1.6) if running else random.uniform(0.75, 1.1)
    swing = random.uniform(0.55, 0.85) if running else random.uniform(0.3, 0.5)
    bend = random.uniform(1.1, 1.7) if running else random.uniform(0.7, 1.1)
    arms, elbows = swing * random.uniform(0.6, 1.3), random.uniform(1.2, 1.8) if running else random.uniform(0.2, 0.6)
    lean, start, curvature = random.uniform(0, 0.25), random.random(), random.normal(0, 0.2)
    # Each half cycle the stance leg sweeps twice the swing angle under a leg of some 0.85 m; running adds the flight.
    speed = 2 * rate * 2 * 0.85 * np.sin(swing) * (1.25 if running else 0.9)
    hop = random.uniform(0.03, 0.07) if running else 0.0

    def perform(times: Times) -> tuple[Pose, Travel]:
        cycle = rate * times + start
        pose: Pose = {"spine_flex": lean + 0 * times, "spine_twist": 0.15 * np.sin(2 * np.pi * cycle)}
        for side, phase in (("left", cycle), ("right", cycle + 0.5)):
            angle = 2 * np.pi * phase
            pose[f"{side}_hip_flex"] = 0.35 * swing + swing * np.sin(angle)
            pose[f"{side}_knee"] = 0.15 + bend * bump(phase, 0.72, 1.22) + 0.2 * swing * bump(phase, 0.2, 0.5)
            pose[f"{side}_ankle"] = 0.2 * np.sin(angle + 0.6) - 0.3 * bump(phase, 0.55, 0.85)
            pose[f"{side}_shoulder_flex"] = -arms * np.sin(angle)
            pose[f"{side}_elbow"] = elbows - 0.25 * np.sin(angle)
        zero = np.zeros_like(times)
        lift = hop * (1 - np.cos(4 * np.pi * cycle)) / 2
        return pose, Travel(speed * times, zero, lift, curvature)

    return perform


def walk(random: Random) -> Performance:
    return gait(random, running=False)


def run(random: Random) -> Performance:
    return gait(random, running=True)


def jump(random: Random) -> Performance:
    """Crouch, ballistic flight, landing, rest; over and over."""
    flight = random.uniform(0.35, 0.6)
    period = flight + random.uniform(1.1, 1.8)
    depth, arms, start = random.uniform(0.6, 1.2), random.uniform(0.6, 2.4), random.random()
    drift = random.uniform(0, 0.6)

    def perform(times: Times) -> tuple[Pose, Travel]:
        jumps = times / period + start
        phase, air = np.mod(jumps, 1.0), flight / period
        takeoff = 0.45
        airborne = np.clip((phase - takeoff) * period, 0, flight)
        crouch = bump(phase, takeoff - 0.4, takeoff) + 0.7 * bump(phase, takeoff + air, takeoff + air + 0.25)
        tucked = 0.5 * bump(phase, takeoff, takeoff + air)
        pose: Pose = {"spine_flex": 0.05 + 0.5 * depth * crouch}
        for side in ("left", "right"):
            pose[f"{side}_hip_flex"] = 0.05 + depth * (crouch + 0.5 * tucked)
            pose[f"{side}_knee"] = 0.1 + 1.5 * depth * (crouch + 0.5 * tucked)
            pose[f"{side}_ankle"] = 0.05 + 0.4 * depth * crouch - 0.5 * bump(phase, takeoff - 0.05, takeoff + air)
            pose[f"{side}_shoulder_flex"] = -0.6 * crouch + arms * bump(phase, takeoff - 0.15, takeoff + air + 0.1)
            pose[f"{side}_elbow"] = 0.4 + 0.3 * crouch
        lift = GRAVITY / 2 * airborne * (flight - airborne)
        forward = drift * (np.floor(jumps) + airborne / flight)
        return pose, Travel(forward, np.zeros_like(times), lift)

    return perform


def squat(random: Random) -> Performance:
    rate, depth, arms = random.uniform(0.3, 0.6), random.uniform(0.9, 1.5), random.uniform(0, 1.6)
    width, start = random.uniform(0.05, 0.3), random.random()

    def perform(times: Times) -> tuple[Pose, Travel]:
        low = depth * (1 - np.cos(2 * np.pi * (rate * times + start))) / 2
        pose: Pose = {"spine_flex": 0.05 + 0.35 * low}
        for side in ("left", "right"):
            pose |= {f"{side}_hip_flex": 0.05 + 1.15 * low, f"{side}_knee": 0.1 + 1.45 * low}
            pose |= {f"{side}_ankle": 0.05 + 0.25 * low, f"{side}_hip_abduct": width + 0.2 * low}
            pose |= {f"{side}_shoulder_flex": arms * low / depth, f"{side}_elbow": 0.2 + 0.1 * low}
        return pose, still(times)

    return perform


def wave(random: Random) -> Performance:
    rate, side, start = random.uniform(1.0, 2.2), random.choice(["left", "right"]), random.random()
    raised, bent = random.uniform(1.3, 2.4), random.uniform(0.6, 1.5)

    def perform(times: Times) -> tuple[Pose, Travel]:
        beat = np.sin(2 * np.pi * (rate * times + start))
        up = plateau(times / 6 + start, 0.0, 0.9, 0.12)
        pose: Pose = {
            f"{side}_shoulder_abduct": 0.2 + raised * up,
            f"{side}_shoulder_flex": 0.3 * up,
            f"{side}_elbow": 0.3 + up * (bent - 0.3 + 0.5 * beat),
            f"{side}_shoulder_twist": up * (-0.5 + 0.4 * beat),
            f"{side}_wrist": 0.3 * up * beat,
            "spine_side": 0.08 * up * beat * (1 if side == "left" else -1),
        }
        return pose, still(times)

    return perform


def punch(random: Random) -> Performance:
    """Alternating punches from a guard stance."""
    rate, reach, guard = random.uniform(0.6, 1.3), random.uniform(1.2, 1.7), random.uniform(1.7, 2.2)
    stagger, start = random.uniform(0.15, 0.4) * random.choice([-1, 1]), random.random()

    def perform(times: Times) -> tuple[Pose, Travel]:
        cycle = rate * times + start
        left, right = bump(cycle, 0.0, 0.4), bump(cycle, 0.5, 0.9)
        pose: Pose = {"spine_twist": 0.4 * (right - left), "spine_flex": 0.1 + 0.1 * (left + right)}
        for side, hit, sign in (("left", left, 1), ("right", right, -1)):
            pose[f"{side}_shoulder_flex"] = 0.5 + (reach - 0.5) * hit
            pose[f"{side}_elbow"] = guard - (guard - 0.15) * hit
            pose[f"{side}_shoulder_twist"] = 0.3 - 0.3 * hit
            pose[f"{side}_hip_flex"] = 0.25 + sign * stagger
            pose[f"{side}_knee"] = 0.35 + 0.1 * hit
            pose[f"{side}_hip_abduct"] = 0.15 + 0 * times
        return pose, still(times)

    return perform


def kick(random: Random) -> Performance:
    rate, side, height = random.uniform(0.35, 0.6), random.choice(["left", "right"]), random.uniform(0.7, 1.6)
    start, sideways = random.random(), random.uniform(0, 0.6)
    other = {"left": "right", "right": "left"}[side]

    def perform(times: Times) -> tuple[Pose, Travel]:
        phase = rate * times + start
        chamber, strike = bump(phase, 0.2, 0.75), bump(phase, 0.38, 0.68)
        back = bump(phase, 0.0, 0.3)
        pose: Pose = {
            f"{side}_hip_flex": 0.05 - 0.3 * back + height * chamber,
            f"{side}_hip_abduct": 0.06 + sideways * chamber,
            f"{side}_knee": 0.15 + 0.7 * back + 1.5 * np.clip(chamber - strike, 0, 1),
            f"{other}_knee": 0.15 + 0.2 * chamber,
            f"{other}_shoulder_flex": 0.2 + 0.8 * chamber,
            f"{side}_shoulder_flex": -0.4 * chamber,
            f"{side}_shoulder_abduct": 0.2 + 0.6 * chamber,
            "spine_flex": 0.05 - 0.15 * chamber + 0.1 * back,
        }
        return pose, still(times)

    return perform


def bend(random: Random) -> Performance:
    """Reach down to the floor and up again, turning a little to one side."""
    rate, depth, knees = random.uniform(0.2, 0.4), random.uniform(0.7, 1.15), random.uniform(0.1, 1.0)
    side, start = random.uniform(-0.4, 0.4), random.random()

    def perform(times: Times) -> tuple[Pose, Travel]:
        down = plateau(rate * times + start, 0.1, 0.8, 0.3)
        pose: Pose = {"spine_flex": 0.05 + depth * down, "spine_twist": side * down, "neck_flex": -0.2 * down}
        for name in ("left", "right"):
            pose |= {f"{name}_hip_flex": 0.05 + 0.7 * down + 0.5 * knees * down, f"{name}_knee": 0.1 + knees * down}
            pose |= {f"{name}_shoulder_flex": 1.1 * down, f"{name}_elbow": 0.3 - 0.15 * down}
        return pose, still(times)

    return perform


def sit(random: Random) -> Performance:
    """Sit down on something of chair height, stay, stand up."""
    rate, start = random.uniform(0.12, 0.25), random.random()
    hips, knees, arms = random.uniform(1.3, 1.6), random.uniform(1.3, 1.7), random.uniform(0, 0.6)

    def perform(times: Times) -> tuple[Pose, Travel]:
        phase = rate * times + start
        down = plateau(phase, 0.15, 0.85, 0.2)
        moving = bump(phase, 0.15, 0.35) + bump(phase, 0.65, 0.85)
        pose: Pose = {"spine_flex": 0.05 + 0.45 * moving}
        for side in ("left", "right"):
            pose |= {f"{side}_hip_flex": 0.05 + hips * down, f"{side}_knee": 0.1 + knees * down}
            pose |= {f"{side}_hip_abduct": 0.06 + 0.15 * down, f"{side}_ankle": 0.05 + 0.1 * down}
            pose |= {f"{side}_shoulder_flex": arms * down + 0.4 * moving, f"{side}_elbow": 0.3 + 0.8 * down}
        return pose, still(times)

    return perform


def star_jump(random: Random) -> Performance:
    """Arms and legs open and close with small hops."""
    rate, arms, legs = random.uniform(0.6, 1.1), random.uniform(1.4, 2.4), random.uniform(0.25, 0.55)
    start, hop = random.random(), random.uniform(0.05, 0.15)

    def perform(times: Times) -> tuple[Pose, Travel]:
        cycle = rate * times + start
        open_ = (1 - np.cos(2 * np.pi * cycle)) / 2
        pose: Pose = {}
        for side in ("left", "right"):
            pose |= {f"{side}_shoulder_abduct": 0.2 + arms * open_, f"{side}_elbow": 0.25 - 0.1 * open_}
            pose |= {f"{side}_hip_abduct": 0.05 + legs * open_, f"{side}_knee": 0.3 - 0.2 * np.sin(2 * np.pi * cycle) ** 2}
            pose |= {f"{side}_hip_flex": 0.15 + 0 * times}
        zero = np.zeros_like(times)
        return pose, Travel(zero, zero, hop * np.sin(2 * np.pi * cycle) ** 2)

    return perform


def turn(random: Random) -> Performance:
    """Turn on the spot, stepping."""
    rate = random.uniform(0.8, 2.0) * random.choice([-1, 1])
    steps, lift, start = random.uniform(1.0, 1.6), random.uniform(0.25, 0.6), random.random()

    def perform(times: Times) -> tuple[Pose, Travel]:
        cycle = steps * times + start
        pose: Pose = {"spine_twist": 0.15 * np.sign(rate) + 0 * times, "neck_twist": 0.3 * np.sign(rate) + 0 * times}
        for side, phase in (("left", cycle), ("right", cycle + 0.5)):
            up = bump(phase, 0.0, 0.5)
            pose |= {f"{side}_hip_flex": 0.05 + lift * up, f"{side}_knee": 0.1 + 1.6 * lift * up}
            pose |= {f"{side}_shoulder_flex": 0.1 - 0.3 * up, f"{side}_shoulder_abduct": 0.3 + 0.2 * up}
        zero = np.zeros_like(times)
        return pose, Travel(zero, rate * times, zero)

    return perform


def freestyle(random: Random) -> Performance:
    """Smooth random motion of every coordinate over most of its range: covers what no named action does."""
    rates = random.uniform(0.1, 0.6, (len(COORDINATES), 3))
    phases = random.uniform(0, 2 * np.pi, (len(COORDINATES), 3))
    centres, extents = random.uniform(0.3, 0.7, len(COORDINATES)), random.uniform(0.1, 0.4, len(COORDINATES))
    spin = random.normal(0, 0.3)

    def perform(times: Times) -> tuple[Pose, Travel]:
        waves = np.sin(2 * np.pi * rates[..., None] * times + phases[..., None]).mean(1)  # (C, F)
        pose: Pose = {}
        for name, centre, extent, shape in zip(COORDINATES, centres, extents, waves, strict=True):
            low, high = LIMITS[name.removeprefix("left_").removeprefix("right_")]
            share = centre + extent * shape
            if "hip" in name or "knee" in name or "spine_flex" in name:
                share = 0.15 + 0.5 * share  # legs and trunk nearer to standing than their limits allow
            pose[name] = low + (high - low) * share
        zero = np.zeros_like(times)
        return pose, Travel(zero, spin * times, zero)

    return perform


ACTIONS: dict[str, Callable[[Random], Performance]] = {
    action.__name__: action
    for action in (walk, run, jump, squat, wave, punch, kick, bend, sit, star_jump, turn, freestyle)
}


def local_rotations(pose: Pose, times: Times) -> torch.Tensor:
    """Parent-relative rotations (F, 24, 3, 3) of the SMPL tree for a set of coordinates; float64.

    In the body's rest pose the arms point along +-x and the legs down; a flexion turns about x, an abduction about z,
    an elbow bends about y.
    """
    rotations = torch.eye(3, dtype=torch.float64).repeat(len(times), 24, 1, 1)

    def put(joint: str, *turns: tuple[str, np.ndarray]) -> None:
        matrix = torch.eye(3, dtype=torch.float64).expand(len(times), 3, 3)
        for axis, angle in turns:
            vector = torch.zeros(len(times), 3, dtype=torch.float64)
            vector[:, "xyz".index(axis)] = torch.as_tensor(np.broadcast_to(angle, times.shape).copy())
            matrix = matrix @ roma.rotvec_to_rotmat(vector)
        rotations[:, SMPL24.joints.index(joint)] = matrix

    for side, sign in (("left", 1.0), ("right", -1.0)):
        get = {name: pose[f"{side}_{name}"] for name in SIDED}
        put(f"{side}_hip", ("x", -get["hip_flex"]), ("z", sign * get["hip_abduct"]), ("y", sign * get["hip_twist"]))
        put(f"{side}_knee", ("x", get["knee"]))
        put(f"{side}_ankle", ("x", -get["ankle"]))
        # From the T-pose the arm first comes down by a quarter turn, less its abduction.
        raised = get["shoulder_abduct"] - np.pi / 2
        put(
            f"{side}_shoulder",
            ("x", -get["shoulder_flex"]),
            ("z", sign * np.minimum(raised, 0.6)),
            ("x", get["shoulder_twist"]),
        )
        # Beyond the shoulder's own range the collarbone rises.
        put(f"{side}_collar", ("z", sign * np.maximum(raised - 0.6, 0)))
        put(f"{side}_elbow", ("y", -sign * get["elbow"]))
        put(f"{side}_wrist", ("z", sign * get["wrist"]))
    third = {name: pose[f"spine_{name}"] / 3 for name in ("flex", "side", "twist")}
    for joint in ("spine1", "spine2", "spine3"):
        put(joint, ("x", third["flex"]), ("z", third["side"]), ("y", third["twist"]))
    half = {name: pose[f"neck_{name}"] / 2 for name in ("flex", "side", "twist")}
    for joint in ("neck", "head"):
        put(joint, ("x", half["flex"]), ("z", half["side"]), ("y", half["twist"]))
    return rotations
