"""The table of sizes: every overlay that fits, counted as the models are."""

import csv
from pathlib import Path

import pytest

from hummuss import HumMUSS, InputError
from hummuss.cli.main import main
from hummuss.evaluation.sizes import size_rows

CONFIGS = Path(__file__).parents[2] / "configs"
SIZE = "model:\n  init_args:\n    backbone:\n      init_args: {dim: 16, depth: 1"


@pytest.fixture
def configs(tmp_path: Path) -> Path:
    """The repository's backbones at two small sizes, the second for HumMUSS alone."""
    for kind in ("backbone", "size"):
        (tmp_path / kind).mkdir()
    for overlay in (CONFIGS / "backbone").glob("*.yaml"):
        (tmp_path / "backbone" / overlay.name).write_text(overlay.read_text())
    (tmp_path / "size/small.yaml").write_text(f"{SIZE}}}\n")
    (tmp_path / "size/wide.yaml").write_text(f"{SIZE}, expansion: 2.0}}\n")
    return tmp_path


def test_every_backbone_at_every_size_that_it_takes(configs: Path, tmp_path: Path) -> None:
    out = tmp_path / "sizes"
    assert main(["bench", "sizes", "--configs", str(configs), "--out", str(out)]) == 0
    with open(out.with_suffix(".csv"), newline="") as file:
        rows = {(row["size"], row["backbone"]): row for row in csv.DictReader(file)}
    assert set(rows) == {
        ("small", "hummuss"), ("small", "hummuss-causal"), ("small", "dstformer"), ("small", "per-frame"),
        ("wide", "hummuss"), ("wide", "hummuss-causal"),
    }  # fmt: skip
    for size, expansion in (("small", 1.0), ("wide", 2.0)):
        own = HumMUSS(16, 1, expansion=expansion)
        assert int(rows[size, "hummuss"]["parameters"]) == sum(value.numel() for value in own.parameters())
    assert int(rows["small", "dstformer"]["multiply_adds_243"]) > int(rows["small", "dstformer"]["multiply_adds_81"])
    page = out.with_suffix(".md").read_text()
    assert all(f"| {size} | {backbone} | 16 | 1 |" in page for size, backbone in rows)


def test_a_folder_without_overlays_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no overlays in .*backbone: point --configs"):
        size_rows(tmp_path)
