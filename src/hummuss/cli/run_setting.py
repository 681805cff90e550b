"""Arguments of the benchmarks that run the backbones: batch, mode, device, precision."""

import argparse

import torch

from hummuss.cli.arguments import count
from hummuss.evaluation.speed import BATCH_FRAMES


def add_run_setting(parser: argparse.ArgumentParser) -> None:
    """``--clips``, ``--modes``, ``--device`` and ``--precision``."""
    text = f"clips in a batch, by default as many as {BATCH_FRAMES} frames hold; that few leave a GPU idle"
    parser.add_argument("--clips", type=count, help=text)
    parser.add_argument("--modes", nargs="+", default=["train", "infer"], choices=["train", "infer"])
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--precision", default="32", choices=["32", "bf16"])
