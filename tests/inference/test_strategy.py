"""Whole clips, windows, flip and streams: against slow loops, each other and symmetric models."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation
from torch import nn

from hummuss import DSTformer, HumMUSS, InputError, MotionModule
from hummuss.backbones.inputs import check_valid
from hummuss.body.skeleton import H36M17
from hummuss.heads import ActionHead, MeshHead, PoseHead
from hummuss.inference import Inference
from hummuss.inference.strategy import mirror_keypoints, window_starts
from hummuss.inference.streaming import stream

HEADS = {"pose": PoseHead, "mesh": lambda dim_rep: MeshHead(dim_rep, hidden=8, vertex_count=5)}


def make_model(backbone: nn.Module | None = None, **options) -> MotionModule:
    torch.manual_seed(0)
    backbone = backbone or HumMUSS(**{"dim": 8, "depth": 1, "modes": 2} | options)
    model = MotionModule(backbone, HEADS).eval()
    for regressor in (model.heads["mesh"].to_rotations, model.heads["mesh"].to_betas):
        nn.init.normal_(regressor[-1].weight, std=0.3)  # poses far from rest, that averages have to work for
    return model


def make_batch(clips: int = 2, frames: int = 23, uneven: bool = True, seed: int = 0) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    keypoints = torch.rand(clips, frames, 17, 3, generator=generator) * 2 - 1
    dt = 0.02 + 0.03 * uneven * torch.rand(clips, frames, generator=generator)
    return {
        "keypoints": keypoints, "dt": dt, "valid": torch.ones(clips, frames, dtype=torch.bool),
        "joints3d": torch.randn(clips, frames, 17, 3, generator=generator), "betas": torch.zeros(clips, 10),
        "clip": torch.arange(clips), "frame_index": torch.arange(frames).expand(clips, -1),
    }  # fmt: skip


def assert_same(one, other, **tolerance) -> None:
    for name in one:
        assert one[name].keys() == other[name].keys()
        for key in one[name]:
            torch.testing.assert_close(one[name][key], other[name][key], msg=lambda m, k=key: f"{k}: {m}", **tolerance)


def part(batch: dict[str, torch.Tensor], clip: int, frames: list[int]) -> dict[str, torch.Tensor]:
    """One clip's frames as a batch, by hand."""
    per_clip = ("betas", "clip")
    return {k: v[clip : clip + 1] if k in per_clip else v[clip : clip + 1, frames] for k, v in batch.items()}


def test_whole_equals_windows_when_one_window_covers_the_clip() -> None:
    model, batch = make_model(), make_batch()
    whole = Inference(windows="whole").predict(model, batch, 5)
    with torch.inference_mode():
        assert_same(whole, model(batch), rtol=0, atol=0)
    for size in (23, 100):
        windows = Inference(windows=size).predict(model, batch, 5)
        assert_same(windows, whole, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("size", "stride"), [(9, 4), (9, 9), (7, 1), (1, 1)])
def test_windows_are_averaged_as_a_slow_loop_does(size: int, stride: int) -> None:
    model, batch = make_model(), make_batch()
    batch["valid"][1, :3] = batch["valid"][1, 20:] = False
    got = Inference(windows=size, stride=stride).predict(model, batch, 5)
    for clip, frames in enumerate((range(23), range(3, 20))):
        joints: dict[int, list[np.ndarray]] = {frame: [] for frame in frames}
        turns: dict[int, list[np.ndarray]] = {frame: [] for frame in frames}
        betas = []
        first, done = frames.start, False
        while not done:
            done = first + size >= frames.stop
            first = min(first, frames.stop - size)
            chosen = list(range(first, first + size))
            with torch.inference_mode():
                made = model(part(batch, clip, chosen))
            for i, frame in enumerate(chosen):
                joints[frame].append(made["pose"]["joints"][0, i].double().numpy())
                turns[frame].append(made["mesh"]["rotations"][0, i].double().numpy())
            betas.append(made["mesh"]["betas"][0].double().numpy())
            first += stride
        np.testing.assert_allclose(got["mesh"]["betas"][clip], np.mean(betas, 0), atol=1e-5)
        for frame in frames:
            np.testing.assert_allclose(got["pose"]["joints"][clip, frame], np.mean(joints[frame], 0), atol=1e-5)
            # scipy's mean is the rotation that is nearest to all, in the sum of squares of matrix entries.
            for joint in range(24):
                mean = Rotation.from_matrix([turn[joint] for turn in turns[frame]]).mean().as_matrix()
                np.testing.assert_allclose(got["mesh"]["rotations"][clip, frame, joint], mean, atol=2e-4)


