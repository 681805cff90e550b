"""Comparison over frame rates: rows of models whose errors are known, targets by hand, and a command that goes on."""

import csv
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml

from hummuss import InputError
from hummuss.cli.eval_framerate import read_table
from hummuss.cli.main import main
from hummuss.cli.pages import write_rows
from hummuss.data import Camera, MotionClip, StoreWriter, SyntheticDataModule
from hummuss.evaluation import framerate
from hummuss.evaluation.contestants import Contestant, load_contestants, read_data
from hummuss.evaluation.framerate import AT_RATE, COLUMNS, Row, compare_rates
from hummuss.evaluation.framerate_lines import Line, lines_of, pairs
from hummuss.evaluation.framerate_page import write_page
from hummuss.evaluation.framerate_targets import judge
from hummuss.evaluation.moments import choose_moments, datasets, spread_moments
from hummuss.evaluation.rates import BASE, STRIDES, Rate, all_rates, margins
from hummuss.evaluation.seen import SeenMoments, see
from hummuss.evaluation.standing_still import velocity_of_standing_still
from hummuss.evaluation.strides import Strides

CONFIGS = Path(__file__).parents[2] / "configs"
STEADY = [rate for rate in all_rates() if rate.kind == "stride"]


def synthetic(**options) -> SyntheticDataModule:
    return SyntheticDataModule(frames=9, test_clips=3, duration=1.0, **options)


def compared(contestants: list[Contestant], count: int, known: Sequence[Row] = ()) -> Iterator[list[Row]]:
    data = synthetic()
    return compare_rates(contestants, data, choose_moments(data, "test", count), known)


def seen_by_models(count: int) -> SeenMoments:
    data = synthetic()
    ((_, sources),) = datasets(data, "test").items()
    return see(data, sources, spread_moments(sources, data.max_fps, *margins(4), count), all_rates())


@pytest.fixture
def oracle(monkeypatch) -> SeenMoments:
    """Makes every model know the scored moments, by their detections, and be off by its dt there: a mm for a ms."""
    seen = seen_by_models(4)
    base = seen.rates[BASE]
    known = {
        base.keypoints[w, base.scored[w]].numpy().tobytes(): seen.target[w] for w in range(len(base.keypoints))
    }  # fmt: skip

    def joints(self, keypoints, dt, valid=None):
        found = torch.zeros_like(keypoints)
        for w in range(len(keypoints)):
            for f in range(keypoints.shape[1]):
                if keypoints[w, f].numpy().tobytes() in known:
                    found[w, f] = known[keypoints[w, f].numpy().tobytes()] + torch.tensor([dt[w, f], 0, 0])
        return found

    monkeypatch.setattr(Contestant, "joints", joints)
    return seen


def test_errors_are_those_of_the_moment_at_every_rate_and_in_every_variant(make_run, oracle) -> None:
    runs = [make_run("a", frame_rate={"strides": [1, 4]}), make_run("b", "DSTformer", max_frames=9, seed=3)]
    both = list(compared(load_contestants(runs), 4))
    assert [(len(rows), rows[0]["model"], rows[0]["seed"]) for rows in both] == [
        (2 * len(oracle.rates), "hummuss", 0),
        (2 * len(oracle.rates), "dstformer", 3),
    ]
    base = float(oracle.rates[BASE].base[0])
    for row in [row for rows in both for row in rows]:
        rate = Rate(row["kind"], row["rate"])
        window = oracle.rates[rate]
        own = 1000 * float(window.dt[torch.arange(len(window.dt)), window.scored].mean())
        told = 1000 * base if row["variant"] in ("dt-ignored", "interpolated") else own
        assert row["mpjpe_mm"] == pytest.approx(told, abs=2e-3), row
        assert (row["dataset"], row["windows"], row["span_frames"]) == ("synthetic", 4, 9)
        if rate.kind == "stride":
            assert own == pytest.approx(1000 * base * rate.rate, rel=1e-4)


