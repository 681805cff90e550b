"""Persons who were recorded together make one sample: same instants, camera and mirroring; nothing else changes."""

import numpy as np
import pytest
import torch

from hummuss import DSTformer, HumMUSS, InputError, MotionModule
from hummuss.data import Camera, ClipSampling, MotionClip, StoreDataModule, StoreWriter, SyntheticDataModule
from hummuss.heads import ActionHead
from hummuss.inference.strategy import Inference


def clip(name: str, frames: int, start: int = 0, split: str = "train", **changes) -> MotionClip:
    """A person of a recording, whose left wrist says the frame on the recording's clock: 10 pixels a frame."""
    keypoints = np.random.default_rng(len(name) + frames).uniform(100, 900, (frames, 17, 3)).astype(np.float32)
    keypoints[..., 2] = 1
    keypoints[:, 13, 0] = 10 * np.arange(start, start + frames)
    values = {"timestamps": np.arange(start, start + frames) / 30} if start else {"fps": 30.0}
    sequence, _, person = name.partition("/")
    values |= {"sequence": sequence, "person": person or None, "subject": "1", "split": split}
    values |= {"label": f"A{1 + len(name) % 2}"}
    values |= {"frame": "camera", "camera": Camera.of_size(2000, 1000), "keypoints2d": keypoints}
    return MotionClip(name=name, **values | changes)


@pytest.fixture
def root(tmp_path):
    with StoreWriter(tmp_path / "store") as writer:
        for split in ("train", "val", "test"):
            for name, frames, start in (("two/1", 90, 0), ("two/2", 30, 20), ("alone1", 40, 0), ("back", 60, 0)):
                writer.add(clip(f"{split}-{name}", frames, start, split))
            # Who returned after the other had left: a sample of its own.
            writer.add(clip(f"{split}-two/1/part_2", 20, 120, split))
    return tmp_path / "store"


def module(root, **options) -> StoreDataModule:
    settings = {"frames": 16, "batch_size": 4, "windows_per_epoch": 40, "persons_together": True}
    return StoreDataModule(root, classes=["A1", "A2"], **settings | options)


def seen_frames(row: dict[str, torch.Tensor]) -> np.ndarray:
    """Frames on the recording's clock, as the wrist of a sample that is not mirrored says."""
    return (row["keypoints2d_px"][row["valid"], 13, 0] / 10).numpy()


@pytest.mark.parametrize("sampling", [None, ClipSampling(cover=(0.9, 1.0))])
def test_persons_share_instants_and_a_sample(root, sampling) -> None:
    batches = list(module(root, clip_sampling=sampling, flip=0.0).train_dataloader())
    pairs = 0
    for batch in batches:
        samples, counts = batch["sample"].unique(return_counts=True)
        assert len(samples) == 4, "a batch has batch_size samples"
        for sample in samples[counts == 2]:
            first, second = ({k: v[row] for k, v in batch.items()} for row in torch.where(batch["sample"] == sample)[0])
            pairs += 1
            assert first["clip"] != second["clip"]
            assert first["label"] == second["label"]
            own = seen_frames(first)
            expected = own[
                (own >= 20 - 1e-3) & (own <= 49 + 1e-3)
            ]  # the second is there from the 20th frame to the 49th
            np.testing.assert_allclose(seen_frames(second), expected, atol=1e-2)
    assert pairs > 3


def test_persons_are_mirrored_together_and_seen_by_one_camera(root, tmp_path) -> None:
    rows = module(root, flip=0.5, batch_size=1).train_dataloader().dataset
    both = [sample for sample in (rows[draw] for draw in range(60)) if len(sample) == 2]
    sides = [[bool((row["keypoints2d_px"][row["valid"], 13, 0] % 10 > 1e-2).any()) for row in pair] for pair in both]
    assert all(one == other for one, other in sides)
    assert 0 < sum(one for one, _ in sides) < len(both)
    joints = np.random.default_rng(0).normal(0, 0.3, (20, 17, 3)).astype(np.float32)
    with StoreWriter(tmp_path / "world") as writer:
        for person in ("1", "2"):
            fields = {"joints3d": joints + np.float32([float(person), 1, 0]), "frame": "world", "camera": None}
            writer.add(clip(f"train-w/{person}", 20, **fields | {"keypoints2d": None}))
    one, two = module(tmp_path / "world", flip=0.0).train_dataloader().dataset[0]
    torch.testing.assert_close(one["camera_k"], two["camera_k"])
    apart = (two["joints3d"] - one["joints3d"])[one["valid"]]  # a metre, wherever the camera stands
    torch.testing.assert_close(apart.norm(dim=-1), torch.ones(apart.shape[:-1]), atol=1e-4, rtol=0)
    torch.testing.assert_close(apart, apart[:1, :1].expand_as(apart), atol=1e-4, rtol=0)


def test_whoever_is_alone_is_seen_as_ever(tmp_path) -> None:
    with StoreWriter(tmp_path / "store") as writer:
        for split in ("train", "val"):
            for frames in (40, 60):
                writer.add(clip(f"{split}{frames}", frames, split=split))
    plain, together = (module(tmp_path / "store", persons_together=on) for on in (False, True))
    for loaders in ("train_dataloader", "val_dataloader"):
        for one, other in zip(getattr(plain, loaders)(), getattr(together, loaders)(), strict=True):
            for key, value in one.items():
                torch.testing.assert_close(other[key], value, rtol=0, atol=0)


