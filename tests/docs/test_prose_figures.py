"""Measured figures in the prose of the docs are those of the CSV files in docs/results that they are of."""

import re
from pathlib import Path
from statistics import mean, stdev

import pytest
from result_cells import still_cell
from result_rows import ATTENTION, ATTENTION_ONE_RATE, plain_rows, rated
from result_rows import by_seed as unique_by_seed

from hummuss.evaluation.framerate import AT_RATE
from hummuss.evaluation.framerate_lines import Line, lines_of, pairs
from hummuss.evaluation.framerate_targets import AT_THAT_RATE, OURS, WITHIN
from hummuss.evaluation.pages import spread as spread_of

ROOT = Path(__file__).parents[2]
BOTH = ("cmu-test", "cmu-test-daz")
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


def ablation_test(variant: str, group: str) -> dict[str, float]:
    return by_seed("ablation", "value", variant=variant, metric="mpjpe", split="test", group=group)


def ablation_tested(variant: str) -> list[str]:
    """On captured and on retargeted clips."""
    return [spread(ablation_test(variant, group)) for group in ("asf-amc", "bvh-daz")]


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


def behind_at_rate(page: str, stride: int) -> str:
    """Models trained at that very stride."""
    return behind(shown(page, "hummuss", "dt", stride), shown(page, "hummuss", AT_RATE, stride, varied=False))


def in_modes(page: str, modes: tuple[str, str], **place: str) -> list[dict[str, float]]:
    """Errors over whole sequences in two modes of a page of long sequences."""
    return [by_seed(page, "mpjpe_mm", mode=mode, position_s="", **place) for mode in modes]


def one_piece(windows: str, dataset: str, frames: int, page: str = "long_between", sign: int = -1) -> str:
    """By how many percent it is ahead of a kind of windows (sign 1: behind), on a page of whole strides."""
    source = "capture" if frames == 810 else "ping-pong"
    place = {"model": "hummuss", "dataset": dataset, "frames": str(frames), "source": source}
    return behind(*in_modes(page, ("whole", windows), **place), sign)


def lost(ours: dict[str, float], theirs: dict[str, float], digits: int = 1) -> float:
    """By how many percent the mean of the seeds is behind; below 0 where it is ahead."""
    assert ours.keys() == theirs.keys()
    return round(100 * (mean(ours.values()) / mean(theirs.values()) - 1), digits)


def percent(sign: int, *shares: float) -> list[str]:
    """As prose tells them, which has already said behind (1) or ahead (-1)."""
    assert all(sign * share >= 0 for share in shares), f"the other way round: {shares}"
    return [f"{abs(share):.1f}" for share in shares]


def shipped(mode: str, other: str, dataset: str, frames: int) -> float:
    """The model that comes along, one mode against another."""
    source = "capture" if frames == 810 else "ping-pong"
    return lost(*in_modes("long_shipped", (mode, other), dataset=dataset, frames=str(frames), source=source))


def hour(other: str, dataset: str) -> float:
    """An hour by the causal model that comes along, in one piece against windows."""
    place = {"dataset": dataset, "model": "hummuss-causal", "frames": "216000"}
    return lost(*in_modes("long_hour", ("whole", other), **place))


def synthetic_hour(other: str, source: str) -> float:
    return lost(*in_modes("long_hour_synthetic", ("whole", other), source=source, frames="216000"))


def against_own_rate(page: str, stride: int, dataset: str, ours: str) -> float:
    """HumMUSS of page ``ours`` against models trained at that very stride."""
    place = {"dataset": dataset, "model": "hummuss", "rate": f"{stride}.0", "kind": "stride"}
    theirs = by_seed(page, "mpjpe_mm", variant=AT_RATE, trained_with_augmentation="False", **place)
    varied = by_seed(ours, "mpjpe_mm", variant="dt", trained_with_augmentation="True", **place)
    return lost({seed: varied[seed] for seed in theirs}, theirs)


def against_standing_still(page: str, model: str, dataset: str) -> str:
    """By how many percent velocities at stride 1 are further off than those of a pose that never moves."""
    place = {"dataset": dataset, "model": model, "variant": "dt", "rate": "1.0", "kind": "stride"}
    ours = by_seed(page, "mpjve_mm_s", trained_with_augmentation="True", **place)
    return f"{100 * (mean(ours.values()) / float(still_cell(page, dataset)) - 1):.0f}"


