"""Options that make no backbone are refused by name, before a weight is made."""

import re

import pytest

from hummuss import DSTformer, HumMUSS, InputError
from hummuss.backbones.gdssm import GDSSM
from hummuss.backbones.ssm import DiagonalSSM


@pytest.mark.parametrize(
    ("make", "options", "message"),
    [
        (HumMUSS, {"temporal_steps": (0.0, 0.5)}, "temporal_steps is [0.0, 0.5]: give two numbers above 0"),
        (HumMUSS, {"spatial_steps": (0.5, 0.02)}, "spatial_steps is [0.5, 0.02]: give two numbers above 0"),
        (HumMUSS, {"dropout": 1.5}, "dropout is 1.5: give a probability"),
        (HumMUSS, {"dropout": 1.5, "spatial_mixing": "attention"}, "dropout is 1.5: give a probability"),
        (HumMUSS, {"drop_path": 1.0}, "drop_path is 1.0: give the probability"),
        (HumMUSS, {"temporal_reduction": 0}, "temporal_reduction is 0: give 1 or more"),
        (HumMUSS, {"depth": 0}, "depth is 0: give 1 or more"),
        (HumMUSS, {"modes": 0}, "modes is 0: give 1 or more"),
        (HumMUSS, {"reference_fps": 0.0}, "reference_fps is 0.0: give a number above 0"),
        (HumMUSS, {"bandlimit": -0.5}, "bandlimit is -0.5: give a number above 0"),
        (HumMUSS, {"init": "hippo"}, "init 'hippo' is none of legs, lin, inv, random"),
        (HumMUSS, {"expansion": 0.01}, "expansion 0.01 leaves no channel of 16"),
        (DSTformer, {"dropout": -0.1}, "dropout is -0.1: give a probability"),
        (DSTformer, {"max_frames": 0}, "max_frames is 0: give 1 or more"),
        (DSTformer, {"mlp_ratio": 0.0}, "mlp_ratio is 0.0: give a number above 0"),
    ],
)
def test_the_option_is_named(make: type, options: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=re.escape(message)):
        make(dim=16, **options)


def test_layers_by_themselves_refuse_too() -> None:
    with pytest.raises(InputError, match="reduction is 0"):
        GDSSM(16, reduction=0)
    with pytest.raises(InputError, match=r"step_range is \[0.0, 1.0\]"):
        GDSSM(16, step_range=(0.0, 1.0))
    with pytest.raises(ValueError, match="channels is 0"):
        DiagonalSSM(0)
