"""Studies: what they refuse, and that the page holds every finished run's figures."""

import csv
import gc
import json
import re
import shutil
import signal
import subprocess
import threading
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from hummuss import HumMUSS, InputError
from hummuss.backbones.cost import cost
from hummuss.body.layouts import H36M17
from hummuss.cli import study as command
from hummuss.cli.main import main
from hummuss.cli.messages import INTERRUPTED
from hummuss.data.readers.mpi_inf_3dhp_facts import RECORDINGS
from hummuss.data.transforms.frame_rate import base_stride
from hummuss.study import rows_of
from hummuss.study_file import read_study

STUDIES = sorted((Path(__file__).parents[2] / "configs" / "studies").glob("*.yaml"))


@pytest.fixture
def study(tmp_path, monkeypatch) -> Path:
    """Two variants, two seeds, of which three runs have finished."""
    monkeypatch.chdir(tmp_path)
    content = {
        "title": "A study", "configs": ["a.yaml"], "arguments": ["--x=1"], "seeds": [0, 1], "tested": ["good"],
        "variants": {"good": [], "bad": ["--y=2"]}, "note": "How to read it.",
    }  # fmt: skip
    path = tmp_path / "made.yaml"
    path.write_text(yaml.safe_dump(content))
    for variant, seed, error in (("good", 0, 100.0), ("good", 1, 110.0), ("bad", 0, 200.0)):
        folder = tmp_path / "runs" / "made" / f"{variant}-{seed}" / "1"
        folder.mkdir(parents=True)
        (folder / "best.ckpt").touch()
        figures = {"mpjpe": error, "pa_mpjpe": 1.0, "mpjve": 2.0, "accel": 3.0, "mean_pose/mpjpe": 300.0}
        facts = {"seed": seed, "parameters": 10**6, "multiply_adds_per_frame": 5 * 10**6, "seconds": 60.0}
        test = {"test": figures} if variant == "good" else {}
        summary = {"val": figures, **test, **facts, "commit": "abc", "device": "CPU"}
        (folder / "summary.json").write_text(json.dumps(summary))
    return path


