"""A diagonal state space layer in continuous time: one map, three evaluations.

    x'(t) = A x(t) + u(t),    y(t) = 2 Re(C x(t)) + D u(t),    A = diag(poles)

Each channel owns M complex modes, each standing for a conjugate pair. Input u_k is held over the interval that ends
at frame k and lasts dt_k seconds (zero-order hold), so with r = step_size * reference_fps * poles

    s_k = exp(r dt_k) s_{k-1} + (expm1(r dt_k) / poles) u_k,    y_k = 2 Re(C s_k) + D u_k.

`convolve` evaluates it for one interval per clip, `scan` for an interval per frame, `step` one frame at a time; they
agree to rounding. Seconds enter only through dt: another frame rate is the same layer.

The file stands alone: it needs torch and jaxtyping. Complex numbers are kept as pairs of reals, (..., 2), so that the
graph exports anywhere.

Sources: zero-order hold and diagonal parametrisation as in S4D (Gu et al., 2022) and DSS (Gupta et al., 2022); gated
use in HumMUSS (Mondal et al., CVPR 2024).
"""

import math

import torch
import torch.nn.functional as F
from jaxtyping import Complex, Float
from torch import Tensor, nn

INITS = ("legs", "lin", "inv")
# Up to this many frames a dense Toeplitz product beats the FFT on a CPU (docs/architecture.md has the measurement).
TOEPLITZ_FRAMES = 128
# Longest chunk of a scan, and the largest decay exponent within one: exp(+-40) stays far inside float32.
CHUNK_FRAMES = 64
CHUNK_DECAY = 80.0


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
        """Impulse response over ``length`` frames that are ``dt`` seconds apart, without the skip term.

        Frames are split as l = i w + j, so that the kernel is one matrix product of O(sqrt(length)) exponentials.
        """
        steps = self._steps(dt)  # (B, H)
        width = math.isqrt(length - 1) + 1
        frames = torch.arange(width, device=dt.device, dtype=steps.dtype)
        fine = _exp(self._poles_times(steps[..., None] * frames))  # (B, H, j, M, 2)
        coarse = _exp(self._poles_times(steps[..., None] * frames * width))  # (B, H, i, M, 2)
        weights = _multiply(self._output_weights(steps), self._input_weights(steps))  # (B, H, M, 2)
        response = 2 * _real_product(_multiply(weights[..., None, :, :], coarse), fine)  # (B, H, i, j)
        return response.flatten(-2)[..., :length]

    def convolve(
        self, u: Float[Tensor, "B L *N H"], dt: Float[Tensor, "B L"], reverse: bool = False
    ) -> Float[Tensor, "B L *N H"]:
        """Evaluate where frames are evenly spaced: dt[:, 0] seconds, which may differ from clip to clip.

        ``reverse`` runs the map against time: the same as flipping u and dt before and the result after.
        """
        with _full_precision(u):
            sequences, length = self._channels_first(u), u.shape[1]  # (B, H, L, N)
            kernel = self.kernel(length, dt[:, 0].to(sequences.dtype))  # (B, H, L)
            convolution = _toeplitz_product if length <= TOEPLITZ_FRAMES else _fft_product
            y = convolution(kernel, sequences, reverse) + self.skip[:, None, None] * sequences
            return self._channels_last(y, u)

    def scan(
        self, u: Float[Tensor, "B L *N H"], dt: Float[Tensor, "B L"], reverse: bool = False
    ) -> Float[Tensor, "B L *N H"]:
        """Evaluate for any intervals: dense within chunks of frames, states carried from chunk to chunk.

        ``reverse`` runs the map against time, dt[:, k] then being the interval between frame k and the next.

        Time and memory are linear in frames. Within a chunk, exp(pole (t_k - t_j)) is factored about the chunk's
        middle, which turns the whole chunk into matrix products; chunks are so short that no factor overflows.
        """
        if reverse:
            return self.scan(u.flip(1), dt.flip(1)).flip(1)
        with _full_precision(u):
            sequences, length = self._channels_first(u), u.shape[1]  # (B, H, L, N)
            steps = self._steps(dt.to(sequences.dtype))  # (B, H, L)
            size = self._chunk_frames(steps)
            missing = -length % size
            # Padding with frames of no duration: they neither change the state nor take anything in.
            chunked = F.pad(sequences, (0, 0, 0, missing)).unflatten(2, (-1, size))  # (B, H, n, c, N)
            y = self._scan_chunks(chunked, F.pad(steps, (0, missing)).unflatten(2, (-1, size)))
            y = y.flatten(2, 3)[:, :, :length] + self.skip[:, None, None] * sequences
            return self._channels_last(y, u)

    def _scan_chunks(
        self, u: Float[Tensor, "B H n c N"], steps: Float[Tensor, "B H n c"]
    ) -> Float[Tensor, "B H n c N"]:
        clock = steps.cumsum(-1)  # time since the chunk began, at the end of each frame
        middle = clock[..., -1:] / 2
        write = _multiply(_exp(self._poles_times(middle - clock)), self._input_weights(steps))  # (B, H, n, c, M, 2)
        read = _multiply(self._output_weights(steps), _exp(self._poles_times(clock - middle)))  # (B, H, n, c, M, 2)
        within = 2 * _real_product(read, write).tril() @ u

        half = _exp(self._poles_times(middle))  # decay over half a chunk, (B, H, n, 1, M, 2)
        whole = _multiply(half, half)
        gathered = (u.transpose(-1, -2) @ write.flatten(-2)).unflatten(-1, (-1, 2))  # (B, H, n, N, M, 2)
        gathered = _multiply(half, gathered)
        state, entering = torch.zeros_like(gathered[:, :, 0]), []
        for n in range(u.shape[2]):
            entering.append(state)
            state = _multiply(whole[:, :, n], state) + gathered[:, :, n]
        across = 2 * _real_product(_multiply(read, half), torch.stack(entering, 2))
        return within + across

    def init_state(self, batch: int, *parallel: int) -> Float[Tensor, "batch *N H M 2"]:
        """The state before the first frame; pass further sizes for sequences that share their clip's dt."""
        return self.output_pairs.new_zeros(batch, *parallel, *self.output_pairs.shape)

    def step(
        self, u: Float[Tensor, "B *N H"], dt: Float[Tensor, "B"], state: Float[Tensor, "B *N H M 2"]
    ) -> tuple[Float[Tensor, "B *N H"], Float[Tensor, "B *N H M 2"]]:
        """Advance by one frame that ends ``dt`` seconds after the last; return its output and the new state."""
        with _full_precision(u):
            wide = u.to(self.skip.dtype)
            steps = self._steps(dt.to(wide.dtype))  # (B, H)
            shared = (slice(None), *[None] * (u.ndim - 2))  # room for the parallel sequences
            decay, intake = _exp(self._poles_times(steps))[shared], self._input_weights(steps)[shared]
            state = _multiply(decay, state) + intake * wide[..., None, None]
            read = _multiply(self._output_weights(steps)[shared], state)[..., 0].sum(-1)
            return (2 * read + self.skip * wide).to(u.dtype), state

    def _steps(self, dt: Float[Tensor, "B *L"]) -> Float[Tensor, "B H *L"]:
        """Discretisation step of every frame and channel."""
        per_channel = self.step_size.view(-1, *[1] * (dt.ndim - 1))
        return dt.unsqueeze(1) * self.reference_fps * per_channel

    def _poles_times(self, steps: Float[Tensor, "B H *L"]) -> Float[Tensor, "B H *L M 2"]:
        return self._pole_pairs(steps.ndim - 2) * steps[..., None, None]

    def _pole_pairs(self, axes: int) -> Float[Tensor, "H *ones M 2"]:
        """Poles with ``axes`` axes of size one between channels and modes."""
        pairs = torch.stack([-self.log_decay.exp(), self.frequency], -1)
        return pairs[(slice(None), *[None] * axes)]

    def _input_weights(self, steps: Float[Tensor, "B H *L"]) -> Float[Tensor, "B H *L M 2"]:
        """expm1(pole step) / pole: what a unit input held over the interval leaves in the state."""
        poles = self._pole_pairs(steps.ndim - 2)
        conjugate = poles * poles.new_tensor([1.0, -1.0])
        return _multiply(_expm1(poles * steps[..., None, None]), conjugate / poles.square().sum(-1, keepdim=True))

    def _output_weights(self, steps: Float[Tensor, "B H *L"]) -> Float[Tensor, "B H *L M 2"]:
        """C, with the modes silenced that turn more than ``bandlimit`` half-circles within the interval."""
        axes = steps.ndim - 2
        output = self.output_pairs[(slice(None), *[None] * axes)]
        if self.bandlimit is None:
            return output.expand(*steps.shape, -1, -1)
        turn = self._pole_pairs(axes)[..., 1].abs() * steps[..., None]
        return output * (turn <= self.bandlimit * math.pi)[..., None]

    @torch.no_grad()
    def _chunk_frames(self, steps: Float[Tensor, "B H L"]) -> int:
        fastest = float((steps * self.log_decay.exp().amax(-1)[:, None]).max())
        return max(1, min(CHUNK_FRAMES, steps.shape[-1], int(CHUNK_DECAY / max(fastest, 1e-9))))

    def _channels_first(self, u: Float[Tensor, "B L *N H"]) -> Float[Tensor, "B H L S"]:
        """Move channels before frames and fold the parallel sequences into one last axis, in full precision."""
        folded = u.reshape(u.shape[0], u.shape[1], -1, u.shape[-1])
        return folded.to(self.skip.dtype).permute(0, 3, 1, 2)

    @staticmethod
    def _channels_last(y: Float[Tensor, "B H L S"], like: Float[Tensor, "B L *N H"]) -> Float[Tensor, "B L *N H"]:
        return y.permute(0, 2, 3, 1).reshape(like.shape).to(like.dtype)


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


