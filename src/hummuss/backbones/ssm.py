"""A diagonal state space layer in continuous time: one map, three evaluations.

    x'(t) = A x(t) + u(t),    y(t) = 2 Re(C x(t)) + D u(t),    A = diag(poles)

Each channel owns M complex modes, each standing for a conjugate pair. Input u_k is held over the interval that ends
at frame k and lasts dt_k seconds (zero-order hold), so with r_k = step_size * reference_fps * dt_k * poles

    s_k = exp(r_k) s_{k-1} + (expm1(r_k) / poles) u_k,    y_k = 2 Re(C s_k) + D u_k.

`convolve` evaluates it for one interval per clip, `scan` for an interval per frame, `step` one frame at a time; they
agree to rounding. `advance` is `step` for many frames at once: a sequence without an end can be cut anywhere. Seconds
enter only through dt: another frame rate is the same layer.

Both of the offline evaluations cut time into chunks. Inside a chunk the map is a small dense matrix; from chunk to
chunk only the state passes. So they are matrix products, and time and memory grow linearly with the frames. On a GPU a
convolution of more than one chunk is an FFT instead.

The file stands alone: it needs torch and jaxtyping. Complex numbers are pairs of reals, but for that FFT, so that the
graph exports anywhere.

Sources: zero-order hold and diagonal parametrisation as in S4D (Gu et al., 2022) and DSS (Gupta et al., 2022);
chunks as in state space duality (Dao and Gu, 2024); gated use in HumMUSS (Mondal et al., CVPR 2024).
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Complex, Float
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

INITS = ("legs", "lin", "inv")  # by a formula, the same for all channels; beside them there is "random"
# The longest sequence that a convolution does by one matrix, and the longest of its chunks beyond that: longer ones
# waste products and memory, shorter ones pass states too often (docs/architecture.md compares chunks).
LONGEST_MATRIX, LONGEST_CHUNK = 112, 64
# Largest transform whose spectrum is kept from pass to pass: it grows with the clip.
LONGEST_KEPT = 16384
# Longest chunks of a scan to try, and the largest decay exponent within one: factors of exp(+-40), squared in the
# backward pass, stay inside float32.
SCAN_CHUNKS = (64, 48, 32, 24, 16, 12, 8, 6, 4, 3, 2)
CHUNK_DECAY = 80.0
# What decays by more in one interval is gone: exp(-40) is below the rounding of float64. Two such frames fit a chunk.
GAP_DECAY = CHUNK_DECAY / 2

Pair = tuple[Tensor, Tensor]  # real and imaginary part of a complex tensor
# Of each layer and kind: its lengths and direction, and what was made for them.
Kept = dict[tuple["DiagonalSSM", str], tuple[Any, Any]]


class Modes:
    """What a `DiagonalSSM` makes of intervals and parameters: a layer's own, or those of several joined.

    No module, so that `torch.compile` follows where the parameters of many layers are joined.

    Attributes:
        log_decay, frequency, output_pairs, skip, log_step: the parameters, as of `DiagonalSSM`.
        reference_fps, bandlimit: see there.
    """

    log_decay: Tensor
    frequency: Tensor
    output_pairs: Tensor
    skip: Tensor
    log_step: Tensor
    reference_fps: float
    bandlimit: float | None

    @property
    def step_size(self) -> Float[Tensor, "H"]:
        """Discretisation step at ``reference_fps``."""
        return self.log_step.exp()

    def _discretise(self, dt: Float[Tensor, "*B"]) -> tuple[Pair, Pair, Pair, Pair]:
        """Zero-order hold over intervals: r = pole step, expm1(r), the read-out 2 C and 1 / pole; each (H, *B, M).

        1 / pole has ones in the place of B, and so has the read-out but for a ``bandlimit``: with one, modes that turn
        more than that fraction of a half-circle in the interval are not read. To divide the read-out by the pole
        instead of expm1(r) costs nothing.
        """
        decay, frequency, output_re, output_im, step = (
            parameter.view(len(parameter), *[1] * dt.ndim, -1)  # (H, *1, M), the step (H, *1, 1)
            for parameter in (self.log_decay.exp(), self.frequency, *self.output_pairs.unbind(-1), self.step_size)
        )
        steps = step * (dt.to(self.skip.dtype) * self.reference_fps)[..., None]
        turn = frequency * steps
        # Whole turns are left out: they change no exponential, and cost float32 the digits of the rest.
        rate = (-decay * steps, turn - 2 * math.pi * (turn / (2 * math.pi)).round())
        size = decay.square() + frequency.square()
        gain = _expm1(rate)
        rate = (rate[0].clamp(min=-GAP_DECAY), rate[1])  # factored over a chunk, a long gap would overflow
        read = (2 * output_re, 2 * output_im)
        if self.bandlimit is not None:
            heard = turn.abs() <= self.bandlimit * math.pi
            read = (read[0] * heard, read[1] * heard)
        return rate, gain, read, (-decay / size, -frequency / size)

    def _response(self, length: int, dt: Float[Tensor, "G"], skip: bool = False) -> Float[Tensor, "H G {length}"]:
        """Impulse response, without or with the skip term.

        Frames are split as l = i w + j: one matrix product of O(sqrt(length)) exponentials.
        """
        rate, gain, read, over_pole = self._discretise(dt)
        width = math.ceil(math.sqrt(length))
        frames = torch.arange(width, device=dt.device, dtype=self.skip.dtype)
        fine, coarse = _exp(_over(rate, frames)), _exp(_over(rate, frames * width))  # (H, G, w, M)
        weighted = _multiply(_over(_multiply(_multiply(read, over_pole), gain)), coarse)
        response = (_left(weighted) @ _right(fine)).flatten(-2)[..., :length]
        return torch.cat([response[..., :1] + self.skip[:, None, None], response[..., 1:]], -1) if skip else response

    def _make(self, way: str, size: int, dt: Float[Tensor, "G"], reverse: bool) -> tuple[Tensor, ...]:
        """What a convolution of that way takes beside its input; channels stand first in all of it."""
        if way == "matrix":
            return (self._matrix(size, dt, reverse),)
        if way == "chunks":
            return self._chunk_matrices(size, dt, reverse)
        spectrum = torch.fft.rfft(self._response(size // 2, dt, skip=True), size)  # (H, G, size / 2 + 1)
        return (spectrum.conj() if reverse else spectrum,)  # against time, the response is mirrored

    def _matrix(self, length: int, dt: Float[Tensor, "G"], reverse: bool) -> Float[Tensor, "H G {length} {length}"]:
        """The map on ``length`` frames as a matrix from the right: entry (j, l) is what input j gives output l."""
        response = self._response(length, dt, skip=True)
        matrix = F.pad(response, (length - 1, 0)).unfold(-1, length, 1).flip(-2)  # row j: response, j to the right
        return matrix.transpose(-1, -2) if reverse else matrix

    def _chunk_matrices(
        self, size: int, dt: Float[Tensor, "G"], reverse: bool
    ) -> tuple[Float[Tensor, "H G {size} J"], Float[Tensor, "H G K {size}"], Tensor, Tensor]:
        """A chunk's map beside what its frames give the state, what the state gives its frames, the state's decay."""
        rate, gain, read, over_pole = self._discretise(dt)
        frames = torch.arange(size, device=dt.device, dtype=self.skip.dtype)
        write = _multiply(_exp(_over(rate, frames)), _over(gain))
        read = _multiply(_exp(_over(rate, frames + 1)), _over(_multiply(read, over_pole)))
        if reverse:  # the first frames of a chunk are the last that it sees
            read = (read[0].flip(-2), read[1].flip(-2))
        else:
            write = (write[0].flip(-2), write[1].flip(-2))
        inside = torch.cat([self._matrix(size, dt, reverse), _left(write)], -1)
        return inside, _right(read), *_exp(_over((rate[0] * size, rate[1] * size)))

    def _carry_weights(
        self, dt: Float[Tensor, "G L"]
    ) -> tuple[Float[Tensor, "H G K L"], Float[Tensor, "H G L K"], Pair]:
        """What an earlier state gives each frame, what each frame gives the state at the end, and the state's decay.

        Each is a decay since the beginning or until the end, no growth: frames may be as many as there are. What
        remains until the end is summed from there, for the difference of two long sums would cost float32 the angles
        of the last frames, which count most.
        """
        rate, gain, read, over_pole = self._discretise(dt)  # (H, G, L, M)
        clock = (rate[0].cumsum(-2), rate[1].cumsum(-2))
        after = (F.pad(part[..., 1:, :], (0, 0, 0, 1)) for part in rate)  # the intervals that end at the next frames
        until_re, until_im = (part.flip(-2).cumsum(-2).flip(-2) for part in after)
        recall = _right(_multiply(_exp(clock), read))
        write = _left(_multiply(_exp((until_re, until_im)), _multiply(gain, over_pole)))
        return recall, write, _exp((clock[0][..., -1:, :], clock[1][..., -1:, :]))

    def _step_weights(self, dt: Float[Tensor, "G"]) -> tuple[Pair, ...]:
        """Decay, input and output weights of one frame, (G, H, M) each, the last (1, H, M) without a band limit."""
        rate, gain, read, over_pole = self._discretise(dt)
        weights = (_exp(rate), _multiply(gain, over_pole), read)
        return tuple((re.transpose(0, 1), im.transpose(0, 1)) for re, im in weights)


class DiagonalSSM(Modes, nn.Module):
    """Diagonal state space layer over sequences of ``channels`` independent channels.

    Sequences that share their time axis (the joints of a clip) may stand in further axes between frames and
    channels: u is (B, L, *N, H). They cost one kernel between them.

    Args:
        channels: H, number of channels.
        modes: M, complex modes per channel.
        init: poles at the start: ``legs`` (normal part of HiPPO-LegS), ``lin`` (S4D-Lin), ``inv`` (S4D-Inv), or
            ``random``, see `random_poles`.
        reference_fps: frame rate at which ``step_size`` is the discretisation step.
        bandlimit: fraction of the Nyquist frequency above which modes are silenced at a frame's own interval.
        step_range: ``step_size`` starts log-uniform in this range; fit it to the axis (docs/mathematics.md).

    Raises:
        ValueError: unknown init, no channel or mode, a reference rate or band limit that is not positive, or a step
            range that is none.

    >>> layer = DiagonalSSM(channels=4)
    >>> u, dt = torch.randn(2, 9, 4), torch.full((2, 9), 1 / 25)
    >>> bool(torch.allclose(layer.convolve(u, dt), layer.scan(u, dt), atol=1e-4))
    True
    """

    def __init__(
        self,
        channels: int,
        modes: int = 16,
        init: str = "legs",
        reference_fps: float = 50.0,
        bandlimit: float | None = None,
        step_range: tuple[float, float] = (0.02, 0.5),
    ) -> None:
        super().__init__()
        for name, count in {"channels": channels, "modes": modes}.items():
            if count < 1:
                raise ValueError(f"{name} is {count}: give 1 or more")
        for name, number in {"reference_fps": reference_fps, "bandlimit": bandlimit}.items():
            if number is not None and not 0 < number < math.inf:
                raise ValueError(f"{name} is {number}: give a number above 0")
        low, high = step_range
        if not 0 < low <= high < math.inf:
            raise ValueError(f"step_range is {list(step_range)}: give two numbers above 0, the smaller first")
        self.reference_fps = reference_fps
        self.bandlimit = bandlimit
        if init == "random":
            poles = random_poles(channels, modes)
        else:
            poles = initial_poles(modes, init).expand(channels, modes)
        self.log_decay = nn.Parameter((-poles.real).log())  # (H, M)
        self.frequency = nn.Parameter(poles.imag.clone())  # (H, M)
        self.output_pairs = nn.Parameter(torch.randn(channels, modes, 2) * math.sqrt(0.5))  # E|C|^2 = 1
        self.skip = nn.Parameter(torch.randn(channels))  # (H,)
        self.log_step = nn.Parameter(torch.empty(channels).uniform_(math.log(low), math.log(high)))  # (H,)

    @property
    def poles(self) -> Complex[Tensor, "H M"]:
        """Continuous-time poles; their real parts are negative by construction."""
        return torch.complex(-self.log_decay.exp(), self.frequency)

    @property
    def output(self) -> Complex[Tensor, "H M"]:
        """C, the read-out of each mode."""
        return torch.view_as_complex(self.output_pairs)

    def kernel(self, length: int, dt: Float[Tensor, "B"]) -> Float[Tensor, "B H {length}"]:
        """Impulse response over ``length`` frames that are ``dt`` seconds apart, without the skip term."""
        with _full_precision(dt):
            return self._response(length, dt).transpose(0, 1)

    def convolve(
        self, u: Float[Tensor, "B L *N H"], dt: Float[Tensor, "B L"], reverse: bool = False
    ) -> Float[Tensor, "B L *N H"]:
        """Evaluate where frames are evenly spaced: dt[:, 0] seconds, which may differ from clip to clip; no other is
        looked at.

        ``reverse`` runs the map against time: the same as flipping u and dt before and the result after.
        """
        return _from_rows(self.convolve_rows(_to_rows(u), dt[:, 0], reverse), u)

    def scan(
        self, u: Float[Tensor, "B L *N H"], dt: Float[Tensor, "B L"], reverse: bool = False
    ) -> Float[Tensor, "B L *N H"]:
        """Evaluate for any intervals, one per frame.

        ``reverse`` runs the map against time, dt[:, k] then being the interval between frame k and the next.
        """
        return _from_rows(self.scan_rows(_to_rows(u), dt, reverse), u)

    def convolve_rows(
        self,
        u: Float[Tensor, "H B N L"],
        dt: Float[Tensor, "G"],
        reverse: bool = False,
        chunk: int | None = None,
        kept: Kept | None = None,
    ) -> Float[Tensor, "H B N L"]:
        """`convolve` in the layout it computes in: channels first, time last. G is B, or 1 for clips that share dt.

        ``chunk`` frames make a chunk; by default `convolution_way` chooses. ``kept`` remembers from call to call what
        depends on dt and the parameters alone: whoever passes it answers for both having stayed the same.
        """
        with _full_precision(u):
            rows, length = u.to(self.skip.dtype), u.shape[-1]
            way, size = convolution_way(length, u.device, chunk)
            keep = kept if size <= LONGEST_KEPT else None
            made = self._keep(keep, way, (size, reverse), lambda: self._make(way, size, dt, reverse))
            if way == "matrix":
                return _per_clip(rows, made[0]).to(u.dtype)
            if way == "spectrum":
                product = torch.fft.rfft(rows, size) * made[0][:, :, None]
                # A copy: the part alone would hold on to all that the transform gives.
                return torch.fft.irfft(product, size)[..., :length].contiguous().to(u.dtype)
            inside, read, decay_re, decay_im = made
            chunks = F.pad(rows, (0, -length % size)).unflatten(-1, (-1, size))  # (H, B, N, n, c)
            response, written = _per_clip(chunks, inside).split([size, read.shape[-2]], -1)
            y = response + _per_clip(_pass_states(written, (decay_re, decay_im), reverse), read)
            return y.flatten(-2)[..., :length].to(u.dtype)

    def scan_rows(
        self, u: Float[Tensor, "H B N L"], dt: Float[Tensor, "B L"], reverse: bool = False, chunk: int | None = None
    ) -> Float[Tensor, "H B N L"]:
        """`scan` in the layout it computes in: channels first, time last.

        ``chunk`` frames must be so few that no factor overflows; by default `scan_chunk` says how many. Nothing inside
        is kept for the backward pass, which computes it anew: factors per frame and mode are larger than u.
        """
        if reverse:
            return self.scan_rows(u.flip(-1), dt.flip(-1), chunk=chunk).flip(-1)
        with _full_precision(u):
            rows, size = u.to(self.skip.dtype), self.scan_chunk(dt) if chunk is None else chunk
            return _keeping_nothing(self._scan, rows, dt, size).to(u.dtype)

    def _scan(self, rows: Float[Tensor, "H B N L"], dt: Float[Tensor, "B L"], size: int) -> Float[Tensor, "H B N L"]:
        """Scan in chunks of ``size`` frames.

        Within a chunk, exp(r (t_k - t_j)) is factored about the chunk's middle, which turns the chunk into matrix
        products. Both factors are made of the same exponentials.
        """
        length = rows.shape[-1]
        padding = (0, -length % size)  # frames of no duration: they take nothing in and change no state
        chunks = F.pad(rows, padding).unflatten(-1, (-1, size)).transpose(2, 3)  # (H, B, n, N, c)
        rate, gain, read, over_pole = self._discretise(F.pad(dt, padding).unflatten(-1, (-1, size)))  # (H, B, n, c, M)
        clock = (rate[0].cumsum(-2), rate[1].cumsum(-2))  # since the chunk began, at the end of each frame
        middle = (clock[0][..., -1:, :] / 2, clock[1][..., -1:, :] / 2)  # (H, B, n, 1, M)
        angle, growth = clock[1] - middle[1], (clock[0] - middle[0]).exp()
        cos, sin, shrink = angle.cos(), angle.sin(), growth.reciprocal()
        write = _left(_multiply((shrink * cos, -shrink * sin), gain))  # to the chunk's middle
        recall = _right(_multiply((growth * cos, growth * sin), _multiply(read, over_pole)))  # from there
        y = chunks @ (write @ recall).triu()  # (H, B, n, N, c)

        half = _exp(middle)  # decay over half a chunk
        # Applied to states, of which there are fewer than factors, and before states pass on: left to the end, the
        # gradient of what passes would be the product of two chunks' largest factors.
        written = _left(_multiply(half, _pair(chunks @ write)))  # (H, B, n, N, K)
        whole_re, whole_im = _multiply(half, half)
        entering = _pass_states(written.transpose(2, 3), (whole_re[..., 0, :], whole_im[..., 0, :])).transpose(2, 3)
        y = y + _left(_multiply(half, _pair(entering))) @ recall
        return y.transpose(2, 3).flatten(-2)[..., :length] + self.skip[:, None, None, None] * rows

    @torch.no_grad()
    def scan_chunk(self, dt: Float[Tensor, "B L"]) -> int:
        """Frames in a chunk of a scan, so few that no mode decays beyond float32 within one. Reads values.

        Chunks are about equally long: 81 frames are two of 41, not one of 64 and another that is mostly padding.
        """
        fastest = (self.step_size * self.log_decay.exp().amax(-1)).max() * self.reference_fps
        decay = (fastest * dt.to(fastest.dtype)).clamp(max=GAP_DECAY)

        def fits(size: int) -> bool:  # wherever a chunk begins, as padding shifts those of a reversed scan
            return size <= 2 or float(decay.unfold(-1, size, 1).sum(-1).max()) <= CHUNK_DECAY

        frames = dt.shape[-1]
        return equal_chunk(frames, next(filter(fits, (min(size, frames) for size in SCAN_CHUNKS))))

    def init_state(self, batch: int, *parallel: int) -> Float[Tensor, "batch *N 2 H M"]:
        """The state before the first frame; pass further sizes for sequences that share their clip's dt."""
        return self.log_decay.new_zeros(batch, *parallel, 2, *self.log_decay.shape)

    def step(
        self,
        u: Float[Tensor, "B *N H"],
        dt: Float[Tensor, "G"],
        state: Float[Tensor, "B *N 2 H M"],
        kept: Kept | None = None,
    ) -> tuple[Float[Tensor, "B *N H"], Float[Tensor, "B *N 2 H M"]]:
        """Advance by one frame that ends ``dt`` seconds after the last; return its output and the new state.

        G is B, or 1 for clips that share dt; ``kept`` as in `convolve_rows`.
        """
        with _full_precision(u):
            wide = u.to(self.skip.dtype)
            weights = self._keep(kept, "step", None, lambda: self._step_weights(dt))  # three pairs of (G, H, M)
            shared = (slice(None), *[None] * (u.ndim - 2))  # room for the parallel sequences
            decay, intake, read = ((re[shared], im[shared]) for re, im in weights)
            re, im = _multiply(decay, (state[..., 0, :, :], state[..., 1, :, :]))
            re = torch.addcmul(re, intake[0], wide[..., None])
            im = torch.addcmul(im, intake[1], wide[..., None])
            y = (read[0] * re - read[1] * im).sum(-1) + self.skip * wide
            return y.to(u.dtype), torch.stack([re, im], -3)

    def advance(
        self, u: Float[Tensor, "B L *N H"], dt: Float[Tensor, "B L"], state: Float[Tensor, "B *N 2 H M"]
    ) -> tuple[Float[Tensor, "B L *N H"], Float[Tensor, "B *N 2 H M"]]:
        """`step` for L frames at once: their outputs, and the state after the last.

        However a sequence is cut, outputs are those of the whole.

        >>> layer = DiagonalSSM(channels=4)
        >>> u, dt = torch.randn(2, 9, 4), torch.rand(2, 9) / 25 + 0.01
        >>> first, state = layer.advance(u[:, :5], dt[:, :5], layer.init_state(2))
        >>> then, state = layer.advance(u[:, 5:], dt[:, 5:], state)
        >>> bool(torch.allclose(torch.cat([first, then], 1), layer.scan(u, dt), atol=1e-4))
        True
        """
        rows = _to_rows(u)
        entered, after = self.carry_rows(rows, dt, state.reshape(len(u), -1, *state.shape[-3:]))
        return _from_rows(self.scan_rows(rows, dt) + entered, u), after.view(state.shape)

    def carry_rows(
        self, u: Float[Tensor, "H B N L"], dt: Float[Tensor, "G L"], state: Float[Tensor, "B N 2 H M"]
    ) -> tuple[Float[Tensor, "H B N L"], Float[Tensor, "B N 2 H M"]]:
        """What a state adds to the outputs of `convolve_rows` or `scan_rows`, and the state that these frames leave.

        G is B, or 1 for clips that share dt. Nothing inside is kept, as in `scan_rows`.
        """
        with _full_precision(u):
            y, left = _keeping_nothing(self._carry, u.to(self.skip.dtype), dt, state)
            return y.to(u.dtype), left

    def _carry(
        self, rows: Float[Tensor, "H B N L"], dt: Float[Tensor, "G L"], state: Float[Tensor, "B N 2 H M"]
    ) -> tuple[Float[Tensor, "H B N L"], Float[Tensor, "B N 2 H M"]]:
        recall, write, decay = self._carry_weights(dt)
        entering = state.movedim(-2, 0).flatten(-2)  # (H, B, N, K)
        left = _left(_multiply(decay, _pair(entering))) + _per_clip(rows, write)
        return _per_clip(entering, recall), left.unflatten(-1, (2, -1)).movedim(0, -2)

    def _keep(self, kept: Kept | None, kind: str, use: Any, make: Callable[[], Any]) -> Any:
        """``make()``, or what it made the last time if ``kept`` has it, for the same use: one of each kind is kept."""
        if kept is None:
            return make()
        found = kept.get((self, kind))
        if found is None or found[0] != use:
            found = kept[self, kind] = (use, make())
        return found[1]