def test_velocities_are_those_from_the_frame_before_at_every_rate(make_run, oracle) -> None:
    """The model knows the scored moment but for its dt, and says (0, 0, 0) of every joint at all other frames."""
    (rows,) = compared(load_contestants([make_run("a", frame_rate={"strides": [1, 4]})]), 4)
    window = torch.arange(4)
    for row in (row for row in rows if row["variant"] == "dt"):
        seen = oracle.rates[Rate(row["kind"], row["rate"])]
        target, scored = oracle.target[: len(seen.dt)], seen.scored
        if not scored.any():  # at stride 8 the span has the scored frame alone
            assert row["mpjve_mm_s"] is None
            continue
        taken = seen.times[window, scored] - seen.times[window, scored - 1]
        off = torch.zeros_like(target)
        off[..., 0] = seen.dt[window, scored, None]
        expected = 1000 * ((target + off) - (target - seen.before)).norm(dim=-1).mean(-1) / taken
        assert row["mpjve_mm_s"] == pytest.approx(float(expected[scored > 0].mean()), rel=1e-4), row


def test_columns_begin_as_agreed(make_run, oracle) -> None:
    (rows,) = compared(load_contestants([make_run("a")]), 4)
    assert COLUMNS[:8] == (
        "dataset", "model", "variant", "trained_with_augmentation", "rate", "kind", "mpjpe_mm", "seed",
    )  # fmt: skip
    assert set(rows[0]) == set(COLUMNS)
    assert {row["kind"] for row in rows} <= {"stride", "dropped", "jitter", "upsample"}
    assert {row["rate"] for row in rows if row["kind"] == "stride"} == {1, 1.5, 2, 2.5, 3, 4, 6, 8}


def test_who_was_trained_at_one_rate_is_scored_there(make_run, oracle) -> None:
    runs = [make_run("a", frame_rate={"strides": [4, 4]}), make_run("b"), make_run("c", "PerFrame")]
    four, fixed, floor = compared(load_contestants(runs), 4)
    (at_that_rate,) = [row for row in four if row["variant"] == "trained-at-rate"]
    strides = {row["rate"]: row["mpjpe_mm"] for row in four if (row["variant"], row["kind"]) == ("dt", "stride")}
    assert len(four) == 1 + len(strides)
    assert set(strides) == set(STRIDES)
    assert (at_that_rate["rate"], at_that_rate["mpjpe_mm"]) == (4, strides[4])
    assert {line.label for line in lines_of(four)} == {"hummuss, trained at that rate", "hummuss, stride 4 alone, dt"}
    assert [row["variant"] for row in fixed].count("trained-at-rate") == 1
    assert {row["variant"] for row in fixed} == {"trained-at-rate", "dt", "dt-ignored"}
    assert {row["variant"] for row in floor} == {"subsampled"}
    five = load_contestants([make_run("d", frame_rate={"strides": [5, 5]})])
    with pytest.raises(InputError, match="trained at stride 5, which is no rate of this comparison"):
        next(compared(five, 4))
    with pytest.raises(InputError, match="both hummuss, seed 0, trained alike"):
        next(compared(load_contestants([runs[1], make_run("e", dim=16)]), 4))


def test_strides_of_another_base_rate_are_refused(make_run, oracle) -> None:
    (folder,) = runs = [make_run("a")]
    config = yaml.safe_load((folder / "config.yaml").read_text())
    for trained, refused in ((60.0, False), (30.0, True), (None, True)):
        config["data"]["init_args"]["max_fps"] = trained
        (folder / "config.yaml").write_text(yaml.safe_dump(config))
        rows = compared(load_contestants(runs), 4)
        if refused:
            with pytest.raises(InputError, match=f"was trained with max_fps {trained}, the data has 60.0"):
                next(rows)
        else:
            assert next(rows)


def test_all_of_the_package_that_rows_are_computed_by_decides_whether_they_are_kept() -> None:
    package = Path(framerate.__file__).parent
    needed, found = ["framerate"], set()
    while needed:
        module = needed.pop()
        if module not in found:
            found.add(module)
            needed += re.findall(
                r"^from hummuss\.evaluation\.(\w+) import", (package / f"{module}.py").read_text(), re.M
            )
    assert {part for part in framerate.CODE if part.startswith("evaluation/")} == {
        f"evaluation/{module}.py" for module in found
    }


