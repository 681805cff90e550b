"""A diagonal state space layer in continuous time: one map, three evaluations.

    x'(t) = A x(t) + u(t),    y(t) = 2 Re(C x(t)) + D u(t),    A = diag(poles)

Each channel owns M complex modes, each standing for a conjugate pair. Input u_k is held over the interval that ends
at frame k and lasts dt_k seconds (zero-order hold), so with r_k = step_size * reference_fps * dt_k * poles

    s_k = exp(r_k) s_{k-1} + (expm1(r_k) / poles) u_k,    y_k = 2 Re(C s_k) + D u_k.

`convolve` evaluates it for one interval per clip, `scan` for an interval per frame, `step` one frame at a time; they
agree to rounding. Seconds enter only through dt: another frame rate is the same layer.

Both of the offline evaluations cut time into chunks. Inside a chunk the map is a small dense matrix; from chunk to
chunk only the state passes. So they are matrix products, and time and memory grow linearly with the frames.

The file stands alone: it needs torch and jaxtyping. Complex numbers are pairs of reals, so that the graph exports
anywhere.

Sources: zero-order hold and diagonal parametrisation as in S4D (Gu et al., 2022) and DSS (Gupta et al., 2022);
chunks as in state space duality (Dao and Gu, 2024); gated use in HumMUSS (Mondal et al., CVPR 2024).
"""

import math
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Complex, Float
from torch import Tensor, nn

INITS = ("legs", "lin", "inv")
# Lengths of the chunks of a convolution. Longer ones waste products, shorter ones pass states too often
# (docs/architecture.md has the measurement); within the range, the length that pads least is taken.
SHORTEST_CHUNK, LONGEST_CHUNK = 64, 112
# Longest chunk of a scan, and the largest decay exponent within one: exp(+-40) stays far inside float32.
SCAN_CHUNK = 64
CHUNK_DECAY = 80.0

Pair = tuple[Tensor, Tensor]  # real and imaginary part of a complex tensor


