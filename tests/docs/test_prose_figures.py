"""Measured figures in the prose of the docs are those of the CSV files in docs/results that they are of."""

import re
from pathlib import Path
from statistics import mean, stdev

import pytest
from result_rows import ATTENTION, ATTENTION_ONE_RATE, plain_rows, rated
from result_rows import by_seed as unique_by_seed

from hummuss.evaluation.framerate import AT_RATE
from hummuss.evaluation.framerate_lines import Line, lines_of, pairs
from hummuss.evaluation.framerate_targets import AT_THAT_RATE, OURS, WITHIN
from hummuss.evaluation.pages import spread as spread_of

ROOT = Path(__file__).parents[2]
# A figure with its spread; in prose, not in a table that a command has written.
SPREAD = re.compile(r"\d+\.\d ± \d+\.\d")


def by_seed(page: str, column: str, **place: str) -> dict[str, float]:
    figures = unique_by_seed((row for row in plain_rows(page) if place.items() <= row.items()), column)
    assert figures, f"{page}.csv has no row of {place}"
    return figures


def spread(figures: dict[str, float]) -> str:
    return spread_of(list(figures.values()))


def trained(page: str, variant: str, metric: str = "mpjpe") -> dict[str, float]:
    """Of a page of trainings, on validation subjects."""
    return by_seed(page, "value", variant=variant, metric=metric, split="val", group="all")


def backbone(variant: str, metric: str = "mpjpe") -> str:
    return spread(trained("backbone_study", variant, metric))


def rounded(page: str, variant: str, metric: str, digits: int = 0) -> str:
    return f"{mean(trained(page, variant, metric).values()):.{digits}f}"


def ablation(variant: str, metric: str = "mpjpe") -> str:
    return spread(trained("ablation", variant, metric))


def shown(page: str, model: str, variant: str, stride: int, varied: bool = True) -> dict[str, float]:
    """Of a page of frame rates, on captured clips."""
    return by_seed(
        page, "mpjpe_mm", dataset="cmu-test", model=model, variant=variant, rate=f"{stride}.0", kind="stride",
        trained_with_augmentation=str(varied),
    )  # fmt: skip


def behind(ours: dict[str, float], theirs: dict[str, float], sign: int = 1) -> str:
    """By how many percent: of the means, and the deviation of the seeds' own differences."""
    assert ours.keys() == theirs.keys()
    lost = 100 * sign * (mean(ours.values()) / mean(theirs.values()) - 1)
    assert lost >= 0, f"the other way round, by {-lost:.1f} %"
    return f"{lost:.1f} ± {stdev(100 * (ours[seed] / theirs[seed] - 1) for seed in ours):.1f}"


def ahead(ours: dict[str, float], theirs: dict[str, float]) -> str:
    return behind(ours, theirs, sign=-1)


def behind_at_rate(page: str, stride: int) -> str:
    """Models trained at that very stride."""
    return behind(shown(page, "hummuss", "dt", stride), shown(page, "hummuss", AT_RATE, stride, varied=False))


def one_piece(windows: str, dataset: str, frames: int) -> str:
    """By how many percent it is ahead of a kind of windows, on the page of whole strides."""
    source = "capture" if frames == 810 else "ping-pong"
    place = {"model": "hummuss", "dataset": dataset, "frames": str(frames), "source": source, "position_s": ""}
    whole, other = (by_seed("long_between", "mpjpe_mm", mode=mode, **place) for mode in ("whole", windows))
    return ahead(whole, other)