def test_what_is_known_of_the_same_moments_is_not_computed_again(make_run, monkeypatch) -> None:
    contestants = load_contestants([make_run("a", "PerFrame"), make_run("b", "PerFrame", seed=1)])
    (first, second) = compared(contestants, 4)
    scored = []
    joints = Contestant.joints
    monkeypatch.setattr(Contestant, "joints", lambda self, *shown: scored.append(self.seed) or joints(self, *shown))
    again = list(compared(contestants, 4, first))
    assert again == [first, second]
    assert set(scored) == {1}
    list(compared(contestants[:1], 3, first))
    assert set(scored) == {0, 1}
    scored.clear()
    assert list(compared(contestants[:1], 4, first[1:])) == [first], "a row was lost"
    assert set(scored) == {0}


def test_what_sentences_would_take_for_alike_is_refused(make_run) -> None:
    rates = [make_run("a", frame_rate={"strides": [1, 4]}), make_run("b", "DSTformer", frame_rate={"strides": [1, 8]})]
    with pytest.raises(InputError, match=r"are both trained at varied rates, but data.frame_rate.strides is \[1"):
        next(compared(load_contestants(rates), 4))
    sizes = [make_run("c"), make_run("d", frame_rate={"strides": [4, 4]}, dim=16)]
    with pytest.raises(InputError, match="are both hummuss, but parameters of the backbone is"):
        next(compared(load_contestants(sizes), 4))


def rows_of(model: str, variant: str, augmented: bool, errors: dict[float, float], seed: int = 0) -> list[dict]:
    facts = {"model": model, "variant": variant, "trained_with_augmentation": augmented, "seed": seed}
    facts["trained_strides"] = "1-4" if augmented else "1"
    figures = ({"rate": rate, "mpjpe_mm": error, "mpjve_mm_s": 10 * error} for rate, error in errors.items())
    return [facts | {"kind": "stride"} | figure for figure in figures]


def said_of(rows: list[dict], multiply_adds: tuple[int, int] = (4_000_000, 5_000_000)) -> dict[str, str]:
    """What is said first of each target."""
    said = judge(lines_of(rows), dict(zip(("hummuss", "dstformer"), multiply_adds, strict=True)))
    return {f"{sentence[:3]}{'interpolated' in sentence}": sentence for sentence in said}


def test_the_claim_of_no_retraining_is_judged_at_every_stride_that_was_trained() -> None:
    ours = rows_of("hummuss", "dt", True, dict.fromkeys(STRIDES, 103.0))
    at = rows_of("hummuss", "trained-at-rate", False, {1.0: 101.0, 8.0: 100.0})
    said = said_of(ours + at)["(a)False"]
    assert "**holds where runs exist**, at 2 of 2 strides (seed 0): 1: 103.0 / 101.0 mm (+2.0 %)" in said
    assert said.endswith("Runs are missing at stride 1.5, 2, 2.5, 3, 4, 6.")
    at[1]["mpjpe_mm"] = 99.9
    said = said_of(ours + at)["(a)False"]
    assert "**does not hold**, at 1 of 2 strides" in said
    assert said.count("**no**") == 1
    assert said_of(ours)["(a)False"].endswith("runs are missing.")


@pytest.mark.parametrize(
    ("trained", "new"),
    [(None, ""), (Strides(1, 8), ""), (Strides(1, 8, True), "1.5, 2.5"), (Strides(2, 6), "1, 1.5, 8")],
)
def test_strides_that_training_never_drew_are_told(trained: Strides | None, new: str) -> None:
    told = [sentence for sentence in judge({}, {}, trained) if "never drew" in sentence]
    assert told == ([f"Trainings at varied rates never drew stride {new}."] if new else [])


