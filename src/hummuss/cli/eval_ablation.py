"""What each choice in the design buys: train a study's variants over several seeds, as `hummuss study`, and compare."""

import argparse
import shlex
from pathlib import Path

from hummuss.cli import study
from hummuss.cli.pages import add_out


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Those of `hummuss study`, with the study and its page given."""
    text = "the study's YAML file; configs/studies/ablation.yaml by default"
    parser.add_argument("--study", type=Path, default=Path("configs/studies/ablation.yaml"), help=text)
    add_out(parser, Path("docs/results/ablation"))
    study.add_choices(parser)


def run(arguments: argparse.Namespace) -> int:
    """Train what is missing, then write OUT.csv, OUT.md and OUT.png."""
    typed = ["hummuss", "eval", "ablation", "--study", str(arguments.study), "--out", str(arguments.out)]
    return study.compare(arguments, shlex.join(typed))