def make_together(
    layers: Sequence[DiagonalSSM], length: int, dt: Float[Tensor, "G"], reverse: bool = False, chunk: int | None = None
) -> Kept:
    """What `convolve_rows` of each of these layers makes of dt and its parameters, made by the operators of one.

    The layers must have equal numbers of modes. What is returned is the ``kept`` of passes over ``length`` frames that
    dt and the parameters stay the same for; gradients pass through it. It is empty where `convolve_rows` keeps nothing,
    being too large for that, and where layers do not share their reference rate and band limit.
    """
    limits = {(layer.reference_fps, layer.bandlimit) for layer in layers}
    if len(limits) > 1:
        return {}
    joined = Modes()
    ((joined.reference_fps, joined.bandlimit),) = limits
    for name in layers[0]._parameters:  # the first axis of each is that of channels
        setattr(joined, name, torch.cat([getattr(layer, name) for layer in layers]))
    with _full_precision(dt):
        way, size = convolution_way(length, dt.device, chunk)
        if size > LONGEST_KEPT:
            return {}
        made = joined._make(way, size, dt, reverse)
    parts = zip(*(tensor.split([len(layer.skip) for layer in layers]) for tensor in made), strict=True)
    return {(layer, way): ((size, reverse), own) for layer, own in zip(layers, parts, strict=True)}