def test_attention_is_judged_shown_either_clip() -> None:
    ours = rows_of("hummuss", "dt", True, {1.0: 100.0, 8.0: 110.0})
    subsampled = rows_of("dstformer", "subsampled", False, {1.0: 100.1, 8.0: 150.0})
    interpolated = rows_of("dstformer", "interpolated", False, {1.0: 100.0, 8.0: 150.0})
    said = said_of(ours + subsampled + interpolated)
    assert "**holds where runs exist**, at 2 of 2" in said["(c)False"]
    assert "**does not hold**, at 1 of 2" in said["(c)True"]  # not ahead where alike
    assert said["(d)False"].endswith("runs are missing.")
    same = [row | {"trained_with_augmentation": True} for row in interpolated]
    assert "**holds where runs exist**, at 2 of 2" in said_of(ours + same)["(d)True"]  # no worse
    every = rows_of("hummuss", "dt", True, dict.fromkeys(STRIDES, 100.0))
    theirs = rows_of("dstformer", "subsampled", True, dict.fromkeys(STRIDES, 100.0))
    assert "**holds**, at 8 of 8" in said_of(every + theirs)["(d)False"]
    assert "**does not hold**, at 2 of 2" in said_of(ours + same, (5_000_001, 5_000_000))["(d)True"]
    assert "Multiply-adds per frame: 4.00 and 5.00 million." in said_of(ours + same)["(d)True"]


def test_lines_are_compared_over_the_seeds_that_both_have() -> None:
    first = rows_of("hummuss", "dt", True, {1.0: 100.0}) + rows_of("hummuss", "dt", True, {1.0: 50.0}, seed=1)
    second = rows_of("dstformer", "subsampled", True, {1.0: 90.0})
    (pair,) = pairs(lines_of(first + second), Line("hummuss", "dt", True), Line("dstformer", "subsampled", True))
    assert (pair.first, pair.second, pair.seeds) == (100.0, 90.0, [0])


def test_differences_have_the_spread_of_the_seeds_own() -> None:
    """Each seed 2 % or 4 % behind though the seeds themselves lie far apart."""
    ours = rows_of("hummuss", "dt", True, {1.0: 102.0}) + rows_of("hummuss", "dt", True, {1.0: 208.0}, seed=1)
    floor = rows_of("per-frame", "subsampled", True, {1.0: 100.0})
    floor += rows_of("per-frame", "subsampled", True, {1.0: 200.0}, seed=1)
    (said,) = [sentence for sentence in judge(lines_of(ours + floor), {}) if "every frame by itself" in sentence]
    assert "**does not hold**, at 0 of 1 strides (means over seeds 0, 1): 1: 155.0 / 150.0 mm (+3.3 ± 1.4 %)" in said


def test_seeds_that_differ_over_a_target_are_counted() -> None:
    """A mean within 3 % of which one seed by itself is not; one beyond of which one is; and two seeds of one mind."""
    ours = [rows_of("hummuss", "dt", True, {1.0: 105.0, 2.0: 110.0, 3.0: 101.0, 4.0: 110.0})]
    ours.append(rows_of("hummuss", "dt", True, {1.0: 99.0, 2.0: 101.0, 3.0: 102.0, 4.0: 104.0}, seed=1))
    at = [
        row
        for seed in (0, 1)
        for row in rows_of("hummuss", "trained-at-rate", False, dict.fromkeys((1.0, 2.0, 3.0, 4.0), 100.0), seed=seed)
    ]
    said = judge(lines_of([*ours[0], *ours[1], *at]), {})[0]
    assert "1: 102.0 / 100.0 mm (+2.0 ± 4.2 %, 1 of 2 seeds); " in said
    assert "2: 105.5 / 100.0 mm (+5.5 ± 6.4 %, 1 of 2 seeds) **no**; " in said
    assert "3: 101.5 / 100.0 mm (+1.5 ± 0.7 %); 4: 107.0 / 100.0 mm (+7.0 ± 4.2 %) **no**." in said