class DiagonalSSM(nn.Module):
    """Diagonal state space layer over sequences of ``channels`` independent channels.

    Sequences that share their time axis (the joints of a clip) may stand in further axes between frames and
    channels: u is (B, L, *N, H). They cost one kernel between them.

    Args:
        channels: H, number of channels.
        modes: M, complex modes per channel.
        init: poles at the start: ``legs`` (normal part of HiPPO-LegS), ``lin`` (S4D-Lin) or ``inv`` (S4D-Inv).
        reference_fps: frame rate at which ``step_size`` is the discretisation step.
        bandlimit: fraction of the Nyquist frequency above which modes are silenced at a frame's own interval.
        step_range: ``step_size`` starts log-uniform in this range; fit it to the axis (SPEC section 1).

    Raises:
        ValueError: unknown init.

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
        self.reference_fps = reference_fps
        self.bandlimit = bandlimit
        poles = initial_poles(modes, init).expand(channels, modes)
        low, high = (math.log(bound) for bound in step_range)
        self.log_decay = nn.Parameter((-poles.real).log())  # (H, M)
        self.frequency = nn.Parameter(poles.imag.clone())  # (H, M)
        self.output_pairs = nn.Parameter(torch.randn(channels, modes, 2) * math.sqrt(0.5))  # E|C|^2 = 1
        self.skip = nn.Parameter(torch.randn(channels))  # (H,)
        self.log_step = nn.Parameter(torch.empty(channels).uniform_(low, high))  # (H,)
        self._kept: dict[str, tuple[Any, Any]] = {}  # see `_keep`

    @property
    def poles(self) -> Complex[Tensor, "H M"]:
        """Continuous-time poles; their real parts are negative by construction."""
        return torch.complex(-self.log_decay.exp(), self.frequency)

    @property
    def step_size(self) -> Float[Tensor, "H"]:
        """Discretisation step at ``reference_fps``."""
        return self.log_step.exp()

    @property
    def output(self) -> Complex[Tensor, "H M"]:
        """C, the read-out of each mode."""
        return torch.view_as_complex(self.output_pairs)

    def kernel(self, length: int, dt: Float[Tensor, "B"]) -> Float[Tensor, "B H {length}"]:
        """Impulse response over ``length`` frames that are ``dt`` seconds apart, without the skip term."""
        return self._response(length, dt).transpose(0, 1)

    def convolve(
        self, u: Float[Tensor, "B L *N H"], dt: Float[Tensor, "B L"], reverse: bool = False
    ) -> Float[Tensor, "B L *N H"]:
        """Evaluate where frames are evenly spaced: dt[:, 0] seconds, which may differ from clip to clip.

        ``reverse`` runs the map against time: the same as flipping u and dt before and the result after.
        """
        return _as_given(self.convolve_rows(_as_rows(u), dt[:, 0], reverse), u)

    def scan(
        self, u: Float[Tensor, "B L *N H"], dt: Float[Tensor, "B L"], reverse: bool = False
    ) -> Float[Tensor, "B L *N H"]:
        """Evaluate for any intervals, one per frame.

        ``reverse`` runs the map against time, dt[:, k] then being the interval between frame k and the next.
        """
        return _as_given(self.scan_rows(_as_rows(u), dt, reverse), u)

    def convolve_rows(
        self, u: Float[Tensor, "H B N L"], dt: Float[Tensor, "G"], reverse: bool = False
    ) -> Float[Tensor, "H B N L"]:
        """`convolve` in the layout it computes in: channels first, time last. G is B, or 1 for clips that share dt."""
        with _full_precision(u):
            rows, length = u.to(self.skip.dtype), u.shape[-1]
            size = _chunk_length(length)
            if size == length:
                matrix = self._keep(("matrix", length, reverse), dt, lambda dt: self._matrix(length, dt, reverse))
                return _per_clip(rows, matrix).to(u.dtype)
            inside, read, decay = self._keep(
                ("chunks", size, reverse), dt, lambda dt: self._chunk_matrices(size, dt, reverse)
            )
            chunks = F.pad(rows, (0, -length % size)).unflatten(-1, (-1, size))  # (H, B, N, n, c)
            response, written = _per_clip(chunks, inside).split([size, read.shape[-2]], -1)
            y = response + _per_clip(_pass_states(written, decay, reverse), read)
            return y.flatten(-2)[..., :length].to(u.dtype)

    def scan_rows(
        self, u: Float[Tensor, "H B N L"], dt: Float[Tensor, "B L"], reverse: bool = False, chunk: int | None = None
    ) -> Float[Tensor, "H B N L"]:
        """`scan` in the layout it computes in: channels first, time last.

        Within a chunk, exp(r (t_k - t_j)) is factored about the chunk's middle, which turns the chunk into matrix
        products. ``chunk`` frames must be so few that no factor overflows; by default `scan_chunk` says how many.
        """
        if reverse:
            return self.scan_rows(u.flip(-1), dt.flip(-1), chunk=chunk).flip(-1)
        with _full_precision(u):
            rows, length = u.to(self.skip.dtype), u.shape[-1]
            size = self.scan_chunk(dt) if chunk is None else chunk
            # Padding with frames of no duration: they neither change the state nor take anything in.
            steps = F.pad(self._steps(dt), (0, -length % size)).unflatten(-1, (-1, size))  # (H, B, n, c)
            chunks = F.pad(rows, (0, -length % size)).unflatten(-1, (-1, size)).transpose(2, 3)  # (H, B, n, N, c)
            clock = steps.cumsum(-1)  # time since the chunk began, at the end of each frame
            middle = clock[..., -1:] / 2
            write = _multiply(_exp(self._turned(middle - clock)), self._input_weights(steps))  # (H, B, n, c, M)
            read = _multiply(_exp(self._turned(clock - middle)), self._output_weights(steps))  # (H, B, n, c, M)
            response = chunks @ (_rows(write) @ _columns(read)).triu()  # (H, B, n, N, c)

            half = _exp(self._turned(middle))  # decay over half a chunk, (H, B, n, 1, M)
            written = chunks @ _rows(_multiply(half, write))  # (H, B, n, N, 2M)
            entering = _pass_states(written.transpose(2, 3), _over_chunks(_multiply(half, half)))
            y = response + entering.transpose(2, 3) @ _columns(_multiply(half, read))
            return (y.transpose(2, 3).flatten(-2)[..., :length] + self.skip[:, None, None, None] * rows).to(u.dtype)

    @torch.no_grad()
    def scan_chunk(self, dt: Float[Tensor, "B L"]) -> int:
        """Most frames in a chunk of a scan, so that no mode decays beyond float32 within one. Reads values."""
        fastest = float((self.step_size * self.log_decay.exp().amax(-1)).max() * self.reference_fps * dt.max())
        return max(1, min(SCAN_CHUNK, dt.shape[-1], int(CHUNK_DECAY / max(fastest, 1e-9))))

    def init_state(self, batch: int, *parallel: int) -> Float[Tensor, "batch *N 2 H M"]:
        """The state before the first frame; pass further sizes for sequences that share their clip's dt."""
        return self.log_decay.new_zeros(batch, *parallel, 2, *self.log_decay.shape)

    def step(
        self, u: Float[Tensor, "B *N H"], dt: Float[Tensor, "B"], state: Float[Tensor, "B *N 2 H M"]
    ) -> tuple[Float[Tensor, "B *N H"], Float[Tensor, "B *N 2 H M"]]:
        """Advance by one frame that ends ``dt`` seconds after the last; return its output and the new state."""
        with _full_precision(u):
            wide = u.to(self.skip.dtype)
            weights = self._keep(("step",), dt, self._step_weights)  # three pairs of (G, H, M)
            shared = (slice(None), *[None] * (u.ndim - 2))  # room for the parallel sequences
            decay, intake, read = ((re[shared], im[shared]) for re, im in weights)
            re, im = _multiply(decay, (state[..., 0, :, :], state[..., 1, :, :]))
            re = torch.addcmul(re, intake[0], wide[..., None])
            im = torch.addcmul(im, intake[1], wide[..., None])
            y = (read[0] * re - read[1] * im).sum(-1) + self.skip * wide
            return y.to(u.dtype), torch.stack([re, im], -3)

    def _steps(self, dt: Float[Tensor, "*B"]) -> Float[Tensor, "H *B"]:
        """Discretisation step of every channel and interval."""
        return self._channels(self.step_size, dt.ndim) * (dt.to(self.skip.dtype) * self.reference_fps)

    @staticmethod
    def _channels(parameter: Float[Tensor, "H *M"], axes: int) -> Float[Tensor, "H *B"]:
        """A parameter with ``axes`` axes of size one after its channels."""
        return parameter[(slice(None), *[None] * axes)]

    def _turned(self, steps: Float[Tensor, "H *B"]) -> Pair:
        """Poles times steps, (H, *B, M)."""
        decay, frequency = self.log_decay.exp(), self.frequency
        return (
            -self._channels(decay, steps.ndim - 1) * steps[..., None],
            self._channels(frequency, steps.ndim - 1) * steps[..., None],
        )

    def _input_weights(self, steps: Float[Tensor, "H *B"]) -> Pair:
        """expm1(pole step) / pole: what a unit input held over the interval leaves in the state, (H, *B, M)."""
        re, im = self._channels(-self.log_decay.exp(), steps.ndim - 1), self._channels(self.frequency, steps.ndim - 1)
        size = re.square() + im.square()
        return _multiply(_expm1(self._turned(steps)), (re / size, -im / size))

    def _output_weights(self, steps: Float[Tensor, "H *B"]) -> Pair:
        """2 C, with the modes silenced that turn more than ``bandlimit`` half-circles within the interval."""
        doubled = self._channels(2 * self.output_pairs, steps.ndim - 1)  # (H, *1, M, 2)
        if self.bandlimit is not None:
            turn = self._turned(steps)[1].abs()
            doubled = doubled * (turn <= self.bandlimit * math.pi)[..., None]
        return doubled[..., 0], doubled[..., 1]

    def _response(self, length: int, dt: Float[Tensor, "G"]) -> Float[Tensor, "H G {length}"]:
        """Impulse response. Frames are split as l = i w + j: one matrix product of O(sqrt(length)) exponentials."""
        steps, width = self._steps(dt), math.isqrt(length - 1) + 1
        frames = torch.arange(width, device=dt.device, dtype=steps.dtype)
        fine = _exp(self._turned(steps[..., None] * frames))  # (H, G, j, M)
        coarse = _exp(self._turned(steps[..., None] * (frames * width)))  # (H, G, i, M)
        weights = _multiply(self._output_weights(steps), self._input_weights(steps))  # (H, G, M)
        return (_rows(_multiply(_each(weights), coarse)) @ _columns(fine)).flatten(-2)[..., :length]

    def _matrix(self, length: int, dt: Float[Tensor, "G"], reverse: bool) -> Float[Tensor, "H G {length} {length}"]:
        """The map on ``length`` frames as a matrix from the right: entry (j, l) is what input j gives output l."""
        response = self._response(length, dt)
        response = torch.cat([response[..., :1] + self.skip[:, None, None], response[..., 1:]], -1)
        matrix = F.pad(response, (length - 1, 0)).unfold(-1, length, 1).flip(-2)  # row j: response, j to the right
        return matrix.transpose(-1, -2) if reverse else matrix

    def _chunk_matrices(
        self, size: int, dt: Float[Tensor, "G"], reverse: bool
    ) -> tuple[Float[Tensor, "H G {size} J"], Float[Tensor, "H G K {size}"], Pair]:
        """What a chunk gives its own frames and the state, what the state gives its frames, the state's decay."""
        steps = self._steps(dt)
        frames = torch.arange(size, device=dt.device, dtype=steps.dtype)
        fading = _exp(self._turned(steps[..., None] * frames))  # over 0 .. c-1 frames, (H, G, c, M)
        once = _each(_exp(self._turned(steps)))  # (H, G, 1, M)
        write = _multiply(fading, _each(self._input_weights(steps)))
        read = _multiply(fading, _multiply(once, _each(self._output_weights(steps))))
        if reverse:  # the first frames of a chunk are the last that it sees
            read = (read[0].flip(-2), read[1].flip(-2))
        else:
            write = (write[0].flip(-2), write[1].flip(-2))
        inside = torch.cat([self._matrix(size, dt, reverse), _rows(write)], -1)
        return inside, _columns(read), _exp(self._turned(steps[..., None] * size))

    def _step_weights(self, dt: Float[Tensor, "G"]) -> tuple[Pair, ...]:
        """Decay, input and output weights of one frame, (G, H, M) each."""
        steps = self._steps(dt)
        pairs = (_exp(self._turned(steps)), self._input_weights(steps), self._output_weights(steps))
        return tuple((re.transpose(0, 1), im.transpose(0, 1)) for re, im in pairs)

    def _keep(self, key: tuple[Any, ...], dt: Float[Tensor, "B"], make: Callable[[Tensor], Any]) -> Any:
        """``make(dt)``, remembered from one inference to the next while dt and parameters stay the same.

        Only the latest of each kind, and only where the whole batch shares one interval: memory stays that of one
        set of matrices per layer.
        """
        if torch.is_grad_enabled() or torch.compiler.is_compiling() or torch.jit.is_tracing():
            return make(dt)
        values = set(dt.tolist())
        if len(values) > 1:
            return make(dt)
        versions = [(parameter.data_ptr(), parameter._version) for parameter in self.parameters()]
        if self._kept.get(key[0], (None,))[0] != (key, values, versions):
            self._kept[key[0]] = ((key, values, versions), make(dt[:1]))
        return self._kept[key[0]][1]


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
        raise ValueError(f"init {init!r} is none of {', '.join(INITS)}")
    return torch.complex(torch.full_like(frequency, -0.5), frequency).to(torch.complex64)


