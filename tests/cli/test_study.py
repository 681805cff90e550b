"""Studies: what they refuse, and that the page holds every finished run's figures."""

import csv
import json
from pathlib import Path

import pytest
import torch
import yaml

from hummuss import HumMUSS, InputError
from hummuss.cli.main import main
from hummuss.cli.study import read_study
from hummuss.study import rows_of

STUDIES = sorted((Path(__file__).parents[2] / "configs" / "studies").glob("*.yaml"))


@pytest.fixture
def study(tmp_path, monkeypatch) -> Path:
    """Two variants, two seeds, of which three runs have finished."""
    monkeypatch.chdir(tmp_path)
    content = {
        "title": "A study", "configs": ["a.yaml"], "arguments": ["--x=1"], "seeds": [0, 1], "tested": ["good"],
        "variants": {"good": [], "bad": ["--y=2"]},
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
    assert "| good | 2 | 1.00 | 5.0 | 1 | 105.0 ± 7.1 | 1.0 ± 0.0 |" in page
    assert "| bad | 1 | 1.00 | 5.0 | 1 | 200.0 | 1.0 |" in page
    assert page.index("## val, all") < page.index("## test, all")
    assert "bad" not in page[page.index("## test, all") :]
    assert (tmp_path / "page/made.png").stat().st_size > 0
    with open(tmp_path / "page/made.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["value"] for row in rows if (row["variant"], row["metric"]) == ("bad", "mpjpe")] == ["200.0"]


def test_baselines_and_other_metrics_stay_out() -> None:
    rows = rows_of("x", {"val": {"mpjpe": 1.0, "mean_pose/mpjpe": 2.0, "auc": 3.0, "walk/mpjpe": 4.0}})
    assert [(row["group"], row["value"]) for row in rows] == [("all", 1.0), ("walk", 4.0)]


def test_mistakes_are_named(study: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["study", str(study), "--out", "page/made", "--variants", "ugly"]) == 2
    assert "has no variant 'ugly', it has bad, good" in capsys.readouterr().err
    with pytest.raises(InputError, match=r"no study at nowhere\.yaml"):
        read_study(Path("nowhere.yaml"))
    content = yaml.safe_load(study.read_text())
    study.write_text(yaml.safe_dump(content | {"tested": ["ugly"]}))
    with pytest.raises(InputError, match="tested variant 'ugly' is none of bad, good"):
        read_study(study)
    study.write_text(yaml.safe_dump(content | {"sedes": [1]}))
    with pytest.raises(InputError, match="expected the keys"):
        read_study(study)


@pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.stem)
def test_every_study_of_the_package_can_be_read(path: Path) -> None:
    study = read_study(path)
    assert all((path.parents[2] / config).is_file() for config in study["configs"])
    for variant in study["variants"].values():
        configs = [option.removeprefix("--config=") for option in variant if option.startswith("--config=")]
        assert all((path.parents[2] / config).is_file() for config in configs)


def test_every_choice_of_the_ablation_makes_another_backbone() -> None:
    prefix = "--model.init_args.backbone.init_args."
    made = {}
    for name, options in read_study(STUDIES[0].with_name("ablation.yaml"))["variants"].items():
        texts = dict(option.removeprefix(prefix).split("=") for option in options)
        values = {key: yaml.safe_load(text) for key, text in texts.items()}
        settings = {key: tuple(value) if isinstance(value, list) else value for key, value in values.items()}
        torch.manual_seed(0)
        backbone = HumMUSS(dim=8, depth=1, **settings).eval()
        made[name] = backbone(torch.rand(1, 9, 17, 3), torch.full((1, 9), 0.08)).flatten().tolist()
    assert len({tuple(output) for output in made.values()}) == len(made)