def _full_precision(u: Tensor) -> torch.autocast:
    """Recurrences lose slow modes in half precision: inside, mixed precision is off."""
    return torch.autocast(u.device.type, enabled=False)


def _multiply(a: Float[Tensor, "*A 2"], b: Float[Tensor, "*B 2"]) -> Float[Tensor, "*C 2"]:
    """Complex product of pairs of reals, broadcast."""
    real = a[..., 0] * b[..., 0] - a[..., 1] * b[..., 1]
    imaginary = a[..., 0] * b[..., 1] + a[..., 1] * b[..., 0]
    return torch.stack([real, imaginary], -1)


def _exp(a: Float[Tensor, "*A 2"]) -> Float[Tensor, "*A 2"]:
    """Complex exponential of pairs of reals."""
    real, imaginary = a.unbind(-1)
    magnitude = real.exp()
    return torch.stack([magnitude * imaginary.cos(), magnitude * imaginary.sin()], -1)


def _expm1(a: Float[Tensor, "*A 2"]) -> Float[Tensor, "*A 2"]:
    """exp(a) - 1 without the cancellation that costs slow modes five digits in float32."""
    real, imaginary = a.unbind(-1)
    minus_one = real.expm1() * imaginary.cos() - 2 * (imaginary / 2).sin().square()
    return torch.stack([minus_one, real.exp() * imaginary.sin()], -1)