@pytest.mark.parametrize("command", [["study"], ["eval", "ablation", "--study"]])
def test_the_page_holds_means_and_spreads_of_finished_runs(command, study: Path, tmp_path: Path) -> None:
    assert main([*command, str(study), "--out", "page/made", "--seeds"]) == 0
    page = (tmp_path / "page/made.md").read_text()
    assert "\nHow to read it.\n" in page
    assert "| good | 2 | 1.00 | 5.0 | 1 | 105.0 ± 7.1 | 1.0 ± 0.0 |" in page
    assert "| bad | 1 | 1.00 | 5.0 | 1 | 200.0 | 1.0 |" in page
    assert page.index("## val, all") < page.index("## test, all")
    assert "bad" not in page[page.index("## test, all") :]
    assert (tmp_path / "page/made.png").stat().st_size > 0
    with open(tmp_path / "page/made.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["value"] for row in rows if (row["variant"], row["metric"]) == ("bad", "mpjpe")] == ["200.0"]


def test_a_page_of_test_figures_alone_has_no_picture(study: Path, tmp_path: Path) -> None:
    content = yaml.safe_load(study.read_text())
    study.write_text(yaml.safe_dump(content | {"metrics": ["mpjpe_17", "mpjpe"]}))
    write = ["study", str(study), "--out", "page/made", "--seeds"]
    assert main(write) == 0
    assert (tmp_path / "page/made.png").is_file(), "of the second metric, which validation has"
    (tmp_path / "page/made.png").unlink()
    for summary in (tmp_path / "runs").rglob("summary.json"):
        found = json.loads(summary.read_text())
        found["val"] = {"mpjpe": None}
        summary.write_text(json.dumps(found))
    assert main(write) == 0
    page = (tmp_path / "page/made.md").read_text()
    assert "## test, all" in page
    assert "made.png" not in page
    assert not (tmp_path / "page/made.png").exists()


def test_figures_of_runs_that_are_gone_are_kept_when_asked(study: Path, tmp_path: Path, capsys) -> None:
    write = ["study", str(study), "--out", "page/made", "--seeds"]
    assert main([*write, "--keep"]) == 2
    assert "there is no page/made.csv to keep figures of" in capsys.readouterr().err
    assert main(write) == 0
    table = (tmp_path / "page/made.csv").read_text()
    summary = tmp_path / "runs/made/good-1/1/summary.json"
    newer = json.loads(summary.read_text())
    newer["val"]["mpjpe"] = 120.0  # what is here stands for itself
    summary.write_text(json.dumps(newer))
    for gone in ("good-0", "bad-0"):
        shutil.rmtree(tmp_path / "runs/made" / gone)

    for _ in range(2):  # what was kept is kept again
        assert main([*write, "--keep"]) == 0
        page = (tmp_path / "page/made.md").read_text()
        assert "| good | 2 | 1.00 | 5.0 | 1 | 110.0 ± 14.1 | 1.0 ± 0.0 |" in page
        assert "| bad | 1 | 1.00 | 5.0 | 1 | 200.0 | 1.0 |" in page
        assert "as the folders of the runs were not at hand (variant and seeds): bad 0; good 0." in page
        assert "page/made --keep` on" in page
        differing = [*zip(table.splitlines(), (tmp_path / "page/made.csv").read_text().splitlines(), strict=True)]
        assert [new for old, new in differing if old != new] == [
            "good,val,all,mpjpe,120.0,mm,1,1000000,5000000,60.0,abc,CPU"
        ]

    content = yaml.safe_load(study.read_text())
    study.write_text(yaml.safe_dump(content | {"variants": {"good": []}}))
    assert main([*write, "--keep"]) == 2
    assert "page/made.csv has figures of 'bad' with seed 0, which the study has not" in capsys.readouterr().err
    Path("page/made.csv").write_text("model,seed\nhummuss,0\n")
    assert main([*write, "--keep"]) == 2
    assert "page/made.csv has other columns" in capsys.readouterr().err
    study.write_text(yaml.safe_dump(content))
    assert main(write) == 0, "without being asked, a page shows the runs that are here"
    assert "Not run, or without these figures: bad." in (tmp_path / "page/made.md").read_text()


def test_runs_of_other_arguments_are_not_taken_for_the_studys(study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--x=1", "--config=a.yaml", "--seed_everything=0", "--name=made/good-0"]
    options += ["--trainer.enable_progress_bar=false"]
    record = Path("runs/made/good-0/arguments.json")
    for written, code in ((options, 0), (["--x=2", *options[1:]], 2)):
        record.write_text(json.dumps(written))
        for chosen in (["--variants", "good", "--seeds", "0"], ["--seeds"]):  # to be trained, or on the page alone
            assert main(["study", str(study), "--out", "page/made", *chosen]) == code
            said = capsys.readouterr().err
            assert (f"made/good-0 was trained with other arguments than the study has now ({record})" in said) == (
                code == 2
            )
    assert main(["study", str(study), "--out", "page/made", "--seeds", "3"]) == 2
    assert "has the seeds 0, 1, the page would not show 3" in capsys.readouterr().err


def test_runs_that_fail_leave_the_others_on_the_page(study: Path, monkeypatch, capsys) -> None:
    content = yaml.safe_load(study.read_text())
    variants = {"good": [], "bad": [], "ugly": [], "after": ["--from={run:ugly}"]}
    study.write_text(yaml.safe_dump(content | {"variants": variants, "tested": []}, sort_keys=False))

    def run(command: list[str], **_: object) -> subprocess.CompletedProcess[bytes]:
        return subprocess.CompletedProcess(command, 3)

    monkeypatch.setattr(command.subprocess, "run", run)
    assert main(["study", str(study), "--out", "page/made", "--seeds", "1", "--variants", "bad", "ugly", "after"]) == 2
    told = capsys.readouterr()
    for failed in ("made/bad-1", "made/ugly-1"):
        line = f"`hummuss fit` of {failed} ended with status 3: see runs/{failed}/log.txt"
        assert line in told.out.splitlines(), "at once"
        assert told.err.count(line) == 1
    assert "the page shows the runs that have finished" in told.err
    assert "| good | 2 |" in Path("page/made.md").read_text()
    shutil.rmtree("runs")
    assert main(["study", str(study), "--out", "page/made", "--seeds", "1", "--variants", "bad"]) == 2
    assert "has finished: `hummuss fit` of made/bad-1 ended with status 3" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"variants": {64: []}}, "the variant's name 64 is no text to YAML: put it in quotes"),
        ({"variants": {"a": "--x=1"}}, "variant 'a' is '--x=1', expected a list of arguments"),
        ({"variants": {"a": {"arguments": None}}}, "variant 'a' is {'arguments': None}, expected a list of arguments"),
        ({"variants": {"a": [1]}}, "variant 'a' is [1], expected a list of arguments"),
        ({"variants": ["a"]}, "variants is ['a'], expected a mapping from names to arguments"),
        ({"tested": None}, "tested is None, expected a list of texts, [] for none, or all"),
        ({"tested": "some"}, "tested is 'some', expected a list of texts, [] for none, or all"),
        ({"tested": "all", "variants": {64: []}}, "the variant's name 64 is no text to YAML"),
        ({"seeds": 3}, "seeds is 3, expected a list of whole numbers"),
        ({"seeds": [True]}, "seeds is [True], expected a list of whole numbers"),
        ({"metrics": "mpjpe"}, "metrics is 'mpjpe', expected a list of texts"),
        ({"configs": "a.yaml"}, "configs is 'a.yaml', expected a list of texts"),
        ({"arguments": None}, "arguments is None, expected a list of texts"),
        ({"title": 5}, "title is 5, expected text"),
        ({"seeds": [1, 0, 1]}, "seeds has 1 twice: one training is no two seeds"),
    ],
)
def test_values_of_another_kind_are_refused_before_anything_is_trained(study: Path, change, message: str) -> None:
    content = yaml.safe_load(study.read_text())
    study.write_text(yaml.safe_dump(content | {"tested": []} | change))
    with pytest.raises(InputError, match=re.escape(message)):
        read_study(study)


