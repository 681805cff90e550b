"""Comparison under corruption: rows by hand, equal inputs for all, the page's sentences and pictures."""

import csv
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from hummuss import InputError
from hummuss.cli.main import main
from hummuss.cli.messages import INTERRUPTED
from hummuss.data import Camera, MotionClip, StoreDataModule, StoreWriter, SyntheticDataModule
from hummuss.evaluation.contestants import Contestant, load_contestants
from hummuss.evaluation.corruption import CLEAN, LEVELS, Corruption, all_corruptions
from hummuss.evaluation.kept_rows import KeptRows, Row
from hummuss.evaluation.robustness import COLUMNS, compare_corruptions
from hummuss.evaluation.robustness_page import Model, by_model, sentences, write_page
from hummuss.heads.base import root_relative
from hummuss.protocols.base import VALID

CONFIGS = Path(__file__).parents[2] / "configs"
FEW = [CLEAN, Corruption("frames", 0.5)]


@pytest.fixture
def few(monkeypatch) -> None:
    monkeypatch.setattr("hummuss.evaluation.robustness.all_corruptions", lambda: iter(FEW))


def synthetic(**options) -> SyntheticDataModule:
    return SyntheticDataModule(frames=9, test_clips=3, duration=0.5, **options)


def test_errors_are_those_of_every_joint_of_every_valid_frame(make_run, few) -> None:
    contestants = load_contestants([make_run("a"), make_run("b", "DSTformer", max_frames=9, seed=4)])
    rows = list(compare_corruptions(contestants, synthetic(), "test", 100))
    assert [(row["corruption"], row["model"], row["seed"]) for row in rows] == [
        (corruption.kind, model, seed) for corruption in FEW for model, seed in (("hummuss", 0), ("dstformer", 4))
    ]
    # 0.5 s at the base rate: windows of nine frames, the last of each clip shorter.
    data = synthetic()
    batch = next(iter(data._evaluation(data.sources("test"), 9, None, 1000)))
    valid = batch["valid"]
    assert not valid.all()
    expected = torch.linalg.vector_norm(
        contestants[1].joints(batch["keypoints"], batch["dt"], valid) - root_relative(batch["joints3d"]), dim=-1
    )[valid]
    unseen = (batch["keypoints"][..., 2] == 0)[valid]
    assert unseen.any()
    assert rows[1] == {**rows[1], "windows": len(valid), "frames": int(valid.sum()), "dataset": "synthetic"}
    assert rows[1]["mpjpe_mm"] == pytest.approx(1000 * float(expected.mean()), rel=1e-5)
    assert rows[1]["unseen_mpjpe_mm"] == pytest.approx(1000 * float(expected[unseen].mean()), rel=1e-5)
    assert rows[1]["unseen_share"] == pytest.approx(float(unseen.float().mean()), abs=1e-4)
    assert 0.4 < rows[3]["unseen_share"] < 0.6
    assert set(rows[0]) == set(COLUMNS)


def recorded(folder: Path, valid: np.ndarray, wrong: float) -> StoreDataModule:
    """A clip in its own camera, whose joints are off by so much where its protocol scores nothing."""
    rng = np.random.default_rng(0)
    joints = rng.normal((0, 0, 4), 0.3, (40, 17, 3)).astype(np.float32)
    joints[valid == 0, 1:] += wrong
    with StoreWriter(folder, {"dataset": "lab"}) as writer:
        writer.add(
            MotionClip(
                name="a", sequence="a", subject="1", split="test", fps=50.0, frame="camera", joints3d=joints,
                camera=Camera.of_size(1000, 1000), extras={VALID: valid},
                keypoints2d=rng.uniform(100, 900, (40, 17, 3)).clip(0, [1000, 1000, 1]).astype(np.float32),
            )
        )  # fmt: skip
    return StoreDataModule(folder, frames=9)


def test_frames_that_a_protocol_leaves_out_do_not_count(make_run, few, tmp_path) -> None:
    contestants = load_contestants([make_run("a")])
    valid = (np.arange(40) % 4 > 0).astype(np.uint8)
    found = [
        list(compare_corruptions(contestants, recorded(tmp_path / f"{wrong}", valid, wrong), "test", 100))
        for wrong in (0.0, 1.0)
    ]
    assert found[0] == found[1]
    assert found[0][0]["frames"] == 30
    assert found[0][0]["subjects"] == "5 of subject 1"  # 40 frames in windows of nine
    with pytest.raises(InputError, match=r"scores no frame of the windows of lab-test"):
        list(compare_corruptions(contestants, recorded(tmp_path / "none", 0 * valid, 0.0), "test", 100))