def convolution_way(length: int, device: torch.device, chunk: int | None) -> tuple[str, int]:
    """How a convolution over so many frames is quickest, and the size of a matrix, a chunk or a transform.

    On a GPU an operator costs as much as its launch: beyond one matrix, one FFT is quicker there than the operators of
    chunks. Processors are quicker with chunks (docs/architecture.md has both measurements).

    >>> convolution_way(81, torch.device("cuda"), None), convolution_way(243, torch.device("cuda"), None)
    (('matrix', 81), ('spectrum', 512))
    """
    if chunk is None and device.type == "cuda" and length > LONGEST_MATRIX:
        # Of the sizes that transforms are quick at, the least that has room for the response behind the sequence.
        return "spectrum", min(odd * 2 ** math.ceil(math.log2(2 * length / odd)) for odd in (1, 3, 5, 7, 9))
    size = convolution_chunk(length) if chunk is None else chunk
    return ("matrix" if size == length else "chunks"), size


def convolution_chunk(length: int) -> int:
    """Frames in a chunk of a convolution: all of them if they fit one matrix."""
    return length if length <= LONGEST_MATRIX else equal_chunk(length, LONGEST_CHUNK)


def equal_chunk(length: int, longest: int) -> int:
    """Frames in a chunk where as few chunks as hold ``length`` frames, none of more than ``longest``, pad least.

    >>> equal_chunk(81, longest=64), equal_chunk(243, longest=64)
    (41, 61)
    """
    return math.ceil(length / math.ceil(length / longest))