def of_seed(page: str, variant: str, metric: str = "mpjpe") -> str:
    return f"{trained(page, variant, metric)['0']:.1f}"


def hidden(model: str) -> list[str]:
    """The least and the most of how the error grows with 30 % hidden, whatever is."""
    place = {"model": model, "trained_with_masking": "False"}
    shares = []
    for dataset in ("cmu-test", "cmu-test-daz"):
        clean = mean(by_seed("robustness", "mpjpe_mm", dataset=dataset, corruption="clean", **place).values())
        for corruption in ("joints", "limbs", "sides"):
            errors = by_seed("robustness", "mpjpe_mm", dataset=dataset, corruption=corruption, level="0.3", **place)
            shares.append(mean(errors.values()) / clean)
    return [f"{min(shares):.1f}", f"{max(shares):.1f}"]


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
    "both axes HumMUSS has {} mm (one seed, in float32 on a processor), with ranges that fit {} and attention {}": [
        of_seed("base_study", "s4d-steps"),
        *(spread(trained("base_study", model)) for model in ("hummuss", "dstformer")),
    ],
    "`directions-sum` {} and {} mm, `s4d-steps` {} and {}, `one-stream` {} and {}, where the reference has {} and {}": [
        figure
        for variant in ("directions-sum", "s4d-steps", "one-stream", "reference")
        for figure in ablation_tested(variant)
    ],
    "what the gate buys**, {} mm without it and {} with a sum": [
        ablation_tested(variant)[0] for variant in ("gate-none", "gate-sum")
    ],
    "it helps with each, where these have {} and {}.": [
        ablation_tested(variant)[1] for variant in ("gate-none", "gate-sum")
    ],
    "8 modes in place of 16 ({}; {}) and random poles ({}; {})": [
        *ablation_tested("m8"), *ablation_tested("init-random"),
    ],
    "**k = 1 is ahead with each seed on both**, {} and {} mm": ablation_tested("k1"),
    "**The band limit costs a little with each seed on both** ({}; {})": ablation_tested("bandlimit"),
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
CLAIMS = {
    "at stride 8 of captured clips barely ({} %: two seeds are beyond it": [AT_STRIDE_8],
    "but {} % behind at stride 8 of captured clips: (a) does not hold": [behind_at_rate("framerate_between", 8)],
    "at most {} % behind (stride 8, captured clips)": [behind_at_rate("framerate_whole", 8)],
    "it holds again: at most {} % behind (stride 8, captured clips)": [behind_at_rate("framerate_whole_attention", 8)],
    "seeds) has {} mm at stride 1 of captured clips and {} at 8, HumMUSS {} and {}.": [
        spread(shown("framerate_whole_attention", *model, stride))
        for model in (("dstformer", "subsampled"), ("hummuss", "dt"))
        for stride in (1, 8)
    ],
    "has {} mm at stride 1 where DSTformer (16 M) has {}": [
        spread(shown("framerate_base", "hummuss", "dt", 1)),
        spread(shown("framerate_base", "dstformer", "subsampled", 1)),
    ],
    "at 810 frames by {} % (captured) and {} % (retargeted), at 16,000 by {} and {} %": [
        one_piece("adjacent", dataset, frames) for frames in (810, 16000) for dataset in BOTH
    ],
    "one piece alone, {} and {} % ahead of overlapping windows at 16,000 frames": [
        one_piece("windows", dataset, 16000) for dataset in BOTH
    ],
    "of 16,000 frames one piece is {} % behind overlapping windows, one seed ahead and two behind": [
        one_piece("windows", "cmu-test", 16000, "long_whole", 1)
    ],
    "level there ({} % behind), and {} % ahead on retargeted clips": [
        one_piece("adjacent", "cmu-test", 16000, "long_whole", 1),
        one_piece("adjacent", "cmu-test-daz", 16000, "long_whole"),
    ],
    "so no rate, has {} mm after training on windows of all strides and {} after windows of stride 1": [
        f"{mean(shown('framerate', 'per-frame', 'subsampled', 1, varied).values()):.1f}" for varied in (True, False)
    ],
    "models of strides 4 and 8 alone it is {} and {} % behind, one seed against the same seed": percent(
        1, *(against_own_rate("framerate_base", stride, "cmu-test", "framerate_base") for stride in (4, 8))
    ),
    "seed 0: HumMUSS {} mm instead of {}, DSTformer {} instead of {})": [
        of_seed("base_study", variant) for variant in ("hummuss-1e-3", "hummuss", "dstformer-1e-3", "dstformer")
    ],
    "is {} and {} % ahead of them on captured clips, {} and {} % on retargeted ones": percent(
        -1,
        *(
            against_own_rate("framerate_at_rate_short", stride, dataset, "framerate_between")
            for dataset in BOTH
            for stride in (4, 8)
        ),
    ),
    "clip {} % ahead of windows (for as much work {} %)": percent(
        -1, *(hour(other, "cmu-test-daz") for other in ("windows", "adjacent"))
    ),
    "**on the captured one {} % behind** ({} %)": percent(
        1, *(hour(other, "cmu-test") for other in ("windows", "adjacent"))
    ),
    "as one performance, are {} and {} % ahead of windows, for as much work {} and {} %": percent(
        -1,
        *(synthetic_hour(other, source) for other in ("windows", "adjacent") for source in ("ping-pong", "synthetic")),
    ),
    "{} % behind overlapping windows at 810 frames of retargeted clips and {} % at 16,000, {} % behind at 16,000": (
        percent(
            1,
            *(shipped("whole", "windows", "cmu-test-daz", frames) for frames in (810, 16000)),
            shipped("whole", "windows", "cmu-test", 16000),
        )
    ),
    "for as much work it is {} and {} % on retargeted clips (both mirrored: {} % behind and {} % ahead)": [
        *percent(1, *(shipped("whole", "adjacent", "cmu-test-daz", frames) for frames in (810, 16000))),
        *percent(1, shipped("mirrored", "adjacent-mirrored", "cmu-test-daz", 810)),
        *percent(-1, shipped("mirrored", "adjacent-mirrored", "cmu-test-daz", 16000)),
    ],
    "on captured ones {} % ahead at 810 frames and {} % behind at 16,000 (both mirrored: {} % ahead and {} % behind)": [
        *percent(-1, shipped("whole", "adjacent", "cmu-test", 810)),
        *percent(1, shipped("whole", "adjacent", "cmu-test", 16000)),
        *percent(-1, shipped("mirrored", "adjacent-mirrored", "cmu-test", 810)),
        *percent(1, shipped("mirrored", "adjacent-mirrored", "cmu-test", 16000)),
    ],
    "it is less smooth still**: behind a motionless pose by {} and {} % at stride 1": [
        against_standing_still("framerate_whole", "hummuss", dataset) for dataset in BOTH
    ],
    "The causal model of strides 1 to 8 is further behind, by {} and {} %": [
        against_standing_still("framerate", "hummuss-causal", dataset) for dataset in BOTH
    ],
    "its error is {} to {} times that of clean detections, attention's {} to {} times": [
        *hidden("hummuss"), *hidden("dstformer"),
    ],
}  # fmt: skip
MEASURED = {
    "At stride 8 of captured clips HumMUSS is {} % behind models of that stride alone": [AT_STRIDE_8],
    "trained at whole strides from 1 to 8 {} % behind, a miss": [behind_at_rate("framerate_between", 8)],
}
PROSE = {"docs/backbone.md": BACKBONE, "docs/claims.md": CLAIMS, "docs/measured.md": MEASURED}


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