def test_every_model_sees_the_same(make_run, few, monkeypatch) -> None:
    contestants = load_contestants([make_run("a"), make_run("b", causal=True), make_run("c", "PerFrame")])
    seen: dict[str, list[torch.Tensor]] = {}
    monkeypatch.setattr(
        "hummuss.evaluation.contestants.Contestant.joints",
        lambda self, keypoints, dt, valid: seen.setdefault(self.model, []).append(keypoints) or keypoints,
    )
    list(compare_corruptions(contestants, synthetic(), "test", 4))
    list(compare_corruptions(contestants[:1], synthetic(seed=7), "test", 4))
    first, *others = seen.values()
    assert len(first) == 4
    assert all(torch.equal(mine, theirs) for other in others for mine, theirs in zip(first[:2], other, strict=True))
    assert torch.equal(first[1], first[3])
    assert not torch.equal(first[0], first[1])


def test_what_cannot_be_compared_is_refused(make_run) -> None:
    (short,) = load_contestants([make_run("a", "DSTformer", max_frames=5)])
    with pytest.raises(InputError, match=r"takes 5 frames at most, .* have 9: .*data\.init_args\.frames: 5"):
        next(compare_corruptions([short], synthetic(), "test", 4))
    alike = load_contestants([make_run("b"), make_run("c", dim=16)])
    with pytest.raises(InputError, match="both hummuss, seed 0, trained alike"):
        next(compare_corruptions(alike, synthetic(), "test", 4))
    seeds = load_contestants([make_run("d"), make_run("e", seed=1), make_run("f", occlusion={})])
    next(compare_corruptions(seeds, synthetic(), "test", 4))


def rows_of(name: str, masked: bool, seed: int, offset: float) -> list[dict]:
    facts = {"model": name, "trained_with_augmentation": True, "trained_with_masking": masked, "seed": seed}
    return [
        facts
        | {"corruption": corruption.kind, "level": corruption.level, "mpjpe_mm": offset + 100 * corruption.level}
        | {"unseen_mpjpe_mm": None if corruption == CLEAN else 1.0, "dataset": "synthetic"}
        for corruption in all_corruptions()
    ]


def test_sentences_are_computed_from_means_over_the_seeds_that_both_have() -> None:
    rows = rows_of("hummuss", False, 0, 50.0) + rows_of("hummuss", False, 1, 60.0) + rows_of("hummuss", True, 0, 45.0)
    theirs = rows_of("dstformer", False, 0, 51.0)  # ahead of the mean of both seeds, behind the seed it shares
    theirs[-1]["mpjpe_mm"] = 79.0  # swaps, 30 %, where seed 0 of the other has 80
    said = sentences(by_model(rows + theirs))
    count = sum(map(len, LEVELS.values()))
    assert (
        "**hummuss (varied rate)**: 55.0 mm clean; from 56.0 (gaussian 1 %) to 105.0 mm (joints 50 %) corrupted."
        in said
    )
    assert (
        f"hummuss (varied rate) has a lower mean error than dstformer (varied rate) in {count - 1} of {count} "
        "corrupted conditions, not in: swaps 30 %."
    ) in said
    hidden = 100 * (3 * (0.15 + 0.3 + 0.5) + 0.1 + 0.3 + 0.5) / 12
    assert (
        f"Hiding joints in training takes hummuss (varied rate) from {50 + hidden:.1f} to {45 + hidden:.1f} mm, the "
        "mean over the conditions that hide something, and from 50.0 to 45.0 mm on clean detections."
    ) in said
    assert len(said) == 5
    assert "clean" not in {
        corruption.kind for corruption in by_model(rows, "unseen_mpjpe_mm")[Model("hummuss", True, True)]
    }


