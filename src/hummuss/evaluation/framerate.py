"""Errors of trained runs at every frame rate, on the same moments, the same time span and the same detections."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from hummuss.backbones.cost import cost
from hummuss.data.datamodules import MotionDataModule
from hummuss.errors import InputError
from hummuss.evaluation.contestants import Contestant
from hummuss.evaluation.moments import Chosen
from hummuss.evaluation.rates import BASE, Rate, all_rates
from hummuss.evaluation.seen import Seen, SeenMoments, crop, ignore_dt, interpolate, see
from hummuss.evaluation.settings import differences
from hummuss.evaluation.trained import refuse_alike
from hummuss.metrics.functional import mpjpe, mpjve
from hummuss.provenance import code_hash

# The moments of rate 0.5 at the base rate, where not all moments can be upsampled: what that row compares with.
PAIRED = Rate("upsample", 1.0)
# Fewer than elsewhere: a batch's activations then stay in a processor's cache.
FRAMES_AT_ONCE = 512
COLUMNS = (
    "dataset", "model", "variant", "trained_with_augmentation", "rate", "kind", "mpjpe_mm", "seed",
    # What the page says of them.
    "mpjve_mm_s", "windows", "trained_strides", "trained_frames", "span_frames", "multiply_adds_per_frame", "recipe",
    "checkpoint", "commit", "device",
    # Digits that stand for all that the models were shown and scored against, see `SeenMoments.digest`, and for the
    # code that did so.
    "moments",
)  # fmt: skip
# Rows of a contestant; one that was trained at a single other rate is shown the strides alone, by the first of them.
VARIANTS = {
    "hummuss": ("dt", "dt-ignored"),
    "hummuss-causal": ("dt", "dt-ignored"),
    "dstformer": ("subsampled", "interpolated"),
    "per-frame": ("subsampled",),
}
AT_RATE = "trained-at-rate"
# What a row depends on: pages may change, and rows of before are still what would be computed now.
CODE = (
    "backbones", "heads", "metrics", "data/motion.py", "data/transforms/normalise.py", "inference/runs.py", "module.py",
    "weights.py", "evaluation/contestants.py", "evaluation/framerate.py", "evaluation/moments.py",
    "evaluation/rates.py", "evaluation/seen.py", "evaluation/settings.py", "evaluation/strides.py",
    "evaluation/trained.py",
)  # fmt: skip

Row = dict[str, Any]


def compare_rates(
    contestants: Sequence[Contestant],
    data: MotionDataModule,
    chosen: Iterable[Chosen],
    known: Sequence[Row] = (),
) -> Iterator[list[Row]]:
    """The rows of one dataset and contestant after another: one per variant and rate.

    Args:
        contestants: from `load_contestants`.
        data: from `load_data`; its ``frames`` is the span at the base rate.
        chosen: the moments of each of its datasets, from `choose_moments`.
        known: rows of an earlier comparison. Those of the same checkpoint on the same moments, by the same code of
            models and of comparing, are handed back as they are instead of being computed again.

    Raises:
        InputError: a run trained at one rate that is not compared or at another base rate than the data's, or two runs
            that would share their rows.
    """
    _check(contestants, data.max_fps)
    span = {"span_frames": 2 * ((data.frames - 1) // 2) + 1}
    facts = [training_facts(contestant) | span for contestant in contestants]
    code = code_hash(*CODE)
    for dataset, sources, moments in chosen:
        seen = see(data, sources, moments, all_rates())
        place = {"dataset": dataset, "moments": f"{seen.digest()}-{code}"}
        for contestant, own in zip(contestants, facts, strict=True):
            # Counts of multiply-adds depend on where they are counted: a GPU convolves otherwise.
            facts_of_row = place | own
            same = {name: value for name, value in facts_of_row.items() if name != "multiply_adds_per_frame"}
            kept = [row for row in known if same.items() <= row.items()]
            whole = {(row["variant"], row["kind"], row["rate"]) for row in kept} == {
                (variant, rate.kind, rate.rate) for variant, rate in _asked(contestant, seen)
            }
            # Where rows were computed may differ between those that are kept and new ones.
            yield kept if whole else _rows(contestant, seen, facts_of_row | contestant.origin)


def _rows(contestant: Contestant, seen: SeenMoments, facts: Row) -> list[Row]:
    rows = []
    for variant, rate, errors in _errors(contestant, seen):
        own = {"variant": variant, "rate": rate.rate, "kind": rate.kind}
        position, velocity = errors.T
        moving = velocity[~velocity.isnan()]
        figures = {"mpjpe_mm": round(float(position.mean()), 4), "windows": len(errors)}
        rows.append(facts | own | figures | {"mpjve_mm_s": round(float(moving.mean()), 2) if len(moving) else None})
    return rows


def window_errors(contestant: Contestant, seen: Seen, target: Float[Tensor, "W 17 3"]) -> Float[Tensor, "W 2"]:
    """Mean joint error at each window's scored frame, mm, and of the velocity that ends there, mm/s.

    The velocity is that from the frame before, at whatever rate; NaN where the scored frame is a window's first, or the
    one before does not count.
    Windows of one interval are computed together.
    """
    errors = torch.zeros(len(target), 2)
    for chosen in _batches(seen):
        part, window = seen.take(chosen), torch.arange(len(chosen))
        joints = contestant.joints(part.keypoints, part.dt, part.valid)
        places = torch.stack([part.scored - 1, part.scored], 1).clamp(min=0)
        predicted, times = joints[window[:, None], places], part.times[window[:, None], places]
        errors[chosen, 0] = mpjpe(predicted[:, 1], target[chosen])
        velocity = mpjve(predicted, torch.stack([part.before, target[chosen]], 1), times.diff(prepend=times[:, :1]))
        errors[chosen, 1] = velocity[:, 0].where(part.scored > 0, torch.nan)
    return errors


def _asked(contestant: Contestant, seen: SeenMoments) -> Iterator[tuple[str, Rate]]:
    """Variants and rates that a contestant has rows of."""
    low = contestant.strides.low
    if not contestant.augmented and (low != 1 or contestant.model.startswith("hummuss")):
        yield AT_RATE, Rate("stride", low)
        if low != 1:  # what it makes of the other strides tells whether it knows its rate, or knows more of everything
            yield from ((VARIANTS[contestant.model][0], rate) for rate in seen.rates if rate.kind == "stride")
            return
    for variant in VARIANTS[contestant.model]:
        yield from ((variant, rate) for rate in seen.rates)
        if seen.upsampled.any() and not seen.upsampled.all():
            yield variant, PAIRED


def _errors(contestant: Contestant, seen: SeenMoments) -> Iterator[tuple[str, Rate, Tensor]]:
    """Variant, rate, and the error of each window."""
    found: dict[tuple[str, Rate], Tensor] = {}
    for variant, rate in _asked(contestant, seen):
        if rate == PAIRED:
            yield variant, rate, found[variant, BASE][seen.upsampled]
            continue
        # What was trained at a rate is shown its frames as they are: the same as the first variant at that rate.
        shown_as = VARIANTS[contestant.model][0] if variant == AT_RATE else variant
        if (shown_as, rate) not in found:
            of = seen.upsampled if rate.kind == "upsample" else torch.ones_like(seen.upsampled)
            shown = _show(shown_as, seen.rates[rate], seen.rates[BASE].take(of), seen.normalisation)
            found[shown_as, rate] = window_errors(contestant, _fit(contestant, shown), seen.target[of])
        yield variant, rate, found[shown_as, rate]


def _show(variant: str, windows: Seen, base: Seen, normalisation: str) -> Seen:
    if variant == "dt-ignored":
        return ignore_dt(windows)
    return interpolate(windows, base, normalisation) if variant == "interpolated" else windows


def _fit(contestant: Contestant, windows: Seen) -> Seen:
    return windows if contestant.most_frames is None else crop(windows, contestant.most_frames)


def _batches(seen: Seen) -> Iterator[Int[Tensor, " n"]]:
    """Numbers of windows that are computed at once: of one base rate, so that they share their kernels."""
    size = max(1, FRAMES_AT_ONCE // seen.dt.shape[1])
    rates = (1 / seen.base).round(decimals=2)
    for rate in rates.unique():
        yield from (rates == rate).nonzero().flatten().split(size)


def training_facts(contestant: Contestant) -> Row:
    """What rows say of a contestant itself, but for `Contestant.origin`."""
    backbone = contestant.run.model.backbone
    return {
        "model": contestant.model,
        "trained_with_augmentation": contestant.augmented,
        "seed": contestant.seed,
        "trained_strides": str(contestant.strides),
        "trained_frames": contestant.run.trained_frames,
        "multiply_adds_per_frame": round(cost(backbone, contestant.run.trained_frames).multiply_adds),
        "checkpoint": contestant.checkpoint,
    }


def _check(contestants: Sequence[Contestant], max_fps: float | None) -> None:
    for own in contestants:
        if (trained := own.settings.get("data.max_fps", max_fps)) != max_fps:
            raise InputError(
                f"{own.run.checkpoint} was trained with max_fps {trained}, the data has {max_fps}: its strides were of "
                f"other rates than those of this comparison, add a config with data.init_args.max_fps: {trained}"
            )
        if not own.augmented and Rate("stride", own.strides.low) not in all_rates():
            raise InputError(
                f"{own.run.checkpoint} was trained at stride {own.strides}, which is no rate of this comparison"
            )
    refuse_alike(contestants, lambda own: (own.model, own.augmented or own.strides))
    _refuse_other(contestants, lambda own: "trained at varied rates" if own.augmented else None, _rates)
    _refuse_other(contestants, lambda own: own.model, lambda own: {"parameters of the backbone": own.size})


def _rates(contestant: Contestant) -> dict[str, Any]:
    """At which rates, on windows of which lengths a run was trained."""
    return {name: value for name, value in contestant.settings.items() if name.startswith("data.frame")}


def _refuse_other(
    contestants: Sequence[Contestant],
    which: Callable[[Contestant], str | None],
    same: Callable[[Contestant], dict[str, Any]],
) -> None:
    """Refuse what sentences would take for alike: rates of trainings at varied rates, sizes of one model."""
    first: dict[str, Contestant] = {}
    for own in contestants:
        name = which(own)
        other = own if name is None else first.setdefault(name, own)
        if otherwise := differences(same(own), same(other)):
            raise InputError(
                f"{own.run.checkpoint} and {other.run.checkpoint} are both {name}, but {'; '.join(otherwise)}: "
                "the page would compare them as alike, give either"
            )
