"""Mixtures: how often each part is drawn, whatever the bodies; a curriculum by epochs."""

from pathlib import Path

import lightning as L
import numpy as np
import pytest
import torch

from hummuss import InputError, MotionModule
from hummuss.backbones import PerFrame
from hummuss.data import (
    Camera,
    DetectionNoise,
    MixtureDataModule,
    MotionClip,
    MotionDataModule,
    Occlusion,
    RandomMove,
    Stage,
    StoreDataModule,
    StoreWriter,
    SyntheticDataModule,
    View,
)
from hummuss.heads import MeshHead, PoseHead

NO_NOISE = View(noise=DetectionNoise(scale=(0.0, 0.0), gross=0.0, missed=0.0))


@pytest.fixture
def in_2d(tmp_path) -> Path:
    """Keypoints alone, in clips of one and of three seconds; every joint of a clip has its number of seconds as y."""
    with StoreWriter(tmp_path / "flat") as writer:
        for split in ("train", "val", "test"):
            for seconds in (1, 3):
                keypoints = np.ones((25 * seconds + 1, 17, 3), np.float32)
                keypoints[..., :2] = np.random.default_rng(0).uniform(100, 300, (17, 2))
                keypoints[..., 1] += seconds
                writer.add(
                    MotionClip(
                        name=f"{split}{seconds}", sequence=split, subject="", split=split, fps=25.0, frame="camera",
                        camera=Camera.of_size(640, 480), keypoints2d=keypoints, label=f"of {seconds}",
                    )
                )  # fmt: skip
    return tmp_path / "flat"


def mixture(in_2d: Path, weights=None, **options) -> MixtureDataModule:
    parts = {"made": SyntheticDataModule(train_clips=4, val_clips=1, test_clips=1), "flat": StoreDataModule(in_2d)}
    settings = {"frames": 5, "batch_size": 2, "windows_per_epoch": 8, "flip": 0.0, "view": NO_NOISE}
    return MixtureDataModule(parts, weights or {"made": 1.0, "flat": 3.0}, **settings | options)


def test_parts_are_drawn_by_weight_and_their_clips_by_duration(in_2d: Path) -> None:
    module = mixture(in_2d)
    windows = module.train_dataloader().dataset
    drawn = torch.stack([windows[number]["clip"] for number in range(300)])
    share = [float((drawn == clip).float().mean()) for clip in range(6)]
    # A quarter over four performances, the rest over one second and three: three standard deviations of 300 draws.
    assert share == pytest.approx([1 / 16] * 4 + [3 / 16, 9 / 16], abs=0.09)
    assert module.dataset == f"synthetic+{StoreDataModule(in_2d).dataset}"
    assert module.classes == SyntheticDataModule().classes
    assert module.labels("val") == [*SyntheticDataModule(val_clips=1).labels("val"), "of 1", "of 3"]


def test_a_batch_says_which_targets_its_samples_have(in_2d: Path) -> None:
    for batch in mixture(in_2d).train_dataloader():
        flat = batch["clip"] >= 4
        assert (batch["has_2d_target"] == flat).all()
        assert (batch["has_joints3d"] == ~flat).all()


def test_every_part_is_a_group_of_the_test(in_2d: Path) -> None:
    module = mixture(in_2d)
    assert {name: len(sources) for name, sources in module.groups("test").items()} == {"made": 1, "flat": 2}
    assert [len(loader) for loader in module.test_dataloader()] == [1, 2]


def moving(seed: int, **fields) -> MotionClip:
    joints = np.random.default_rng(seed).normal(0, 0.3, (1, 17, 3)).repeat(30, 0).astype(np.float32)
    return MotionClip(
        sequence="s", subject="1", split="train", fps=30.0, joints3d=joints + np.float32([0, 1, 0]), **fields
    )