def test_what_the_rate_alone_changes_is_told_of_each_training() -> None:
    ours = rows_of("hummuss", "dt", True, {1.0: 50.0, 8.0: 51.0}) + rows_of("hummuss", "dt", True, {1.0: 150.0}, seed=1)
    coarse = [row | {"trained_strides": "8"} for row in rows_of("hummuss", "dt", False, {1.0: 80.0, 4.0: 60.0})]
    at = rows_of("hummuss", "trained-at-rate", False, {4.0: 40.0})
    (said,) = [sentence for sentence in judge(lines_of(ours + coarse + at), {}) if sentence.startswith("By itself")]
    assert said == (
        "By itself, at the other strides:\n    - hummuss, varied rate: 100.0 mm at stride 1, +2.0 % at 8\n"
        "    - hummuss, stride 8 alone: 80.0 mm at stride 1, -25.0 % at 4"
    )
    (said,) = [sentence for sentence in judge(lines_of(at), {}) if sentence.startswith("By itself")]
    assert said == "By itself: runs are missing."


def test_the_cost_of_ignoring_dt_is_told() -> None:
    rows = rows_of("hummuss", "dt", True, {8.0: 100.0}) + rows_of("hummuss", "dt-ignored", True, {8.0: 125.0})
    said = judge(lines_of(rows), {})[-1]
    assert said == "Ignoring dt takes hummuss trained at varied rates from 100.0 to 125.0 mm (+25.0 %) at stride 8."
    own = [row | {"kind": "upsample", "rate": 0.5, "mpjpe_mm": 100 - row["mpjpe_mm"] / 10} for row in rows]
    said = judge(lines_of(rows + own), {})[-1]
    assert "from 90.0 to 87.5 mm (-2.8 %) at the rate of captures at twice the base rate, from 100.0" in said