def _pass_states(
    written: Float[Tensor, "H B N n K"], decay: Pair, reverse: bool = False
) -> Float[Tensor, "H B N n K"]:
    """State that enters each chunk, from what every chunk writes and the decay over a chunk, (H, G, n or 1, M)."""
    count = written.shape[-2]
    added = [part.unbind(-2) for part in written.chunk(2, -1)]
    fades = [part.expand(-1, -1, count, -1)[:, :, None].unbind(-2) for part in decay]  # (H, G, 1, M) for each chunk
    re = im = torch.zeros_like(added[0][0])
    entering: list[Tensor] = []
    for chunk in reversed(range(count)) if reverse else range(count):
        entering.append(torch.cat([re, im], -1))
        turned = _multiply((fades[0][chunk], fades[1][chunk]), (re, im))
        re, im = turned[0] + added[0][chunk], turned[1] + added[1][chunk]
    return torch.stack(entering[::-1] if reverse else entering, -2)


def _chunk_length(length: int) -> int:
    """Frames in a chunk of a convolution: all of them if they fit, else what leaves the least padding."""
    if length <= LONGEST_CHUNK:
        return length
    return min(range(LONGEST_CHUNK, SHORTEST_CHUNK - 1, -1), key=lambda size: -length % size)


def _per_clip(rows: Float[Tensor, "H B *R c"], matrix: Float[Tensor, "H G c k"]) -> Float[Tensor, "H B *R k"]:
    """Rows times their clip's matrix, or times the one that all clips share."""
    first = 1 if matrix.shape[1] == 1 else 2
    folded = rows.flatten(first, -2) @ (matrix[:, 0] if first == 1 else matrix)
    return folded.view(*rows.shape[:-1], matrix.shape[-1])