def test_all_variants_are_tested_where_the_study_says_so(study: Path, tmp_path: Path) -> None:
    content = yaml.safe_load(study.read_text())
    study.write_text(yaml.safe_dump(content | {"tested": "all"}))
    assert read_study(study).tested == ["bad", "good"]
    other = tmp_path / "other.yaml"
    other.write_text(yaml.safe_dump({"title": "Another", "like": str(study), "variants": {"own": []}}))
    assert read_study(other).tested == ["own"], "all of its own, none of the other's"


def test_a_run_that_was_cut_off_goes_on_when_asked(study: Path, monkeypatch, capsys) -> None:
    asked: list[list[str]] = []
    monkeypatch.setattr(command, "_hummuss", lambda typed, *_: asked.append(typed))
    content = yaml.safe_load(study.read_text())
    study.write_text(yaml.safe_dump(content | {"variants": {"a": [], "good": []}, "tested": []}))

    def train(*options: str) -> list[str]:
        """What `hummuss fit` of the run that has not finished was given last."""
        asked.clear()
        assert main(["study", str(study), "--out", "page/made", *options]) == 0
        assert "--name=made/a-0" in asked[0]
        assert not any("good" in option for typed in asked for option in typed), "those have finished"
        return asked[0]

    resume = "--ckpt_path=last"
    assert resume not in train("--resume"), "it has not begun"
    (Path("runs/made/a-0/1")).mkdir()
    assert resume not in train("--resume"), "it was cut off before its first checkpoint"
    Path("runs/made/a-0/1/last.ckpt").touch()
    assert train("--resume")[-1] == resume
    assert resume not in train()
    # Nor is it left there for a run of other arguments to go on from, once that has been cut off as well.
    study.write_text(yaml.safe_dump(content | {"variants": {"a": ["--z=3"], "good": []}, "tested": []}))
    for options in (["--resume"], []):
        assert main(["study", str(study), "--out", "page/made", *options]) == 2
        assert "runs/made/a-0 was trained with other arguments than the study has now" in capsys.readouterr().err


