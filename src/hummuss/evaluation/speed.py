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

from hummuss.allocator import give_back_freed_memory, keep_freed_memory
from hummuss.backbones.cost import Cost, cost
from hummuss.backbones.dstformer import DSTformer
from hummuss.backbones.hummuss import HumMUSS
from hummuss.errors import InputError
from hummuss.evaluation.floor import Rates, floor_seconds, measure_rates, work_of
from hummuss.process_memory import peak_resident_mb, resident_mb
from hummuss.provenance import device_name

BASELINE = "dstformer-lite"
DIM, DEPTH, DIM_REP = 256, 5, 512  # MotionBERT-Lite's
WINDOW = 243  # frames of the window that attention is run on anew for every streamed frame
EXPANSIONS = {f"hummuss-e{e}": float(e) for e in (1, 2, 3, 4)}
MODELS = ("hummuss-base", *EXPANSIONS, BASELINE)
COLUMNS = (
    "model", "params", "multiply_adds_per_frame", "mode", "frames", "batch", "device", "threads", "precision",
    "ms_median", "ms_min", "rounds", "floor_ms", "peak_mb", "ratio_to_dstformer",
)  # fmt: skip

Row = dict[str, Any]


def build(name: str, frames: int) -> nn.Module:
    """A backbone by its name in the table, at the baseline's size.

    Raises:
        InputError: unknown name.
    """
    torch.manual_seed(0)
    if name == BASELINE:
        return DSTformer(DIM, DEPTH, DIM_REP, max_frames=max(WINDOW, frames))  # longer position tables than published
    if name == "hummuss-causal":
        return HumMUSS(DIM, DEPTH, DIM_REP, causal=True)
    if name == "hummuss-base":
        return HumMUSS(DIM, DEPTH, DIM_REP)
    if name in EXPANSIONS:
        return HumMUSS(DIM, DEPTH, DIM_REP, expansion=EXPANSIONS[name])
    raise InputError(f"no model {name!r}: choose from {', '.join(MODELS)}")


def measure(
    models: list[str], mode: str, frames: int, batch: int, device: str, precision: str, seconds: float
) -> list[Row]:
    """Rows of all models at one length, their rounds interleaved until ``seconds`` have passed, at least two."""
    rates = _rates(device, precision)
    built = {name: build(name, frames).to(device) for name in models}
    runs = {name: _run(model, mode, frames, batch, device, precision) for name, model in built.items()}
    costs = {name: cost(model, frames) for name, model in built.items()}
    floors = {name: _floor_ms(run, rates) for name, run in runs.items()}  # warms up, too
    times: dict[str, list[float]] = {name: [] for name in models}
    began = time.perf_counter()
    while len(times[models[0]]) < 2 or time.perf_counter() - began < seconds:
        for name, run in runs.items():
            times[name].append(_timed(run, device))
    cell = {"mode": mode, "frames": frames, "batch": batch, "precision": precision, "peak_mb": None}
    rows = [
        _row(name, costs[name], taken) | {"floor_ms": round(floors[name], 2)} | cell | _machine(device)
        for name, taken in times.items()
    ]
    return _with_ratios(rows)


def measure_streaming(frames: int, device: str) -> list[Row]:
    """One causal frame after few and after ``frames`` frames, and attention run anew on its window.

    Memory is what the process has grown by since the call: for figures that mean something, see `stream_afresh`.
    """
    base = _memory_mb(device)
    cell = {"mode": "stream", "batch": 1, "precision": "32", "peak_mb": None} | _machine(device)
    backbone: Any = build("hummuss-causal", 1).to(device).eval()
    found, rows = cost(backbone, 1), []
    keypoints, dt = torch.rand(1, 17, 3, device=device), torch.full((1,), 1 / 50, device=device)
    with torch.inference_mode():
        state, seen = backbone.init_state(1), 0

        def advance() -> None:
            nonlocal state, seen
            _, state = backbone.step(keypoints, dt, state)
            seen += 1

        for target in (10, frames):
            while seen < target:
                advance()
            taken = [_timed(advance, device) for _ in range(50)]
            grown = {"frames": target, "peak_mb": round(_memory_mb(device) - base)}
            size = sum(part.numel() * part.element_size() for pair in state for part in pair)
            rows.append(_row("hummuss-causal", found, taken) | cell | grown | {"state_bytes": size})
        rates = _rates(device, "32")  # its operands are larger than all of the above
        floor = round(_floor_ms(advance, rates), 2)
        rows = [row | {"floor_ms": floor} for row in rows]
    attention = build(BASELINE, WINDOW).to(device)
    run = _run(attention, "infer", WINDOW, 1, device, "32")
    floor = round(_floor_ms(run, rates), 2)
    again = [_timed(run, device) for _ in range(5)]
    rows.append(_row(BASELINE, cost(attention, WINDOW), again) | cell | {"frames": WINDOW, "floor_ms": floor})
    return _with_ratios(rows)


