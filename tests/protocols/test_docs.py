"""The page's own examples run."""

import re
from pathlib import Path

import pytest
import yaml
from jsonargparse import ArgumentParser

from hummuss.heads import PoseHead
from hummuss.protocols import PW3D, Protocol, TestClips
from hummuss.protocols.scoring import MODEL, Scoring

PAGE = (Path(__file__).parents[2] / "docs" / "protocols.md").read_text()


def test_the_yaml_makes_the_protocol() -> None:
    (block,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    parser = ArgumentParser()
    parser.add_argument("--protocol", type=Protocol)
    settings = yaml.safe_load(block)["model"]["init_args"]
    protocol = parser.instantiate_classes(parser.parse_object(settings)).protocol
    assert isinstance(protocol, PW3D)
    assert protocol.options() == {"gt": "neutral", "root": "regressor"}


def test_a_protocol_of_your_own(made) -> None:
    (block,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    names = {}
    exec(block, names)
    clips = [made.clip("a", 5)]
    scoring = Scoring(names["Hands"](), {"pose": PoseHead(4)}, TestClips({"": clips}), "cpu")
    batch = made.batch(clips, [(0, [0, 1, 2])])
    joints = batch["joints3d"].clone()
    joints[..., 13, 0] += 0.1
    joints[..., 12, 0] += 5
    scoring.update({"pose": {"joints": joints}}, batch, 0)
    assert scoring.results()["pose"][MODEL].rows[0].figures["mpjpe"] == pytest.approx(50, rel=1e-4)
