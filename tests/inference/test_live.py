"""A causal run fed frame by frame: the same as whole clips, whatever stands between the frames."""

from pathlib import Path

import numpy as np
import pytest
import roma
import torch

from hummuss import HumMUSS, Inference, InputError, LiveStream, MotionModule, clip_from_keypoints, predict_clip
from hummuss.body.skeleton import LAYOUTS
from hummuss.data import View
from hummuss.heads import ActionHead, EmbeddingHead, MeshHead, PoseHead
from hummuss.inference import Run

FPS = 25.0
SIZE = (640, 480)
HEADS = {
    "pose": PoseHead,
    "mesh": lambda dim: MeshHead(dim, hidden=8, vertex_count=5),
    "action": lambda dim: ActionHead(dim, hidden=8, classes=["walk", "run", "jump"]),
    "one_shot": lambda dim: EmbeddingHead(dim, dim=4),
}


def make_run(*names: str, causal: bool = True, normalisation: str = "image") -> Run:
    torch.manual_seed(0)
    backbone = HumMUSS(dim=8, depth=2, modes=2, causal=causal)
    model = MotionModule(backbone, {name: HEADS[name] for name in names or HEADS}).eval()
    with torch.no_grad():
        for name, value in model.named_parameters():
            if name.startswith("heads"):  # untrained heads hardly tell frames apart
                value += 0.3 * torch.randn_like(value)
    return Run(Path("best.ckpt"), model, View(normalisation=normalisation), trained_frames=9)