def test_parts_may_pose_different_bodies_but_no_mesh_learns_from_both(tmp_path: Path, in_2d: Path, smpl) -> None:
    body = {"smpl_pose": np.zeros((30, 24, 3), np.float32), "transl": np.zeros((30, 3), np.float32)}
    with StoreWriter(tmp_path / "other") as writer:
        writer.add(moving(0, name="a", body="SMPL_NEUTRAL", betas=np.zeros(10, np.float32), **body))
    with StoreWriter(tmp_path / "own") as writer:
        writer.add(moving(1, name="b", body="free", betas=np.zeros(10, np.float32), **body))
    parts: dict[str, MotionDataModule] = {
        "other": StoreDataModule(tmp_path / "other", body_path=str(smpl.file), h36m_regressor=str(smpl.regressor)),
        "own": StoreDataModule(tmp_path / "own"),
        "flat": StoreDataModule(in_2d),
    }
    module = MixtureDataModule(parts, dict.fromkeys(parts, 1.0), frames=5, batch_size=1, windows_per_epoch=8, flip=0.0)
    assert sorted(module.bodies) == ["SMPL_NEUTRAL", "free"]
    options = {"frames": 5, "batch_size": 1, "windows_per_epoch": 8, "flip": 0.0}
    single = {name: MixtureDataModule({name: part}, {name: 1.0}, **options) for name, part in parts.items()}
    alone = {name: one.train_dataloader().dataset for name, one in single.items()}
    mixed, seen = module.train_dataloader().dataset, set()
    for number in range(8):
        sample = mixed[number]
        seen.add(name := list(parts)[min(int(sample["clip"]), 2)])
        # Its own body takes it to the camera: all is as the part alone would have it.
        for key, value in alone[name][number].items():
            assert key == "clip" or name == "flat" or torch.equal(sample[key], value), (name, key)
    assert {"other", "own"} <= seen
    head = MeshHead(4, hidden=8, vertex_count=20)
    with pytest.raises(InputError, match="the data poses the body 'SMPL_NEUTRAL', the mesh head 'free'"):
        head.check_data(module)
    head.check_data(single["own"])
    PoseHead(4).check_data(module)


HALFWAY = (
    Stage(1, weights={"made": 1.0, "flat": 1.0}, occlusion=Occlusion(windows=1.0, frames=0.9)),
    Stage(3, occlusion=Occlusion(windows=0.0)),
)


def test_stages_follow_from_the_epoch_alone(in_2d: Path) -> None:
    only = {"made": 0.0, "flat": 1.0}
    for workers in (0, 2):
        loader = mixture(in_2d, only, curriculum=HALFWAY, num_workers=workers).train_dataloader()
        for epoch in (0, 1, 2, 3):
            loader.sampler.set_epoch(epoch)
            batches = list(loader)
            flat = torch.cat([batch["has_2d_target"] for batch in batches])
            assert flat.all() == (epoch == 0), "weights stay until a stage has others"
            hidden = torch.cat([(batch["keypoints"][..., 2] == 0).flatten(1).float().mean(1) for batch in batches])
            assert (hidden.max() == 0) if epoch in (0, 3) else (hidden.max() > 0.5)


def test_a_window_of_a_stage_is_that_of_a_module_with_its_settings(in_2d: Path) -> None:
    staged = mixture(in_2d, curriculum=HALFWAY).train_dataloader().dataset
    plain = mixture(in_2d, HALFWAY[0].weights, occlusion=HALFWAY[0].occlusion).train_dataloader().dataset
    start = mixture(in_2d).train_dataloader().dataset
    last = mixture(in_2d, HALFWAY[0].weights, occlusion=HALFWAY[1].occlusion).train_dataloader().dataset
    for number, like in ((7, start), (8, plain), (23, plain), (24, last)):
        for key, value in like[number].items():
            assert torch.equal(staged[number][key], value), (number, key)


def test_a_part_that_is_only_learnt_from_needs_no_test_clips(in_2d: Path, tmp_path: Path) -> None:
    with StoreWriter(tmp_path / "train") as writer:
        writer.add(moving(0, name="a"))
    only = StoreDataModule(tmp_path / "train")
    parts: dict[str, MotionDataModule] = {"flat": StoreDataModule(in_2d), "only": only}
    module = MixtureDataModule(parts, dict.fromkeys(parts, 1.0), frames=5, batch_size=2, windows_per_epoch=8)
    assert len(module.sources("train")) == 3
    assert len(module.sources("val")) == len(module.labels("val")) == 2
    assert list(module.groups("test")) == ["flat"]
    with pytest.raises(InputError, match=r"no part of .* has a clip in its 'val' split: only"):
        MixtureDataModule({"only": only}, {"only": 1.0}).sources("val")


