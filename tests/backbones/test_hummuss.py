"""The backbone: padding, direction, time, streaming."""

import copy
import math
import subprocess
import sys
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from hummuss import HumMUSS, InputError
from hummuss.backbones import hummuss as hummuss_module
from hummuss.backbones.gdssm import GDSSM
from hummuss.backbones.intervals import UNIFORM_TOLERANCE, prepare_intervals
from hummuss.backbones.ssm import Modes

ORDER = (3, 6, 2, 5, 1, 4, 0, 7, 8, 10, 9, 11, 14, 12, 15, 13, 16)
# Every way to combine that differs from the default.
WAYS = [{"directions": "sum"}, {"gate": "sum"}, {"gate": "none"}, {"fusion": "mean"}, {"fusion": "none"}]
WAYS += [{"norm": "rms"}, {"joint_order": ORDER}, {"spatial_mixing": "attention"}]


def name(options: dict[str, object]) -> str:
    return "-".join(key if key == "joint_order" else f"{key}-{value}" for key, value in options.items()) or "default"


def make(**options) -> HumMUSS:
    torch.manual_seed(0)
    backbone = HumMUSS(**{"dim": 16, "depth": 2, "modes": 4} | options).double().eval()
    for layer in backbone.layers:
        if layer.fusion == "softmax":  # it starts at one half; tests must see it at work
            torch.nn.init.normal_(layer.fuse.weight)
    return backbone


def clip(frames=20, batch=2):
    torch.manual_seed(1)
    return torch.rand(batch, frames, 17, 3).double(), torch.full((batch, frames), 0.02).double()


def streamed(backbone: HumMUSS, keypoints: torch.Tensor, dt: torch.Tensor) -> torch.Tensor:
    state, outputs = backbone.init_state(len(dt)), []
    for k in range(dt.shape[1]):
        y, state = backbone.step(keypoints[:, k], dt[:, k], state)
        outputs.append(y)
    return torch.stack(outputs, 1)


def irregular(dt: torch.Tensor) -> torch.Tensor:
    return dt * torch.linspace(0.5, 2, dt.shape[1], dtype=dt.dtype)


def assert_all_close(found: list[torch.Tensor], expected: list[torch.Tensor]) -> None:
    for got, want in zip(found, expected, strict=True):
        torch.testing.assert_close(got, want, rtol=1e-10, atol=1e-10 * max(1.0, float(want.abs().max())))


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("even", [True, False])
@pytest.mark.parametrize(("before", "after"), [(0, 7), (5, 0), (3, 4)])
def test_padding_changes_nothing_at_valid_frames(causal, even, before, after) -> None:
    backbone = make(causal=causal)
    keypoints, dt = clip()
    dt = dt if even else irregular(dt)
    padded = torch.rand(2, before + 20 + after, 17, 3).double()
    padded_dt, valid = (
        torch.rand(padded.shape[:2]).double() + 0.01,
        torch.zeros(padded.shape[:2], dtype=torch.bool),
    )
    inside = slice(before, before + 20)
    padded[:, inside], padded_dt[:, inside], valid[:, inside] = keypoints, dt, True
    found = backbone(padded.requires_grad_(), padded_dt.requires_grad_(), valid)[:, inside]
    expected = backbone(keypoints.requires_grad_(), dt.requires_grad_())
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-10)
    of_padded = torch.autograd.grad(found.square().sum(), [padded, padded_dt, *backbone.parameters()])
    own = torch.autograd.grad(expected.square().sum(), [keypoints, dt, *backbone.parameters()])
    assert all((of_input[~valid] == 0).all() for of_input in of_padded[:2])
    assert_all_close([*(of_input[:, inside] for of_input in of_padded[:2]), *of_padded[2:]], list(own))


def test_a_causal_model_mixes_joints_in_both_directions() -> None:
    backbone = make(causal=True)
    keypoints, dt = clip(frames=3)
    changed = keypoints.clone()
    changed[:, 0, 8] += 1
    apart = (backbone(changed, dt) - backbone(keypoints, dt)).abs().amax((0, 3))
    assert (apart[0] > 1e-6).all()  # joints before and after it, in the same frame