def test_averaged_bodies_are_posed_by_their_averaged_parameters() -> None:
    model, batch = make_model(), make_batch()
    got = Inference(windows=9).predict(model, batch, 5)["mesh"]
    head = model.heads["mesh"]
    posed = head._pose(got["rotations"], got["betas"], head.loss_vertices)
    torch.testing.assert_close(got["joints"], posed.joints17)
    torch.testing.assert_close(got["vertices"], posed.vertices)


@given(frames=st.integers(1, 60), size=st.integers(1, 30), data=st.data())
def test_windows_cover_every_frame_and_are_full(frames: int, size: int, data) -> None:
    stride = data.draw(st.integers(1, size))
    starts = window_starts(frames, size, stride)
    covered = {frame for start in starts for frame in range(start, start + min(size, frames))}
    assert covered == set(range(frames))
    assert starts == sorted(set(starts))


class Mirrorable(nn.Module):
    """A backbone that treats left and right alike: joints are mixed with themselves and |x| alone is seen."""

    def __init__(self) -> None:
        super().__init__()
        self.dim_rep, self.joints = 4, 17
        self.lift = nn.Linear(2, 3)

    def forward(self, keypoints, dt, valid=None):
        even = torch.tanh(self.lift(keypoints[..., 1:]))
        return torch.cat(
            [keypoints[..., :1] * even[..., :1], even], -1
        )  # the first channel changes sign, the others not


class SymmetricHead(PoseHead):
    """x from what changes sign, y and z from what does not."""

    def __init__(self, dim_rep: int) -> None:
        super().__init__(dim_rep)
        with torch.no_grad():
            self.project.weight[0, 1:] = self.project.weight[1:, 0] = 0
            self.project.bias[0] = 0


def test_a_symmetric_model_is_not_changed_by_flip_and_predicts_exact_mirror_images() -> None:
    torch.manual_seed(1)
    model = MotionModule(Mirrorable(), {"pose": SymmetricHead}).eval()
    batch = make_batch()
    plain = Inference().predict(model, batch, 9)["pose"]["joints"]
    flipped = Inference(flip=True).predict(model, batch, 9)["pose"]["joints"]
    torch.testing.assert_close(flipped, plain, rtol=0, atol=1e-6)
    mirrored = Inference().predict(model, mirror_keypoints(batch), 9)["pose"]["joints"]
    expected = plain.clone()
    for i, name in enumerate(H36M17.joints):
        other = name.replace("left", "L").replace("right", "left").replace("L", "right")
        expected[:, :, i] = plain[:, :, H36M17.joints.index(other)] * torch.tensor([-1.0, 1.0, 1.0])
    torch.testing.assert_close(mirrored, expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("windows", ["whole", 9])
def test_flip_of_the_mirrored_clip_is_the_mirror_image_for_any_model(windows) -> None:
    model, batch = make_model(), make_batch()
    inference = Inference(windows=windows, flip=True)
    straight = inference.predict(model, batch, 9)
    mirrored = inference.predict(model, mirror_keypoints(batch), 9)
    plain = Inference(windows=windows).predict(model, batch, 9)
    for name, head in model.heads.items():
        for key, value in head.mirror(mirrored[name]).items():
            torch.testing.assert_close(value, straight[name][key], rtol=1e-4, atol=1e-4)
            assert not torch.allclose(straight[name][key], plain[name][key], atol=1e-2), "the flip does something"


def test_a_mirrored_mesh_poses_the_mirrored_joints() -> None:
    head = make_model().heads["mesh"]
    turns = torch.from_numpy(Rotation.random(48, random_state=0).as_matrix()).float().view(1, 2, 24, 3, 3)
    betas = torch.zeros(1, 10)
    mirrored = head.mirror({"rotations": turns, "betas": betas})
    joints, other = (head._pose(r, betas, None).joints17 for r in (turns, mirrored["rotations"]))
    expected = joints[..., list(H36M17.mirror), :] * torch.tensor([-1.0, 1.0, 1.0])
    torch.testing.assert_close(other, expected, rtol=0, atol=4e-3)  # the free body's two sides differ by millimetres
    again = head.mirror(mirrored)["rotations"]
    torch.testing.assert_close(again, turns, rtol=0, atol=0)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.float64, 1e-10)])
