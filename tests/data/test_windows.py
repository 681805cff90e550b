"""Windows: what a batch holds, determinism, coverage."""

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils.data import default_collate

from hummuss.data import (
    Camera,
    DetectionNoise,
    FrameRateAugmentation,
    MotionClip,
    StoreDataModule,
    StoreWriter,
    SyntheticDataModule,
    View,
)
from hummuss.data.transforms.frame_rate import Instants
from hummuss.data.transforms.normalise import normalise
from hummuss.data.windows import to_sample
from hummuss.errors import InputError

SHAPES = {
    "keypoints": (2, 9, 17, 3), "keypoints2d_px": (2, 9, 17, 3), "dt": (2, 9), "valid": (2, 9),
    "joints3d": (2, 9, 17, 3), "smpl_pose": (2, 9, 24, 3), "betas": (2, 10), "transl": (2, 9, 3), "label": (2,),
    "has_joints3d": (2,), "has_smpl": (2,), "has_label": (2,), "has_2d_target": (2,), "camera_k": (2, 3, 3),
    "sample": (2,), "clip": (2,), "frame_index": (2, 9),
}  # fmt: skip


def synthetic(**options) -> SyntheticDataModule:
    return SyntheticDataModule(**{"frames": 9, "batch_size": 2, "windows_per_epoch": 8} | options)


def make_clip(name, split, frames, fps=50.0, **fields) -> MotionClip:
    rng = np.random.default_rng(frames)
    joints = rng.normal(0, 0.3, (frames, 17, 3)).cumsum(0).astype(np.float32) * 0.05 + np.float32([0, 1, 0])
    values = {"sequence": f"{split}/{name}", "subject": "1", "label": "walk", "joints3d": joints}
    return MotionClip(name=name, split=split, fps=fps, **(values | fields))


@pytest.fixture
def root(tmp_path):
    with StoreWriter(tmp_path / "store") as writer:
        for split, count in (("train", 3), ("val", 2), ("test", 3)):
            for i in range(count):
                writer.add(make_clip(f"{split}{i}", split, 25 + 13 * i, fps=[50.0, 120.0, 60.0][i]))
    return tmp_path / "store"


def test_batches_follow_the_contract() -> None:
    batch = next(iter(synthetic(frame_rate=FrameRateAugmentation()).train_dataloader()))
    assert {key: tuple(value.shape) for key, value in batch.items()} == SHAPES
    assert batch["valid"].dtype == torch.bool
    assert (batch["dt"] > 0).all()
    assert batch["has_smpl"].all()
    assert batch["has_joints3d"].all()
    assert not batch["has_2d_target"].any()
    assert ((batch["keypoints"][..., 2] >= 0) & (batch["keypoints"][..., 2] <= 1)).all()
    assert (batch["joints3d"][..., 2] > 0).all()
    assert (batch["label"] >= 0).all()


def test_items_depend_on_seed_and_number_alone() -> None:
    windows = synthetic(frame_rate=FrameRateAugmentation(irregular=0.5)).train_dataloader().dataset
    again = synthetic(frame_rate=FrameRateAugmentation(irregular=0.5)).train_dataloader().dataset
    again[3]
    for number in (0, 5):
        for key, value in windows[number].items():
            torch.testing.assert_close(again[number][key], value, rtol=0, atol=0)
    other = synthetic(seed=1).train_dataloader().dataset
    assert not torch.equal(other[0]["keypoints"], windows[0]["keypoints"])


def test_workers_change_nothing() -> None:
    plain = list(synthetic().train_dataloader())
    parallel = list(synthetic(num_workers=2).train_dataloader())
    assert len(plain) == len(parallel) == 4
    for one, other in zip(plain, parallel, strict=True):
        torch.testing.assert_close(one["keypoints"], other["keypoints"], rtol=0, atol=0)


def test_epochs_continue_where_the_last_one_ended() -> None:
    loader = synthetic().train_dataloader()
    first = torch.cat([batch["sample"] for batch in loader])
    loader.sampler.set_epoch(1)
    second = torch.cat([batch["sample"] for batch in loader])
    assert first.tolist() == list(range(8))
    assert second.tolist() == list(range(8, 16))


def test_a_batch_shares_its_span_and_irregularity() -> None:
    augmentation = FrameRateAugmentation(min_frames=4, irregular=0.5)
    module = synthetic(frames=20, batch_size=4, windows_per_epoch=40, frame_rate=augmentation)
    spans, regular = set(), 0
    for batch in module.train_dataloader():
        spans.add(batch["dt"].shape[1])
        even = (batch["dt"] - batch["dt"].mean(1, keepdim=True)).abs().amax(1) < 1e-6
        assert even.all() or not even.any() or batch["dt"].shape[1] < 6
        regular += bool(even.all())
    assert len(spans) > 3
    assert 0 < regular < 10