def test_causal_output_does_not_see_later_frames_and_bidirectional_does() -> None:
    keypoints, dt = clip()
    changed = keypoints.clone()
    changed[:, 12:] += 1
    for causal in (True, False):
        backbone = make(causal=causal)
        uneven, longer = irregular(dt), irregular(dt)
        longer[:, 12:] *= 3
        for before, after in ((dt, dt), (uneven, longer)):
            found, expected = backbone(changed, after)[:, :12], backbone(keypoints, before)[:, :12]
            assert torch.allclose(found, expected, rtol=0, atol=1e-12) == causal


@pytest.mark.parametrize("even", [True, False])
@pytest.mark.parametrize("options", [{}, *WAYS, {"init": "random"}, {"bandlimit": 0.5}], ids=name)
def test_streaming_equals_the_offline_pass(options, even) -> None:
    backbone = make(causal=True, **options)
    keypoints, dt = clip()
    dt = dt if even else irregular(dt)
    torch.testing.assert_close(streamed(backbone, keypoints, dt), backbone(keypoints, dt), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("kept", [True, False])
@pytest.mark.parametrize("even", [True, False])
@pytest.mark.parametrize("options", [{}, *WAYS, {"bandlimit": 0.5}], ids=name)
def test_pieces_with_a_carried_state_equal_the_whole_clip(options, even, kept) -> None:
    backbone = make(causal=True, **options)
    keypoints, dt = clip()
    dt = dt if even else irregular(dt)
    with torch.inference_mode(kept):  # which keeps what the pieces have in common
        whole, state, made = backbone(keypoints, dt), backbone.init_state(2), []
        for frames in (slice(0, 6), slice(6, 12), slice(12, 13), slice(13, 20)):
            representation, state = backbone.advance(keypoints[:, frames], dt[:, frames], state)
            made.append(representation)
        torch.testing.assert_close(torch.cat(made, 1), whole, rtol=1e-10, atol=1e-10)
        steps = backbone.init_state(2)
        for k in range(20):
            _, steps = backbone.step(keypoints[:, k], dt[:, k], steps)
    for own, others in zip(state, steps, strict=True):
        for carried, stepped in zip(own, others, strict=True):
            torch.testing.assert_close(carried, stepped, rtol=1e-10, atol=1e-10)


def gradients(backbone: HumMUSS, evaluate, keypoints: torch.Tensor, dt: torch.Tensor) -> list[torch.Tensor]:
    """Of keypoints, dt and every parameter."""
    keypoints, dt = keypoints.clone().requires_grad_(), dt.clone().requires_grad_()
    y = evaluate(keypoints, dt)
    weight = torch.linspace(-1, 1, y.numel(), dtype=y.dtype).view_as(y)
    found = torch.autograd.grad((y * weight).sum(), [keypoints, dt, *backbone.parameters()], materialize_grads=True)
    return [y.detach(), *found]


@pytest.mark.parametrize("even", [True, False])
def test_gradients_pass_from_step_to_step_and_from_piece_to_piece(even: bool) -> None:
    """More frames than one matrix of the convolution holds; clips of one rate would share their gradients of dt."""
    backbone = make(causal=True, bandlimit=0.5)
    keypoints, dt = clip(frames=130)
    dt = (dt if even else irregular(dt)) * torch.tensor([[1.0], [1.5]])

    def in_pieces(keypoints: torch.Tensor, dt: torch.Tensor) -> torch.Tensor:
        state, made = backbone.init_state(2), []
        for frames in (slice(0, 115), slice(115, 116), slice(116, 130)):
            representation, state = backbone.advance(keypoints[:, frames], dt[:, frames], state)
            made.append(representation)
        return torch.cat(made, 1)

    expected = gradients(backbone, backbone, keypoints, dt)
    pieces, steps = (
        gradients(backbone, evaluate, keypoints, dt)
        for evaluate in (in_pieces, lambda *given: streamed(backbone, *given))
    )
    if even:  # offline all frames share their mean, and so its gradient
        for found in (pieces, steps, expected):
            found[2] = found[2].sum(1)
    assert_all_close(pieces, expected)
    assert_all_close(steps, expected)


def test_clips_of_different_rates_go_on_from_their_own_state() -> None:
    backbone = make(causal=True)
    keypoints, dt = clip()
    dt = dt * torch.tensor([[1.0], [3.0]])
    first, state = backbone.advance(keypoints[:, :11], dt[:, :11], backbone.init_state(2))
    second, _ = backbone.advance(keypoints[:, 11:], dt[:, 11:], state)
    torch.testing.assert_close(torch.cat([first, second], 1), backbone(keypoints, dt), rtol=1e-10, atol=1e-10)


def test_a_refused_piece_leaves_the_state() -> None:
    backbone = make(causal=True)
    keypoints, dt = clip()
    _, state = backbone.advance(keypoints, dt, backbone.init_state(2))
    before = [tuple(part.clone() for part in own) for own in state]
    dt[1, 3] = -0.02
    with pytest.raises(InputError, match=r"dt is -0.02 s at frame 3 of clip 1"):
        backbone.advance(keypoints, dt, state)
    for own, others in zip(state, before, strict=True):
        assert all(torch.equal(now, was) for now, was in zip(own, others, strict=True))
    with pytest.raises(InputError, match="causal=True"):
        make().advance(keypoints, dt, state)
    with pytest.raises(InputError, match="causal=True"):
        make().step(keypoints[:, 0], dt[:, 0], state)


@pytest.mark.parametrize("batch", [1, 3])
def test_a_state_of_other_clips_or_of_another_model_is_refused(batch: int) -> None:
    backbone = make(causal=True)
    keypoints, dt = clip()
    with pytest.raises(InputError, match=rf"parts \[\({batch}, 17, 2, 8, 4\)\]; 2 clips and .*init_state\(2\)"):
        backbone.advance(keypoints, dt, backbone.init_state(batch))
    with pytest.raises(InputError, match=r"init_state\(2\)"):
        backbone.step(keypoints[:, 0], dt[:, 0], backbone.init_state(batch))
    with pytest.raises(InputError, match=r"the state is of 3 layers, .* this model have 2, \(2, 17, 2, 8, 4\)"):
        backbone.advance(keypoints, dt, make(causal=True, depth=3).init_state(2))


def test_a_stream_of_nearly_even_time_stamps_is_as_near_to_the_offline_pass() -> None:
    """Offline their mean replaces them, which later ones have a part in; a stream takes each as it is.

    The clock runs fast, then slow: what that moves adds up, where errors drawn for every frame cancel.
    """
    backbone = make(causal=True)
    keypoints, dt = clip(frames=200)
    dt = dt * (1 + 0.9 * UNIFORM_TOLERANCE * torch.cat([torch.ones(100), -torch.ones(100)]))
    assert prepare_intervals(dt).even is not None
    offline = backbone(keypoints, dt)
    assert (
        1e-7 * offline.norm()
        < (streamed(backbone, keypoints, dt) - offline).norm()
        < 0.2 * UNIFORM_TOLERANCE * offline.norm()
    )
    later = dt.clone()
    later[:, 150] *= 10
    assert prepare_intervals(later).even is None
    before, changed = offline[:, :150], backbone(keypoints, later)[:, :150]
    assert (changed - before).norm() < 0.2 * UNIFORM_TOLERANCE * before.norm()


def test_slightly_uneven_time_stamps_convolve_like_even_ones() -> None:
    backbone = make()
    keypoints, dt = clip()
    uneven = dt * (1 + 0.9e-4 * torch.linspace(-1, 1, 20).double())
    torch.testing.assert_close(backbone(keypoints, uneven), backbone(keypoints, dt), rtol=1e-10, atol=1e-10)
    assert prepare_intervals(uneven).even is not None
    just_over = dt * (1 + 1.1e-4 * torch.linspace(-1, 1, 20).double())
    for scanned in (irregular(dt), just_over, torch.cat([dt[:1], just_over[:1]])):  # one such clip of a batch suffices
        assert prepare_intervals(scanned).even is None


@pytest.mark.parametrize("options", [{}, *WAYS], ids=name)
def test_scan_and_convolution_agree_in_the_whole_backbone(options, monkeypatch: pytest.MonkeyPatch) -> None:
    backbone = make(**options)
    keypoints, dt = clip(frames=130)
    dt = dt * torch.tensor([[1.0], [1.5]])
    convolved = gradients(backbone, backbone, keypoints, dt)
    monkeypatch.setattr("hummuss.backbones.intervals.UNIFORM_TOLERANCE", -1.0)
    scanned = gradients(backbone, backbone, keypoints, dt)
    for found in (scanned, convolved):  # a convolution's frames share their mean
        found[2] = found[2].sum(1)
    assert_all_close(scanned, convolved)


def test_backward_intervals_follow_the_reversed_clip() -> None:
    dt = torch.tensor([[9.0, 1.0, 2.0, 3.0, 9.0]])
    valid = torch.tensor([[False, True, True, True, False]])
    intervals = prepare_intervals(dt, valid)
    assert intervals.forward[0, 1:4].tolist() == [1.0, 2.0, 3.0]
    assert intervals.backward[0, 1:4].tolist() == [2.0, 3.0, 1.0]


def test_time_matters() -> None:
    backbone = make()
    keypoints, dt = clip()
    assert not torch.allclose(backbone(keypoints, dt), backbone(keypoints, 2 * dt), atol=1e-4)


@pytest.mark.parametrize("bad", [0.0, -0.02, float("nan"), float("inf")])
def test_impossible_dt_is_refused_by_place_and_value(bad: float) -> None:
    keypoints, dt = clip()
    dt[1, 3] = bad
    with pytest.raises(InputError, match=r"dt is .* s at frame 3 of clip 1"):
        make()(keypoints, dt)


@pytest.mark.parametrize("bad", [0.0, -0.02, float("nan"), float("inf")])
def test_an_impossible_dt_in_a_stream_is_refused_and_leaves_the_state(bad: float) -> None:
    backbone = make(causal=True)
    keypoints, dt = clip(frames=6)
    state, outputs = backbone.init_state(2), []
    for k in range(6):
        with pytest.raises(InputError, match=r"dt is .* s at the next frame of clip 1: it must be the positive number"):
            backbone.step(keypoints[:, k], torch.tensor([0.02, bad]).double(), state)
        y, state = backbone.step(keypoints[:, k], dt[:, k], state)
        outputs.append(y)
    torch.testing.assert_close(torch.stack(outputs, 1), backbone(keypoints, dt), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("even", [True, False])
@pytest.mark.parametrize("anything", [0.0, float("nan"), float("inf")])
def test_padding_is_not_looked_at(anything, even) -> None:
    backbone = make()
    keypoints, dt = clip()
    dt = dt if even else irregular(dt)
    expected = backbone(keypoints[:, :15], dt[:, :15])
    keypoints[:, 15:], dt[:, 15:] = anything, anything
    valid = torch.arange(20).expand(2, 20) < 15
    torch.testing.assert_close(backbone(keypoints, dt, valid)[:, :15], expected, rtol=1e-10, atol=1e-10)


def test_sixteen_joints_are_refused() -> None:
    with pytest.raises(InputError, match="expected 17 joints"):
        make()(torch.rand(1, 5, 16, 3).double(), torch.full((1, 5), 0.02).double())


def test_a_clip_without_valid_frames_is_refused() -> None:
    keypoints, dt = clip()
    valid = torch.ones(2, 20, dtype=torch.bool)
    valid[1] = False
    with pytest.raises(InputError, match="clip 1 of the batch has no valid frame"):
        make()(keypoints, dt, valid)


@pytest.mark.parametrize("directions", ["product", "sum"])
@pytest.mark.parametrize("gate", ["product", "sum", "none"])
@pytest.mark.parametrize("even", [True, False])
@pytest.mark.parametrize("causal", [False, True])
def test_a_block_is_its_formula(directions, gate, even, causal, naive) -> None:
    torch.manual_seed(0)
    options = {"directions": directions, "gate": gate, "causal": causal}
    block = GDSSM(6, expansion=2.0, reduction=2, modes=3, **options).double()
    x, dt = torch.randn(2, 3, 9, 6).double(), torch.full((2, 9), 0.02).double()
    dt = dt if even else irregular(dt)
    valid = torch.ones(2, 9, dtype=torch.bool)
    valid[1, [0, 1, 7, 8]] = False
    found = block(x, prepare_intervals(dt, valid))
    for clip, frames in enumerate([slice(0, 9), slice(2, 7)]):
        own, ahead = x[clip, :, frames], dt[[clip], frames].expand(3, -1)  # (N, L, d), (N, L)
        back = torch.cat([ahead[:, 1:], ahead[:, :1]], 1)
        z = block.norm(own)
        f, *b = F.gelu(block.to_sequences(z)).chunk(1 if causal else 2, -1)
        y = naive(block.ssms[0], f, ahead)
        if b:
            backward = naive(block.ssms[1], b[0].flip(1), back.flip(1)).flip(1)
            y = y * backward if directions == "product" else y + backward
        u = F.gelu(block.mix(y))
        if gate != "none":
            v = F.gelu(block.to_value(z))
            u = u * v if gate == "product" else u + v
        torch.testing.assert_close(found[clip, :, frames], own + block.project_out(u), rtol=1e-10, atol=1e-10)


def test_streams_are_averaged_weighted_or_one() -> None:
    keypoints, dt = clip()
    softmax, mean, one = (make(fusion=fusion) for fusion in ("softmax", "mean", "none"))
    for layer in softmax.layers:
        torch.nn.init.zeros_(layer.fuse.weight)
    assert not mean.load_state_dict(softmax.state_dict(), strict=False).missing_keys
    torch.testing.assert_close(mean(keypoints, dt), softmax(keypoints, dt), rtol=1e-10, atol=1e-10)
    for layer in softmax.layers:  # all weight on the stream that has the joints first
        torch.nn.init.constant_(layer.fuse.bias[:1], 200.0)
    assert not one.load_state_dict(softmax.state_dict(), strict=False).missing_keys
    torch.testing.assert_close(one(keypoints, dt), softmax(keypoints, dt), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("option", ["directions", "gate", "fusion", "norm", "spatial_mixing"])
def test_unknown_ways_to_combine_are_refused(option) -> None:
    with pytest.raises(ValueError, match=f"{option} 'maximum' is none of .*"):
        make(**{option: "maximum"})


@pytest.mark.parametrize("even", [True, False])
def test_an_order_of_the_joints_is_that_of_a_model_whose_layout_has_it(even: bool) -> None:
    backbone, plain, order = make(joint_order=ORDER), make(), list(ORDER)
    keypoints, dt = clip()
    dt = dt if even else irregular(dt)
    plain.load_state_dict(backbone.state_dict())  # all names, and no other
    found = backbone(keypoints, dt)
    assert not torch.allclose(found, plain(keypoints, dt), atol=1e-4)
    with torch.no_grad():
        plain.joint_embedding.copy_(backbone.joint_embedding[order])
    torch.testing.assert_close(found[:, :, order], plain(keypoints[:, :, order], dt), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("wrong", [ORDER[:-1], (*ORDER[:-1], 3), (*ORDER[:-1], 17)])
def test_an_order_that_has_not_each_joint_once_is_refused(wrong: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match=rf"joint_order is \[3, .*, {wrong[-1]}\], .* name each of 0 to 16 once"):
        make(joint_order=wrong)


@pytest.mark.parametrize("frames", [20, 130])
@pytest.mark.parametrize("options", [{}, {"causal": True}, *WAYS], ids=name)
def test_kernels_made_at_once_train_as_those_made_one_by_one(frames, options, monkeypatch: pytest.MonkeyPatch) -> None:
    backbone, (keypoints, dt) = make(**options), clip(frames)
    dt = dt * torch.tensor([[1.0], [1.5]])  # clips of their own rates

    def gradients() -> list[torch.Tensor]:
        y = backbone(keypoints, dt)
        return [y.detach(), *torch.autograd.grad(y.square().sum(), list(backbone.parameters()))]

    expected, calls, make_one = gradients(), [], Modes._make
    monkeypatch.setattr(hummuss_module, "TOGETHER_ON", ("cpu",))
    monkeypatch.setattr(Modes, "_make", lambda *given: calls.append(given) or make_one(*given))
    for got, want in zip(gradients(), expected, strict=True):
        torch.testing.assert_close(got, want, rtol=1e-10, atol=1e-10)
    spatial = 0 if options.get("spatial_mixing") == "attention" else 2
    assert len(calls) == spatial + (1 if options.get("causal") else 2)  # one for each axis and direction
    backbone(keypoints, irregular(dt)).sum().backward()  # time is scanned, the joints are not


@pytest.mark.parametrize("limits", [{"bandlimit": 0.5}, {"reference_fps": 25.0}])
def test_a_layer_whose_limits_were_set_by_hand_trains_by_its_own(limits, monkeypatch: pytest.MonkeyPatch) -> None:
    backbone, (keypoints, dt) = make(), clip()
    for limit, value in limits.items():
        setattr(backbone.layers[1].temporal_blocks[0].ssms[0], limit, value)
    expected = gradients(backbone, backbone, keypoints, dt)
    monkeypatch.setattr(hummuss_module, "TOGETHER_ON", ("cpu",))
    assert_all_close(gradients(backbone, backbone, keypoints, dt), expected)


def test_only_causal_models_stream() -> None:
    with pytest.raises(InputError, match="causal=True"):
        make().init_state(1)


@pytest.mark.parametrize("options", [{}, *WAYS], ids=name)
def test_every_parameter_learns(options) -> None:
    backbone = make(**options)
    keypoints, dt = clip()
    backbone(keypoints, dt).square().sum().backward()
    assert [name for name, p in backbone.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0] == []


def compile_and_count(backbone: HumMUSS) -> tuple[Callable[..., torch.Tensor], list[torch.fx.GraphModule]]:
    """The backbone compiled, and the graphs that this makes as it runs."""
    torch._dynamo.reset()
    graphs: list[torch.fx.GraphModule] = []

    def count(graph: torch.fx.GraphModule, inputs: object) -> object:
        calls = (node for node in graph.graph.nodes if node.op.startswith("call"))
        if any(isinstance(node.meta["example_value"], torch.Tensor) for node in calls):  # not sizes alone
            graphs.append(graph)
        return graph.forward

    return torch.compile(backbone, backend=count), graphs


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("even", [True, False])
def test_compiles_into_one_graph_behind_the_look_at_dt(causal: bool, even: bool, unchecked: None) -> None:
    """What reads values (dt, padding, chunks) is one break at the top; all layers are one graph, at any length."""
    backbone = make(depth=1, causal=causal)
    compiled, graphs = compile_and_count(backbone)
    for passes, frames in enumerate((20, 30, 130), 1):
        keypoints, dt = clip(frames)
        dt = dt if even else irregular(dt)
        torch.testing.assert_close(compiled(keypoints, dt), backbone(keypoints, dt), rtol=1e-12, atol=1e-12)
        assert len(graphs) == passes


@pytest.mark.parametrize("options", [{"joint_order": ORDER}, {"spatial_mixing": "attention"}], ids=name)
def test_a_training_with_options_compiles_into_one_graph(options, unchecked: None) -> None:
    backbone = make(depth=1, fusion="mean", norm="rms", drop_path=0.5, **options).train()
    compiled, graphs = compile_and_count(backbone)
    keypoints, dt = clip()
    state = torch.get_rng_state()
    found = compiled(keypoints, dt)
    torch.set_rng_state(state)  # the same clips pass the same blocks by
    torch.testing.assert_close(found, backbone(keypoints, dt), rtol=1e-12, atol=1e-12)
    assert len(graphs) == 1


EXPORTED = [{}, {"joint_order": ORDER}, {"spatial_mixing": "attention"}, {"bandlimit": 0.5}]


@pytest.mark.parametrize("options", EXPORTED, ids=name)
def test_an_exported_step_takes_any_interval_and_state(options, unchecked: None) -> None:
    backbone = make(causal=True, **options)
    keypoints, dt = clip(4)
    dt = irregular(dt)

    class Step(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.backbone = backbone

        def forward(self, *given):
            return self.backbone.step(*given)

    with torch.no_grad():
        expected = streamed(backbone, keypoints, dt)  # which has kept something of its intervals by now
        state = backbone.init_state(2)
        program = torch.export.export(Step(), (keypoints[:, 0], dt[:, 0], state)).module()
        for frame in range(4):
            found, state = program(keypoints[:, frame], dt[:, frame], state)
            torch.testing.assert_close(found, expected[:, frame], rtol=1e-12, atol=1e-12)


def test_a_compiled_training_makes_its_kernels_at_once_in_one_graph() -> None:
    # In a process of its own: the shape checks that these tests run under cannot be traced.
    code = """
import torch
from hummuss.backbones import hummuss
torch.manual_seed(0)
backbone = hummuss.HumMUSS(dim=16, depth=2, modes=4).double()
keypoints, dt = torch.rand(2, 20, 17, 3).double(), torch.tensor([[0.02], [0.03]]).double().expand(2, 20)
gradients = lambda model: torch.autograd.grad(model(keypoints, dt).square().sum(), list(backbone.parameters()))
expected, found = gradients(backbone), []
def count(graph, inputs):
    found.append(sum("expm1" in str(node.target) for node in graph.graph.nodes))
    return graph.forward
hummuss.TOGETHER_ON = ("cpu",)
for got, want in zip(gradients(torch.compile(backbone, backend=count)), expected, strict=True):
    torch.testing.assert_close(got, want, rtol=1e-10, atol=1e-10)
# The break at the top, then one graph: one exponential for each axis and direction, whatever the number of layers.
assert [number for number in found if number] == [4] and len(found) <= 2, found
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_one_chunk_length_serves_every_layer_of_a_scan() -> None:
    backbone = make()
    with torch.no_grad():
        backbone.layers[1].temporal_last.ssms[1].log_decay += 5.0  # one layer that forgets within a frame
    keypoints, dt = clip()
    uneven = irregular(dt)
    scanned = backbone(keypoints, uneven)
    assert scanned.isfinite().all()
    time = backbone._prepare_time(uneven, None)
    assert time.chunk == backbone.layers[1].temporal_last.ssms[1].scan_chunk(time.backward)
    assert time.chunk < backbone.layers[0].temporal_first.ssms[0].scan_chunk(time.forward)


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("first", [2.0, 8.0])
def test_a_long_first_interval_before_slow_last_frames_leaves_gradients_finite(first: float, causal: bool) -> None:
    """Backwards the first frame's interval follows the last frames: no forward chunk holds as much time."""
    torch.manual_seed(0)
    backbone = HumMUSS(dim=16, depth=1, modes=4, causal=causal)
    dt = torch.full((1, 60), 0.2)
    dt[:, :30], dt[:, 0] = 0.1, first
    keypoints = torch.rand(1, 60, 17, 3)
    scanned = backbone(keypoints, dt)
    scanned.square().sum().backward()
    exact = copy.deepcopy(backbone).double()
    torch.testing.assert_close(scanned, exact(keypoints.double(), dt.double()).float(), rtol=1e-3, atol=1e-4)
    exact.zero_grad()
    exact(keypoints.double(), dt.double()).square().sum().backward()
    for (name, got), want in zip(backbone.named_parameters(), exact.parameters(), strict=True):
        assert got.grad is not None, name
        assert want.grad is not None, name
        scale = float(want.grad.abs().max())
        torch.testing.assert_close(got.grad.double(), want.grad, rtol=1e-3, atol=1e-3 * scale, msg=name)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), frames=st.integers(1, 90), causal=st.booleans())
def test_outputs_and_gradients_are_finite_whatever_the_intervals(seed: int, frames: int, causal: bool) -> None:
    """Stretches of frames from 5 ms to 10 s apart, the second clip padded."""
    torch.manual_seed(seed)
    backbone = HumMUSS(dim=16, depth=1, modes=4, causal=causal)
    stretch = (torch.rand(2, frames) < 0.1).cumsum(1)
    dt = (torch.rand(2, frames + 1) * math.log(2000) + math.log(0.005)).exp().gather(1, stretch)
    valid = torch.ones(2, frames, dtype=torch.bool)
    valid[1, max(1, frames // 2) :] = False
    y = backbone(torch.rand(2, frames, 17, 3), dt, valid)
    y[valid].square().sum().backward()
    assert y.isfinite().all()
    for name, parameter in backbone.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name


@pytest.mark.parametrize("precision", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("even", [True, False])
def test_mixed_precision_is_near_full_precision_forward_and_backward(precision: torch.dtype, even: bool) -> None:
    torch.manual_seed(0)
    backbone, (keypoints, dt) = HumMUSS(dim=16, depth=2, modes=4), (part.float() for part in clip())
    dt = dt if even else irregular(dt)
    found = []
    for enabled in (False, True):
        backbone.zero_grad()
        with torch.autocast("cpu", precision, enabled=enabled):
            y = backbone(keypoints, dt)
        y.float().square().mean().backward()
        found.append((y.detach().float(), {name: value.grad.clone() for name, value in backbone.named_parameters()}))
    (exact, gradients), (mixed, mixed_gradients) = found
    torch.testing.assert_close(mixed, exact, rtol=0.05, atol=0.05)
    for name, gradient in gradients.items():
        assert mixed_gradients[name].dtype == torch.float32
        assert (mixed_gradients[name] - gradient).norm() < 0.1 * gradient.norm() + 1e-4, name