# What prose says, with its figures left out -> these figures, made from the files.
BACKBONE = {
    "after 1200 steps at any frame rate: {} mm against {} on validation subjects, {} against {} [on test subjects]": [
        *(spread(trained("base_study", model)) for model in ("hummuss", "dstformer")),
        spread(shown("framerate_base", "hummuss", "dt", 1)),
        spread(shown("framerate_base", "dstformer", "subsampled", 1)),
    ],
    "ahead of half the rate with each of the three seeds, {} against {} mm": [backbone("ssm-lr"), backbone("hummuss")],
    "`e4` (the paper's e = 4, 64 channels; {})": [backbone("e4")],
    "**k = 1 is worth what it costs**: {} mm": [backbone("k1")],
    "**16 modes are no better than 8** on these short runs ({} against {})": [backbone("hummuss"), backbone("m8")],
    "HumMUSS has {} mm where `ssm-lr`, trained alike, has {}, but {} m/s² of acceleration error where that has {}.": [
        spread(trained("framerate_image_study", "hummuss")), backbone("ssm-lr"),
        spread(trained("framerate_image_study", "hummuss", "accel")), backbone("ssm-lr", "accel"),
    ],
    "motion is smoother (acceleration error {} against {} m/s², velocities {} against {} mm/s)": [
        *(rounded("backbone_study", variant, "accel", 1) for variant in ("fast-steps", "ssm-lr")),
        *(rounded("backbone_study", variant, "mpjve") for variant in ("fast-steps", "ssm-lr")),
    ],
    "the reference at {} mm": [ablation("reference")],
    "smoother then (acceleration error {} against {} m/s²)": [
        rounded("ablation", variant, "accel") for variant in ("directions-sum", "reference")
    ],
    "added (`directions-sum`), the error is {} mm": [ablation("directions-sum")],
    "without it {} mm, with a sum in its place {}.": [ablation("gate-none"), ablation("gate-sum")],
    "one of half the blocks (`one-stream`) has {} mm": [ablation("one-stream")],
    "their mean has {}.": [ablation("fusion-mean")],
    "drawn at random (`init-random`) {} mm": [ablation("init-random")],
    "S4D-Lin {}, S4D-Inv {}.": [ablation("init-lin"), ablation("init-inv")],
    "**16 modes are ahead of 8** ({} mm)": [ablation("m8")],
    "(`s4d-steps`, 0.001 to 0.1 on both) {} mm": [ablation("s4d-steps")],
    "at the lower end {}, four times larger {}.": [ablation("slow-steps"), ablation("fast-steps")],
    "along them alone (`s4d-joints`) it has {} mm": [ablation("s4d-joints")],
    "DSTformer (`dstformer`) has {} mm": [ablation("dstformer")],
    "at equal multiply-adds (`attention`, {} mm)": [ablation("attention")],
    "32 have {} mm, which": [ablation("m32")],
    "half as many again have {} mm where they make the model wider (e = 1, 80 channels, `width-e2`) and {} where": [
        ablation("width-e2"), ablation("e2"),
    ],
    "a quarter more have {} as width and {} as k = 1": [ablation("width"), ablation("k1")],
    "A band limit changes nothing ({} mm)": [ablation("bandlimit")],
    "in pairs (`pairs`) the error is {} mm": [ablation("pairs")],
    "(PA-MPJPE {} against {})": [ablation("pairs", "pa_mpjpe"), ablation("reference", "pa_mpjpe")],
    "(`drop-path` {} mm, behind with each seed); RMS norms ({}) and dropout ({})": [
        ablation("drop-path"), ablation("rms"), ablation("dropout"),
    ],
}  # fmt: skip
AT_STRIDE_8 = behind_at_rate("framerate", 8)
EVALUATION = {
    "at stride 8 of captured clips barely ({} %: two seeds are beyond it": [AT_STRIDE_8],
    "but {} % behind at stride 8 of captured clips: (a) does not hold": [behind_at_rate("framerate_between", 8)],
    "at most {} % behind (stride 8, captured clips)": [behind_at_rate("framerate_whole", 8)],
    "has {} mm at stride 1 where DSTformer (16 M) has {}": [
        spread(shown("framerate_base", "hummuss", "dt", 1)),
        spread(shown("framerate_base", "dstformer", "subsampled", 1)),
    ],
    "at 810 frames by {} % (captured) and {} % (retargeted), at 16,000 by {} and {} %": [
        one_piece("adjacent", dataset, frames) for frames in (810, 16000) for dataset in ("cmu-test", "cmu-test-daz")
    ],
    "one piece alone, {} and {} % ahead of overlapping windows at 16,000 frames": [
        one_piece("windows", dataset, 16000) for dataset in ("cmu-test", "cmu-test-daz")
    ],
}
MEASURED = {
    "At stride 8 of captured clips HumMUSS is {} % behind models of that stride alone": [AT_STRIDE_8],
    "trained at whole strides from 1 to 8 {} % behind, a miss": [behind_at_rate("framerate_between", 8)],
}
PROSE = {"docs/backbone.md": BACKBONE, "docs/evaluation.md": EVALUATION, "docs/measured.md": MEASURED}


def prose(path: Path) -> str:
    """A page in one line, without its tables."""
    return " ".join(line.strip() for line in path.read_text().splitlines() if not line.startswith("|"))


@pytest.mark.parametrize(("page", "text"), [(page, text) for page, texts in PROSE.items() for text in texts])
def test_figures_are_those_of_the_results(page: str, text: str) -> None:
    assert text.count("{}") == len(PROSE[page][text])
    assert text.format(*PROSE[page][text]) in prose(ROOT / page)


def test_no_figure_with_a_spread_is_left_out() -> None:
    for path in [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *(ROOT / "docs" / "howto").glob("*.md")]:
        name = str(path.relative_to(ROOT))
        if name == "CHANGELOG.md":  # what was, not what is
            continue
        bound = sum(" ± " in figure for figures in PROSE.get(name, {}).values() for figure in figures)
        assert len(SPREAD.findall(prose(path))) == bound, f"{name}: say in this file where its figures come from"


@pytest.mark.parametrize("dataset", ["cmu-test", "cmu-test-daz"])
@pytest.mark.parametrize(
    ("page", "other", "most"),
    [
        ("framerate", AT_THAT_RATE, WITHIN),
        ("framerate_whole", AT_THAT_RATE, WITHIN),
        ("framerate", ATTENTION, 1.0),
        ("framerate", ATTENTION_ONE_RATE, 1.0),
    ],
)
def test_the_readme_says_no_more_than_holds(page: str, other: Line, most: float, dataset: str) -> None:
    said = prose(ROOT / "README.md")
    assert "within 3 % of a model trained at that very stride" in said
    assert "and less than attention, trained at one rate or at all of them" in said
    assert (
        "as does [one of whole strides from 1 to 12](docs/results/framerate_whole.md) that never saw 1.5 and 2.5"
        in said
    )
    found = pairs(lines_of(rated(page, dataset)), OURS, other)
    assert len(found) == 8
    assert max(pair.ratio for pair in found) <= most