@pytest.mark.parametrize("uneven", [False, True])
def test_a_stream_equals_the_offline_pass(dtype: torch.dtype, tolerance: float, uneven: bool) -> None:
    model = make_model(causal=True, depth=2).to(dtype)
    batch = {key: value.to(dtype) if value.is_floating_point() else value for key, value in make_batch().items()}
    if not uneven:
        batch["dt"] = torch.full_like(batch["dt"], 0.03)
    with torch.inference_mode():
        representation = stream(model.backbone, batch["keypoints"], batch["dt"])
        offline = model.backbone(batch["keypoints"], batch["dt"], batch["valid"])
    torch.testing.assert_close(representation, offline, rtol=0, atol=tolerance)
    if dtype == torch.float32:
        for flip in (False, True):
            streamed = Inference(stream=True, flip=flip).predict(model, batch, 9)
            assert_same(streamed, Inference(windows="whole", flip=flip).predict(model, batch, 9), rtol=0, atol=1e-4)


@pytest.mark.parametrize("windows", ["whole", 9, 100, "stream"])
def test_padding_changes_nothing(windows) -> None:
    streams = windows == "stream"
    model, batch = make_model(causal=streams), make_batch(clips=1)
    padded = make_batch(clips=1, frames=30, seed=3)
    for key in batch:
        if key in ("betas", "clip"):
            padded[key] = batch[key]
        else:
            padded[key][:, 4:27] = batch[key]
    padded["valid"][:] = False
    padded["valid"][:, 4:27] = True
    padded["dt"][~padded["valid"]] = torch.nan
    inference = Inference(stream=True, flip=True) if streams else Inference(windows=windows, flip=True)
    short, long = (inference.predict(model, each, 9) for each in (batch, padded))
    for name, head in model.heads.items():
        for key in head.frame_outputs:
            torch.testing.assert_close(long[name][key][:, 4:27], short[name][key], rtol=1e-4, atol=1e-4)
        for key in head.clip_outputs:
            torch.testing.assert_close(long[name][key], short[name][key], rtol=1e-4, atol=1e-4)


class Recording(nn.Module):
    """Passes keypoints on and remembers the lengths it was asked for."""

    def __init__(self, max_frames: int | None = None) -> None:
        super().__init__()
        self.dim_rep, self.lengths = 3, []
        self.gain = nn.Parameter(torch.ones(()))
        if max_frames is not None:
            self.max_frames = max_frames

    def forward(self, keypoints, dt, valid=None):
        if valid is not None:
            check_valid(valid)
        self.lengths.append(keypoints.shape[1])
        return keypoints * self.gain


def lengths_used(inference: Inference, backbone: Recording, frames: int = 40) -> set[int]:
    model = MotionModule(backbone, {"pose": PoseHead}).eval()
    inference.predict(model, make_batch(frames=frames), trained_frames=12)
    return set(backbone.lengths)