def _real_product(left: Float[Tensor, "*A i M 2"], right: Float[Tensor, "*A j M 2"]) -> Float[Tensor, "*A i j"]:
    """Re sum_m left_m right_m for every i and j, as one real matrix product over 2M columns."""
    signed = left * left.new_tensor([1.0, -1.0])
    return signed.flatten(-2) @ right.flatten(-2).transpose(-1, -2)


def _toeplitz_product(
    kernel: Float[Tensor, "B H L"], u: Float[Tensor, "B H L N"], reverse: bool
) -> Float[Tensor, "B H L N"]:
    """Causal convolution as a triangular Toeplitz matrix, entry (l, j) = kernel[l - j], or [j - l] in reverse."""
    length = kernel.shape[-1]
    if reverse:
        return F.pad(kernel, (length - 1, 0)).unfold(-1, length, 1).flip(-2) @ u
    return F.pad(kernel.flip(-1), (0, length - 1)).unfold(-1, length, 1).flip(-2) @ u


def _fft_product(
    kernel: Float[Tensor, "B H L"], u: Float[Tensor, "B H L N"], reverse: bool
) -> Float[Tensor, "B H L N"]:
    """Causal convolution through the FFT, zero-padded to twice the length; its conjugate runs against time."""
    length = kernel.shape[-1]
    rows = u.transpose(-1, -2).contiguous()  # the transform is 3x quicker along the contiguous axis
    response = torch.fft.rfft(kernel, 2 * length)[:, :, None]
    spectrum = torch.fft.rfft(rows, 2 * length) * (response.conj() if reverse else response)
    return torch.fft.irfft(spectrum, 2 * length)[..., :length].transpose(-1, -2)