def initial_poles(modes: int, init: str) -> Complex[Tensor, "{modes}"]:
    """Initial poles of one channel, the half of each conjugate pair with positive frequency, slowest first.

    ``legs``: eigenvalues of the normal part of the HiPPO-LegS matrix of size 2M (Gu et al., 2020). ``lin`` and
    ``inv``: S4D-Lin, -1/2 + i pi n, and S4D-Inv (Gu et al., 2022, equation 9 and its neighbour).

    >>> initial_poles(3, "lin").imag
    tensor([0.0000, 3.1416, 6.2832])
    """
    n = torch.arange(modes, dtype=torch.float64)
    if init == "legs":
        root = (torch.arange(2 * modes, dtype=torch.float64) + 0.5).sqrt()
        product = torch.outer(root, root)
        skew = product.triu(1) - product.tril(-1)
        frequency = torch.linalg.eigvals(skew).imag.sort().values[modes:]
    elif init == "lin":
        frequency = math.pi * n
    elif init == "inv":
        frequency = (2 * modes / math.pi * (2 * modes / (2 * n + 1) - 1)).flip(0)
    else:
        raise ValueError(f"init {init!r} is none of {', '.join(INITS)}, random")
    return torch.complex(torch.full_like(frequency, -0.5), frequency).to(torch.complex64)


