"""Time of the backbones at base size, against MotionBERT-Lite's attention on the same machine.

Times of all models are interleaved in one process, all warmed up; what they take of memory is found by
`speed_process`, in a fresh process each.
"""

import random
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from hummuss.backbones.cost import Cost, cost
from hummuss.backbones.dstformer import DSTformer
from hummuss.backbones.hummuss import HumMUSS
from hummuss.errors import InputError
from hummuss.evaluation.floor import Rates, Work, floor_seconds, measure_rates, work_of
from hummuss.process_memory import peak_resident_mb
from hummuss.provenance import device_name

BASELINE, BASE, CAUSAL = "dstformer-lite", "hummuss-base", "hummuss-causal"
DIM, DEPTH, DIM_REP = 256, 5, 512  # MotionBERT-Lite's
WINDOW = 243  # frames of the window that attention is run on anew for every streamed frame
BATCH_FRAMES = 243  # of a batch, where no number of clips is asked for
EXPANSIONS = {f"hummuss-e{e}": float(e) for e in (1, 2, 3, 4)}
MODELS = (BASE, *EXPANSIONS, BASELINE)
EVEN, IRREGULAR = "even", "irregular"
# Rounds at least, and how many are enough where one run of the slowest takes so long.
ROUNDS, SLOW_ROUNDS, SLOW_SECONDS = 3, 2, 10.0
COLUMNS = (
    "model", "params", "multiply_adds_per_frame", "mode", "intervals", "frames", "batch", "device", "threads",
    "precision", "ms_median", "ms_min", "rounds", "floor_ms", "peak_mb", "ratio_to_dstformer",
)  # fmt: skip

Row = dict[str, Any]


class Entry(NamedTuple):
    """What is compared: a model, and whether the frames it sees are evenly spaced."""

    model: str
    intervals: str = EVEN


class Setting(NamedTuple):
    """What all entries are compared at."""

    mode: str
    frames: int
    batch: int
    device: str
    precision: str


