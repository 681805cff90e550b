"""A whole test of a prepared store: from clips on disk to table and pictures."""

import csv
import json
from pathlib import Path
from typing import Any

import lightning as L
import numpy as np
import pytest
import torch
from torch import Tensor, nn

from hummuss import MotionModule
from hummuss.data import StoreDataModule, StoreWriter
from hummuss.heads import PoseHead
from hummuss.protocols import H36MP1P2, MPIINF3DHP
from hummuss.protocols.h36m_p1_p2 import ACTIONS
from hummuss.protocols.mpi_inf_3dhp import SEQUENCES
from hummuss.report import RunReport


class Flat(nn.Module):
    """The smallest backbone."""

    def __init__(self) -> None:
        super().__init__()
        self.dim_rep = 4
        self.lift = nn.Linear(3, 4)

    def forward(self, keypoints: Tensor, dt: Tensor, valid: Tensor | None = None) -> Tensor:
        return self.lift(keypoints)


def run(folder: Path, clips: list[Any], module: MotionModule, **options: Any) -> dict[str, Any]:
    """Write a store, test on it; return test.json."""
    with StoreWriter(folder / "store", {"dataset": "fixture"}) as writer:
        for clip in clips:
            writer.add(clip)
    data = StoreDataModule(folder / "store", frames=4, batch_size=3, max_fps=None, **options)
    trainer = L.Trainer(
        logger=False, enable_progress_bar=False, accelerator="cpu", callbacks=[RunReport(folder, 3)],
        enable_checkpointing=False, enable_model_summary=False,
    )  # fmt: skip
    trainer.test(module, data, verbose=False)
    return json.loads((folder / "test.json").read_text())


def test_human36m_from_the_store_to_the_table(made, tmp_path, capsys) -> None:
    clips = [
        made.clip(f"{subject}/{action}", 5 + number % 3, subject=subject, label=action)
        for subject in ("S9", "S11")
        for number, action in enumerate(ACTIONS)
    ]
    torch.manual_seed(0)
    module = MotionModule(Flat(), {"pose": PoseHead}, protocol=H36MP1P2())
    table = run(tmp_path, clips, module)
    assert (table["facts"]["dataset"], table["facts"]["protocol"]) == ("fixture", "h36m_p1_p2")
    assert (table["facts"]["checkpoint"], table["facts"]["selection"]) == (None, "untrained")
    assert table["facts"]["selected_on_test"] == "not recorded"
    rows = {row["part"]: row for row in table["rows"] if row["model"] == "model"}
    assert list(rows) == [*ACTIONS, "mean over actions"]
    # The camera's clips are seen as they are: the module's own predictions on a clip give its row.
    for number, action in enumerate(ACTIONS[:2]):
        errors = []
        for clip in (clips[number], clips[15 + number]):
            keypoints = clip.keypoints2d.copy()
            keypoints[..., :2] = 2 * keypoints[..., :2] / 1000 - 1
            with torch.no_grad():
                predicted = module.heads["pose"].project(module.backbone.lift(torch.from_numpy(keypoints))).numpy()
            x, y = predicted - predicted[:, :1], clip.joints3d - clip.joints3d[:, :1]
            errors += list(1000 * np.linalg.norm(x - y, axis=-1).mean(-1))
        assert rows[action]["figures"]["p1"] == pytest.approx(np.mean(errors), rel=1e-4)
        assert rows[action]["frames"] == len(errors)
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert summary["test"]["p1"] == pytest.approx(rows["mean over actions"]["figures"]["p1"], abs=1e-3)
    assert "mean_pose/p2" in summary["test"]
    for name in ("joints", "actions", "pck", "worst"):
        assert (tmp_path / f"test_pose_{name}.png").stat().st_size > 0
    assert "mean over actions" in capsys.readouterr().out
    with open(tmp_path / "test.csv", newline="") as file:
        assert {row["protocol"] for row in csv.DictReader(file)} == {"h36m_p1_p2"}


def test_frames_that_are_not_valid_are_seen_and_not_scored(made, tmp_path) -> None:
    """valid_frame comes back from the store at the frames of each window."""
    clips = []
    for number, sequence in enumerate(SEQUENCES):
        valid = (np.arange(9) % (number + 2) == 0).astype(np.uint8)
        clips.append(made.clip(f"{sequence}/annot_data", 9, sequence=sequence, extras={"valid_frame": valid}))
    table = run(tmp_path, clips, MotionModule(Flat(), {"pose": PoseHead}, protocol=MPIINF3DHP()))
    counts = [row["frames"] for row in table["rows"] if row["model"] == "model"]
    own = [int(clip.extras["valid_frame"].sum()) for clip in clips]
    assert counts == [*own, sum(own), sum(own)]
    assert "as assumed when the data were prepared" in table["notes"][0]


def test_classes_get_their_confusion_matrix_and_parts_of_the_data_their_rows(made, tmp_path) -> None:
    clips = [made.clip(f"c{n}", 5, label=["walk", "run"][n % 2], sequence=f"{'ab'[n % 2]}/{n}") for n in range(4)]
    module = MotionModule(Flat(), {"action": lambda dim: made.Known(dim, classes=2)})
    groups = {"indoors": "a/*", "outdoors": "b/*"}
    table = run(tmp_path, clips, module, classes=["walk", "run"], test_groups=groups, test_windows=2)
    rows = {row["part"]: row["clips"] for row in table["rows"] if row["model"] == "model"}
    assert rows == {"all": 4, "indoors": 2, "outdoors": 2, "action run": 2, "action walk": 2}
    assert table["facts"]["test_data"] == "2 clips of each group, evenly spaced"
    assert (tmp_path / "test_action_confusion.png").stat().st_size > 0
    assert not (tmp_path / "test_action_joints.png").exists()
    assert "![test action confusion](test_action_confusion.png)" in (tmp_path / "test.md").read_text()