def test_evaluation_covers_every_frame_once_and_pads_the_last_window(root) -> None:
    module = StoreDataModule(root, frames=10, batch_size=2, max_fps=60.0, val_windows=None)
    seen = []
    for batch in module.val_dataloader():
        for clip, frames, valid in zip(batch["clip"], batch["frame_index"], batch["valid"], strict=True):
            seen += [(int(clip), int(frame)) for frame in frames[valid]]
            assert valid.long().diff().le(0).all()  # padding stands after the clip
    # 25 frames at 50 fps; 38 frames at 120 fps are thinned to every second.
    assert seen == [(0, f) for f in range(25)] + [(1, f) for f in range(0, 38, 2)]


def test_test_batches_are_whole_clips_and_cover_every_frame_once(root) -> None:
    module = StoreDataModule(root, frames=10, batch_size=2, max_fps=60.0)
    (loader,) = module.test_dataloader()
    batches = list(loader)
    # 25 frames at 50 fps; 38 at 120 fps, thinned to every second; 51 at 60 fps.
    expected = [list(range(25)), list(range(0, 38, 2)), list(range(51))]
    assert [batch["frame_index"].tolist() for batch in batches] == [[frames] for frames in expected]
    assert [batch["clip"].tolist() for batch in batches] == [[0], [1], [2]]
    for batch, fps in zip(batches, (50, 60, 60), strict=True):
        assert batch["valid"].all()
        torch.testing.assert_close(batch["dt"], torch.full_like(batch["dt"], 1 / fps))


def test_one_camera_sees_a_whole_test_clip_whatever_training_did(root) -> None:
    view = View(noise=DetectionNoise(scale=(0.0, 0.0), gross=0.0, missed=0.0))
    clean = [
        StoreDataModule(root, frames=frames, seed=seed, view=view).test_dataloader()[0].dataset[2]
        for frames, seed in ((10, 0), (81, 1))
    ]
    torch.testing.assert_close(clean[0]["keypoints"], clean[1]["keypoints"], rtol=0, atol=0)
    sample = clean[0]
    projected = sample["joints3d"] @ sample["camera_k"].T
    pixels = projected[..., :2] / projected[..., 2:]
    torch.testing.assert_close(sample["keypoints2d_px"][..., :2], pixels, rtol=0, atol=1e-2)
    assert ((pixels > 0) & (pixels < 1000)).all(), "all of the clip is in view"
    assert len(StoreDataModule(root, test_windows=2).test_dataloader()[0]) == 2


def test_a_clip_of_one_frame_is_refused_by_name(tmp_path) -> None:
    with StoreWriter(tmp_path / "s") as writer:
        writer.add(make_clip("lonely", "test", 1))
    with pytest.raises(InputError, match="clip lonely has one frame"):
        StoreDataModule(tmp_path / "s").test_dataloader()


