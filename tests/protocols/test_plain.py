"""The default protocol is the heads' metrics on each part, by direct computation."""

import lightning as L
import numpy as np
import pytest
import torch
from torchmetrics import MetricCollection

from hummuss import MotionModule
from hummuss.backbones import PerFrame
from hummuss.data import StoreDataModule, StoreWriter
from hummuss.errors import InputError
from hummuss.heads import PoseHead
from hummuss.metrics import MPJPE, TopKAccuracy
from hummuss.protocols import H36MP1P2, Plain, TestClips
from hummuss.protocols.base import VALID
from hummuss.protocols.scoring import Scoring, logged


def make_clips(made):
    labels = ["walk", "run", "walk", None]
    return [made.clip(f"c{number}", 5 + number, label=label) for number, label in enumerate(labels)]


def test_every_part_is_the_heads_metrics_on_its_clips(made) -> None:
    clips = make_clips(made)
    predicted = made.disturbed(clips)
    shown = TestClips({"studio": clips[:2], "street": clips[2:]})
    head = PoseHead(4)
    evaluation = Plain().evaluation(head, shown)
    batches = []
    for loader, own in enumerate(shown.groups.values()):
        batch = made.batch(own, [(number, list(range(len(clip)))) for number, clip in enumerate(own)])
        number = shown.numbers(loader, batch["clip"])
        joints = made.at(predicted, batch | {"clip": number})
        prediction = {"joints": joints - joints[..., :1, :]}
        errors = evaluation.update(prediction, batch, number)
        assert (errors.isnan() == ~batch["valid"]).all()
        batches.append((number, prediction, batch))
    rows = {row.part: row for row in evaluation.result().rows}
    parts = {
        "all": [0, 1, 2, 3], "studio": [0, 1], "street": [2, 3],
        "action run": [1], "action unlabelled": [3], "action walk": [0, 2],
    }  # fmt: skip
    assert list(rows) == list(parts)
    assert [row.log for row in rows.values()] == ["", "studio", "street", None, None, None]
    for part, numbers in parts.items():
        metrics = head.metrics()
        for number, prediction, batch in batches:
            chosen = torch.isin(number, torch.tensor(numbers))
            if chosen.any():
                head.score(metrics, {"joints": prediction["joints"][chosen]}, {k: v[chosen] for k, v in batch.items()})
        expected = {name: value.item() for name, value in metrics.compute().items()}
        assert rows[part].figures == pytest.approx(expected, rel=1e-6)
        assert rows[part].count == sum(len(clips[number]) for number in numbers)
    errors = [
        np.linalg.norm((p - p[:, :1]) - (c.joints3d - c.joints3d[:, :1]), axis=-1)
        for p, c in zip(predicted, clips, strict=True)
    ]
    knee = 1000 * np.concatenate(errors)[:, 2].mean()
    result = evaluation.result()
    assert result.bars["joints"]["right_knee"].mean == pytest.approx(knee, rel=1e-5)
    assert result.bars["joints"]["pelvis"] == (0, 0, 0)
    assert result.curve[150.0] == pytest.approx(100 * (1000 * np.concatenate(errors) < 150).mean(), rel=1e-6)


def test_frames_that_the_data_marks_do_not_count(made) -> None:
    valid = np.array([1, 0, 0, 1, 1, 1], np.uint8)
    clips = [made.clip("a", extras={VALID: valid}), made.clip("b")]
    predicted = made.disturbed(clips)
    batch = made.batch(clips, [(0, list(range(6))), (1, list(range(6)))])
    evaluation = Plain().evaluation(PoseHead(4), TestClips({"": clips}))
    joints = made.at(predicted, batch)
    joints[0, 1:3] += torch.linspace(0, 9, 17)[:, None]  # labels are wrong there, and so is what is compared with them
    errors = evaluation.update({"joints": joints - joints[..., :1, :]}, batch, batch["clip"])
    scored = np.stack([valid > 0, np.ones(6, bool)])
    np.testing.assert_array_equal(errors.isnan(), ~scored)
    (whole, *_) = evaluation.result().rows
    off = np.concatenate([(p - c.joints3d)[own] for p, c, own in zip(predicted, clips, scored, strict=True)])
    assert whole.count == 10
    assert whole.figures["mpjpe"] == pytest.approx(1000 * np.linalg.norm(off - off[:, :1], axis=-1).mean(), rel=1e-5)


