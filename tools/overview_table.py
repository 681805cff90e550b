"""The README's one table: HumMUSS beside attention, and beside what tells more of either. Part of result_tables.py."""

from collections.abc import Iterator

from result_cells import (
    ALONE,
    AN_HOUR,
    ATTENTION_ALONE,
    CLEAN,
    DEVICES,
    FAR,
    FAR_RETARGETED,
    GPU,
    HIDDEN,
    INTERVALS,
    OTHER_CORE,
    TEN_RETARGETED,
    WORK,
    corruption_cell,
    long_cell,
    rate_cell,
    regression,
    speed_cell,
    still_cell,
    task_cell,
    work_cell,
)
from result_rows import ATTENTION, ATTENTION_ONE_RATE, BACK_AT_ONE_RATE, ONE_RATE

from hummuss.evaluation.framerate_lines import Line
from hummuss.evaluation.framerate_targets import AT_THAT_RATE, FLOOR, IGNORED, OURS
from hummuss.evaluation.pages import table
from hummuss.evaluation.rates import BASE, Rate


def overview_table() -> list[str]:
    """Its lines."""
    return table(["", "HumMUSS", "attention (DSTformer)", "beside them"], list(rows()))


def rows() -> Iterator[list[str]]:
    """Its rows, those against HumMUSS among them."""
    coarse, dropped, speed = Rate("stride", 8), Rate("dropped", 0.5), "mpjve_mm_s"
    everywhere, one_rate = (OURS, ATTENTION), (ONE_RATE, ATTENTION_ONE_RATE)
    (alone,) = cells(BASE, FLOOR)
    yield row(
        "MPJPE of captured clips at stride 1, mm",
        "framerate",
        cells(BASE, *everywhere),
        f"{alone} every frame by itself",
    )
    told = "{} HumMUSS trained at that very stride; {} not told dt".format(*cells(coarse, AT_THAT_RATE, IGNORED))
    yield row("at stride 8", "framerate", cells(coarse, *everywhere), told)
    for page, lines, what in (
        ("framerate_whole_attention", everywhere, "at stride 8, trained at whole strides from 1 to 12 alone"),
        ("framerate_between", (OURS,), "at stride 8, trained at whole strides from 1 to 8 alone"),
        ("framerate_short", (OURS,), "at stride 8, an earlier round: trained at strides up to 4, half the steps"),
    ):
        *models, at_rate = cells(coarse, *lines, AT_THAT_RATE, page=page)
        yield row(what, page, [*models, "-"][:2], f"{at_rate} HumMUSS trained at that very stride")
    twice = [
        rate_cell("framerate", line, Rate("upsample", 0.5), dataset="cmu-test-daz") for line in (*everywhere, IGNORED)
    ]
    yield row("at twice the base rate, retargeted clips", "framerate", twice[:2], f"{twice[2]} HumMUSS not told dt")
    told = "{} attention on clips interpolated back to stride 1".format(*cells(coarse, BACK_AT_ONE_RATE))
    yield row("at stride 8, trained at stride 1 alone", "framerate", cells(coarse, *one_rate), told)
    yield row("half of the frames dropped", "framerate", cells(dropped, *everywhere))
    told = "trained at stride 1 alone: {} HumMUSS, {} attention; ".format(*cells(BASE, *one_rate, column=speed))
    (wide,) = cells(BASE, OURS, page="framerate_whole", column=speed)
    told += f"{wide} HumMUSS trained at whole strides from 1 to 12; {still_cell('framerate')} a pose that never moves"
    yield row("velocity error at stride 1, mm/s", "framerate", cells(BASE, *everywhere, column=speed), told)
    told = "{} and {} million multiply-adds per frame".format(
        *(work_cell("framerate_base", line) for line in everywhere)
    )
    yield row("MPJPE at stride 1, size base", "framerate_base", cells(BASE, *everywhere, page="framerate_base"), told)
    for what, page, place, model in (
        ("16,000 frames back and forth in one piece", "long", FAR, "hummuss"),
        ("the same, trained at whole strides from 1 to 12 alone", "long_whole", FAR, "hummuss"),
        ("the same, after 1600 steps", "long_longer", FAR, "hummuss"),
        ("the same, retargeted clips", "long_longer", FAR_RETARGETED, "hummuss"),
        ("the same, the model that comes along", "long_shipped", FAR_RETARGETED, "hummuss"),
        ("810 frames of retargeted clips, the model that comes along", "long_shipped", TEN_RETARGETED, "hummuss"),
        ("an hour of one captured clip, the causal model that comes along", "long_hour", AN_HOUR, "hummuss-causal"),
    ):
        modes = ("whole", "windows", "adjacent")
        whole, overlapping, adjacent = (long_cell(place, mode, page, model) for mode in modes)
        told = f"{overlapping} windows of 81 that overlap" + (f", {adjacent} that do not" if adjacent != "-" else "")
        yield row(what, page, [whole, "-"], told)
    for masked, what in ((False, "30 % of the joints hidden"), (True, "the same, joints hidden in training")):
        hidden, clean = (
            [corruption_cell(model, masked, corruption) for model in ("hummuss", "dstformer")]
            for corruption in (HIDDEN, CLEAN)
        )
        yield row(what, "robustness", hidden, "none hidden: {} HumMUSS, {} attention".format(*clean))
    mesh, action = (
        [task_cell(variants, metric) for variants in (ALONE, ATTENTION_ALONE)]
        for metric in ("mesh/mpve", "action/mean_class")
    )
    told = "{} after pretraining, {} by one backbone for all tasks".format(
        *(task_cell((variant,), "mesh/mpve") for variant in ("pretrained", "multi"))
    )
    yield row("body mesh after 600 steps, MPVE, mm", "tasks_study", mesh, told)
    told = f"{regression()} a regression that knows no order of frames"
    yield row("action after 600 steps, balanced accuracy, %", "action", action, told)
    for device, mode in ((OTHER_CORE, "train"), (OTHER_CORE, "infer"), (GPU, "train"), (GPU, "infer")):
        even, irregular = (speed_cell(device, mode, intervals, 243) for intervals in INTERVALS)
        what = f"times as quick, size base, 243 frames: {WORK[mode]}, {DEVICES[device]}"
        yield row(what, "speed", [even, "1"], f"{irregular} on irregular intervals")


def row(what: str, page: str, both: list[str], beside: str = "") -> list[str]:
    """What was measured, with a link to its page; HumMUSS and attention; what tells more of them."""
    return [f"[{what}](docs/results/{page}.md)", *both, beside]


def cells(rate: Rate, *lines: Line, page: str = "framerate", column: str = "mpjpe_mm") -> list[str]:
    """Of captured clips at a rate."""
    return [rate_cell(page, line, rate, column) for line in lines]