def test_an_interrupt_begins_no_further_run(study: Path, monkeypatch, capsys) -> None:
    begun = []

    def interrupted(command: list[str], folder: str, threads: int) -> None:
        begun.append(folder)
        if len(begun) == 1:
            signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)  # which waits
            threading.Event().wait(3)

    monkeypatch.setattr(command, "_hummuss", interrupted)
    content = yaml.safe_load(study.read_text())
    study.write_text(yaml.safe_dump(content | {"variants": {"a": [], "b": [], "c": []}, "tested": []}))
    # A shell starts what runs in the background with SIGINT ignored.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    gc.disable()  # an interrupt within a callback of the collector, which hypothesis sets, would be swallowed
    try:
        assert main(["study", str(study), "--out", "page/made"]) == INTERRUPTED
    finally:
        gc.enable()
        signal.signal(signal.SIGINT, before)
    assert begun == ["made/a-0"]
    with pytest.raises(SystemExit):
        main(["study", str(study), "--out", "page/made", "--jobs", "0"])
    assert "0 is no whole number from 1 on" in capsys.readouterr().err


@pytest.mark.parametrize(("asked", "threads"), [(None, "3"), ("1", "1")])
def test_threads_that_were_asked_for_are_used(study: Path, monkeypatch, asked: str | None, threads: str) -> None:
    seen = []

    def run(command: list[str], env: dict[str, str], **_: object) -> subprocess.CompletedProcess[bytes]:
        seen.append(env)
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(command.subprocess, "run", run)
    monkeypatch.setattr(command.os, "cpu_count", lambda: 6)
    if asked is None:
        monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    else:
        monkeypatch.setenv("OMP_NUM_THREADS", asked)
    assert main(["study", str(study), "--out", "page/made", "--jobs", "2"]) == 0
    assert {(env["OMP_NUM_THREADS"], env["WANDB_MODE"]) for env in seen} == {(threads, "disabled")}


def test_baselines_and_other_metrics_stay_out() -> None:
    rows = rows_of("x", {"val": {"mpjpe": 1.0, "mean_pose/mpjpe": 2.0, "auc": 3.0, "walk/mpjpe": 4.0}})
    assert [(row["group"], row["value"]) for row in rows] == [("all", 1.0), ("walk", 4.0)]


def test_mistakes_are_named(study: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["study", str(study), "--out", "page/made", "--variants", "ugly"]) == 2
    assert "has no variant 'ugly', it has bad, good" in capsys.readouterr().err
    with pytest.raises(InputError, match=r"no study at nowhere\.yaml"):
        read_study(Path("nowhere.yaml"))
    broken = tmp_path / "broken.yaml"
    broken.write_text("title: [")
    with pytest.raises(InputError, match=r"broken\.yaml is no YAML: while parsing"):
        read_study(broken)
    content = yaml.safe_load(study.read_text())
    study.write_text(yaml.safe_dump(content | {"tested": ["ugly"]}))
    with pytest.raises(InputError, match="tested variant 'ugly' is none of bad, good"):
        read_study(study)
    study.write_text(yaml.safe_dump(content | {"variants": "nowhere.yaml"}))
    with pytest.raises(InputError, match=r"takes the variants of nowhere.yaml, which is no study"):
        read_study(study)
    study.write_text(yaml.safe_dump(content | {"sedes": [1]}))
    with pytest.raises(InputError, match="expected the keys"):
        read_study(study)