def random_poles(channels: int, modes: int) -> Complex[Tensor, "{channels} {modes}"]:
    """Poles without a design, each channel's slowest first: -Re and Im are exp(n), n standard normal for each of them.

    What the designs of `initial_poles` are measured against. Im is drawn as by the option ``rand`` of S4's own code
    (github.com/state-spaces/s4); -Re is drawn too, so that memories differ as well.
    """
    frequency = torch.randn(channels, modes).exp().sort(-1).values
    return torch.complex(-torch.randn(channels, modes).exp(), frequency)


def _pass_states(written: Float[Tensor, "H B N n K"], decay: Pair, reverse: bool = False) -> Float[Tensor, "H B N n K"]:
    """State that enters each chunk, from what every chunk writes and the decay over a chunk, (H, G, n or 1, M)."""
    count = written.shape[-2]
    added_re, added_im = (part.unbind(-2) for part in _pair(written))
    decay_re, decay_im = (part.expand(-1, -1, count, -1)[:, :, None].unbind(-2) for part in decay)  # (H, G, 1, M) each
    re = im = torch.zeros_like(added_re[0])
    entering: list[Tensor] = []
    for chunk in reversed(range(count)) if reverse else range(count):
        entering.append(torch.cat([re, im], -1))
        re, im = _multiply((decay_re[chunk], decay_im[chunk]), (re, im))
        re, im = re + added_re[chunk], im + added_im[chunk]
    return torch.stack(entering[::-1] if reverse else entering, -2)


