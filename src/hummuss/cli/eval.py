"""Compare trained runs: at every frame rate, on long sequences, under corruption, with one choice changed."""

import argparse
import shlex
from importlib import import_module
from pathlib import Path

from hummuss.cli.arguments import add_device, count
from hummuss.cli.pages import add_out

KINDS: dict[str, str] = {
    "framerate": "the same test moments at every frame rate, with frames dropped and with jittered time stamps",
    "long": "sequences of 2, 10 and hundreds of training windows: in windows, in one piece and streamed",
    "robustness": "joints hidden, frames missing, noise, sides swapped: the same for every run",
    "action": "action recognition beside the majority class and a regression on per-frame statistics",
    "ablation": "what each choice in the design buys: trains the variants of a study that have not run yet",
}
TRAINS = {"ablation"}  # makes its runs itself


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the kinds of comparison, each with the arguments that all have and its own."""
    kinds = parser.add_subparsers(metavar="KIND", required=True)
    for name, text in KINDS.items():
        module = import_module(f"hummuss.cli.eval_{name}")
        own = kinds.add_parser(name, help=text, description=module.__doc__)
        if name not in TRAINS:
            add_common(own, Path("docs/results") / name)
        module.add_arguments(own)
        own.set_defaults(compare=module.run)


def add_common(parser: argparse.ArgumentParser, out: Path) -> None:
    """Arguments of every comparison."""
    text = "what the runs were fitted with, in the same order; only its data are used"
    parser.add_argument("--config", type=Path, action="append", required=True, help=text)
    text = "checkpoints, run folders, or folders of the runs of a name, whose newest counts; side by side"
    parser.add_argument("--ckpt", nargs="+", required=True, help=text)
    add_out(parser, out)
    parser.add_argument(
        "--windows",
        type=count,
        default=400,
        help="test moments or windows of each dataset, or clips of each group, evenly spaced: at most so many "
        "(default: %(default)s)",
    )
    parser.add_argument("--split", default="test", choices=["test", "val"])
    add_device(parser, "the models run")


def command(kind: str, arguments: argparse.Namespace, *own: str) -> str:
    """What was typed, for the page: the arguments of every comparison, and the kind's ``own``."""
    configs = [part for config in arguments.config for part in ("--config", str(config))]
    common = [*configs, "--ckpt", *map(str, arguments.ckpt), "--out", str(arguments.out)]
    common += ["--windows", str(arguments.windows), "--split", arguments.split, "--device", arguments.device]
    return shlex.join(["hummuss", "eval", kind, *common, *own])


def run(arguments: argparse.Namespace) -> int:
    """Compare as was asked for."""
    return arguments.compare(arguments)