def make_frames(frames: int = 30, layout: str = "h36m17", keep: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Somebody who moves, with missing joints; times of a camera that lost frames, the first interval being nominal."""
    rng = np.random.default_rng(0)
    joints = len(LAYOUTS[layout].joints)
    points = rng.uniform(100, 400, (1, joints, 2)) + rng.normal(0, 20, (frames, joints, 2)).cumsum(0) / 5
    sure = rng.uniform(0.2, 1, (frames, joints, 1)) * (rng.random((frames, joints, 1)) > 0.1)
    number = np.flatnonzero(rng.random(frames) <= keep) if keep < 1 else np.arange(frames)
    number = np.union1d(number, [0, 1])
    return np.concatenate([points, sure], -1)[number], 1e5 + number / FPS


def feed(stream: LiveStream, points: np.ndarray, times: np.ndarray) -> list:
    return [stream.step(frame, time) for frame, time in zip(points, times, strict=True)]


@pytest.mark.parametrize("normalisation", ["image", "frame"])
@pytest.mark.parametrize("keep", [1.0, 0.5])
def test_frame_by_frame_equals_the_whole_clip(normalisation: str, keep: float) -> None:
    run = make_run(normalisation=normalisation)
    points, times = make_frames(keep=keep)
    clip = clip_from_keypoints(points, "h36m17", timestamps=times, image_size=SIZE)
    live = feed(LiveStream(run, FPS, "h36m17", SIZE), points, times)
    assert np.ptp(np.diff(times)) > 0.03 or keep == 1
    for inference in (Inference(stream=True), Inference(windows="whole")):
        whole = predict_clip(run, clip, inference)
        assert np.abs(np.diff(whole.joints3d, axis=0)).max() > 1e-3, "a pose that moves"
        np.testing.assert_allclose([one.joints3d for one in live], whole.joints3d, rtol=0, atol=1e-5)
        turns = [roma.rotvec_to_rotmat(torch.from_numpy(one.smpl_pose)).numpy() for one in live]
        expected = roma.rotvec_to_rotmat(torch.from_numpy(whole.smpl_pose))
        # Two near-parallel columns of six numbers make a rotation that magnifies rounding.
        np.testing.assert_allclose(turns, expected, rtol=0, atol=1e-4)
        assert np.abs(np.diff(turns, axis=0)).max() > 1e-2
        last = live[-1]
        np.testing.assert_allclose(last.betas, whole.betas, rtol=0, atol=1e-5)
        np.testing.assert_allclose(last.embedding, whole.embedding, rtol=0, atol=1e-5)
        assert last.actions == pytest.approx(whole.actions, abs=1e-5)
        assert last.body == whole.body == "free"
        np.testing.assert_array_equal([one.confidence for one in live], whole.confidence)
        np.testing.assert_allclose([one.dt for one in live], whole.dt, rtol=1e-6)
        assert [one.time for one in live] == clip.times.tolist()
    # What a clip has one of is that of the frames so far, not of the newest one.
    part = clip_from_keypoints(points[:9], "h36m17", timestamps=times[:9], image_size=SIZE)
    before = predict_clip(run, part, Inference(windows="whole"))
    np.testing.assert_allclose(live[8].betas, before.betas, rtol=0, atol=1e-5)
    assert live[8].actions == pytest.approx(before.actions, abs=1e-5)
    assert np.abs(live[8].betas - last.betas).max() > 1e-3


def test_joints_of_a_body_alone_are_of_the_shape_so_far() -> None:
    run = make_run("mesh")
    points, times = make_frames(8)
    live = feed(LiveStream(run, FPS, "h36m17", SIZE), points, times)
    whole = predict_clip(run, clip_from_keypoints(points, "h36m17", timestamps=times, image_size=SIZE))
    np.testing.assert_allclose(live[-1].joints3d, whole.joints3d[-1], rtol=0, atol=1e-5)
    assert live[-1].actions is live[-1].embedding is None


@pytest.mark.parametrize("layout", ["coco17", "halpe26", "blazepose33"])
def test_other_layouts_are_converted(layout: str) -> None:
    run = make_run("pose")
    points, times = make_frames(6, layout)
    live = feed(LiveStream(run, FPS, layout, SIZE), points, times)
    whole = predict_clip(run, clip_from_keypoints(points, layout, timestamps=times, image_size=SIZE))
    np.testing.assert_allclose([one.joints3d for one in live], whole.joints3d, rtol=0, atol=1e-5)
    np.testing.assert_array_equal([one.confidence for one in live], whole.confidence)
    assert live[0].smpl_pose is live[0].betas is live[0].body is live[0].actions is None


@pytest.mark.usefixtures("unchecked")
@pytest.mark.usefixtures("unchecked")
def test_a_refused_frame_leaves_no_trace() -> None:
    run = make_run()
    points, times = make_frames(12)
    expected = feed(LiveStream(run, FPS, "h36m17", SIZE), points, times)
    stream = LiveStream(run, FPS, "h36m17", SIZE)
    got = feed(stream, points[:6], times[:6])
    good, now = points[6], times[6]
    damaged = good.copy()
    damaged[3] = (np.nan, 5, 0.9)
    for frame, time, message in (
        (good, times[5], r"at 100000\.2 s comes after the one at 100000\.2 s: times must increase"),
        (good, times[4], r"at 100000\.16 s comes after the one at 100000\.2 s: times must increase"),
        (good, times[5] + 1.5, r"a pause of 1\.5 s: nobody knows what happened in it; call reset\(\) first"),
        (good, times[5] + 1, r"a pause of 1 s: .*, or give seconds if these are frame numbers"),
        (good, np.nan, "time is nan"),
        (good, None, "time is nan"),
        (good, "now", "time is not an array of numbers"),
        (damaged, now, r"frame at 100000\.24 s: clip live: keypoints2d has a NaN or infinity"),
        (good[:16], now, r"frame at 100000\.24 s: 16 joints given, but layout 'h36m17' has 17"),
        (good[None], now, r"frame at 100000\.24 s: keypoints has shape \(1, 17, 3\), expected 2 dimensions"),
        (good * (1, 1, 100), now, r"joint \d+ has confidence .*, expected 0 to 1: scale it"),
        (good / (*SIZE, 1), now, "all keypoints lie within 2 pixels of the image's corner"),
        (np.where([True, True, False], good * 0, good)[:, :2], now, r"joint 0 is at \(0, 0\)"),
    ):
        with pytest.raises(InputError, match=message):
            stream.step(frame, time)
    got += feed(stream, points[6:], times[6:])
    for one, other in zip(got, expected, strict=True):
        np.testing.assert_array_equal(one.joints3d, other.joints3d)
        np.testing.assert_array_equal(one.betas, other.betas)
        assert (one.time, one.dt, one.actions) == (other.time, other.dt, other.actions)


def test_a_head_that_fails_leaves_no_trace(monkeypatch) -> None:
    run = make_run("pose")
    points, times = make_frames(4)
    expected = feed(LiveStream(run, FPS, "h36m17", SIZE), points, times)
    stream = LiveStream(run, FPS, "h36m17", SIZE)
    got = feed(stream, points[:2], times[:2])
    with monkeypatch.context() as patch:
        patch.setattr(PoseHead, "forward", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            stream.step(points[2], times[2])
    got += feed(stream, points[2:], times[2:])
    np.testing.assert_array_equal([one.joints3d for one in got], [one.joints3d for one in expected])


def test_heads_stay_in_full_precision() -> None:
    run, (points, times), shown = make_run("pose", "action"), make_frames(4), []
    for head in run.model.heads.values():
        head.register_forward_pre_hook(lambda _head, given: shown.append((given[0], torch.is_autocast_enabled("cpu"))))
    stream = LiveStream(run, FPS, "h36m17", SIZE)
    with torch.autocast("cpu", torch.bfloat16):
        feed(stream, points, times)
    assert {(representation.dtype, mixed) for representation, mixed in shown} == {(torch.float32, False)}
    mean = shown[-1][0]  # what the action's head is shown
    assert not torch.equal(mean, mean.bfloat16().float())


def test_after_a_reset_it_is_a_new_stream() -> None:
    run = make_run()
    points, times = make_frames(10)
    stream = LiveStream(run, FPS, "h36m17", SIZE)
    feed(stream, points[::-1], times)
    stream.reset()
    again = feed(stream, points, times - 50)  # earlier: another clock
    new = feed(LiveStream(run, FPS, "h36m17", SIZE), points, times - 50)
    for one, other in zip(again, new, strict=True):
        np.testing.assert_array_equal(one.joints3d, other.joints3d)
        np.testing.assert_array_equal(one.betas, other.betas)
        assert (one.dt, one.actions) == (other.dt, other.actions)


def test_missing_joints_and_skipped_frames_are_no_mistakes() -> None:
    run = make_run("pose")
    stream = LiveStream(run, FPS, "h36m17", SIZE)
    points, times = make_frames(6)
    nobody = np.zeros((17, 3))
    assert stream.step(points[0], times[0]).dt == 1 / FPS
    unseen = stream.step(nobody, times[1])
    assert (unseen.confidence == 0).all()
    assert np.isfinite(unseen.joints3d).all()
    assert stream.step(points[5], times[5]).dt == pytest.approx(4 / FPS)
    assert stream.step(points[4][:, :2], times[5] + 0.999).confidence.tolist() == [1] * 17


def test_a_frame_need_not_lie_within_the_image() -> None:
    """A detector guesses what the image cuts off; what only a whole clip tells is not judged by one frame."""
    stream = LiveStream(make_run("pose"), FPS, layout="coco17", image_size=SIZE)
    seated = np.stack([np.linspace(200, 400, 17), np.linspace(100, 630, 17), np.ones(17)], -1)
    assert ((seated[:, 1] > 480) & (seated[:, 1] <= 640)).sum() > 3
    assert np.isfinite(stream.step(seated, 0.0).joints3d).all()
    corner = np.where(np.arange(17)[:, None] == 0, (1.0, 1.0, 0.9), 0.0)  # one joint is seen
    assert np.isfinite(stream.step(corner, 0.04).joints3d).all()
    with pytest.raises(InputError, match="give pixels, not shares of it"):
        stream.step(seated / (*SIZE, 1), 0.08)


def state_size(stream: LiveStream) -> int:
    """Elements of all tensors that a stream holds, whatever they are called."""
    held = [value for name, value in vars(stream).items() if name not in ("_run", "_backbone")]
    return sum(leaf.numel() for leaf in torch.utils._pytree.tree_leaves(held) if isinstance(leaf, torch.Tensor))


def test_its_state_does_not_grow() -> None:
    run = make_run("pose", "action")
    stream = LiveStream(run, FPS, "h36m17", SIZE)
    points, _ = make_frames(5)
    sizes = {}
    for number in range(500):
        stream.step(points[number % 5], number / FPS)
        sizes[number + 1] = state_size(stream)
    assert sizes[5] == sizes[500] > 17 * 8


@pytest.mark.parametrize(
    ("run", "options", "message"),
    [
        ({"causal": False}, {}, "HumMUSS needs the frames to come: only a causal model can stream"),
        ({"normalisation": "box"}, {}, "normalisation 'box' takes the box of the first half second"),
        ({}, {"image_size": None}, "normalisation 'image' needs the image's width and height: give image_size"),
        ({}, {"image_size": (640, 0)}, "the image is 640 x 0"),
        ({}, {"layout": "coco18"}, "unknown joint layout 'coco18'"),
        ({}, {"fps": 0.0}, r"fps is 0\.0, expected more than 1 frame per second"),
        ({}, {"fps": 1.0}, r"fps is 1\.0"),
        ({}, {"fps": np.nan}, "fps is nan"),
        ({}, {"fps": np.inf}, "fps is inf"),
        ({}, {"fps": None}, "fps is nan"),
        ({}, {"fps": "fast"}, "fps is not an array of numbers"),
    ],
)
@pytest.mark.usefixtures("unchecked")
def test_what_cannot_be_live_is_refused_at_once(run: dict, options: dict, message: str) -> None:
    made = make_run("pose", **run)
    with pytest.raises(InputError, match=message):
        LiveStream(made, **{"fps": FPS, "layout": "h36m17", "image_size": SIZE} | options)


def test_normalisation_by_frames_needs_no_image_size() -> None:
    run = make_run("pose", normalisation="frame")
    points, times = make_frames(3)
    alike = (
        feed(LiveStream(run, FPS, "h36m17"), points, times),
        feed(LiveStream(run, FPS, "h36m17", SIZE), points, times),
    )
    np.testing.assert_array_equal(*([one.joints3d for one in frames] for frames in alike))
    with pytest.raises(InputError, match="give pixels, not shares of it"):
        LiveStream(run, FPS, "h36m17").step(points[0] / (*SIZE, 1), 0.0)