def _per_clip(rows: Float[Tensor, "H B *R c"], matrix: Float[Tensor, "H G c k"]) -> Float[Tensor, "H B *R k"]:
    """Rows times their clip's matrix, or times the one that all clips share."""
    product = rows.flatten(1, -2) @ matrix[:, 0] if matrix.shape[1] == 1 else rows.flatten(2, -2) @ matrix
    return product.view(*rows.shape[:-1], matrix.shape[-1])


def _to_rows(u: Float[Tensor, "B L *N H"]) -> Float[Tensor, "H B S L"]:
    """Channels first, time last, the parallel sequences folded into one axis."""
    return u.reshape(u.shape[0], u.shape[1], -1, u.shape[-1]).permute(3, 0, 2, 1)


def _from_rows(y: Float[Tensor, "H B S L"], like: Float[Tensor, "B L *N H"]) -> Float[Tensor, "B L *N H"]:
    return y.permute(1, 3, 2, 0).reshape(like.shape)


def _keeping_nothing(evaluate: Callable[..., Any], *given: Any) -> Any:
    """What an evaluation gives; the backward pass computes anew what happens inside."""
    if torch.is_grad_enabled() and not torch.compiler.is_compiling():  # compilers choose by themselves
        return checkpoint(evaluate, *given, use_reentrant=False, preserve_rng_state=False)
    return evaluate(*given)


