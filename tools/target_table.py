"""The table of targets: where HumMUSS comes nearest to missing each, or misses it by most. Part of result_tables.py."""

from collections.abc import Sequence
from typing import Any

from result_rows import ATTENTION, ATTENTION_ONE_RATE, BACK_AT_ALL_RATES, BACK_AT_ONE_RATE, long_rows, rated

from hummuss.evaluation import long_errors
from hummuss.evaluation.framerate_lines import Line, line_of, lines_of, pairs, shown
from hummuss.evaluation.framerate_targets import AT_THAT_RATE, OURS, WITHIN, percent
from hummuss.evaluation.long_page import MOST_WORSE
from hummuss.evaluation.pages import table

CLIPS_OF = {"cmu-test": "captured", "cmu-test-daz": "retargeted"}
# Targets at every stride: what HumMUSS is measured against, the largest ratio to it, the pages that tell.
STRIDE_TARGETS = {
    "(a) at most 3 % behind HumMUSS trained at that very stride": (
        (AT_THAT_RATE,), WITHIN,
        ("framerate", "framerate_whole", "framerate_whole_attention", "framerate_between", "framerate_at_rate_short",
         "framerate_base", "framerate_image", "framerate_short"),
    ),
    "(c) ahead of attention trained at stride 1": (
        (ATTENTION_ONE_RATE, BACK_AT_ONE_RATE), 1.0, ("framerate", "framerate_whole", "framerate_between"),
    ),
    "(d) no worse than attention trained at the same strides": (
        (ATTENTION, BACK_AT_ALL_RATES), 1.0,
        ("framerate", "framerate_whole_attention", "framerate_longer", "framerate_base"),
    ),
}  # fmt: skip
# Pages without attention, and where that of the same recipe stands, shown the same moments.
ATTENTION_OF = dict.fromkeys(("framerate_whole", "framerate_between"), "framerate")
# Targets of one piece against windows that overlap: at these lengths, behind by at most so many per cent.
LENGTH_TARGETS = {
    "(b) spans of 2 and 10 windows at most 2 % behind windows": ((162, 810), MOST_WORSE),
    "(b) 16,000 frames no worse than windows": ((16000,), 0.0),
}
LENGTH_PAGES = ("long", "long_whole", "long_between", "long_longer", "long_shipped", "long_image")
# What the trainings of a page were.
PAGES = {
    "framerate": "1200 steps of 8 windows",
    "framerate_whole": "the same, at whole strides from 1 to 12 alone",
    "framerate_whole_attention": "the same, at whole strides from 1 to 12 alone, trained anew with attention",
    "framerate_between": "the same, at whole strides from 1 to 8 alone",
    "framerate_at_rate_short": "the last, against models of one rate on short windows",
    "framerate_base": "size base",
    "framerate_image": "an earlier round: strides to 4, half the steps, keypoints in the image",
    "framerate_short": "an earlier round: strides to 4, half the steps",
    "framerate_longer": "1600 steps of 32",
    "long": "1200 steps of 8",
    "long_whole": "the same, at whole strides from 1 to 12 alone",
    "long_between": "the same, at whole strides from 1 to 8 alone",
    "long_longer": "1600 steps of 32",
    "long_shipped": "the model that comes along",
    "long_image": "an earlier round: strides to 4, half the steps, keypoints in the image",
}


def target_table() -> list[str]:
    """A row for each target and page that tells of it."""
    body = [
        [target, linked(page), *(worst_stride(page, dataset, others, most) for dataset in CLIPS_OF)]
        for target, (others, most, pages) in STRIDE_TARGETS.items()
        for page in pages
    ]
    body += [
        [target, linked(page), *(worst_length(page, dataset, lengths, most) for dataset in CLIPS_OF)]
        for target, (lengths, most) in LENGTH_TARGETS.items()
        for page in LENGTH_PAGES
    ]
    return table(["target", "after", *CLIPS_OF.values()], body)


def linked(page: str) -> str:
    """What its trainings were, with a link to it."""
    return f"[{PAGES[page]}](results/{page}.md)"


def worst_stride(page: str, dataset: str, others: Sequence[Line], most: float) -> str:
    """HumMUSS against any of these lines at the stride where it is furthest behind."""
    lines = lines_of([*rated(page, dataset), *attention_beside(page, dataset)])
    worst = max((pair for other in others for pair in pairs(lines, OURS, other)), key=lambda pair: pair.ratio)
    return judged(percent(worst), f"stride {worst.rate.rate:g}", worst.seeds, worst.ratio > most)


def attention_beside(page: str, dataset: str) -> list[dict[str, Any]]:
    """Rows of attention from another page, for a page that has none.

    Raises:
        ValueError: they are of other moments, or of trainings of other steps, rates or weights; or there are none.
    """
    if page not in ATTENTION_OF:
        return []
    rows = [row for row in rated(ATTENTION_OF[page], dataset) if row["model"] == "dstformer"]
    own = [row for row in rated(page, dataset) if line_of(row) == OURS]
    if {(shown(row), row["recipe"]) for row in rows} != {(shown(row), row["recipe"]) for row in own}:
        raise ValueError(f"{page} and {ATTENTION_OF[page]} show other moments of {dataset}, or were trained otherwise")
    return rows


def worst_length(page: str, dataset: str, lengths: Sequence[int], most: float) -> str:
    """One piece against windows at the length where it is furthest behind."""
    errors = long_errors.by_model(long_rows(page, dataset))[long_errors.Model("hummuss", True)]
    found = [(way, pair) for way, pair in long_errors.pairs(errors).items() if way.frames in lengths]
    way, worst = max(found, key=lambda own: own[1].worse)
    return judged(str(worst), f"{way.frames:,} frames", worst.each, worst.worse > most)


def judged(behind: str, where: str, seeds: Sequence[float], missed: bool) -> str:
    """By how much it is behind there (below 0 ahead), and whether the target is missed."""
    return f"{behind} at {where}{'' if len(seeds) > 1 else ', one seed'}{' **missed**' if missed else ''}"
