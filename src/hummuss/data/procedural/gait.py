"""Where a performer goes and how the feet take them there: a path, footprints on it, swings between them."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64
from scipy.interpolate import CubicSpline

from hummuss.data.procedural.controls import CHANNELS, INDEX, REFERENCE_LEG, SIDES, Controls
from hummuss.data.procedural.curves import Sway, Track, glide, smoothstep
from hummuss.data.procedural.rig import Ground

Times = Float64[np.ndarray, "F"]
# How far beyond the performance footprints reach: one slow stride and the time warp.
MARGIN = 3.0
SIDE_PHASE = np.array([0.0, 0.5])
# Share of the stance after which the body is over the foot: it trails behind the body longer than it leads.
OVER_FOOT = 0.4


@dataclass(frozen=True)
class Style:
    """How someone walks, runs or dances on the spot.

    Attributes:
        cadence: strides (two steps) per second.
        speed: metres per second where the pace is 1.
        stance: share of the stride that a foot stands; below one half there is flight.
        lift, heel_rise, toe_rise: of the swinging foot (metres, degrees).
        march: how much of the swing is left when a step leads nowhere.
        bob: half the pelvis' rise (metres) in flight.
        sway, pelvis_yaw, twist, arm_swing, elbow_swing: of pelvis (metres), pelvis, spine, arms (degrees).
    """

    cadence: float
    speed: float
    stance: float
    lift: float
    heel_rise: float
    toe_rise: float
    march: float = 0.0
    bob: float = 0.0
    sway: float = 0.02
    pelvis_yaw: float = 5.0
    twist: float = 8.0
    arm_swing: float = 20.0
    elbow_swing: float = 8.0


class Gait:
    """Steps along a path. Footprints are fixed in the world while a foot stands: it rolls, but cannot slide.

    Args:
        style: the manner.
        pace: share of the style's speed over time (one channel).
        turning: heading over time, radians (one channel).
        rhythm: seconds by which the performer is ahead of a regular beat (one channel, small).
        duration: seconds.
        phase: share of the stride at time 0.
    """

    def __init__(self, style: Style, pace: Track, turning: Track, rhythm: Sway, duration: float, phase: float) -> None:
        self.style, self.pace, self.turning, self.rhythm, self.phase = style, pace, turning, rhythm, phase
        knots = np.arange(-MARGIN, duration + MARGIN + 0.1, 0.1)
        heading, speed = turning.at(knots)[:, 0], style.speed * pace.at(knots)[:, 0]
        velocity = speed[:, None] * np.stack([np.sin(heading), np.cos(heading)], -1)
        travelled = np.zeros((len(knots), 2))
        travelled[1:] = np.cumsum(0.05 * (velocity[1:] + velocity[:-1]), 0)
        self.path = CubicSpline(knots, travelled)

    def at(self, times: Times) -> tuple[Ground, Controls]:
        """Ground under the figure and what stepping adds to the controls."""
        style = self.style
        beat = times + self.rhythm.at(times)[:, 0]
        phase = style.cadence * beat[:, None] + self.phase + SIDE_PHASE
        step, share = np.floor(phase), np.mod(phase, 1.0)
        # Footprints of the step before, this one and the next, where the body passes over the foot.
        steps = step[..., None] + np.array([-1.0, 0.0, 1.0])
        over = (steps + OVER_FOOT * style.stance - self.phase - SIDE_PHASE[:, None]) / style.cadence
        prints = self.path(over)
        turned = self.turning.at(over.ravel()).reshape(over.shape)
        moved = (np.diff(prints, axis=2) ** 2).sum(-1) + (0.25 * np.diff(turned, axis=2)) ** 2
        vigour = style.march + (1.0 - style.march) * moved / (moved + 0.2**2)  # of the swing before and the next

        swing = np.clip((share - style.stance) / (1.0 - style.stance), 0.0, 1.0)
        carried = glide(swing)
        place = prints[:, :, 1] + carried[..., None] * (prints[:, :, 2] - prints[:, :, 1])
        foot_heading = turned[..., 1] + carried * (turned[..., 2] - turned[..., 1])
        ground = Ground(self.path(beat), self.turning.at(beat)[:, 0], place, foot_heading)
        return ground, self._body(beat, phase[:, 0]) + self._feet(share, swing, vigour)

    def _feet(
        self,
        share: Float64[np.ndarray, "F 2"],
        swing: Float64[np.ndarray, "F 2"],
        vigour: Float64[np.ndarray, "F 2 2"],
    ) -> Controls:
        """Roll from heel to toe while standing, lift while swinging."""
        style, before, after = self.style, vigour[..., 0], vigour[..., 1]
        # The heel leaves the floor in the second half of the stance and comes down late in the swing.
        leaving = smoothstep((share - 0.55 * style.stance) / (0.49 * style.stance))
        heel = leaving - smoothstep((swing - 0.1) / 0.75)
        toe = after * smoothstep((swing - 0.6) / 0.4) * (share < 1.0)
        landing = before * (1.0 - smoothstep(share / (0.22 * style.stance)))
        feet = {
            "foot_lift": after * style.lift * (smoothstep(swing / 0.5) - smoothstep((swing - 0.4) / 0.6)),
            "heel_rise": after * style.heel_rise * heel,
            "toe_rise": style.toe_rise * np.where(swing > 0.0, toe, landing),
        }
        controls = np.zeros((len(share), len(CHANNELS)))
        for channel, values in feet.items():
            for side, label in enumerate(SIDES):
                controls[:, INDEX[f"{label}_{channel}"]] = values[:, side]
        return controls

    def _body(self, beat: Times, phase: Times) -> Controls:
        """What the trunk and the arms do in step; ``phase`` is 0 when the left foot lands."""
        style = self.style
        pace = self.pace.at(beat)[:, 0]
        effort = style.march + (1.0 - style.march) * pace
        stride = np.cos(2.0 * np.pi * phase)  # left foot in front
        over_left = np.cos(2.0 * np.pi * (phase - OVER_FOOT * style.stance))
        # A walker's pelvis sinks while both legs are astride, by a part of what straight legs would need.
        lead = style.speed * OVER_FOOT * style.stance / style.cadence
        straight = REFERENCE_LEG - np.sqrt(REFERENCE_LEG**2 - lead**2)
        sink = 0.8 * straight if style.stance > 0.5 else 0.0
        body = {
            "aside": style.sway * over_left,
            "roll": -1.5 * over_left,
            "drop": sink * (0.5 + 0.5 * np.cos(4.0 * np.pi * (phase - 0.03))),
            "rise": -style.bob * np.cos(4.0 * np.pi * (phase - OVER_FOOT * style.stance)),
            "yaw": -style.pelvis_yaw * stride,
            "twist": (style.pelvis_yaw + style.twist) * stride,
            "left_arm_forward": -style.arm_swing * stride,
            "right_arm_forward": style.arm_swing * stride,
            "left_elbow": -style.elbow_swing * stride,
            "right_elbow": style.elbow_swing * stride,
        }
        controls = np.zeros((len(beat), len(CHANNELS)))
        for channel, values in body.items():
            controls[:, INDEX[channel]] = effort * values
        return controls


def standing(times: Times) -> Ground:
    """The ground under a figure that keeps its place: at the origin, facing +z."""
    frames = len(times)
    return Ground(np.zeros((frames, 2)), np.zeros(frames), np.zeros((frames, 2, 2)), np.zeros((frames, 2)))
