"""Arguments of the benchmarks that run the backbones: batch, mode, device, precision."""

import argparse

from hummuss.cli.arguments import add_device, count
from hummuss.evaluation.speed import BATCH_FRAMES


def add_run_setting(parser: argparse.ArgumentParser) -> None:
    """``--clips``, ``--modes``, ``--device`` and ``--precision``."""
    text = f"clips in a batch, by default as many as {BATCH_FRAMES} frames hold; that few leave a GPU idle"
    parser.add_argument("--clips", type=count, help=text)
    parser.add_argument("--modes", nargs="+", default=["train", "infer"], choices=["train", "infer"])
    add_device(parser, "backbones run")
    parser.add_argument("--precision", default="32", choices=["32", "bf16"])