def test_classes_of_a_part_that_is_left_out_have_no_turn(in_2d: Path) -> None:
    windows = mixture(in_2d, {"made": 0.0, "flat": 1.0}, clips_per_class=2, classes=["walk", "of 1", "of 3"])
    assert {int(windows.train_dataloader().dataset[number]["label"]) for number in range(16)} == {1, 2}


def test_a_moved_picture_carries_no_3d(in_2d: Path) -> None:
    assert mixture(in_2d).carries("joints3d")
    moved = mixture(in_2d, move=RandomMove())
    assert moved.carries("keypoints2d")
    assert not moved.carries("joints3d")


def test_a_run_resumed_within_a_stage_goes_on_as_if_never_interrupted(in_2d: Path, tmp_path: Path) -> None:
    class Record(L.Callback):
        def __init__(self) -> None:
            self.seen: list[list[int]] = []

        def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx) -> None:
            self.seen.append([*batch["sample"].tolist(), *batch["clip"].tolist()])
            if len(self.seen) == 6:
                trainer.save_checkpoint(tmp_path / "within.ckpt")

    def train(**options) -> tuple[list[list[int]], torch.Tensor]:
        torch.manual_seed(0)
        model, record = MotionModule(PerFrame(dim=1, depth=0, dim_rep=4), {"pose": PoseHead}), Record()
        L.Trainer(
            max_epochs=3, logger=False, enable_checkpointing=False, enable_progress_bar=False, accelerator="cpu",
            default_root_dir=tmp_path, enable_model_summary=False, limit_val_batches=0, callbacks=[record],
        ).fit(model, mixture(in_2d, curriculum=HALFWAY), weights_only=True, **options)  # fmt: skip
        return record.seen, model.backbone.project.weight.detach()

    whole, weights = train()
    resumed, again = train(ckpt_path=tmp_path / "within.ckpt")
    assert whole[6:] == resumed
    assert torch.equal(weights, again)


def test_a_mixture_within_another_is_drawn_by_its_own_weights(in_2d: Path) -> None:
    inner = mixture(in_2d, {"made": 1.0, "flat": 0.0})
    outer = MixtureDataModule({"inner": inner, "flat": StoreDataModule(in_2d)}, {"inner": 1.0, "flat": 1.0}, frames=5)
    windows = outer.train_dataloader().dataset
    drawn = torch.stack([windows[number]["clip"] for number in range(200)])
    assert not ((drawn >= 4) & (drawn < 6)).any()  # the part of weight 0
    assert float((drawn < 4).float().mean()) == pytest.approx(0.5, abs=0.11)
    staged = mixture(in_2d, curriculum=[Stage(1, weights={"made": 1.0, "flat": 0.0})])
    with pytest.raises(InputError, match=r"parts\.inner is a mixture with a curriculum of its own"):
        MixtureDataModule({"inner": staged}, {"inner": 1.0})


def test_mistakes_are_named(in_2d: Path) -> None:
    for weights, message in (
        ({"made": 1.0}, r"weighs made, but the parts are flat, made: give every part one weight"),
        ({"made": 1.0, "flat": -1.0}, "none below 0"),
        ({"made": 0.0, "flat": 0.0}, "one above"),
    ):
        with pytest.raises(InputError, match=message):
            mixture(in_2d, weights)
        with pytest.raises(InputError, match=f"from epoch 2 .*{message}|{message}"):
            mixture(in_2d, curriculum=[Stage(2, weights=weights)])
    with pytest.raises(InputError, match="from epoch 1 comes after one from epoch 1"):
        mixture(in_2d, curriculum=[Stage(1), Stage(1)])