@pytest.mark.parametrize(("strides", "expected"), [((4.0, 4.0), 4), ((1.0, 4.0), 1)])
def test_validation_is_at_the_rate_of_the_training_where_that_is_one(root, strides, expected) -> None:
    frame_rate = FrameRateAugmentation(strides=strides, fractional=0.0)
    data = StoreDataModule(root, frames=5, batch_size=2, max_fps=None, frame_rate=frame_rate, val_windows=None)
    windows = data.val_dataloader().dataset
    assert {int(step) for row in windows for step in row["frame_index"][row["valid"]].diff()} == {expected}
    assert sum(int(row["valid"].sum()) for row in windows) == sum(-(-frames // expected) for frames in (25, 38))
    first = next(iter(data.val_dataloader()))
    np.testing.assert_allclose(first["dt"][0], expected / 50, rtol=1e-6)
    (tested, *_) = data.test_dataloader()
    assert (next(iter(tested))["frame_index"][0].diff() == 1).all(), "a test shows all frames"


def test_validation_at_a_rate_between_frames_interpolates(root) -> None:
    frame_rate = FrameRateAugmentation(strides=(1.3, 1.3))
    data = StoreDataModule(root, frames=5, batch_size=2, max_fps=None, frame_rate=frame_rate, val_windows=None)
    windows = list(data.val_dataloader().dataset)
    for clip, frames in enumerate((25, 38)):
        own = [row for row in windows if row["clip"] == clip]
        seen = np.concatenate([row["frame_index"][row["valid"]].numpy() for row in own])
        np.testing.assert_array_equal(seen, np.arange(0, frames - 1, 1.3).round(), "each instant once, none left out")
        for row in own:
            interval = 1.3 / data.sources("val")[clip].fps
            np.testing.assert_allclose(row["dt"][row["valid"]], interval, rtol=1e-6)


def test_evaluation_dt_reaches_back_to_the_frame_before_the_window(root) -> None:
    module = StoreDataModule(root, frames=10, batch_size=2, max_fps=60.0, val_windows=None)
    windows = module.val_dataloader().dataset
    for window in windows:
        torch.testing.assert_close(window["dt"], torch.full((10,), 1 / 50 if window["clip"] == 0 else 1 / 60))


def test_evaluation_does_not_depend_on_the_seed(root) -> None:
    one, other = (StoreDataModule(root, frames=10, seed=seed).val_dataloader().dataset[1] for seed in (0, 1))
    torch.testing.assert_close(one["keypoints"], other["keypoints"], rtol=0, atol=0)


def test_groups_divide_the_test_split(root) -> None:
    module = StoreDataModule(root, frames=10, test_groups={"first": "*/test0", "rest": "*/test[12]"})
    assert {name: len(part) for name, part in module.groups("test").items()} == {"first": 1, "rest": 2}
    with pytest.raises(InputError, match=r"test clip test1 .* is in the groups \[\], expected exactly one"):
        StoreDataModule(root, test_groups={"first": "*/test0"}).groups("test")


def test_clips_without_targets_say_so(tmp_path) -> None:
    keypoints = np.random.default_rng(0).uniform(0, 100, (20, 17, 3)).astype(np.float32)
    with StoreWriter(tmp_path / "s") as writer:
        writer.add(make_clip("a", "train", 20, joints3d=None, keypoints2d=keypoints, frame="camera", label=None))
    module = StoreDataModule(tmp_path / "s", frames=5, batch_size=2, view=View(normalisation="box"), flip=0.0)
    batch = default_collate([module.train_dataloader().dataset[i] for i in range(2)])
    assert batch["has_2d_target"].all()
    for key in ("has_joints3d", "has_smpl", "has_label"):
        assert not batch[key].any()
    assert (batch["label"] == -1).all()


def test_the_box_is_the_detections_even_where_the_model_does_not_see_them() -> None:
    rng = np.random.default_rng(0)
    keypoints = np.concatenate([rng.uniform(0, 400, (30, 17, 2)), np.ones((30, 17, 1))], -1).astype(np.float32)
    clip = MotionClip(
        name="a", sequence="a", subject="", split="train", fps=30.0, keypoints2d=keypoints, frame="camera"
    )
    instants = Instants(np.arange(30) / 30, np.full(30, 1 / 30), np.arange(30.0))
    hidden = np.zeros((30, 17), bool)
    hidden[:20] = True  # all of the box's half second
    whole, masked = (to_sample(clip, instants, 30, "box", (), (0, 0), mask)["keypoints"] for mask in (None, hidden))
    assert (masked[:20] == 0).all()
    assert torch.equal(masked[20:], whole[20:])


def test_a_hand_that_comes_into_view_first_is_no_box_of_a_person() -> None:
    rng = np.random.default_rng(0)
    keypoints = np.concatenate([rng.uniform(100, 300, (60, 17, 2)), np.ones((60, 17, 1))], -1)
    late = keypoints.copy()
    late[:30, 3:] = 0  # three joints in the first second
    times = np.arange(60) / 30
    box = normalise(late, times, None, "box")
    points = late[:46][late[:46, :, 2] > 0][:, :2]  # until half a second after the whole person
    half = (points.max(0) - points.min(0)).max() / 2
    middle = (points.max(0) + points.min(0)) / 2
    np.testing.assert_allclose(box[30:, :, :2], (keypoints[30:, :, :2] - middle) / half, rtol=1e-5, atol=1e-5)
    one = keypoints * (np.arange(17) < 1)[:, None]  # nobody shows more
    assert np.isfinite(normalise(one, times, None, "box")).all()


def test_a_world_clip_with_its_own_detections_needs_the_camera_that_made_them(tmp_path) -> None:
    joints = np.random.default_rng(0).normal(0, 0.5, (20, 17, 3)).astype(np.float32)
    keypoints = np.ones((20, 17, 3), np.float32)
    for place, (fields, message) in enumerate(
        (
            ({"keypoints2d": keypoints}, "brings 2D keypoints without the camera that saw it"),
            ({"keypoints2d": keypoints, "camera": Camera.of_size(640, 480)}, "brings 2D keypoints without the camera"),
            ({"camera": Camera.of_size(640, 480)}, "has the size of an image, but not the camera that saw it"),
        )
    ):
        with StoreWriter(tmp_path / str(place)) as writer:
            writer.add(make_clip("a", "train", 20, joints3d=joints, frame="world", **fields))
        module = StoreDataModule(tmp_path / str(place), frames=5, batch_size=1)
        with pytest.raises(InputError, match=f"clip a is in the world frame and {message}"):
            module.train_dataloader().dataset[0]


def test_label_indices_follow_the_classes(root) -> None:
    windows = StoreDataModule(root, frames=5, classes=["run", "walk"]).val_dataloader().dataset
    assert windows[0]["label"] == 1
    assert not StoreDataModule(root, frames=5, classes=["run"]).val_dataloader().dataset[0]["has_label"]


def test_a_split_without_clips_and_a_foreign_body_are_refused(tmp_path, root) -> None:
    with StoreWriter(tmp_path / "only_train") as writer:
        fields = {
            "smpl_pose": np.zeros((20, 24, 3), np.float32),
            "betas": np.zeros(10, np.float32),
            "transl": np.zeros((20, 3), np.float32),
        }
        writer.add(make_clip("a", "train", 20, body="SMPL_NEUTRAL", **fields))
    module = StoreDataModule(tmp_path / "only_train", frames=5)
    with pytest.raises(InputError, match="has no clip in its 'val' split"):
        module.val_dataloader()
    with pytest.raises(InputError, match="poses the body 'SMPL_NEUTRAL', but the data module has 'free'"):
        module.train_dataloader().dataset[0]


def test_a_clip_of_one_frame_is_named_in_training_too(tmp_path) -> None:
    with StoreWriter(tmp_path / "s") as writer:
        writer.add(make_clip("alone", "train", 1))
    with pytest.raises(InputError, match="clip alone has one frame, which gives no interval: leave it out"):
        StoreDataModule(tmp_path / "s", frames=5).train_dataloader().dataset[0]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"frames": 0}, r"data\.init_args\.frames is 0, expected 1 or more"),
        ({"val_windows": 0}, "val_windows is 0"),
        ({"test_windows": 0}, "test_windows is 0"),
        ({"max_fps": 0.0}, r"max_fps is 0\.0, expected frames per second above 0, or null: no limit"),
        ({"max_fps": -5.0}, r"max_fps is -5\.0"),
        ({"flip": 2.0}, r"flip is 2\.0, expected a probability"),
    ],
)
def test_settings_out_of_their_range_are_named(options: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        synthetic(**options)


def test_keypoints_in_another_layout_are_refused(tmp_path) -> None:
    keypoints = np.ones((20, 16, 3), np.float32)
    with StoreWriter(tmp_path / "s") as writer:
        writer.add(make_clip("a", "train", 20, joints3d=None, keypoints2d=keypoints, frame="camera"))
    module = StoreDataModule(tmp_path / "s", frames=5, view=View(normalisation="box"))
    with pytest.raises(InputError, match=r"clip a needs 17 2D keypoints in Human3.6M order, found 16"):
        module.train_dataloader().dataset[0]


def test_a_clip_in_which_a_window_shows_nobody_is_named(tmp_path) -> None:
    keypoints = np.ones((100, 17, 3), np.float32)
    keypoints[40:, :, 2] = 0
    with StoreWriter(tmp_path / "s") as writer:
        writer.add(make_clip("a", "val", 100, keypoints2d=keypoints, frame="camera"))
    module = StoreDataModule(tmp_path / "s", frames=50, view=View(normalisation="box"))
    windows = module.val_dataloader().dataset
    assert windows[0]["keypoints"].isfinite().all()
    with pytest.raises(InputError, match=r"clip a: normalisation 'box' found no joint from 1\.00 s to 1\.98 s"):
        windows[1]


def test_what_loader_processes_are_sent_is_not_the_motion(tmp_path: Path) -> None:
    with StoreWriter(tmp_path / "store") as writer:
        writer.add(MotionClip("a", "a", "1", "val", fps=50.0, joints3d=np.zeros((20000, 17, 3), np.float32)))
    (clips,) = [StoreDataModule(tmp_path / "store", frames=9).sources("val")]
    assert len(clips[0]) == 20000
    sent = pickle.dumps(clips)
    assert len(sent) < 10_000
    assert len(pickle.loads(sent)[0]) == 20000