def default_clips(frames: int) -> int:
    """Clips in a batch where none are asked for: as many as 243 frames hold, or one.

    >>> default_clips(27), default_clips(729)
    (9, 1)
    """
    return max(1, BATCH_FRAMES // frames)


def precision_name(precision: str) -> str:
    """What pages call a precision.

    >>> precision_name("32"), precision_name("bf16")
    ('32 bit', 'bf16')
    """
    return "bf16" if precision == "bf16" else f"{precision} bit"


def entries_of(models: Sequence[str]) -> list[Entry]:
    """Each model once; hummuss-base with irregular intervals too, which it scans. Attention never looks at them.

    >>> entries_of(["hummuss-base", "dstformer-lite"])[1:]
    [Entry(model='hummuss-base', intervals='irregular'), Entry(model='dstformer-lite', intervals='even')]
    """
    intervals = {BASE: (EVEN, IRREGULAR)}
    return [Entry(model, spaced) for model in dict.fromkeys(models) for spaced in intervals.get(model, (EVEN,))]


def build(name: str, frames: int) -> nn.Module:
    """A backbone by its name in the table, at the baseline's size.

    Raises:
        InputError: unknown name.
    """
    torch.manual_seed(0)
    if name == BASELINE:
        return DSTformer(DIM, DEPTH, DIM_REP, max_frames=max(WINDOW, frames))  # longer position tables than published
    if name == CAUSAL:
        return HumMUSS(DIM, DEPTH, DIM_REP, causal=True)
    if name == BASE:
        return HumMUSS(DIM, DEPTH, DIM_REP)
    if name in EXPANSIONS:
        return HumMUSS(DIM, DEPTH, DIM_REP, expansion=EXPANSIONS[name])
    raise InputError(f"no model {name!r}: choose from {', '.join(MODELS)}")


def make_intervals(intervals: str, batch: int, frames: int) -> Float[Tensor, "{batch} {frames}"]:
    """Seconds between frames: 1/50, or half to one and a half times that, drawn alike for all frames of all clips."""
    dt = torch.full((batch, frames), 1 / 50)
    if intervals == EVEN:
        return dt
    return dt * (0.5 + torch.rand(batch, frames, generator=torch.Generator().manual_seed(0)))


def entry_cost(entry: Entry, frames: int, device: str) -> Cost:
    """Parameters and multiply-adds of an entry; those of a scan differ from those of a convolution."""
    return cost(build(entry.model, frames).to(device), frames, make_intervals(entry.intervals, 1, frames))


def make_run(entry: Entry, setting: Setting) -> Callable[[], None]:
    """One training step without the optimiser, or one inference."""
    mode, frames, batch, device, precision = setting
    model = build(entry.model, frames).to(device).train(mode == "train")
    keypoints = torch.rand(batch, frames, 17, 3, device=device)
    dt = make_intervals(entry.intervals, batch, frames).to(device)
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


def measure(entries: Sequence[Entry], setting: Setting, costs: Mapping[Entry, Cost], seconds: float) -> list[Row]:
    """Rows of all entries, their rounds interleaved until ``seconds`` have passed and there are enough of them.

    Their order is drawn for every round, so that none always follows the same one.
    """
    mode, _, _, device, precision = setting
    runs = {entry: make_run(entry, setting) for entry in entries}
    works = {entry: warm_work(run, mode) for entry, run in runs.items()}
    before = machine_rates(device, precision)
    rounds: list[dict[Entry, float]] = []
    order, draw = list(runs), random.Random(0)
    began = time.perf_counter()
    while len(rounds) < _fewest_rounds(rounds) or time.perf_counter() - began < seconds:
        draw.shuffle(order)
        rounds.append({entry: _timed(runs[entry], device) for entry in order})
    rates = before.best(machine_rates(device, precision))
    rows = [_row(entry, setting, costs[entry], [taken[entry] for taken in rounds], works[entry]) for entry in entries]
    return with_floors(_with_ratios(rows), rates)


def measure_streaming(frames: int, device: str) -> list[Row]:
    """One causal frame after few and after ``frames`` frames, and attention run anew on its window.

    Rows lack their floor, see `with_floors`. Memory is what the process has grown by since the call: for figures that
    mean something, see `speed_process.stream_afresh`.
    """
    base = memory_mb(device)
    backbone: Any = build(CAUSAL, 1).to(device).eval()
    setting, found, rows = Setting("stream", 1, 1, device, "32"), cost(backbone, 1), []
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
            grown = {"peak_mb": round(memory_mb(device) - base)}
            size = sum(part.numel() * part.element_size() for pair in state for part in pair)
            row = _row(Entry(CAUSAL), setting._replace(frames=target), found, taken, work_of(advance))
            rows.append(row | grown | {"state_bytes": size})
    setting = setting._replace(frames=WINDOW)
    run = make_run(Entry(BASELINE), setting)
    work = warm_work(run, "stream")
    again = [_timed(run, device) for _ in range(5)]
    found = entry_cost(Entry(BASELINE), WINDOW, device)
    return _with_ratios([*rows, _row(Entry(BASELINE), setting, found, again, work)])


def warm_work(run: Callable[[], None], mode: str) -> Work:
    """Count a run such as those that are timed, and warm up by the way."""
    if mode != "train":
        run()  # makes the kernels that later runs find kept; a train step makes its own every time
    return work_of(run)


def machine_rates(device: str, precision: str) -> Rates:
    """What the machine reaches now."""
    return measure_rates(device, precision, lambda: synchronise(device))


def with_floors(rows: Sequence[Row], rates: Rates) -> list[Row]:
    """Each row with the least time that its work takes in place of the work."""
    return [
        {key: value for key, value in row.items() if key != "work"}
        | {"floor_ms": round(1000 * floor_seconds(Work(*row["work"]), rates), 2)}
        for row in rows
    ]


def memory_mb(device: str) -> float:
    """What the process holds on a device; as much as it ever held, so that nothing freed in between is missed."""
    return peak_resident_mb() if device == "cpu" else torch.cuda.max_memory_allocated(device) / 1e6


def _row(entry: Entry, setting: Setting, found: Cost, taken: Sequence[float], work: Work) -> Row:
    return {
        **entry._asdict(),
        **setting._asdict(),
        "device": device_name(torch.device(setting.device)),
        "threads": torch.get_num_threads(),
        "params": found.parameters,
        "multiply_adds_per_frame": round(found.multiply_adds),
        "ms_median": round(1000 * statistics.median(taken), 2),
        "ms_min": round(1000 * min(taken), 2),
        "rounds": len(taken),
        "work": work,
    }


def _with_ratios(rows: Sequence[Row]) -> list[Row]:
    """Each row with the baseline's time, of the same rounds, over its own; without a baseline, no ratio."""
    baseline = next((row["ms_median"] for row in rows if row["model"] == BASELINE), None)
    if baseline is None:
        return [row | {"ratio_to_dstformer": None} for row in rows]
    return [row | {"ratio_to_dstformer": round(baseline / row["ms_median"], 2)} for row in rows]


def _fewest_rounds(rounds: Sequence[Mapping[Entry, float]]) -> int:
    """How many rounds are enough, by the first of them."""
    slow = bool(rounds) and max(rounds[0].values()) >= SLOW_SECONDS
    return SLOW_ROUNDS if slow else ROUNDS


def _timed(run: Callable[[], None], device: str) -> float:
    synchronise(device)
    start = time.perf_counter()
    run()
    synchronise(device)
    return time.perf_counter() - start


def synchronise(device: str) -> None:
    """Wait for what a GPU still runs."""
    if device != "cpu":
        torch.cuda.synchronize(device)