def test_a_metric_that_names_its_head_is_found_in_runs_of_one_and_of_several() -> None:
    metrics = ("pose/mpjpe", "action/top1")
    several = {
        "heads": ["pose", "action"],
        "val": {"pose/mpjpe": 1.0, "action/top1": 2.0, "pose/mean_pose/mpjpe": 9.0, "pose/auc": 8.0},
        "test": {"pose/mpjpe": 3.0, "walk/pose/mpjpe": 4.0, "walk/action/top1": None},
    }
    found = [(row["split"], row["group"], row["metric"], row["value"]) for row in rows_of("x", several, metrics)]
    assert found == [
        ("val", "all", "pose/mpjpe", 1.0), ("val", "all", "action/top1", 2.0),
        ("test", "all", "pose/mpjpe", 3.0), ("test", "walk", "pose/mpjpe", 4.0),
    ]  # fmt: skip
    one = {"heads": ["action"], "val": {"top1": 5.0, "majority_class/top1": 6.0, "mpjpe": 7.0, "walk/top1": 8.0}}
    found = [(row["group"], row["metric"], row["value"], row["unit"]) for row in rows_of("x", one, metrics)]
    assert found == [("all", "action/top1", 5.0, "%"), ("walk", "action/top1", 8.0, "%")]


@pytest.fixture
def trained(tmp_path, monkeypatch) -> list[str]:
    """A study of a mesh that begins with a pretrained run; its runs are recorded and write what real ones would."""
    monkeypatch.chdir(tmp_path)
    content = {
        "title": "Begun", "configs": ["mesh.yaml"], "arguments": ["--x=1"], "seeds": [0, 1], "tested": ["tuned"],
        "metrics": ["mesh/mpve", "action/top1"],
        "variants": {
            "before": {"configs": ["pretrain.yaml"], "arguments": ["--y=2"]},
            "scratch": [],
            "tuned": ["--model.init_args.pretrained={run:before}/best.ckpt"],
        },
    }  # fmt: skip
    Path("begun.yaml").write_text(yaml.safe_dump(content))
    done: list[str] = []
    other_seed_done = threading.Event()

    def run(command: list[str], folder: str, threads: int) -> None:
        if folder == "begun/before-0":
            assert other_seed_done.wait(5), "another seed's runs do not wait for this one"
        if folder == "begun/before-1":
            other_seed_done.set()
        done.append(" ".join([folder, *command[:-2]]))
        place = Path("runs", folder, "1")
        place.mkdir(parents=True, exist_ok=True)
        (place / "best.ckpt").touch()
        path = place / "summary.json"
        known = json.loads(path.read_text()) if path.exists() else {}
        pretrains = "before" in folder
        known |= {
            "heads": ["pretrain" if pretrains else "mesh"], "seed": int(folder[-1]), "parameters": 1,
            "multiply_adds_per_frame": 1, "seconds": 60.0, "commit": "abc", "device": "CPU",
            "val" if command[0] == "fit" else "test": {"mpjpe": 5.0} if pretrains else {"mpve": 7.0},
        }  # fmt: skip
        path.write_text(json.dumps(known))

    monkeypatch.setattr(command, "_hummuss", run)
    return done


def test_a_variant_begins_with_another_ones_run_of_its_seed(trained, capsys) -> None:
    assert main(["study", "begun.yaml", "--out", "page", "--jobs", "4"]) == 0
    for seed in (0, 1):
        own = [line for line in trained if f"-{seed} " in line]
        tuned = f"--model.init_args.pretrained=runs/begun/before-{seed}/1/best.ckpt"
        fits = {
            f"begun/before-{seed} fit --config=pretrain.yaml --x=1 --y=2 --seed_everything={seed}",
            f"begun/scratch-{seed} fit --config=mesh.yaml --x=1 --seed_everything={seed}",
            f"begun/tuned-{seed} fit --config=mesh.yaml --x=1 {tuned} --seed_everything={seed}",
        }
        assert fits < set(own)
        place = {line.split()[0].split("/")[1].split("-")[0]: i for i, line in enumerate(own) if " fit " in line}
        assert place["before"] < place["tuned"]
        assert sum(" test " in line for line in own) == 1
    page = Path("page.md").read_text()
    # What no variant has takes no column.
    assert "minutes | mesh/mpve, mm |\n|---|---|---|---|---|---|\n| scratch | 2 | 0.00 | 0.0 | 1 | 7.0 ± 0.0 |" in page
    assert "before: `pretrain.yaml`" in page
    assert "Not run, or without these figures: before." in page
    before = len(trained)
    assert main(["study", "begun.yaml", "--out", "page"]) == 0
    assert len(trained) == before, "all has been done, also where it has none of the metrics"
    assert "--y=2" in json.loads(Path("runs/begun/before-0/arguments.json").read_text())