@pytest.mark.parametrize(
    ("variants", "sign", "groups"),
    [
        (("directions-sum", "s4d-steps", "one-stream", "bandlimit"), 1, ("asf-amc", "bvh-daz")),
        (("gate-none", "gate-sum", "m8", "init-random"), 1, ("bvh-daz",)),
        (("k1",), -1, ("asf-amc", "bvh-daz")),
    ],
)
def test_what_is_said_of_each_seed_is_so(variants: tuple[str, ...], sign: int, groups: tuple[str, ...]) -> None:
    for group in groups:
        reference = ablation_test("reference", group)
        assert len(reference) == 3
        for variant in variants:
            found = ablation_test(variant, group)
            assert found.keys() == reference.keys()
            assert all(sign * (found[seed] - reference[seed]) > 0 for seed in reference), (variant, group)


@pytest.mark.parametrize("dataset", ["cmu-test", "cmu-test-daz"])
@pytest.mark.parametrize(
    ("page", "other", "most"),
    [
        ("framerate", AT_THAT_RATE, WITHIN),
        ("framerate_whole", AT_THAT_RATE, WITHIN),
        ("framerate_whole_attention", AT_THAT_RATE, WITHIN),
        ("framerate", ATTENTION, 1.0),
        ("framerate_whole_attention", ATTENTION, 1.0),
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