def test_the_backbone_and_the_user_decide_about_windows() -> None:
    assert lengths_used(Inference(), Recording()) == {40}
    # Trained on 12 frames, the places beyond have never been trained though the backbone has them.
    assert lengths_used(Inference(), Recording(max_frames=243)) == {12}
    assert lengths_used(Inference(), Recording(max_frames=10)) == {10}
    assert lengths_used(Inference(windows=17), Recording(max_frames=243)) == {17}
    assert lengths_used(Inference(windows="whole"), Recording(max_frames=243)) == {40}
    assert lengths_used(Inference(windows=17), Recording()) == {17}


def test_the_default_stride_is_half_a_window() -> None:
    calls: list[torch.Tensor] = []

    class Counting(Recording):
        def forward(self, keypoints, dt, valid=None):
            calls.append(keypoints)
            return super().forward(keypoints, dt, valid)

    lengths_used(Inference(windows=10), Counting())
    assert sum(len(call) for call in calls) == 2 * len(window_starts(40, 10, 5)) == 14


def test_clips_that_the_memory_cannot_hold_are_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    room: Callable[..., bool] = lambda backbone, frames, device: frames <= 30  # noqa: E731
    monkeypatch.setattr("hummuss.inference.strategy.fits", room)
    inference = Inference()
    assert lengths_used(inference, Recording(), frames=15) == {15}  # two clips
    assert inference.describe() == "whole clips"
    assert lengths_used(inference, Recording(), frames=40) == {12}
    assert inference.describe() == "whole clips (2 clips), windows of 12 frames, one every 6, averaged (2 clips)"
    assert lengths_used(Inference(windows="whole"), Recording(), frames=40) == {40}, "an explicit wish counts"


@pytest.mark.parametrize("windows", ["auto", "whole"])
@pytest.mark.parametrize("flip", [False, True])
def test_a_causal_model_takes_clips_that_the_memory_cannot_hold_piece_by_piece(windows, flip, monkeypatch) -> None:
    model, batch = make_model(HumMUSS(dim=8, depth=1, modes=2, causal=True)), make_batch(frames=40)
    batch["valid"][0, 33:] = False
    batch["valid"][1, :5] = False
    batch["dt"][1] *= torch.linspace(0.5, 2, 40)
    expected = Inference(windows=windows, flip=flip).predict(model, batch, 9)
    monkeypatch.setattr("hummuss.inference.strategy.fits", lambda *_: False)
    monkeypatch.setattr("hummuss.inference.strategy.FRAMES_AT_ONCE", 7)
    pieces, forward = [], HumMUSS.advance
    monkeypatch.setattr(HumMUSS, "advance", lambda *given: pieces.append(given[1].shape[1]) or forward(*given))
    inference = Inference(windows=windows, flip=flip)
    found = inference.predict(model, batch, 9)
    assert pieces == [7, 7, 7, 7, 5, 7, 7, 7, 7, 7] * (1 + flip)
    assert inference.describe() == "whole clips" + "; mirrored and averaged" * flip
    for name, prediction in expected.items():
        for key, values in prediction.items():
            places = batch["valid"] if values.shape[1:2] == (40,) else slice(None)  # of a frame, or of the clip
            torch.testing.assert_close(found[name][key][places], values[places], atol=1e-5, rtol=1e-4)


def test_heads_of_pieces_and_streams_stay_in_full_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    model, batch = make_model(HumMUSS(dim=8, depth=1, modes=2, causal=True)), make_batch()
    monkeypatch.setattr("hummuss.inference.strategy.fits", lambda *_: False)
    for inference in (Inference(), Inference(stream=True)):
        with torch.autocast("cpu", torch.bfloat16):
            joints = inference.predict(model, batch, 9)["pose"]["joints"]
        assert joints.dtype == torch.float32
        assert not torch.equal(joints, joints.bfloat16())


def test_a_causal_model_predicts_windows_where_not_even_the_representation_fits(monkeypatch) -> None:
    model, batch = make_model(HumMUSS(dim=8, depth=1, modes=2, causal=True)), make_batch(frames=40)
    monkeypatch.setattr("hummuss.inference.memory.free_bytes", lambda device: 2 * 80 * 17 * 8 * 4 - 1)
    monkeypatch.setattr("hummuss.inference.strategy.fits", lambda *_: False)
    inference = Inference()
    inference.predict(model, batch, 9)
    assert inference.describe() == "windows of 9 frames, one every 4, averaged"


