"""Time and memory of the backbones at base size, against MotionBERT-Lite's attention on the same machine.

Times of all models are interleaved in one process, all warmed up; peak memory is that of a fresh process per cell.
"""

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from hummuss.allocator import keep_freed_memory
from hummuss.backbones.cost import cost
from hummuss.backbones.dstformer import DSTformer
from hummuss.backbones.hummuss import HumMUSS
from hummuss.errors import InputError
from hummuss.evaluation.process_memory import peak_resident_mb, resident_mb
from hummuss.report import device_name

BASELINE = "dstformer-lite"
WINDOW = 243  # frames of the window that attention is run on anew for every streamed frame
EXPANSIONS = {f"hummuss-e{e}": float(e) for e in (1, 2, 3, 4)}
MODELS = ("hummuss-base", *EXPANSIONS, BASELINE)
COLUMNS = (
    "model", "params", "multiply_adds_per_frame", "mode", "frames", "batch", "device", "threads", "precision",
    "ms_median", "ms_min", "rounds", "peak_mb", "ratio_to_dstformer",
)  # fmt: skip

Row = dict[str, Any]


def build(name: str, frames: int) -> nn.Module:
    """A backbone by its name in the table: 256 channels, five layers, representation of 512 as MotionBERT-Lite's.

    Raises:
        InputError: unknown name.
    """
    torch.manual_seed(0)
    if name == BASELINE:
        return DSTformer(256, 5, 512, max_frames=max(WINDOW, frames))  # longer position tables than published
    if name == "hummuss-causal":
        return HumMUSS(256, 5, 512, causal=True)
    if name == "hummuss-base":
        return HumMUSS(256, 5, 512)
    if name in EXPANSIONS:
        return HumMUSS(256, 5, 512, expansion=EXPANSIONS[name])
    raise InputError(f"no model {name!r}: choose from {', '.join(MODELS)}")


def measure(
    models: list[str], mode: str, frames: int, batch: int, device: str, precision: str, seconds: float
) -> list[Row]:
    """Rows of all models at one length, their rounds interleaved until ``seconds`` have passed, at least two."""
    runs = {name: _run(build(name, frames), mode, frames, batch, device, precision) for name in models}
    for run in runs.values():
        run()
    times: dict[str, list[float]] = {name: [] for name in models}
    began = time.perf_counter()
    while len(times[models[0]]) < 2 or time.perf_counter() - began < seconds:
        for name, run in runs.items():
            times[name].append(_timed(run, device))
    del runs
    return [_row(name, mode, frames, batch, device, precision, figures, times) for name, figures in times.items()]


def measure_streaming(frames: int, device: str) -> list[Row]:
    """One causal frame after few and after ``frames`` frames, and attention run anew on its window."""
    backbone: Any = build("hummuss-causal", 1).to(device).eval()
    keypoints, dt = torch.rand(1, 17, 3, device=device), torch.full((1,), 1 / 50, device=device)
    rows = []
    with torch.inference_mode():
        state, seen = backbone.init_state(1), 0
        for target in (10, frames):
            while seen < target:
                _, state = backbone.step(keypoints, dt, state)
                seen += 1
            before = resident_mb()
            taken = []
            for _ in range(50):
                start = time.perf_counter()
                _, state = backbone.step(keypoints, dt, state)
                _synchronise(device)
                taken.append(time.perf_counter() - start)
            row = _row("hummuss-causal", "stream", target, 1, device, "32", taken, {})
            rows.append(row | {"peak_mb": round(before)})
        size = sum(part.numel() * part.element_size() for pair in state for part in pair)
        attention = build(BASELINE, WINDOW).to(device).eval()
        run = _run(attention, "infer", WINDOW, 1, device, "32")
        run()
        again = [_timed(run, device) for _ in range(5)]
    rows.append(_row(BASELINE, "stream", WINDOW, 1, device, "32", again, {}))
    for row in rows:
        row["ratio_to_dstformer"] = round(rows[-1]["ms_median"] / row["ms_median"], 2)
        row["state_bytes"] = size if row["model"] == "hummuss-causal" else None
    return rows


def peak_memory(name: str, mode: str, frames: int, batch: int, device: str, precision: str) -> float:
    """Megabytes that model, gradients and one step take at most, in a process of their own."""
    arguments = [name, mode, str(frames), str(batch), device, precision]
    done = subprocess.run(
        [sys.executable, "-m", "hummuss.evaluation.speed", *arguments], capture_output=True, text=True, check=True
    )
    return float(json.loads(done.stdout)["peak_mb"])


def _row(
    name: str, mode: str, frames: int, batch: int, device: str, precision: str,
    taken: list[float], times: dict[str, list[float]],
) -> Row:  # fmt: skip
    median = statistics.median(taken)
    found = cost(build(name, frames), 1 if mode == "stream" and name != BASELINE else frames)
    return {
        "model": name,
        "params": found.parameters,
        "multiply_adds_per_frame": round(found.multiply_adds),
        "mode": mode,
        "frames": frames,
        "batch": batch,
        "device": device_name(torch.device(device)),
        "threads": torch.get_num_threads(),
        "precision": precision,
        "ms_median": round(1000 * median, 2),
        "ms_min": round(1000 * min(taken), 2),
        "rounds": len(taken),
        "peak_mb": None,
        "ratio_to_dstformer": round(statistics.median(times[BASELINE]) / median, 2) if BASELINE in times else None,
    }


def _run(model: nn.Module, mode: str, frames: int, batch: int, device: str, precision: str) -> Callable[[], None]:
    """One training step without the optimiser, or one inference."""
    model = model.to(device).train(mode == "train")
    keypoints, dt = torch.rand(batch, frames, 17, 3, device=device), torch.full((batch, frames), 1 / 50, device=device)
    mixed = torch.autocast(device, torch.bfloat16, enabled=precision == "bf16")

    def train() -> None:
        with mixed:
            loss = model(keypoints, dt).float().square().mean()
        loss.backward()
        model.zero_grad(set_to_none=True)

    def infer() -> None:
        with torch.inference_mode(), mixed:
            model(keypoints, dt)

    return train if mode == "train" else infer


def _timed(run: Callable[[], None], device: str) -> float:
    _synchronise(device)
    start = time.perf_counter()
    run()
    _synchronise(device)
    return time.perf_counter() - start


def _synchronise(device: str) -> None:
    if device != "cpu":
        torch.cuda.synchronize()


def _main(name: str, mode: str, frames: str, batch: str, device: str, precision: str) -> None:
    """One cell's peak memory, printed as JSON; the process exists for nothing else."""
    keep_freed_memory()
    before = resident_mb()
    _run(build(name, int(frames)), mode, int(frames), int(batch), device, precision)()
    peak = peak_resident_mb() - before if device == "cpu" else torch.cuda.max_memory_allocated() / 1e6
    print(json.dumps({"peak_mb": round(peak)}))


if __name__ == "__main__":
    _main(*sys.argv[1:])
