"""The diagonal SSM: three evaluations of one map, against a naive loop and against scipy."""

import importlib.util
import math
import sys
from functools import partial
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import signal

from hummuss.backbones import ssm as ssm_module
from hummuss.backbones.ssm import CHUNK_DECAY, SCAN_CHUNKS, DiagonalSSM


def make(channels=3, seed=0, **options) -> DiagonalSSM:
    torch.manual_seed(seed)
    return DiagonalSSM(channels, **options).double()


def streamed(layer: DiagonalSSM, u: torch.Tensor, dt: torch.Tensor) -> torch.Tensor:
    state, outputs = layer.init_state(len(u), *u.shape[2:-1]), []
    for k in range(u.shape[1]):
        y, state = layer.step(u[:, k], dt[:, k], state)
        outputs.append(y)
    return torch.stack(outputs, 1)


def gradients(layer: DiagonalSSM, evaluate, u: torch.Tensor, dt: torch.Tensor) -> list[torch.Tensor]:
    """Outputs and gradients of u, dt and every parameter. dt is (B, L), or (B, 1) for even spacing."""
    u, dt = u.clone().requires_grad_(), dt.clone().requires_grad_()
    y = evaluate(u, dt.expand(-1, u.shape[1]))
    weight = torch.linspace(-1, 1, y.numel(), dtype=y.dtype).view_as(y)
    return [y.detach(), *torch.autograd.grad((y * weight).sum(), [u, dt, *layer.parameters()])]


def flipped(evaluate):
    """An evaluation that runs the map against time by flipping what goes in and what comes out."""
    return lambda u, dt: evaluate(u.flip(1), dt.flip(1)).flip(1)


def test_the_file_stands_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.split(".")[0] in ("hummuss", "numpy", "scipy")]:
        monkeypatch.setitem(sys.modules, name, None)  # cannot be imported
    spec = importlib.util.spec_from_file_location("alone", str(ssm_module.__file__))
    assert spec is not None
    assert spec.loader is not None
    alone = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(alone)
    assert alone.DiagonalSSM(4).convolve(torch.ones(1, 9, 4), torch.full((1, 9), 0.02)).shape == (1, 9, 4)


@pytest.mark.parametrize("init", ["legs", "lin", "inv", "random"])
@pytest.mark.parametrize("bandlimit", [None, 0.5])
@pytest.mark.parametrize("length", [1, 2, 17, 130])
@pytest.mark.parametrize("even", [True, False])
@pytest.mark.parametrize("reverse", [False, True])
def test_all_evaluations_and_gradients_agree(
    init: str, bandlimit: float | None, length: int, even: bool, reverse: bool, naive
) -> None:
    layer = make(init=init, bandlimit=bandlimit)
    u, dt = torch.randn(2, length, 3).double(), torch.tensor([[0.02], [0.05]]).double()
    if not even:
        dt = dt * (torch.rand(2, length).double() * 2 + 0.2)
    slow = [partial(naive, layer), partial(streamed, layer)]
    recurrence, stream = map(flipped, slow) if reverse else slow
    expected = gradients(layer, recurrence, u, dt)
    for evaluate in (*[partial(layer.convolve, reverse=reverse)] * even, partial(layer.scan, reverse=reverse), stream):
        for got, want in zip(gradients(layer, evaluate, u, dt), expected, strict=True):
            torch.testing.assert_close(got, want, rtol=1e-10, atol=1e-10)


