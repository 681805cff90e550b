"""Draw the figures of docs/mathematics.md: python tools/figures.py [FOLDER]. Each shows a property of `DiagonalSSM`."""

import sys
from pathlib import Path

import numpy as np
import scipy.signal
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from hummuss.backbones.ssm import INITS, DiagonalSSM, initial_poles

FOLDER = Path(__file__).parents[1] / "docs" / "figures"
# Okabe and Ito's blue, vermilion and green: told apart with every common colour vision.
BLUE, VERMILION, GREEN = "#0072B2", "#D55E00", "#009E73"
COLORS = (BLUE, VERMILION, GREEN)
SECONDS = 1.2


def draw_step_sizes() -> Figure:
    """One set of modes at three step sizes: the same shape, stretched in time."""
    figure, ax = _figure("step sizes: one kernel, stretched in time", (6.5, 3.2))
    layer = _layer(modes=4, steps=1.0)
    for step, color in zip((0.05, 0.1, 0.2), COLORS, strict=True):
        layer.log_step.data.fill_(np.log(step))
        kernel = layer.kernel(1000, torch.tensor([SECONDS / 1000]))[0, 0].detach()
        ax.plot(np.linspace(0, SECONDS, 1000), kernel / kernel.abs().max(), color=color, label=f"Δ = {step}")
    ax.axhline(0, color="0.8", lw=0.8, zorder=0)
    ax.set(xlim=(0, SECONDS), xlabel="seconds after an impulse", ylabel="response, of its largest")
    ax.legend(frameon=False, title="memory ∝ 1 / Δ", title_fontsize=9)
    return figure


def draw_poles() -> Figure:
    """Where the three initialisations put the poles of 16 modes."""
    figure, ax = _figure("poles at the start, 16 modes", (6.5, 3.4))
    for place, (init, color) in enumerate(zip(INITS, COLORS, strict=True)):
        frequency = initial_poles(16, init).imag.numpy()
        ax.plot(frequency, np.full(16, 2 - place), "o", color=color, ms=5, alpha=0.8)
    ax.set_xscale("symlog", linthresh=1)
    ax.set_yticks([2, 1, 0], [f"{init}" for init in INITS])
    ax.set(ylim=(-0.6, 2.6), xlim=(-0.1, 400), xlabel="Im λ: radians per unit of scaled time; Re λ is -1/2 for all")
    ax.xaxis.set_major_formatter("{x:g}")
    return figure


def draw_evaluations() -> Figure:
    """Convolution, scan and step on the same frames, and how far they differ."""
    figure = Figure(figsize=(6.5, 4.2), dpi=110, layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(2, 1))
    torch.manual_seed(2)
    layer, frames, dt = DiagonalSSM(channels=1, step_range=(0.1, 0.1)), 60, 1 / 50
    u, intervals = torch.randn(1, frames, 1), torch.full((1, frames), dt)
    outputs = {"convolve": layer.convolve(u, intervals), "scan": layer.scan(u, intervals)}
    state, steps = layer.init_state(1), []
    for frame in range(frames):
        y, state = layer.step(u[:, frame], intervals[:, frame], state)
        steps.append(y)
    outputs["step"] = torch.stack(steps, 1)
    exact = _in_double_precision(layer, u, intervals)
    times = dt * np.arange(frames)
    for (name, y), color, width in zip(outputs.items(), COLORS, (5, 2.5, 1), strict=True):
        above.plot(times, y[0, :, 0].detach(), color=color, lw=width, alpha=0.8, label=name)
        off = (y[0, :, 0].detach().double() - exact).abs().clamp(min=1e-9)
        below.semilogy(times, off, color=color, lw=1, label=name)
    above.set(ylabel="output", title="three evaluations of one map")
    below.set(xlabel="seconds", ylabel="off by", ylim=(1e-9, 1e-3))
    above.legend(frameon=False, ncols=3, fontsize=9)
    for ax in (above, below):
        _finish(ax)
    return figure


