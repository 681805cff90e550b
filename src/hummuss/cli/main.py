"""The `hummuss` command: dispatches to LightningCLI or to one module per further command."""

import argparse
import sys
from importlib import import_module

from hummuss.allocator import keep_freed_memory
from hummuss.cli import runs
from hummuss.cli.help import short_help
from hummuss.cli.messages import INTERRUPTED, defect, one_line

LIGHTNING = {
    "fit": "train a model: hummuss fit --config configs/mesh.yaml [--config OVERLAY ...]",
    "validate": "score a checkpoint on the validation split",
    "test": "score a checkpoint on the test split",
}
COMMANDS = {
    "prepare": "turn a dataset's official files into a store that training reads",
    "data": "what is prepared, and whether it is sound: hummuss data info, hummuss data check OUT",
    "predict": "3D pose or mesh from your own 2D keypoints, or from clips of a store, by a trained run",
    "export": "turn a finished run into a folder to share: hummuss export hub runs/pose/1 OUT",
    "study": "train variants of a model over several seeds: hummuss study configs/studies/NAME.yaml --out PAGE",
    "bench": "measure speed and memory: hummuss bench speed, sizes (backbones), prepare (data in), loader (data out)",
    "eval": "compare trained runs: hummuss eval framerate, long, robustness, action; or train and compare: ablation",
    "report": "collect finished runs into one results page: CSV, Markdown, pictures",
}


DEBUG = "--debug"


def main(arguments: list[str] | None = None) -> int:
    """Run one command; return its exit status.

    A failure ends with one line: 2 is what a user can put right, 1 a defect, whose traceback is in the log that the
    line names. With ``--debug`` its exception passes through.
    """
    keep_freed_memory()
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    debug = DEBUG in arguments
    arguments = [argument for argument in arguments if argument != DEBUG]
    command = arguments[0] if arguments else "--help"
    runs.opened = None
    try:
        if command in LIGHTNING:
            return _run_lightning(command, arguments)
        if command in COMMANDS:
            return _run_command(command, arguments[1:])
    except KeyboardInterrupt:
        if debug:
            raise
        print("hummuss: interrupted", file=sys.stderr)
        return INTERRUPTED
    except Exception as error:
        if debug:
            raise
        message = one_line(error)
        if message is not None:
            print(f"hummuss: error: {message}", file=sys.stderr)
            return 2
        print(f"hummuss: error: {defect(error, runs.opened)}; {DEBUG} shows it here", file=sys.stderr)
        return 1
    if command in ("-h", "--help"):
        print(_help())
        return 0
    print(f"{_help()}\nhummuss: error: unknown command {command!r}", file=sys.stderr)
    return 2


def _run_lightning(command: str, arguments: list[str]) -> int:
    if {"-h", "--help"} & set(arguments):
        print(short_help(command, LIGHTNING[command].partition(": ")[0]))
        return 0
    # Imported late: `hummuss --help` and `hummuss prepare` need neither Lightning nor its seconds.
    from hummuss.cli.lightning import run

    return run(["--help" if argument == "--help-all" else argument for argument in arguments])


def _run_command(command: str, arguments: list[str]) -> int:
    module = import_module(f"hummuss.cli.{command}")
    description = (module.__doc__ or "").replace("`", "")
    parser = argparse.ArgumentParser(prog=f"hummuss {command}", description=description)
    module.add_arguments(parser)
    return module.run(parser.parse_args(arguments))


def _help() -> str:
    lines = [f"  {name:<10} {text}" for name, text in (LIGHTNING | COMMANDS).items()]
    head = "usage: hummuss COMMAND ...   (each command has its own --help; --debug: tracebacks instead of one line)"
    return "\n".join([head, "", *lines])


if __name__ == "__main__":
    sys.exit(main())