@settings(deadline=None, max_examples=25)
@given(
    length=st.integers(1, 150),
    channels=st.integers(1, 4),
    modes=st.integers(1, 9),
    slowest=st.floats(1e-4, 0.5),
    init=st.sampled_from(["legs", "lin", "inv", "random"]),
    bandlimit=st.sampled_from([None, 0.3, 0.9]),
    reverse=st.booleans(),
    seed=st.integers(0, 10**6),
)
def test_evaluations_equal_the_recurrence_for_any_intervals(
    naive, length, channels, modes, slowest, init, bandlimit, reverse, seed
) -> None:
    """Outputs and gradients, which are compared with the largest of their kind: some cancel to next to nothing."""
    layer = make(channels, seed, modes=modes, init=init, bandlimit=bandlimit)
    u, dt = torch.randn(2, length, channels).double(), torch.rand(2, length).double() * slowest + 1e-5
    recurrence, stream = partial(naive, layer), partial(streamed, layer)
    recurrence, stream = map(flipped, (recurrence, stream)) if reverse else (recurrence, stream)
    for intervals, evaluations in (
        (dt, [partial(layer.scan, reverse=reverse), stream]),
        (dt[:, :1], [partial(layer.convolve, reverse=reverse)]),
    ):
        expected = gradients(layer, recurrence, u, intervals)
        for evaluate in evaluations:
            for got, want in zip(gradients(layer, evaluate, u, intervals), expected, strict=True):
                torch.testing.assert_close(got, want, rtol=1e-10, atol=1e-10 * max(1.0, float(want.abs().max())))


def in_pieces(layer: DiagonalSSM, cuts: list[int], u: torch.Tensor, dt: torch.Tensor) -> torch.Tensor:
    """`advance` from cut to cut."""
    state, outputs = layer.init_state(len(u), *u.shape[2:-1]), []
    for first, end in pairwise([0, *cuts, u.shape[1]]):
        y, state = layer.advance(u[:, first:end], dt[:, first:end], state)
        outputs.append(y)
    return torch.cat(outputs, 1)


@settings(deadline=None, max_examples=25)
@given(
    cuts=st.lists(st.integers(1, 149), unique=True, max_size=6),
    slowest=st.floats(1e-4, 0.5),
    even=st.booleans(),
    init=st.sampled_from(["legs", "lin", "inv", "random"]),
    bandlimit=st.sampled_from([None, 0.3]),
    parallel=st.sampled_from([(), (2,), (2, 3)]),
    seed=st.integers(0, 10**6),
)
def test_pieces_with_a_carried_state_are_the_whole(naive, cuts, slowest, even, init, bandlimit, parallel, seed) -> None:
    """Outputs and all gradients, which pass from piece to piece; wherever the sequence is cut."""
    layer = make(2, seed, modes=5, init=init, bandlimit=bandlimit)
    u = torch.randn(2, 150, *parallel, 2).double()
    dt = torch.rand(2, 1 if even else 150).double() * slowest + 1e-5
    folded = u.reshape(2, 150, -1, 2)

    def recurrence(u: torch.Tensor, dt: torch.Tensor) -> torch.Tensor:
        rows = [naive(layer, u.reshape(folded.shape)[:, :, row], dt) for row in range(folded.shape[2])]
        return torch.stack(rows, 2).view(u.shape)

    expected = gradients(layer, recurrence, u, dt)
    for got, want in zip(gradients(layer, partial(in_pieces, layer, sorted(cuts)), u, dt), expected, strict=True):
        torch.testing.assert_close(got, want, rtol=1e-10, atol=1e-10 * max(1.0, float(want.abs().max())))