def draw_hold() -> Figure:
    """A signal that is held between frames: any frame rate gives the very same output where frames coincide."""
    figure = Figure(figsize=(6.5, 4.4), dpi=110, layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True)
    layer = _layer(modes=4, steps=0.1)
    rng = np.random.default_rng(3)
    slow = rng.normal(size=12)
    for factor, color, marker in ((1, VERMILION, "o"), (5, BLUE, ".")):
        dt = 0.1 / factor
        u = torch.from_numpy(slow.repeat(factor)).float()[None, :, None]
        y = layer.convolve(u, torch.full((1, u.shape[1]), dt))[0, :, 0].detach()
        ends = dt * np.arange(1, u.shape[1] + 1)
        above.step([0, *ends], [slow[0], *u[0, :, 0]], where="pre", color=color, lw=3 if factor == 1 else 1)
        below.plot(ends, y, color=color, marker=marker, ls="", ms=7 if factor == 1 else 5, label=f"{1 / dt:.0f} fps")
    # An independent solver on the continuous system, driven by the held input.
    a, b, c = layer.poles[0].detach(), 1.0, layer.output[0].detach()
    fine = np.linspace(0, 1.2, 1201)
    held = slow[np.minimum((fine / 0.1 - 1e-9).astype(int), 11)]
    poles = (a * 0.1 * 50).numpy()  # Δ times the reference rate turns seconds into scaled time
    system = scipy.signal.StateSpace(*_real_system(poles, 5 * b, c.numpy(), float(layer.skip.detach())))
    _, y, _ = scipy.signal.lsim(system, held, fine, interp=False)
    below.plot(fine, y, color="0.6", lw=1, zorder=0, label="continuous system, scipy")
    above.set(ylabel="input, held", title="zero-order hold: the frame rate does not matter to a held signal")
    below.set(xlabel="seconds", ylabel="output")
    below.legend(frameon=False, fontsize=9)
    for ax in (above, below):
        _finish(ax)
    return figure


FIGURES = {"step_sizes": draw_step_sizes, "poles": draw_poles, "evaluations": draw_evaluations, "hold": draw_hold}


def _layer(modes: int, steps: float) -> DiagonalSSM:
    torch.manual_seed(1)
    return DiagonalSSM(channels=1, modes=modes, step_range=(steps, steps))


def _in_double_precision(layer: DiagonalSSM, u: torch.Tensor, dt: torch.Tensor) -> torch.Tensor:
    """The recurrence written out in complex double precision, (frames)."""
    rate = layer.poles.to(torch.complex128)[0] * layer.step_size.double() * layer.reference_fps
    poles, output = layer.poles.to(torch.complex128)[0], layer.output.to(torch.complex128)[0]
    state, found = torch.zeros_like(rate), []
    for value, interval in zip(u[0, :, 0].double(), dt[0].double(), strict=True):
        state = (rate * interval).exp() * state + torch.expm1(rate * interval) / poles * value
        found.append(2 * (output * state).sum().real + layer.skip.double() * value)
    return torch.stack(found)[:, 0].detach()


def _real_system(poles: np.ndarray, gain: float, output: np.ndarray, skip: float) -> tuple[np.ndarray, ...]:
    """Matrices A, B, C, D of the modes' real form: (Re, Im) pairs."""
    size = 2 * len(poles)
    a, b, c = np.zeros((size, size)), np.zeros((size, 1)), np.zeros((1, size))
    for i, pole in enumerate(poles):
        a[2 * i : 2 * i + 2, 2 * i : 2 * i + 2] = [[pole.real, -pole.imag], [pole.imag, pole.real]]
        b[2 * i] = gain
        c[0, 2 * i : 2 * i + 2] = 2 * output[i].real, -2 * output[i].imag
    return a, b, c, np.array([[skip]])


def _figure(title: str, size: tuple[float, float]) -> tuple[Figure, Axes]:
    figure = Figure(figsize=size, dpi=110, layout="constrained")
    ax = figure.add_subplot()
    ax.set_title(title, fontsize=10)
    _finish(ax)
    return figure, ax


def _finish(ax: Axes) -> None:
    ax.spines[["top", "right"]].set_visible(False)
    ax.grid(color="0.93")
    ax.set_axisbelow(True)
    ax.title.set_fontsize(10)


def main(folder: Path) -> None:
    """Write every figure into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, draw in FIGURES.items():
        draw().savefig(folder / f"{name}.png", metadata={"Software": None})
        print(f"wrote {folder / name}.png")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER)