def test_nor_do_they_where_the_test_clips_choose_the_checkpoint(made, tmp_path) -> None:
    valid = np.array([1, 1, 1, 0, 0, 1, 1, 1], np.uint8)
    figures = []
    for wrong in (0.0, 5.0):
        clip = made.clip("a", 8, extras={VALID: valid})
        clip.joints3d[valid == 0, 1:] += np.float32(wrong)
        with StoreWriter(tmp_path / f"{wrong}") as writer:
            writer.add(clip)
        data = StoreDataModule(tmp_path / f"{wrong}", frames=8, select_on_test=True)
        torch.manual_seed(0)
        module = MotionModule(PerFrame(dim=8, depth=1), {"pose": PoseHead})
        trainer = L.Trainer(logger=False, enable_checkpointing=False, enable_progress_bar=False, accelerator="cpu")
        figures.append(trainer.validate(module, data, verbose=False)[0])
    assert figures[0]["val/mpjpe"] == pytest.approx(figures[1]["val/mpjpe"], rel=1e-6)


def test_classes_are_counted_as_clips_with_their_confusion(made) -> None:
    evaluation = Plain().evaluation(made.Known(classes=2), TestClips({"": make_clips(made)}, ["walk", "run"]))
    batch = {"label": torch.tensor([0, 1, 0, -1]), "has_label": torch.tensor([True, True, True, False])}
    logits = torch.tensor([[2.0, 1], [1, 2], [1, 2], [1, 2]])
    for part in (slice(0, 1), slice(1, 4)):
        rows = {name: value[part] for name, value in batch.items()}
        assert evaluation.update({"logits": logits[part]}, rows, torch.arange(4)[part]) is None
    result = evaluation.result()
    found = {row.part: (row.figures["top1"], row.count) for row in result.rows}
    assert found["all"] == (pytest.approx(200 / 3), 3)
    assert found["action run"] == (100, 1)
    assert found["action walk"] == (50, 2)
    assert np.isnan(found["action unlabelled"][0])
    assert result.confusion.tolist() == [[1, 1], [0, 1]]
    assert (result.counted, result.classes, result.curve) == ("clips", ["walk", "run"], {})


def test_metrics_of_both_kinds_in_one_head_are_refused_not_dropped(made) -> None:
    head = made.Known()
    both = MetricCollection({"mpjpe": MPJPE(), "top1": TopKAccuracy(6)})
    head.metrics = lambda: both
    with pytest.raises(ValueError, match="Known has both"):
        Plain().evaluation(head, TestClips({"": make_clips(made)}))


def test_only_heads_that_predict_what_is_compared_are_scored(made) -> None:
    clips = TestClips({"": make_clips(made)})
    with pytest.raises(InputError, match="h36m_p1_p2 compares joints, which no head"):
        Scoring(H36MP1P2(), {"action": type("Action", (made.Known,), {"predicts": ("logits",)})()}, clips, "cpu")
    with pytest.raises(InputError, match="test subjects are S9, S11"):
        Scoring(H36MP1P2(), {"pose": PoseHead(4)}, clips, "cpu")


def test_the_model_is_scored_beside_the_mean_pose_under_the_names_of_the_logs(made) -> None:
    clips = make_clips(made)
    head = PoseHead(4)
    batch = made.batch(clips, [(number, list(range(5))) for number in range(4)])
    head.observe(batch)
    scoring = Scoring(Plain(), {"pose": head}, TestClips({"": clips}), "cpu")
    joints = batch["joints3d"] - batch["joints3d"][..., :1, :]
    errors = scoring.update({"pose": {"joints": joints}}, batch, 0)
    assert errors["pose"].abs().max() == 0
    figures = dict(logged(scoring.results(), several_heads=False))
    assert figures["mpjpe"] == 0
    mean = joints.mean((0, 1))
    assert figures["mean_pose/mpjpe"] == pytest.approx(1000 * (joints - mean).norm(dim=-1).mean().item(), rel=1e-5)
    assert "pose/mean_pose/mpjpe" in dict(logged(scoring.results(), several_heads=True))
    assert not any("walk" in key for key in figures), "actions are in the table only"