def test_the_state_after_a_piece_is_that_of_the_steps() -> None:
    layer = make()
    u, dt, state = torch.randn(2, 9, 3).double(), torch.rand(2, 9).double() / 10 + 1e-3, layer.init_state(2)
    for k in range(9):
        _, state = layer.step(u[:, k], dt[:, k], state)
    _, carried = layer.advance(u, dt, layer.init_state(2))
    torch.testing.assert_close(carried, state, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("gap", [None, 1e4])
def test_a_long_piece_leaves_the_state_of_the_steps_in_float32(gap: float | None) -> None:
    torch.manual_seed(0)
    layer, u, dt = DiagonalSSM(8), torch.randn(1, 20_100, 8), torch.full((1, 20_100), 0.02)
    if gap is not None:
        dt[:, 19_990] = gap
    with torch.no_grad():
        _, state = layer.advance(u[:, :20_000], dt[:, :20_000], layer.init_state(1))
        after, _ = layer.advance(u[:, 20_000:], dt[:, 20_000:], state)
        layer.double()
        u, dt, expected = u.double(), dt.double(), layer.init_state(1)
        for first in range(0, 20_000, 50):
            _, expected = layer.advance(u[:, first : first + 50], dt[:, first : first + 50], expected)
        outputs, _ = layer.advance(u[:, 20_000:], dt[:, 20_000:], expected)
    assert (state - expected).norm() / expected.norm() < 1e-5
    assert (after - outputs).norm() / outputs.norm() < 1e-5


def test_pieces_keep_no_factors_for_the_backward_pass() -> None:
    layer = DiagonalSSM(4)
    u, dt = torch.randn(1, 64, 4, requires_grad=True), torch.full((1, 64), 0.02)
    sizes: list[int] = []
    with torch.autograd.graph.saved_tensors_hooks(
        lambda saved: sizes.append(saved.numel()) or saved, lambda saved: saved
    ):
        layer.advance(u, dt, layer.init_state(1))
    assert max(sizes) < 4 * 64 * 16  # a factor for each channel, frame and mode


def test_mixed_precision_carries_the_state_in_float32() -> None:
    layer = DiagonalSSM(4)
    u, dt = torch.randn(2, 30, 4, dtype=torch.bfloat16), torch.full((2, 30), 0.02)
    with torch.autocast("cpu", torch.bfloat16):
        y, state = layer.advance(u, dt, layer.init_state(2))
    assert (y.dtype, state.dtype) == (torch.bfloat16, torch.float32)
    torch.testing.assert_close(state, layer.advance(u.float(), dt, layer.init_state(2))[1])


def test_scan_keeps_its_precision_when_modes_decay_fast(naive) -> None:
    layer = make(step_range=(5.0, 20.0))  # hundreds of decay times within one ordinary chunk
    u, dt = torch.randn(1, 130, 3).double(), torch.rand(1, 130).double() + 0.01
    torch.testing.assert_close(layer.scan(u, dt), naive(layer, u, dt), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("gap", [0.5, 10.0, 1000.0])
def test_a_gap_in_time_empties_fast_modes_and_overflows_nothing(gap: float, reverse: bool, naive) -> None:
    layer = make(init="random")
    u, dt = torch.randn(2, 130, 3).double(), torch.rand(2, 130).double() * 0.03 + 0.01
    dt[0, [0, 40, 41, 42, 129]] = gap
    expected = naive(layer, u.flip(1), dt.flip(1)).flip(1) if reverse else naive(layer, u, dt)
    torch.testing.assert_close(layer.scan(u, dt, reverse), expected, rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(streamed(layer, u, dt), naive(layer, u, dt), rtol=1e-10, atol=1e-10)
    single = layer.float().scan(u.float(), dt.float(), reverse)
    torch.testing.assert_close(single, expected.float(), rtol=1e-3, atol=1e-3)
    for gradient in gradients(layer, partial(layer.scan, reverse=reverse), u.float(), dt.float()):
        assert gradient.isfinite().all()
    slow = torch.full((2, 130), gap, dtype=torch.float64)
    layer.double()
    torch.testing.assert_close(layer.convolve(u, slow), naive(layer, u, slow), rtol=1e-10, atol=1e-10)


def test_one_gap_leaves_chunks_long() -> None:
    layer, dt = make(step_range=(0.1, 0.5)), torch.full((1, 500), 1 / 50)
    before = layer.scan_chunk(dt)
    dt[0, 100] = 100.0
    assert before == 63  # 8 chunks, as few as those of 64 frames would be
    assert layer.scan_chunk(dt) >= 32
    assert layer.scan_chunk(torch.full((1, 500), 100.0)) == 2
    assert layer.scan_chunk(dt[:, :1]) == 1


def test_a_scan_keeps_no_more_for_its_backward_pass_than_a_convolution() -> None:
    layer = make()
    u, dt = torch.randn(1, 130, 17, 3).double().requires_grad_(), torch.full((1, 130), 0.02).double()

    def kept(evaluate) -> int:
        storages: dict[int, int] = {}

        def pack(tensor: torch.Tensor) -> torch.Tensor:
            storages[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
            y = evaluate(u, dt)
        assert y.requires_grad  # alive until here: storages of freed tensors would be counted once for several
        return sum(storages.values())

    assert kept(layer.scan) <= kept(layer.convolve)


@pytest.mark.parametrize("reverse", [False, True])
def test_agrees_with_scipy(reverse: bool) -> None:
    layer = make(channels=1, modes=4)
    length = 60
    u, uneven = torch.randn(1, length, 1).double(), torch.rand(1, length).double() * 0.05 + 0.01
    # The same system in real form: each mode is a damped rotation of (Re s, Im s).
    A, B, C = np.zeros((8, 8)), np.tile([[1.0], [0.0]], (4, 1)), np.zeros((1, 8))
    for m, (pole, weight) in enumerate(zip(layer.poles[0].tolist(), layer.output[0].tolist(), strict=True)):
        A[2 * m : 2 * m + 2, 2 * m : 2 * m + 2] = [[pole.real, -pole.imag], [pole.imag, pole.real]]
        C[0, 2 * m : 2 * m + 2] = [2 * weight.real, -2 * weight.imag]

    def discrete(dt: float) -> tuple[np.ndarray, np.ndarray]:
        step = layer.step_size[0].item() * dt * layer.reference_fps
        return signal.cont2discrete((A, B, C, np.zeros((1, 1))), step, method="zoh")[:2]

    def at_even(u: np.ndarray, dt: np.ndarray) -> np.ndarray:
        # u_k acts over the interval that ends at frame k: y_k = C (Ad s + Bd u) + D u.
        Ad, Bd = discrete(dt[0])
        return signal.dlsim((Ad, Bd, C @ Ad, C @ Bd + layer.skip[0].item(), 1.0), u)[1]

    def at_any(u: np.ndarray, dt: np.ndarray) -> np.ndarray:
        state, outputs = np.zeros(8), []
        for interval, held in zip(dt, u, strict=True):
            Ad, Bd = discrete(interval)
            state = Ad @ state + Bd @ held
            outputs.append(C @ state + layer.skip[0].item() * held)
        return np.array(outputs)

    even, stream = torch.full((1, length), 0.03).double(), partial(streamed, layer)
    stream = flipped(stream) if reverse else stream
    convolve, scan = partial(layer.convolve, reverse=reverse), partial(layer.scan, reverse=reverse)
    for oracle, dt, evaluations in ((at_even, even, (convolve, scan, stream)), (at_any, uneven, (scan, stream))):
        given = [values[0].flip(0) if reverse else values[0] for values in (u, dt)]
        expected = torch.tensor(oracle(*(values.numpy() for values in given)))
        expected = expected.flip(0) if reverse else expected
        for evaluate in evaluations:
            torch.testing.assert_close(evaluate(u, dt)[0], expected, rtol=1e-10, atol=1e-12)


def test_kept_frames_see_the_continuous_system() -> None:
    """A signal held over irregular blocks: only the last frame of each block, with dt following, changes nothing."""
    layer = make()
    blocks = [1, 3, 2, 5, 1, 4, 8, 2]
    held = torch.randn(1, len(blocks), 3).double()
    fine = held.repeat_interleave(torch.tensor(blocks), 1)
    kept = torch.tensor(blocks).cumsum(0) - 1
    fine_dt = torch.full(fine.shape[:2], 1 / 120, dtype=torch.float64)
    coarse_dt = torch.tensor(blocks).double()[None] / 120
    torch.testing.assert_close(
        layer.scan(held, coarse_dt), layer.convolve(fine, fine_dt)[:, kept], rtol=1e-10, atol=1e-10
    )


@pytest.mark.parametrize("block", [2, 3, 8])
def test_every_nth_frame_sees_the_continuous_system(block: int) -> None:
    """The same for a steady frame rate: a whole fraction of it, by convolution on both sides."""
    layer = make()
    held = torch.randn(1, 50, 3).double()
    fine_dt = torch.full((1, 50 * block), 1 / 120, dtype=torch.float64)
    coarse_dt = torch.full((1, 50), block / 120, dtype=torch.float64)
    every = layer.convolve(held.repeat_interleave(block, 1), fine_dt)
    torch.testing.assert_close(layer.convolve(held, coarse_dt), every[:, block - 1 :: block], rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("init", ["legs", "lin", "inv", "random"])
@pytest.mark.parametrize(("bandlimit", "reverse"), [(None, False), (0.5, True)])
def test_float32_agrees_with_float64(init: str, bandlimit, reverse: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    layer = make(channels=16, init=init, bandlimit=bandlimit)
    u, dt = torch.randn(2, 243, 16).double(), torch.tensor([[0.02], [0.05]]).double()
    uneven = dt * (torch.rand(2, 243).double() + 0.5)
    convolve, scan = partial(layer.convolve, reverse=reverse), partial(layer.scan, reverse=reverse)
    stream = partial(streamed, layer)
    stream = flipped(stream) if reverse else stream

    def evaluate(u, dt, uneven) -> list[list[torch.Tensor]]:
        found = [gradients(layer, *how) for how in ((convolve, u, dt), (scan, u, dt), (scan, u, uneven))]
        found.append(gradients(layer, stream, u, uneven))
        with monkeypatch.context() as gpu:
            choose_as_on_a_gpu(gpu)
            return [*found, gradients(layer, convolve, u, dt)]

    exact = evaluate(u, dt, uneven)
    # A gradient of dt adds up those of all channels, which largely cancel: rounding is that of what is added up.
    added = {values.shape: summands_of_dt(scan, u, values) for values in (dt, uneven)}
    layer.float()
    for found, expected in zip(evaluate(u.float(), dt.float(), uneven.float()), exact, strict=True):
        for got, want in zip(found, expected, strict=True):
            assert (got - want).norm() <= min(1e-4 * added.get(got.shape, want).norm(), 1e-3 * want.norm())


def summands_of_dt(evaluate, u: torch.Tensor, dt: torch.Tensor) -> torch.Tensor:
    """The sizes of every channel's part in the gradient of dt, added up."""
    dt = dt.clone().requires_grad_()
    y = evaluate(u, dt.expand(-1, u.shape[1]))
    parts = (y * torch.linspace(-1, 1, y.numel(), dtype=y.dtype).view_as(y)).sum((0, 1))
    return torch.stack([torch.autograd.grad(part, dt, retain_graph=True)[0].abs() for part in parts]).sum(0)


def test_parallel_sequences_share_a_clip_and_do_not_mix(naive) -> None:
    layer = make()
    u, dt = torch.randn(2, 30, 4, 5, 3).double(), torch.rand(2, 30).double() * 0.05 + 0.01

    def one_by_one(u: torch.Tensor, dt: torch.Tensor) -> torch.Tensor:
        sequences = [naive(layer, u[:, :, row, column], dt) for row in range(4) for column in range(5)]
        return torch.stack(sequences, 2).unflatten(2, (4, 5))

    for intervals, evaluations in ((dt, [layer.scan, partial(streamed, layer)]), (dt[:, :1], [layer.convolve])):
        expected = gradients(layer, one_by_one, u, intervals)
        for evaluate in evaluations:
            for got, want in zip(gradients(layer, evaluate, u, intervals), expected, strict=True):
                torch.testing.assert_close(got, want, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("length", [17, 150])
def test_the_kernel_is_the_answer_to_an_impulse(length: int, naive) -> None:
    layer = make(bandlimit=0.8)
    dt = torch.tensor([0.02, 0.05]).double()
    impulse = torch.zeros(2, length, 3).double()
    impulse[:, 0] = 1
    expected = naive(layer, impulse, dt[:, None].expand(2, length)) - layer.skip * impulse
    torch.testing.assert_close(layer.kernel(length, dt), expected.transpose(1, 2), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("length", [64, 90, 112, 113, 127, 128])
def test_chunks_of_any_length_give_what_one_matrix_gives(length, reverse, monkeypatch) -> None:
    layer = make(bandlimit=0.7)
    u, dt = torch.randn(2, length, 2, 3).double(), torch.tensor([[0.02], [0.03]]).double().expand(2, length)
    monkeypatch.setattr(ssm_module, "convolution_chunk", lambda length: length)
    whole = layer.convolve(u, dt, reverse)
    for size in (1, 7, 64, 100):
        monkeypatch.setattr(ssm_module, "convolution_chunk", lambda length, size=size: size)
        torch.testing.assert_close(layer.convolve(u, dt, reverse), whole, rtol=1e-10, atol=1e-10)
        torch.testing.assert_close(
            layer.scan_rows(ssm_module._to_rows(u), dt, reverse, chunk=min(size, 16)),
            ssm_module._to_rows(whole),
            rtol=1e-10,
            atol=1e-10,
        )


@pytest.mark.parametrize("length", [1, 80, 112, 113, 243, 729, 2187, 8192])
def test_chunks_pad_little_and_stay_in_their_range(length: int) -> None:
    size = ssm_module.convolution_chunk(length)
    assert size == length <= ssm_module.LONGEST_MATRIX or 48 <= size <= ssm_module.LONGEST_CHUNK
    assert -length % size <= 0.02 * length


@given(length=st.integers(1, 300_000), longest=st.integers(1, 64))
def test_equal_chunks_are_as_few_as_the_longest_would_be(length: int, longest: int) -> None:
    size = ssm_module.equal_chunk(length, longest)
    assert size <= longest
    assert -(-length // size) == -(-length // longest)
    assert -length % size <= -length % longest


def choose_as_on_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    choose, gpu = ssm_module.convolution_way, torch.device("cuda")
    monkeypatch.setattr(ssm_module, "convolution_way", lambda length, device, chunk: choose(length, gpu, chunk))


@pytest.mark.parametrize("bandlimit", [None, 0.5])
@pytest.mark.parametrize("length", [17, 113, 243])  # one matrix, then one FFT
def test_what_a_gpu_runs_is_the_recurrence_too(length: int, bandlimit, naive, monkeypatch) -> None:
    choose_as_on_a_gpu(monkeypatch)
    layer = make(bandlimit=bandlimit)
    u, dt = torch.randn(2, length, 3).double(), torch.tensor([[0.02], [0.05]]).double()
    expected = gradients(layer, lambda u, dt: naive(layer, u, dt), u, dt)
    for got, want in zip(gradients(layer, layer.convolve, u, dt), expected, strict=True):
        torch.testing.assert_close(got, want, rtol=1e-10, atol=1e-10)
    expected = gradients(layer, lambda u, dt: naive(layer, u.flip(1), dt).flip(1), u, dt)
    against_time = gradients(layer, lambda u, dt: layer.convolve(u, dt, reverse=True), u, dt)
    for got, want in zip(against_time, expected, strict=True):
        torch.testing.assert_close(got, want, rtol=1e-10, atol=1e-10)


def test_layers_of_other_limits_are_not_made_together() -> None:
    for others in ({"bandlimit": 0.5}, {"reference_fps": 25.0}):
        assert ssm_module.make_together([make(), make(**others)], 20, torch.tensor([0.02]).double()) == {}


def test_the_spectrum_of_a_long_clip_is_not_kept(monkeypatch) -> None:
    choose_as_on_a_gpu(monkeypatch)
    layer, dt = make(), torch.tensor([0.02]).double()
    monkeypatch.setattr(ssm_module, "LONGEST_KEPT", 512)
    for length, kinds in ((300, []), (256, ["spectrum"])):
        kept: ssm_module.Kept = {}
        layer.convolve_rows(torch.randn(3, 1, 1, length).double(), dt, kept=kept)
        assert [kind for _, kind in kept] == kinds
        assert [kind for _, kind in ssm_module.make_together([layer], length, dt)] == kinds


@given(length=st.integers(113, 300_000))
def test_transforms_have_room_and_are_of_quick_sizes(length: int) -> None:
    way, size = ssm_module.convolution_way(length, torch.device("cuda"), None)
    odd = size
    while odd % 2 == 0:
        odd //= 2
    assert way == "spectrum"
    assert 2 * length <= size < 2.5 * length  # without room behind it, a sequence's end would reach its beginning
    assert odd in (1, 3, 5, 7, 9)


@pytest.mark.parametrize("length", [17, 150])
@pytest.mark.parametrize("gpu", [False, True])
@pytest.mark.parametrize("reverse", [False, True])
def test_layers_can_be_prepared_together(length: int, gpu: bool, reverse: bool, monkeypatch) -> None:
    if gpu:
        choose_as_on_a_gpu(monkeypatch)
    layers = [make(channels=channels, seed=channels, bandlimit=0.8) for channels in (2, 3)]
    dt = torch.tensor([0.02, 0.05]).double().requires_grad_()
    kept = ssm_module.make_together(layers, length, dt, reverse)
    for layer in layers:
        u = torch.randn(len(layer.skip), 2, 2, length).double()
        own = layer.convolve_rows(u, dt, reverse)
        with monkeypatch.context() as nothing_is_made_anew:
            nothing_is_made_anew.setattr(DiagonalSSM, "_make", None)
            together = layer.convolve_rows(u, dt, reverse, kept=kept)
        torch.testing.assert_close(together, own, rtol=1e-12, atol=1e-12)
        wanted = [dt, *layer.parameters()]
        pairs = [torch.autograd.grad(y.square().sum(), wanted, retain_graph=True) for y in (together, own)]
        for got, want in zip(*pairs, strict=True):
            torch.testing.assert_close(got, want, rtol=1e-10, atol=1e-10)


def test_clips_that_share_an_interval_can_share_a_kernel() -> None:
    layer = make()
    u = torch.randn(3, 2, 2, 150).double()  # rows: (H, B, N, L)
    shared, own = torch.tensor([0.02]).double(), torch.tensor([0.02, 0.02]).double()
    torch.testing.assert_close(layer.convolve_rows(u, shared), layer.convolve_rows(u, own), rtol=1e-12, atol=1e-12)


def test_output_is_causal() -> None:
    layer = make()
    u, dt = torch.randn(1, 150, 3).double(), torch.full((1, 150), 0.02).double()
    later = u.clone()
    later[:, 100:] += 1
    for evaluate in (layer.convolve, layer.scan):
        torch.testing.assert_close(evaluate(u, dt)[:, :100], evaluate(later, dt)[:, :100], rtol=0, atol=1e-12)


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("chunk", [None, 3])
def test_gradcheck(reverse: bool, chunk: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """By finite differences, of the signal, the intervals and every parameter; of one chunk, and of several."""
    if chunk is not None:
        monkeypatch.setattr(ssm_module, "convolution_chunk", lambda length: chunk)
        monkeypatch.setattr(DiagonalSSM, "scan_chunk", lambda self, dt: chunk)
    layer = make(channels=1, modes=2)
    u, dt = torch.randn(1, 7, 1).double(), torch.rand(1, 7).double() * 0.05 + 0.01
    for evaluate, values in (
        (partial(layer.scan, reverse=reverse), (u, dt)),
        (lambda u, dt: layer.convolve(u, dt.expand(1, 7), reverse), (u, dt[:, :1])),
    ):
        check(layer, evaluate, *values)


def test_gradcheck_of_a_step() -> None:
    layer = make(channels=1, modes=2)
    check(layer, layer.step, torch.randn(1, 1).double(), torch.tensor([0.02]).double(), layer.init_state(1) + 0.5)


def check(layer: DiagonalSSM, evaluate, *values: torch.Tensor) -> None:
    """Compare gradients with finite differences; gradcheck moves the very tensors it is given, so the layer's own."""
    inputs = [value.clone().requires_grad_() for value in values]
    assert torch.autograd.gradcheck(lambda *given: evaluate(*given[: len(values)]), [*inputs, *layer.parameters()])


def test_float32_stays_close_and_finite_over_long_sequences(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    layer = DiagonalSSM(2)
    u, dt = torch.randn(1, 20_000, 2), torch.full((1, 20_000), 0.02)
    with torch.no_grad():
        exact = layer.double().convolve(u.double(), dt.double())
        layer.float()
        stream, whole = streamed(layer, u, dt), layer.convolve(u, dt)
        found = [stream, whole, layer.scan(u, dt)]
        choose_as_on_a_gpu(monkeypatch)
        found.append(layer.convolve(u, dt))
    for y in found:
        assert y.isfinite().all()
        assert (y - exact).norm() / exact.norm() < 1e-3
    assert (stream - whole).norm() / whole.norm() < 1e-4  # of one another, as the backbone's users compare them


@pytest.mark.parametrize("half", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("length", [50, 150])  # one matrix, chunks
def test_mixed_precision_keeps_the_layer_in_float32(length: int, half: torch.dtype) -> None:
    """What comes out is what float32 makes of the same input, rounded once."""
    torch.manual_seed(0)
    layer = DiagonalSSM(4)
    u, dt = torch.randn(2, length, 4).to(half), torch.full((2, length), 0.02)
    state = layer.init_state(2) + 1
    for evaluate in (layer.convolve, layer.scan, lambda u, dt: layer.step(u[:, 0], dt[:, 0], state)[0]):
        expected = evaluate(u.float(), dt)
        with torch.autocast("cpu", dtype=half):
            assert torch.equal(evaluate(u, dt), expected.to(half))
    kernel = layer.kernel(length, dt[:, 0])
    _, after = layer.step(u[:, 0].float(), dt[:, 0], state)
    with torch.autocast("cpu", dtype=half):
        for got, want in ((layer.kernel(length, dt[:, 0]), kernel), (layer.step(u[:, 0], dt[:, 0], state)[1], after)):
            assert got.dtype == torch.float32
            assert torch.equal(got, want)


def test_a_scaled_loss_leaves_the_gradients_of_a_scan_finite() -> None:
    """Chunks that decay by as much as any may, and a loss scaled as for float16: nothing leaves float32."""
    torch.manual_seed(0)
    layer = DiagonalSSM(4, modes=4)
    with torch.no_grad():
        layer.log_step.fill_(math.log(0.1))
    dt = torch.full((1, 2 * SCAN_CHUNKS[0]), CHUNK_DECAY / SCAN_CHUNKS[0] / (0.5 * 0.1 * layer.reference_fps))
    dt = (dt * 0.999).requires_grad_()
    assert layer.scan_chunk(dt) == SCAN_CHUNKS[0]
    (2**24 * layer.scan(torch.randn(1, dt.shape[1], 17, 4), dt).sum()).backward()
    for tensor in (dt, *layer.parameters()):
        assert tensor.grad is not None
        assert bool(tensor.grad.isfinite().all())