def test_a_comparison_that_was_cut_off_goes_on_where_it_was(make_run, few, tmp_path, monkeypatch) -> None:
    folders = [make_run("a", "PerFrame"), make_run("b", "PerFrame", seed=1)]
    path, scored = tmp_path / "page.partial.jsonl", []
    joints = Contestant.joints

    def rows(data: SyntheticDataModule) -> Iterator[Row]:
        return compare_corruptions(load_contestants(folders), data, "test", 4, KeptRows(path))

    monkeypatch.setattr(Contestant, "joints", lambda self, *shown: scored.append(self.seed) or joints(self, *shown))
    expected = list(compare_corruptions(load_contestants(folders), synthetic(), "test", 4))
    begun = rows(synthetic())
    assert [next(begun) for _ in range(3)] == expected[:3]
    begun.close()
    scored.clear()
    assert list(rows(synthetic())) == expected
    assert scored == [0, 1], "the third and fourth, for the third had not been finished"
    list(rows(synthetic()))
    assert scored == [0, 1]
    # Other frames, or another config of a run, are another comparison.
    list(rows(synthetic(max_fps=25.0)))
    assert scored == [0, 1, *[0, 1] * len(FEW)]
    scored.clear()
    (folders[1] / "config.yaml").write_text((folders[1] / "config.yaml").read_text() + "# edited since\n")
    list(rows(synthetic()))
    assert scored == [1] * len(FEW)


def no_page(*_: object) -> None:
    raise KeyboardInterrupt


def test_pages_say_whose_windows_they_are(tmp_path) -> None:
    rows = [
        row | {"subjects": "3 of subject 07", "windows": 3, "recipe": "", "commit": "a", "device": "b"}
        for row in rows_of("hummuss", False, 0, 50.0)
    ]
    write_page(tmp_path / "page", rows, "command")
    assert "\nWindows: 3 of subject 07.\n\n- **hummuss (varied rate)**" in (tmp_path / "page.md").read_text()


def test_the_command_goes_on_too(make_run, few, tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    overlay = tmp_path / "short.yaml"
    overlay.write_text(yaml.safe_dump({"data": {"init_args": {"frames": 9, "test_clips": 2, "duration": 0.3}}}))
    configs = ["--config", str(CONFIGS / "pose.yaml"), "--config", str(overlay)]
    command = ["eval", "robustness", *configs, "--ckpt", str(make_run("a")), "--out", "page/robust", "--windows", "2"]
    joints, shown = Contestant.joints, []

    def cut_off(self, *batch):
        shown.append(batch)
        if len(shown) == 2:
            raise KeyboardInterrupt
        return joints(self, *batch)

    monkeypatch.setattr(Contestant, "joints", cut_off)
    assert main(command) == INTERRUPTED
    assert [path.name for path in Path("page").iterdir()] == ["robust.partial.jsonl"]
    capsys.readouterr()
    monkeypatch.setattr("hummuss.cli.eval_robustness.write_page", no_page)
    assert main(command) == INTERRUPTED
    assert len(shown) == 3
    monkeypatch.setattr("hummuss.cli.eval_robustness.write_page", lambda *_: None)
    assert main(command) == 0
    assert (
        "going on from page/robust.partial.jsonl: what it has of these checkpoints and frames (1 in all) stays"
        in capsys.readouterr().out
    )
    assert len(shown) == 3
    assert [path.name for path in Path("page").iterdir()] == ["robust.csv"]


def test_the_command_writes_rows_page_and_picture(make_run, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    overlay = tmp_path / "short.yaml"
    overlay.write_text(yaml.safe_dump({"data": {"init_args": {"frames": 9, "test_clips": 2, "duration": 0.3}}}))
    masked = make_run("b", seed=1, occlusion={"joints": 0.1})
    configs = ["--config", str(CONFIGS / "pose.yaml"), "--config", str(overlay)]
    options = ["--ckpt", str(make_run("a")), str(masked), "--out", "page/robust", "--windows", "2"]
    assert main(["eval", "robustness", *configs, *options]) == 0
    with open("page/robust.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 2 * len(list(all_corruptions()))
    assert {(row["seed"], row["trained_with_masking"]) for row in rows} == {("0", "False"), ("1", "True")}
    page = Path("page/robust.md").read_text()
    (sides,) = [row for row in rows if (row["corruption"], row["level"], row["seed"]) == ("sides", "0.3", "1")]
    assert f"| {float(sides['mpjpe_mm']):.1f} |" in next(line for line in page.splitlines() if "| sides 30 %" in line)
    assert "hummuss (masked)" in page
    assert Path("page/robust.png").stat().st_size > 10_000