@pytest.mark.parametrize(
    ("inference", "text"),
    [
        (Inference(), "whole clips"),
        (Inference(windows=81), "windows of 81 frames, one every 40, averaged"),
        (
            Inference(windows=243, stride=81, flip=True),
            "windows of 243 frames, one every 81, averaged; mirrored and averaged",
        ),
        (Inference(windows=1), "windows of 1 frames, one every 1, averaged"),
        (Inference(stream=True), "whole clips, frame by frame"),
    ],
)
def test_what_was_done_is_said(inference: Inference, text: str) -> None:
    assert inference.describe() == text


def test_persons_of_a_sample_get_one_answer_in_windows_too() -> None:
    torch.manual_seed(0)
    heads = {"action": lambda dim: ActionHead(dim, hidden=8, classes=("a", "b", "c")), "mesh": HEADS["mesh"]}
    model, batch = MotionModule(HumMUSS(dim=8, depth=1, modes=2), heads).eval(), make_batch(clips=3)
    alone = Inference(windows=9).predict(model, batch | {"sample": torch.arange(3)}, 5)
    joined = Inference(windows=9).predict(model, batch | {"sample": torch.tensor([4, 7, 4])}, 5)
    one, other, third = alone["action"]["probabilities"]
    expected = torch.stack([(one + third) / 2, other, (one + third) / 2])
    torch.testing.assert_close(joined["action"]["probabilities"], expected)
    assert torch.equal(joined["mesh"]["betas"], alone["mesh"]["betas"]), "every person has a shape of their own"


def test_a_dstformer_predicts_clips_of_any_length() -> None:
    model = make_model(DSTformer(dim=8, depth=1, num_heads=2, max_frames=20))
    got = Inference().predict(model, make_batch(frames=50), 9)
    assert got["pose"]["joints"].shape == (2, 50, 17, 3)
    with pytest.raises(InputError, match="a clip of 50 frames is longer than the 20"):
        Inference(windows="whole").predict(model, make_batch(frames=50), 9)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"windows": 0}, "inference.windows is 0: give 'auto', 'whole' or a whole number of frames above 0"),
        ({"windows": "hole"}, "inference.windows is 'hole'"),
        ({"windows": "81"}, "inference.windows is '81'"),
        ({"windows": 81.0}, r"inference.windows is 81\.0"),
        ({"windows": None}, "inference.windows is None"),
        ({"stride": 0}, "inference.stride is 0: give a whole number of frames above 0"),
        ({"windows": 9, "stride": 4.5}, r"inference.stride is 4\.5"),
        ({"windows": 9, "stride": 10}, "inference.stride 10 is longer than the windows of 9 frames"),
        ({"windows": 9, "stream": True}, "inference.stream has no windows, but inference.windows is 9"),
    ],
)
@pytest.mark.usefixtures("unchecked")
def test_settings_that_cannot_be_are_refused(options: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Inference(**options)


@pytest.mark.usefixtures("unchecked")
def test_numbers_of_any_whole_type_are_frames() -> None:
    assert Inference(windows=np.int64(9), stride=np.int32(4)) == Inference(windows=9, stride=4)


def test_only_causal_models_stream_and_empty_clips_are_named() -> None:
    with pytest.raises(InputError, match="HumMUSS needs the frames to come: only a causal model can stream"):
        Inference(stream=True).predict(make_model(), make_batch(), 9)
    batch = make_batch()
    batch["valid"][1] = False
    with pytest.raises(InputError, match="clip 1 of the batch has no valid frame"):
        Inference(windows=9).predict(make_model(), batch, 9)


def test_nothing_is_recorded_for_gradients() -> None:
    got = Inference(windows=9).predict(make_model(), make_batch(), 9)
    assert not got["pose"]["joints"].requires_grad
    assert math.isfinite(float(got["pose"]["joints"].sum()))
