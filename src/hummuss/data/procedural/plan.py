"""What every action hands over: one way of performing it."""

from dataclasses import dataclass

import numpy as np

from hummuss.data.procedural.gait import Gait
from hummuss.data.procedural.leaps import Leaps
from hummuss.data.procedural.script import Script

Random = np.random.Generator


@dataclass(frozen=True)
class Plan:
    """A script, and the gait or the leaps that carry the performer while it runs."""

    script: Script
    gait: Gait | None = None
    leaps: Leaps | None = None
