"""What a comparison over frame rates set out to reach: each target judged by the figures, in a sentence."""

from collections.abc import Callable, Sequence
from statistics import mean, stdev

from hummuss.evaluation.framerate import AT_RATE
from hummuss.evaluation.framerate_lines import Line, Lines, Pair, changes, pairs
from hummuss.evaluation.rates import BASE, STRIDES, UPSAMPLED, Rate
from hummuss.evaluation.strides import Strides

OURS = Line("hummuss", "dt", True)
IGNORED = Line("hummuss", "dt-ignored", True)
AT_THAT_RATE = Line("hummuss", AT_RATE, False)
WITHIN = 1.03
FLOOR = Line("per-frame", "subsampled", True)
WORTH_TELLING = (
    Rate("upsample", UPSAMPLED), Rate("stride", 2.0), Rate("stride", 8.0), Rate("dropped", 0.5), Rate("jitter", 0.2),
)  # fmt: skip


def judge(lines: Lines, multiply_adds: dict[str, int], trained: Strides | None = None) -> list[str]:
    """One sentence per target, then how the floor does, what the rate alone changes and what ignoring dt costs.

    Args:
        lines: of one dataset.
        multiply_adds: per frame, of each model.
        trained: strides of the trainings at varied rates; None leaves out which of those judged they never drew.
    """
    return [
        _no_retraining(lines),
        *(_against_attention(lines, augmented, variant, multiply_adds) for augmented, variant in _ATTENTION),
        _against_the_floor(lines),
        *_never_drawn(trained),
        _by_itself(lines),
        _cost_of_ignoring(lines),
    ]


_ATTENTION = [(augmented, variant) for augmented in (False, True) for variant in ("subsampled", "interpolated")]


def _no_retraining(lines: Lines) -> str:
    target = f"hummuss trained at varied rates within {100 * (WITHIN - 1):.0f} % of hummuss trained at that very rate"
    found = pairs(lines, OURS, AT_THAT_RATE)
    if not found:
        return f"(a) {target}: runs are missing."
    return _verdict(f"(a) {target}", found, lambda ratio: ratio <= WITHIN)


def _against_attention(lines: Lines, augmented: bool, variant: str, multiply_adds: dict[str, int]) -> str:
    shown = {"subsampled": "shown the subsampled clip", "interpolated": "shown the clip interpolated back"}[variant]
    found = pairs(lines, OURS, Line("dstformer", variant, augmented))
    if not augmented:
        target = f"(c) hummuss trained at varied rates ahead of dstformer trained at one rate, {shown}"
        return _verdict(target, found, lambda ratio: ratio < 1) if found else f"{target}: runs are missing."
    target = f"(d) hummuss no worse than dstformer trained at the same varied rates, {shown}, at no more multiply-adds"
    if not found:
        return f"{target}: runs are missing."
    ours, theirs = multiply_adds["hummuss"], multiply_adds["dstformer"]
    said = _verdict(target, found, lambda ratio: ratio <= 1, ours <= theirs)
    return f"{said} Multiply-adds per frame: {ours / 1e6:.2f} and {theirs / 1e6:.2f} million."


def _against_the_floor(lines: Lines) -> str:
    target = "hummuss trained at varied rates ahead of per-frame, which sees every frame by itself"
    found = pairs(lines, OURS, FLOOR)
    return _verdict(target, found, lambda ratio: ratio < 1) if found else f"{target}: runs are missing."


def _never_drawn(trained: Strides | None) -> list[str]:
    new = [f"{stride:g}" for stride in STRIDES if trained is not None and not trained.cover(stride)]
    return [f"Trainings at varied rates never drew stride {', '.join(new)}."] if new else []


def _by_itself(lines: Lines) -> str:
    """How the rate changes one and the same model's error, however good that model is."""
    told = []
    for line, own in lines.items():
        parts = [f"{percent(pair)} at {pair.rate.rate:g}" for pair in changes(own)]
        if (line.model, line.variant) == ("hummuss", "dt") and parts:
            base = f"{mean(own[BASE].values()):.1f} mm at stride 1"
            told.append(f"{line.label.removesuffix(', dt')}: {base}, {', '.join(parts)}")
    return "\n    - ".join(["By itself, at the other strides:", *told]) if told else "By itself: runs are missing."


def _cost_of_ignoring(lines: Lines) -> str:
    kinds = dict.fromkeys(rate.kind for rate in WORTH_TELLING)
    found = [pair for kind in kinds for pair in pairs(lines, IGNORED, OURS, kind)]
    told = [pair for pair in found if pair.rate in WORTH_TELLING]
    if not told:
        return "What ignoring dt costs: runs are missing."
    parts = [f"from {pair.second:.1f} to {pair.first:.1f} mm ({percent(pair)}) at {name(pair.rate)}" for pair in told]
    return f"Ignoring dt takes hummuss trained at varied rates {', '.join(parts)}."


def _verdict(target: str, found: Sequence[Pair], good: Callable[[float], bool], also: bool = True) -> str:
    """By means over seeds, and how many seeds say so where they differ. ``also``: what must hold beside the figures."""
    seen = {pair.rate.rate for pair in found}
    missing = [f"{stride:g}" for stride in STRIDES if stride not in seen]
    reached = [pair for pair in found if good(pair.ratio)]
    holds = also and len(reached) == len(found)
    seeds = sorted({seed for pair in found for seed in pair.seeds})
    figures = "; ".join(
        f"{pair.rate.rate:g}: {pair.first:.1f} / {pair.second:.1f} mm ({percent(pair)}{_divided(pair, good)})"
        + ("" if good(pair.ratio) else " **no**")
        + ("" if pair.seeds == seeds else f" ({_seeds(pair.seeds)} alone)")
        for pair in found
    )
    verdict = ("holds where runs exist" if missing else "holds") if holds else "does not hold"
    return (
        f"{target}: **{verdict}**, at {len(reached)} of {len(found)} strides "
        f"({'means over ' if len(seeds) > 1 else ''}{_seeds(seeds)}): {figures}."
        + (f" Runs are missing at stride {', '.join(missing)}." if missing else "")
    )


def _divided(pair: Pair, good: Callable[[float], bool]) -> str:
    """How many seeds reach a target that not all of them reach or miss."""
    held = [good(ratio) for ratio in pair.ratios]
    return f", {sum(held)} of {len(held)} seeds" if 0 < sum(held) < len(held) else ""


def _seeds(seeds: Sequence[int]) -> str:
    """What sentences call them.

    >>> _seeds([0]), _seeds([0, 2])
    ('seed 0', 'seeds 0, 2')
    """
    return f"seed{'s' if len(seeds) > 1 else ''} {', '.join(map(str, seeds))}"


def name(rate: Rate) -> str:
    """What sentences call a rate."""
    shares = {"dropped": "of the frames dropped", "jitter": "of an interval of jitter"}
    if rate.kind in shares:
        return f"{100 * rate.rate:g} % {shares[rate.kind]}"
    if rate.kind == "upsample":
        return "the rate of captures at twice the base rate"
    return f"stride {rate.rate:g}"


def percent(pair: Pair) -> str:
    """The mean's difference, and the standard deviation of the seeds' own differences."""
    deviation = f" ± {100 * stdev(pair.ratios):.1f}" if len(pair.ratios) > 1 else ""
    return f"{100 * (pair.ratio - 1):+.1f}{deviation} %"
