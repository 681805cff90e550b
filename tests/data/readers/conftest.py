"""From official files to a table: prepare them as the command does, and score a prediction of the prepared clips."""

import argparse
from pathlib import Path
from types import SimpleNamespace

import pytest

from hummuss.cli import prepare as command
from hummuss.data import MotionStore, StoreDataModule
from hummuss.heads import PoseHead
from hummuss.protocols import TestClips

# Turned by 15 degrees about the vertical, y down.
EXTRINSIC = "0.9659258 0 0.2588190 -600 0 -1 0 1400 0.2588190 0 -0.9659258 3900 0 0 0 1"
CALIBRATION = "Skeletool Camera Calibration File V1.0\n" + "".join(
    f"name          {camera}\n  sensor      10 10\n  size        2048 2048\n  animated    0\n"
    f"  intrinsic   {1500 + camera} 0 1020.5 0 0 1490.5 1050.5 0 0 0 1 0 0 0 0 1 \n"
    f"  extrinsic   {EXTRINSIC} \n  radial      0\n"
    for camera in range(14)
)


def prepare(dataset: str, raw: Path, *options: str) -> tuple[int, MotionStore]:
    """Exit status and store of ``hummuss prepare``; the store lies beside the raw files."""
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    out = raw.with_name("store")
    status = command.run(parser.parse_args([dataset, str(raw), str(out), *options, "--workers", "1"]))
    return status, MotionStore(out)


def score(store: MotionStore, protocol, predict=lambda batch: batch["joints3d"], **options):
    """The protocol's result for predictions of every test clip, shown as ``hummuss test`` shows them."""
    data = StoreDataModule(str(store.path), **options)
    clips = TestClips(data.groups("test"), data.classes)
    protocol.check(clips)
    evaluation = protocol.evaluation(PoseHead(4), clips)
    for loader, batches in enumerate(data.test_dataloader()):
        for batch in batches:
            evaluation.update({"joints": predict(batch)}, batch, clips.numbers(loader, batch["clip"]))
    return evaluation.result()


@pytest.fixture
def official() -> SimpleNamespace:
    """The functions of this file."""
    return SimpleNamespace(prepare=prepare, score=score)


@pytest.fixture(scope="session")
def calibration() -> str:
    """MPI-INF-3DHP's ``camera.calibration``: 14 cameras of different focal lengths in one place."""
    return CALIBRATION