def test_the_page_of_a_run_needs_not_the_one_that_it_began_with(trained, capsys) -> None:
    assert main(["study", "begun.yaml", "--out", "page", "--jobs", "4"]) == 0
    page = Path("page.md").read_text()
    for seed in (0, 1):
        shutil.rmtree(f"runs/begun/before-{seed}")
    before = len(trained)
    for options in (["--seeds"], ["--seeds", "--keep"], ["--variants", "tuned"]):
        assert main(["study", "begun.yaml", "--out", "page", *options]) == 0
        assert Path("page.md").read_text().partition("##")[2] == page.partition("##")[2]
    assert len(trained) == before
    content = yaml.safe_load(Path("begun.yaml").read_text())
    content["variants"]["tuned"] = ["--model.init_args.pretrained={run:before}/last.ckpt"]
    Path("begun.yaml").write_text(yaml.safe_dump(content, sort_keys=False))
    assert main(["study", "begun.yaml", "--out", "page", "--seeds"]) == 2
    assert "begun/tuned-0 was trained with other arguments than the study has now" in capsys.readouterr().err


def test_what_a_variant_begins_with_must_have_finished(trained, capsys) -> None:
    assert main(["study", "begun.yaml", "--out", "page", "--variants", "tuned"]) == 2
    assert "'tuned' begins with 'before', whose run of seed 0 has not finished" in capsys.readouterr().err
    content = yaml.safe_load(Path("begun.yaml").read_text())
    variants = content["variants"]
    for wrong, message in (
        ({"tuned": variants["tuned"], "before": []}, "begins with 'before', which must stand before it"),
        ({"tuned": {"config": []}}, "expected a list of arguments, or a mapping"),
    ):
        Path("begun.yaml").write_text(yaml.safe_dump(content | {"variants": wrong}, sort_keys=False))
        with pytest.raises(InputError, match=message):
            read_study(Path("begun.yaml"))


def test_a_study_may_have_the_variants_of_another(study: Path, tmp_path: Path) -> None:
    shorter = tmp_path / "shorter.yaml"
    content = yaml.safe_load(study.read_text())
    shorter.write_text(yaml.safe_dump(content | {"arguments": ["--x=3"], "variants": str(study)}))
    assert read_study(shorter).variants == read_study(study).variants
    assert read_study(shorter).arguments == ["--x=3"]


def test_a_study_like_another_says_only_what_differs(study: Path, tmp_path: Path) -> None:
    changed = {"arguments": ["--x=1", "--x.y=1", "--config=p.yaml"], "metrics": ["mpve"], "tested": []}
    base = yaml.safe_load(study.read_text()) | changed
    study.write_text(yaml.safe_dump(base))
    other = tmp_path / "other.yaml"
    own = {"title": "Other", "like": "made.yaml", "variants": {"plain": []}}
    other.write_text(yaml.safe_dump(own))
    found = read_study(other)
    assert (found.title, found.note, list(found.variants)) == ("Other", "", ["plain"])
    assert (found.configs, found.seeds, found.tested, found.metrics) == (["a.yaml"], [0, 1], [], ["mpve"])
    assert (found.arguments, found.variants["plain"].configs) == (base["arguments"], ["a.yaml"])

    own |= {"arguments": ["--x=2", "--z", "--config=q.yaml"], "seeds": [5], "tested": ["plain"]}
    other.write_text(yaml.safe_dump(own))
    found = read_study(other)
    assert found.arguments == ["--x.y=1", "--config=p.yaml", "--x=2", "--z", "--config=q.yaml"]
    assert (found.seeds, found.tested) == ([5], ["plain"])

    for like in ("nowhere.yaml", "other.yaml"):  # none, and one that is itself like another
        third = tmp_path / "third.yaml"
        third.write_text(yaml.safe_dump(own | {"like": like}))
        with pytest.raises(InputError, match=f"third.yaml is like {like}, which is no study that says all itself"):
            read_study(third)
    for wrong, message in (
        ({"like": 3}, "like is 3, expected the path of a study"),
        ({"arguments": "--x=1"}, "arguments is '--x=1', expected a list of texts"),
        ({"arguments": None}, "arguments is None, expected a list of texts"),
        ({"arguments": [1]}, re.escape("arguments is [1], expected a list of texts")),
    ):
        other.write_text(yaml.safe_dump(own | wrong))
        with pytest.raises(InputError, match=f"other.yaml: {message}"):
            read_study(other)
    other.write_text(yaml.safe_dump(own | {"speed": 3}))
    with pytest.raises(InputError, match=r"other.yaml has .*'speed'"):
        read_study(other)


@pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.stem)
def test_every_study_of_the_package_can_be_read(path: Path) -> None:
    study = read_study(path)
    for variant in study.variants.values():
        options = [option.removeprefix("--config=") for option in variant.arguments if option.startswith("--config=")]
        assert all((path.parents[2] / config).is_file() for config in [*variant.configs, *options])


def test_every_recording_that_the_papers_test_trains_on_has_one_base_rate() -> None:
    """Where stride 1 meant another rate in some clips than in others, no run would be trained at one rate."""
    path = STUDIES[0].with_name("framerate_3dhp.yaml")
    configs = read_study(path).configs
    most = yaml.safe_load((path.parents[2] / configs[-1]).read_text())["data"]["init_args"]["max_fps"]
    rates = {recording.fps for recording in RECORDINGS.values()}
    assert {rate / base_stride(np.arange(100) / rate, most) for rate in rates} == {25.0}
    compared = re.findall(r"--config (\S+)", path.read_text().partition("title:")[0])
    assert compared == configs, "what the file says runs are compared with is what they are trained with"


def settings_of_the_ablation() -> dict[str, dict[str, object]]:
    """What each variant of configs/studies/ablation.yaml that keeps to HumMUSS says of the backbone."""
    prefix = "--model.init_args.backbone.init_args."
    found = {}
    for name, options in read_study(STUDIES[0].with_name("ablation.yaml")).variants.items():
        if any(option.startswith("--config=configs/backbone/") for option in options.arguments):
            continue
        texts = dict(option.removeprefix(prefix).split("=") for option in options.arguments)
        values = {key: yaml.safe_load(text) for key, text in texts.items()}
        found[name] = {key: tuple(value) if isinstance(value, list) else value for key, value in values.items()}
    return found


def test_every_choice_of_the_ablation_makes_another_backbone() -> None:
    made = {}
    for name, settings in settings_of_the_ablation().items():
        torch.manual_seed(0)
        backbone = HumMUSS(**{"dim": 8, "depth": 1} | settings).train()
        made[name] = backbone(torch.rand(1, 9, 17, 3), torch.full((1, 9), 0.08)).flatten().tolist()
    assert len(made) == 25
    assert len({tuple(output) for output in made.values()}) == len(made)


def test_in_the_order_of_pairs_left_is_beside_right() -> None:
    order = settings_of_the_ablation()["pairs"]["joint_order"]
    sided = [joint for joint, partner in enumerate(H36M17.mirror) if joint != partner]
    assert all(abs(order.index(joint) - order.index(H36M17.mirror[joint])) == 1 for joint in sided)


def test_the_width_beside_k1_has_as_many_multiply_adds_and_none_is_nearer() -> None:
    variants = settings_of_the_ablation()
    work = {dim: cost(HumMUSS(dim=dim, depth=3), 81).multiply_adds for dim in range(70, 76, 2)}
    k1 = cost(HumMUSS(dim=64, depth=3, **variants["k1"]), 81).multiply_adds
    assert min(work, key=lambda dim: abs(work[dim] - k1)) == variants["width"]["dim"]
    assert work[variants["width"]["dim"]] == pytest.approx(k1, rel=0.025)
