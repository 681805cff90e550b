"""What all of Human3.6M's files share: actions, splits, frame rate, the names of videos."""

import re
from typing import NamedTuple

from hummuss.errors import InputError

FPS = 50.0
# Action numbers of the dataset's ``metadata.xml``, under the names that evaluations use.
ACTIONS = {
    2: "Directions", 3: "Discussion", 4: "Eating", 5: "Greeting", 6: "Phoning", 7: "Posing", 8: "Purchases",
    9: "Sitting", 10: "SittingDown", 11: "Smoking", 12: "Photo", 13: "Waiting", 14: "Walking", 15: "WalkDog",
    16: "WalkTogether",
}  # fmt: skip
# Published rows train on S8 too; here it validates, so that nothing is chosen on the test subjects.
SPLITS = {"S1": "train", "S5": "train", "S6": "train", "S7": "train", "S8": "val", "S9": "test", "S11": "test"}
_SOURCE = re.compile(r"s_(\d\d)_act_(\d\d)_subact_(\d\d)_ca_(\d\d)")


class Source(NamedTuple):
    """What the name of a video says: ``s_09_act_05_subact_02_ca_01``."""

    subject: str
    action: str
    take: int
    view: int


def parse_source(name: str, place: str) -> Source:
    """Read a video's name.

    Raises:
        InputError: another form, an unknown subject or action; ``place`` says where it stands.

    >>> parse_source("s_09_act_05_subact_02_ca_01", "a file")
    Source(subject='S9', action='Greeting', take=2, view=1)
    """
    match = _SOURCE.fullmatch(name)
    if match is None:
        raise InputError(
            f"{place}: source {name!r} is not of the form s_09_act_05_subact_02_ca_01: is it another file?"
        )
    subject, action, take, view = (int(part) for part in match.groups())
    if f"S{subject}" not in SPLITS or action not in ACTIONS or not 1 <= view <= 4:
        raise InputError(
            f"{place}: source {name!r} is no video of Human3.6M: subjects are {', '.join(SPLITS)}, actions 2 to 16, "
            "cameras 1 to 4"
        )
    return Source(f"S{subject}", ACTIONS[action], take, view)