def stream_afresh(frames: int, device: str) -> list[Row]:
    """`measure_streaming` in a process of its own."""
    return _afresh("stream", str(frames), device)


def peak_memory(name: str, mode: str, frames: int, batch: int, device: str, precision: str) -> float:
    """Megabytes that model, gradients and one step take at most, in a process of their own."""
    return float(_afresh("peak", name, mode, str(frames), str(batch), device, precision))


def _afresh(*arguments: str) -> Any:
    """What `_main` finds in a process that exists for nothing else."""
    give_back_freed_memory()  # what this process keeps of its own runs is as much as the other needs
    command = [sys.executable, "-m", "hummuss.evaluation.speed", *arguments]
    return json.loads(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout)


def _row(name: str, found: Cost, taken: list[float]) -> Row:
    return {
        "model": name,
        "params": found.parameters,
        "multiply_adds_per_frame": round(found.multiply_adds),
        "ms_median": round(1000 * statistics.median(taken), 2),
        "ms_min": round(1000 * min(taken), 2),
        "rounds": len(taken),
    }


def _with_ratios(rows: list[Row]) -> list[Row]:
    """Each row with the baseline's time, of the same rounds, over its own; without a baseline, no ratio."""
    baseline = next((row["ms_median"] for row in rows if row["model"] == BASELINE), None)
    if baseline is None:
        return [row | {"ratio_to_dstformer": None} for row in rows]
    return [row | {"ratio_to_dstformer": round(baseline / row["ms_median"], 2)} for row in rows]


def _machine(device: str) -> Row:
    return {"device": device_name(torch.device(device)), "threads": torch.get_num_threads()}


def _rates(device: str, precision: str) -> Rates:
    return measure_rates(device, precision, lambda: _synchronise(device))


def _floor_ms(run: Callable[[], None], rates: Rates) -> float:
    return 1000 * floor_seconds(work_of(run), rates)


def _run(model: nn.Module, mode: str, frames: int, batch: int, device: str, precision: str) -> Callable[[], None]:
    """One training step without the optimiser, or one inference."""
    model = model.to(device).train(mode == "train")
    keypoints, dt = torch.rand(batch, frames, 17, 3, device=device), torch.full((batch, frames), 1 / 50, device=device)
    mixed = torch.autocast(torch.device(device).type, torch.bfloat16, enabled=precision == "bf16")

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
        torch.cuda.synchronize(device)


def _memory_mb(device: str) -> float:
    """What the process holds on a device; as much as it ever held, so that nothing freed in between is missed."""
    return peak_resident_mb() if device == "cpu" else torch.cuda.max_memory_allocated(device) / 1e6


def _peak(name: str, mode: str, frames: str, batch: str, device: str, precision: str) -> int:
    """One cell's peak memory."""
    before = resident_mb() if device == "cpu" else 0.0
    _run(build(name, int(frames)), mode, int(frames), int(batch), device, precision)()
    return round(_memory_mb(device) - before)


def _main(what: str, *arguments: str) -> None:
    """Print what was measured as JSON."""
    keep_freed_memory()
    found = _peak(*arguments) if what == "peak" else measure_streaming(int(arguments[0]), arguments[1])
    print(json.dumps(found))


if __name__ == "__main__":
    _main(*sys.argv[1:])