def _full_precision(u: Tensor) -> torch.autocast:
    """Recurrences lose slow modes in half precision: inside, mixed precision is off."""
    return torch.autocast(u.device.type, enabled=False)


def _multiply(a: Pair, b: Pair) -> Pair:
    """Complex product, broadcast."""
    return a[0] * b[0] - a[1] * b[1], a[0] * b[1] + a[1] * b[0]


def _exp(a: Pair) -> Pair:
    """Complex exponential."""
    magnitude = a[0].exp()
    return magnitude * a[1].cos(), magnitude * a[1].sin()


def _expm1(a: Pair) -> Pair:
    """exp(a) - 1 without the cancellation that costs slow modes five digits in float32."""
    grown, half = a[0].expm1(), a[1] / 2
    sin, cos = half.sin(), half.cos()
    twice = 2 * (grown + 1) * sin
    # Re: expm1(re) - 2 exp(re) sin(im / 2)^2, two terms of one sign for re <= 0, so that nothing cancels.
    return grown - twice * sin, twice * cos


def _over(a: Pair, frames: Float[Tensor, "c"] | None = None) -> Pair:
    """Modes (..., M) at each frame, (..., c, M): times its number, or the same for all (..., 1, M)."""
    re, im = a[0][..., None, :], a[1][..., None, :]
    return (re, im) if frames is None else (re * frames[:, None], im * frames[:, None])


def _left(a: Pair) -> Float[Tensor, "*A K"]:
    """Left factor of Re sum_m a_m b_m as a real matrix product over K = 2M columns."""
    return torch.cat(a, -1)


def _pair(states: Float[Tensor, "*A K"]) -> Pair:
    """What `_left` put side by side."""
    re, im = states.chunk(2, -1)
    return re, im


def _right(b: Pair) -> Float[Tensor, "*A K j"]:
    """Right factor of the same product."""
    return torch.cat([b[0], -b[1]], -1).transpose(-1, -2)
