"""Measure speed and memory: of the backbones, of preparing data, of feeding it to training; count what models cost."""

import argparse
from importlib import import_module

KINDS = {
    "speed": "the backbones at base size beside attention: time, memory, streaming",
    "profile": "which operators the backbones at base size spend their time in, beside attention",
    "sizes": "parameters and multiply-adds of every backbone at every size; nothing is timed",
    "prepare": "preparing a dataset of any size: peak memory, frames per second, time to open the store",
    "loader": "the data loader's windows per second beside the training step's",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the kinds of measurement, each with its own arguments."""
    kinds = parser.add_subparsers(metavar="KIND", required=True)
    for name, text in KINDS.items():
        module = import_module(f"hummuss.cli.bench_{name}")
        own = kinds.add_parser(name, help=text, description=module.__doc__)
        module.add_arguments(own)
        own.set_defaults(measure=module.run)


def run(arguments: argparse.Namespace) -> int:
    """Measure what was asked for."""
    return arguments.measure(arguments)