def _as_rows(u: Float[Tensor, "B L *N H"]) -> Float[Tensor, "H B S L"]:
    """Channels first, time last, the parallel sequences folded into one axis."""
    return u.reshape(u.shape[0], u.shape[1], -1, u.shape[-1]).permute(3, 0, 2, 1)


def _as_given(y: Float[Tensor, "H B S L"], like: Float[Tensor, "B L *N H"]) -> Float[Tensor, "B L *N H"]:
    return y.permute(1, 3, 2, 0).reshape(like.shape)


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
    re, im = a
    return re.expm1() * im.cos() - 2 * (im / 2).sin().square(), re.exp() * im.sin()


def _each(weights: Pair) -> Pair:
    """Weights (H, G, M) with an axis for the frames they are the same for."""
    return weights[0][..., None, :], weights[1][..., None, :]


def _over_chunks(decay: Pair) -> Pair:
    return decay[0].squeeze(-2), decay[1].squeeze(-2)


def _rows(a: Pair) -> Float[Tensor, "*A K"]:
    """Left factor of Re sum_m a_m b_m as a real matrix product over 2M columns."""
    return torch.cat(a, -1)


def _columns(b: Pair) -> Float[Tensor, "*A K j"]:
    """Right factor of the same product."""
    return torch.cat([b[0], -b[1]], -1).transpose(-1, -2)
