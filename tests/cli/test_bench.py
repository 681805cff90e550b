"""The benchmarks of preparing and feeding data: what their rows hold. No time is asserted."""

import csv
import os
from pathlib import Path

import numpy as np
import pytest
import yaml

from hummuss.body.skeleton import H36M17
from hummuss.cli.main import main
from hummuss.data.motion import MotionClip
from hummuss.data.residuals import label_residuals
from hummuss.data.store import MotionStore, StoreWriter
from hummuss.data.synthetic_module import SyntheticDataModule
from hummuss.evaluation import loader, preparing


def test_preparing_is_measured_at_each_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def here(frames: int) -> preparing.Row:
        (tmp_path / str(frames)).mkdir()
        return preparing._measure(frames, tmp_path / str(frames))

    monkeypatch.setattr("hummuss.cli.bench_prepare.measure", here)
    out = tmp_path / "results" / "preparing"
    assert main(["bench", "prepare", "--out", str(out), "--frames", "100", "2100"]) == 0
    with open(out.with_suffix(".csv"), newline="") as file:
        small, large = csv.DictReader(file)
    assert (small["frames"], small["clips"], small["files"]) == ("100", "1", "1")
    assert (large["frames"], large["clips"], large["files"]) == ("2100", "21", "2")
    assert float(large["store_mb"]) == pytest.approx(2100 * (17 + 24 + 1) * 3 * 4 / 1e6, abs=0.1)
    assert float(large["peak_mb"]) >= float(large["before_mb"]) > 100
    assert float(large["open_ms"]) > 0
    assert "| 2100 | 21 | 2 |" in out.with_suffix(".md").read_text()
    store = MotionStore(tmp_path / "2100" / "store")
    assert label_residuals(store[20]) == pytest.approx(0, abs=1e-5)  # joints are those of the posed body
    assert np.ptp(store[0].joints3d[:, H36M17.joints.index("left_wrist")], axis=0).max() > 0.1  # which moves


def test_feeding_is_compared_with_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loader, "FRAMES", 9)
    monkeypatch.setattr(loader, "BATCH", 2)
    monkeypatch.setitem(loader.SIZES, "base", {"dim": 16, "depth": 1, "dim_rep": 16})
    monkeypatch.setitem(loader.SIZES, "tiny", {"dim": 8, "depth": 1, "dim_rep": 8})
    joints = np.random.default_rng(0).normal(size=(200, 17, 3)).astype(np.float32)
    with StoreWriter(tmp_path / "made") as writer:
        writer.add(MotionClip("a", "a", "1", "train", fps=50.0, joints3d=joints))
    out = tmp_path / "results" / "loader"
    command = ["bench", "loader", "--store", str(tmp_path / "made"), "--out", str(out), "--workers", "0"]
    assert main([*command, "--seconds", "0", "--device", "cpu"]) == 0
    with open(out.with_suffix(".csv"), newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["kind"], row["name"], row["workers"]) for row in rows] == [
        ("training step", "tiny", ""),
        ("training step", "base", ""),
        ("feeding", "made", "0"),
        ("feeding", "synthetic", "0"),
    ]
    rates = [float(row["windows_per_second"]) for row in rows]
    assert min(rates) > 0
    page = out.with_suffix(".md").read_text()
    assert f" on {os.cpu_count()} processors. Windows of" in page
    assert f"| made | 0 | {rates[2]} | {rates[2] / rates[0]:.1f} | {rates[2] / rates[1]:.1f} |" in page
    assert out.with_suffix(".png").stat().st_size > 0


def test_feeding_counts_what_is_made_in_the_time_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(loader.time, "perf_counter", lambda: now[0])

    def batches():
        """Half a second each; the first takes a minute, in which workers make two more each."""
        for number in range(100):
            now[0] += 0 if 0 < number <= 4 else 0.5 if number else 60
            yield number

    data = SyntheticDataModule(batch_size=16, num_workers=2)
    monkeypatch.setattr(data, "train_dataloader", batches)
    assert loader.feeding_rate(data, 10.0) == pytest.approx(32)


@pytest.mark.parametrize("size", loader.SIZES)
def test_sizes_are_those_of_the_configs(size: str) -> None:
    config = Path(__file__).parents[2] / "configs" / "size" / f"{size}.yaml"
    values = yaml.safe_load(config.read_text())["model"]["init_args"]["backbone"]["init_args"]
    assert values == loader.SIZES[size]