def test_the_command_writes_rows_page_and_picture_and_goes_on_where_it_was(make_run, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    overlay = tmp_path / "short.yaml"
    overlay.write_text(yaml.safe_dump({"data": {"init_args": {"frames": 9, "test_clips": 2, "duration": 1.0}}}))
    runs = [make_run("a", frame_rate={}), make_run("b"), make_run("c", "DSTformer", max_frames=9, frame_rate={})]
    options = ["--config", str(CONFIGS / "pose.yaml"), "--config", str(overlay), "--out", "page/rate", "--windows", "2"]
    assert main(["eval", "framerate", *options, "--ckpt", *map(str, runs[:2])]) == 0
    assert "from before" not in capsys.readouterr().out
    before = read_table(Path("page/rate.csv"))
    assert main(["eval", "framerate", *options, "--ckpt", *map(str, runs)]) == 0
    told = capsys.readouterr().out.splitlines()
    assert [line.endswith("from before") for line in told] == [True, True, False, False]
    after = read_table(Path("page/rate.csv"))
    assert after[: len(before)] == before
    assert {row["model"] for row in after[len(before) :]} == {"dstformer"}
    page = Path("page/rate.md").read_text()
    (eight,) = [row for row in after if (row["variant"], row["rate"], row["seed"]) == ("subsampled", 8.0, 0)]
    line = next(line for line in page.splitlines() if line.startswith("| dstformer, varied rate, subsampled"))
    assert line.endswith(f"| *{eight['mpjpe_mm']:.1f}* |")  # a rate beyond those of training
    velocities = page.partition("velocity error, mm/s, by stride:")[2].splitlines()
    (two,) = [row for row in after if (row["variant"], row["rate"], row["seed"]) == ("subsampled", 2.0, 0)]
    (line,) = [line for line in velocities if line.startswith("| dstformer, varied rate, subsampled")]
    assert line.split(" | ")[3] == f"{two['mpjve_mm_s']:.1f}"
    data = read_data([CONFIGS / "pose.yaml", overlay])
    still = velocity_of_standing_still(data, choose_moments(data, "test", 2))["synthetic"]
    (line,) = [line for line in velocities if line.startswith("| a pose that never moves | ")]
    assert line.split(" | ")[1:3] == [f"{still[Rate('stride', stride)]:.1f}" for stride in (1.0, 1.5)]
    assert "trained at random strides (from 1 to 4)" in page
    whole = [row | {"trained_strides": "1-4 whole"} if row["trained_with_augmentation"] else row for row in after]
    write_page(Path("page/whole"), whole, "made up", {"synthetic": "some clips"}, {"synthetic": {}})
    page = Path("page/whole.md").read_text()
    assert "trained at random strides (whole ones from 1 to 4)" in page
    line = next(line for line in page.splitlines() if line.startswith("| dstformer, varied rate, subsampled"))
    assert [cell.startswith("*") for cell in line.split(" | ")[1:6]] == [False, True, False, True, False]
    assert "(c) hummuss trained at varied rates ahead of dstformer trained at one rate" in page
    assert Path("page/rate.png").stat().st_size > 10_000
    Path("page/whole.md").unlink()

    # Of checkpoints that are gone, rows stay when asked.
    capsys.readouterr()
    earlier = Path("page/rate.csv").read_text()
    assert main(["eval", "framerate", *options, "--keep", "--ckpt", str(runs[2])]) == 0
    assert sorted(Path("page/rate.csv").read_text().splitlines()) == sorted(earlier.splitlines())
    page = Path("page/rate.md").read_text()
    assert f"not at hand: {', '.join(sorted({row['checkpoint'] for row in before}))}." in page
    assert "--keep`; every model" in page
    assert "(c) hummuss trained at varied rates ahead of dstformer" in page
    again = make_run("again", frame_rate={}, dim=16)
    assert main(["eval", "framerate", *options, "--keep", "--ckpt", str(again)]) == 2
    assert "is hummuss, seed 0, trained as" in capsys.readouterr().err
    Path("page/rate.csv").write_text(earlier)
    other = [*options, "--frames", "7", "--keep", "--ckpt", str(runs[2])]
    assert main(["eval", "framerate", *other]) == 2
    assert "are of other moments than are shown now" in capsys.readouterr().err
    Path("page/rate.csv").write_text(earlier.replace("synthetic,", "lab,"))
    assert main(["eval", "framerate", *options, "--keep", "--ckpt", str(runs[2])]) == 2
    assert "page/rate.csv has rows on lab, which --config does not give" in capsys.readouterr().err
    Path("page/rate.csv").write_text(earlier)
    assert main(["eval", "framerate", *options, "--ckpt", str(runs[2])]) == 0
    assert "left out of page/rate.csv: rows of 1 checkpoints" in capsys.readouterr().out  # two runs of the same weights
    with open("page/rate.csv", "w", newline="") as file:
        csv.writer(file).writerow(["other"])
    assert main(["eval", "framerate", *options, "--ckpt", str(runs[0])]) == 2
    assert "page/rate.csv has other columns than this comparison" in capsys.readouterr().err


def test_models_of_one_rate_may_come_from_the_table_of_another_comparison(make_run, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    overlay = tmp_path / "short.yaml"
    overlay.write_text(yaml.safe_dump({"data": {"init_args": {"frames": 9, "test_clips": 2, "duration": 1.0}}}))
    varied, one = make_run("a", frame_rate={}), make_run("b", init="lin")  # other weights

    def compare(out: str, *options: str, frames: str = "9") -> int:
        own = ["--config", str(CONFIGS / "pose.yaml"), "--config", str(overlay), "--windows", "2", "--frames", frames]
        return main(["eval", "framerate", *own, "--out", out, *options])

    assert compare("both", "--ckpt", str(varied), str(one)) == 0
    assert compare("one", "--ckpt", str(one)) == 0
    at_rate = [row for row in read_table(Path("one.csv")) if row["variant"] == AT_RATE]
    beside = ["--ckpt", str(varied), "--at-rate", "one.csv"]
    for options in (beside, beside, [*beside, "--keep"]):  # again: the table has them by now
        assert compare("beside", *options) == 0
        rows = read_table(Path("beside.csv"))
        assert [row for row in rows if row["variant"] == AT_RATE] == at_rate
        assert {row["variant"] for row in rows} == {AT_RATE, "dt", "dt-ignored"}
    page = Path("beside.md").read_text()
    assert "Models trained at that rate: by the same moments in one.csv." in page
    assert "--at-rate one.csv" in page
    (said,) = [line for line in page.splitlines() if line.startswith("- (a)")]
    assert said in Path("both.md").read_text().splitlines()
    assert "at 1 of 1 strides" in said

    asked = ["--ckpt", str(varied), str(one), "--at-rate", "one.csv"]  # named, so its rows are its own
    assert compare("asked", *asked) == 0
    assert len(read_table(Path("asked.csv"))) == len(read_table(Path("both.csv")))

    def altered(seed: int, **changed: Any) -> str:
        """The table of one rate as if of a further seed, with something else about its training."""
        rows = [row | {"seed": seed} | changed for row in at_rate]
        write_rows(Path("altered.csv"), COLUMNS, rows)
        return "altered.csv"

    capsys.readouterr()
    assert compare("seeds", *beside, altered(1)) == 0
    assert "--at-rate one.csv altered.csv" in Path("seeds.md").read_text()
    for changed, message in (
        ({"recipe": "epochs 9"}, "are both hummuss, but not seeds of one training: recipe is epochs 9 and"),
        ({"trained_frames": 5}, "but not seeds of one training: trained_frames is 5 and 9; leave out --keep or that"),
        ({"multiply_adds_per_frame": 10**9}, "but have 1000.0 and"),
    ):
        assert compare("wrong", *beside, altered(1, **changed)) == 2
        assert message in capsys.readouterr().err
        if "multiply_adds_per_frame" in changed:  # beside the runs of --ckpt alone too
            assert compare("wrong", *beside[:-1], altered(1, **changed)) == 2
            assert "models of one size are compared" in capsys.readouterr().err
    # Trained at other strides than the table's: random ones of either are one line of the page.
    strides = make_run("d", frame_rate={"strides": [1.0, 2.0]}, seed=1)
    assert compare("beside", "--ckpt", str(strides), "--keep") == 2
    assert "not seeds of one training: trained_strides is 1-4 and 1-2" in capsys.readouterr().err

    other = make_run("c", dim=16)
    assert compare("other", "--ckpt", str(other)) == 0
    for options, message in (
        ([*beside, "other.csv"], "one.csv and other.csv both have hummuss, seed 0, trained-at-rate at stride 1 on"),
        (["--ckpt", str(other), "--at-rate", "one.csv"], "which --ckpt names: leave out --keep or that table"),
        ([*beside[:-1], "none.csv"], "--at-rate: there is no none.csv"),
    ):
        assert compare("wrong", *options) == 2
        assert message in capsys.readouterr().err
    assert compare("wrong", *beside, frames="7") == 2
    assert "one.csv: the rows of checkpoint" in capsys.readouterr().err
    Path("one.csv").write_text(Path("one.csv").read_text().replace(AT_RATE, "dt"))
    assert compare("wrong", *beside) == 2
    assert "one.csv has no row of a model of --ckpt with variant trained-at-rate" in capsys.readouterr().err


def test_the_papers_own_data_are_one_overlay_away(make_run, tmp_path, monkeypatch) -> None:
    """A store as the readers of MPI-INF-3DHP leave it; only its valid frames are scored."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    valid = np.ones(60, np.uint8)
    valid[:30] = 0
    with StoreWriter(tmp_path / "data" / "mpi_inf_3dhp") as writer:
        writer.add(
            MotionClip(
                name="TS1", sequence="TS1", subject="TS1", split="test", fps=25.0, frame="camera",
                camera=Camera.of_size(2048, 2048), extras={"valid_frame": valid},
                joints3d=rng.normal((0, 0, 4), 0.3, (60, 17, 3)).astype(np.float32),
                keypoints2d=np.ones((60, 17, 3), np.float32),
            )
        )  # fmt: skip
    configs = [part for name in ("pose", "data/mpi_inf_3dhp") for part in ("--config", str(CONFIGS / f"{name}.yaml"))]
    options = ["--ckpt", str(make_run("a", "PerFrame")), "--out", "page/rate", "--frames", "9"]
    assert main(["eval", "framerate", *configs, *options]) == 0
    rows = read_table(Path("page/rate.csv"))
    assert {row["rate"] for row in rows if row["kind"] == "stride"} == set(STRIDES)
    # From frame 30 on, with the half span and the frame after it behind.
    assert {(row["dataset"], row["windows"], row["span_frames"]) for row in rows} == {("mpi_inf_3dhp-test", 25, 9)}