def test_whole_clips_are_drawn_equally_often_and_padded(root) -> None:
    data = module(root, clip_sampling=ClipSampling(), windows_per_epoch=400)
    assert data._shares(data.recordings(data.sources("train"))) == [1.0] * 4
    [batch] = module(root, clip_sampling=ClipSampling(), frames=64, val_windows=None).val_dataloader()
    # two/1 with two/2 (frames 20 to 49 of 90 in 64 segments), its part_2, alone1, back.
    assert batch["valid"].sum(1).tolist() == [64, 21, 20, 40, 60]
    assert batch["sample"].tolist() == [0, 0, 1, 2, 3]
    np.testing.assert_allclose(batch["dt"][0], 89 / 30 / 64, rtol=1e-5)


def test_a_sample_counts_once(root) -> None:
    torch.manual_seed(0)
    [batch] = module(root, clip_sampling=ClipSampling(), val_windows=None).val_dataloader()
    head = ActionHead(8, hidden=8, classes=["A1", "A2"]).eval()
    prediction = head(torch.randn(5, 16, 17, 8), batch)
    torch.testing.assert_close(prediction["logits"][0], prediction["logits"][1])
    metrics = head.metrics()
    head.score(metrics, prediction, batch)
    right = (prediction["logits"].argmax(1) == batch["label"])[[0, 2, 3, 4]]
    assert float(metrics.compute()["top1"]) == pytest.approx(100 * float(right.float().mean()))
    assert head.comparison(prediction, batch)["has_label"].tolist() == [True, False, True, True, True]


def test_several_test_clips_are_the_mean_of_each(root) -> None:
    torch.manual_seed(0)
    head = {"action": lambda dim: ActionHead(dim, hidden=8, classes=["A1", "A2"])}
    model = MotionModule(HumMUSS(dim=8, depth=1, dim_rep=8), head).eval()
    data = module(root, clip_sampling=ClipSampling(test_clips=3))
    (loader,) = data.test_dataloader()
    batches = list(loader)
    assert [len(batch["dt"]) for batch in batches] == [6, 3, 3, 3]
    inference = Inference()
    for batch in batches[:2]:
        found = inference.predict(model, batch, trained_frames=16)["action"]
        alone = []
        for sample in batch["sample"].unique():
            rows = batch["sample"] == sample
            alone.append(model({key: value[rows] for key, value in batch.items()})["action"]["probabilities"][0])
        assert (alone[0] - alone[1]).abs().max() > 1e-4
        expected = torch.stack(alone).mean(0).expand(len(rows), 2)
        torch.testing.assert_close(found["probabilities"], expected)
        torch.testing.assert_close(found["logits"].softmax(1), expected)
        assert head_counts(model, found, batch) == 1
    assert inference.describe() == "whole clips; up to 3 samplings of a clip averaged"


def head_counts(model: MotionModule, prediction, batch) -> int:
    return int(model.heads["action"].comparison(prediction, batch)["has_label"].sum())


def test_a_backbone_of_limited_length_takes_persons_in_one_piece(root) -> None:
    torch.manual_seed(0)
    backbone = DSTformer(dim=8, depth=1, num_heads=2, dim_rep=8, max_frames=32)
    head = {"action": lambda dim: ActionHead(dim, hidden=8, classes=["A1", "A2"])}
    model = MotionModule(backbone, head).eval()
    (loader,) = module(root, clip_sampling=ClipSampling()).test_dataloader()
    batch = next(iter(loader))
    assert len(batch["dt"]) == 2
    inference = Inference()
    found = inference.predict(model, batch, trained_frames=16)["action"]
    torch.testing.assert_close(found["logits"], model(batch)["action"]["logits"])
    torch.testing.assert_close(found["logits"][0], found["logits"][1])
    assert inference.describe() == "whole clips"


def test_views_of_one_person_are_no_persons(tmp_path) -> None:
    """As Human3.6M's four cameras: of one sequence, at the same time, and nobody says who; or one comes back."""
    for place, (persons, refused) in enumerate(
        (((None, None), True), (("1", "1"), True), (("1", "2"), False), ((None, "2"), False))
    ):
        path = tmp_path / str(place)
        with StoreWriter(path) as writer:
            for camera, person in enumerate(persons):
                writer.add(clip(f"walk/{camera}", 60, person=person))
            writer.add(clip("walk/9", 20, 70, person=persons[1]))  # later
        if refused:
            told = f"walk/0 and walk/1 show person {persons[0]} of one sequence at the same time: views of one person"
            with pytest.raises(InputError, match=told):
                module(path).train_dataloader()
        else:
            assert len(module(path).train_dataloader().dataset[0]) in (1, 2)
        module(path, persons_together=False).train_dataloader()


def test_wrong_settings_are_refused() -> None:
    for name, value in (("val_clips", 0), ("train_clips", -1), ("duration", 0.0)):
        with pytest.raises(InputError, match=f"data.init_args.{name} is {value}, expected"):
            SyntheticDataModule(**{name: value})
    with pytest.raises(InputError, match="shows every person alone"):
        SyntheticDataModule(persons_together=True).train_dataloader()
    with pytest.raises(InputError, match="set either to null"):
        from hummuss.data import FrameRateAugmentation

        SyntheticDataModule(clip_sampling=ClipSampling(), frame_rate=FrameRateAugmentation())
