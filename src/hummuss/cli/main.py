"""The `hummuss` command: dispatches to LightningCLI or to one module per further command."""

import argparse
import sys
from importlib import import_module

from hummuss.allocator import keep_freed_memory
from hummuss.cli.messages import one_line

LIGHTNING = {
    "fit": "train a model: hummuss fit --config configs/mesh.yaml [--config OVERLAY ...]",
    "validate": "score a checkpoint on the validation split",
    "test": "score a checkpoint on the test split",
}
COMMANDS = {
    "prepare": "turn a dataset's official files into a store that training reads",
    "data": "what is prepared, and whether it is sound: hummuss data info, hummuss data check OUT",
    "predict": "3D pose or mesh from your own 2D keypoints, or from clips of a store, by a trained run",
    "study": "train variants of a model over several seeds and compare them: hummuss study configs/studies/NAME.yaml",
    "bench": "measure speed and memory of the backbones: hummuss bench speed",
    "report": "collect finished runs into one results page: CSV, Markdown, pictures",
}


def main(arguments: list[str] | None = None) -> int:
    """Run one command; return its exit status. What a user can put right is reported in one line."""
    keep_freed_memory()
    arguments = sys.argv[1:] if arguments is None else arguments
    command = arguments[0] if arguments else "--help"
    try:
        if command in LIGHTNING:
            return _run_lightning(arguments)
        if command in COMMANDS:
            return _run_command(command, arguments[1:])
    except Exception as error:
        message = one_line(error)
        if message is None:
            raise
        print(f"hummuss: error: {message}", file=sys.stderr)
        return 2
    if command in ("-h", "--help"):
        print(_help())
        return 0
    print(f"{_help()}\nhummuss: error: unknown command {command!r}", file=sys.stderr)
    return 2


def _run_lightning(arguments: list[str]) -> int:
    # Imported late: `hummuss --help` and `hummuss prepare` need neither Lightning nor its seconds.
    from hummuss.cli.lightning import run

    run(arguments)
    return 0


def _run_command(command: str, arguments: list[str]) -> int:
    module = import_module(f"hummuss.cli.{command}")
    parser = argparse.ArgumentParser(prog=f"hummuss {command}", description=module.__doc__)
    module.add_arguments(parser)
    return module.run(parser.parse_args(arguments))


def _help() -> str:
    lines = [f"  {name:<10} {text}" for name, text in (LIGHTNING | COMMANDS).items()]
    return "\n".join(["usage: hummuss COMMAND ...   (each command has its own --help)", "", *lines])


if __name__ == "__main__":
    sys.exit(main())
