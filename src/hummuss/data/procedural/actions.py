"""The actions by name. Adding one is writing a function that draws a `Plan`, and naming it here."""

from collections.abc import Callable

from hummuss.data.procedural.freestyle import freestyle
from hummuss.data.procedural.gestures import kick, punch, throw, wave
from hummuss.data.procedural.locomotion import dance, run, walk
from hummuss.data.procedural.plan import Plan, Random
from hummuss.data.procedural.whole_body import jump, pick_up, sit, squat

ACTIONS: dict[str, Callable[[Random, float], Plan]] = {
    action.__name__: action
    for action in (walk, run, jump, squat, wave, punch, kick, throw, pick_up, dance, sit, freestyle)
}
