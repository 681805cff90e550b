"""``hummuss export``: a finished run in a form that others can use."""

import argparse
from pathlib import Path
from typing import Any

import yaml

from hummuss.errors import InputError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command, for each form its own."""
    forms = parser.add_subparsers(dest="form", metavar="FORM", required=True)
    text = "a folder to share: safetensors, config.json, model card; hummuss.load(folder) reads it"
    hub = forms.add_parser("hub", help=text, description=text)
    hub.add_argument(
        "run", type=Path, metavar="RUN", help="run folder, whose best.ckpt is taken, or a checkpoint in it"
    )
    hub.add_argument("out", type=Path, metavar="OUT", help="folder to write; new or empty")


def run(arguments: argparse.Namespace) -> int:
    """Write the folder."""
    export_hub(arguments.run, arguments.out)
    out = arguments.out
    print(
        f'wrote {out}: use it as hummuss.load("{out}"), upload it with hummuss.load("{out}").push_to_hub("owner/name")'
    )
    return 0


def export_hub(source: Path, out: Path) -> None:
    """Write a run as a folder that `hummuss.load` reads: model.safetensors, config.json, README.md.

    Raises:
        InputError: no such run, ``out`` holds something already, or the model has classes that nobody else has.
    """
    # Imported late: they bring Lightning with them.
    from hummuss.inference.card import card_facts
    from hummuss.inference.pretrained import Pretrained
    from hummuss.inference.runs import CONFIG, load_run
    from hummuss.inference.sharing import describe
    from hummuss.provenance import file_hash
    from hummuss.report import read_summary

    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise InputError(f"{out} holds something already: name a new folder")
    trained = load_run(source)
    folder = trained.checkpoint.parent
    settings = yaml.safe_load((folder / CONFIG).read_text())
    name = "-".join(folder.resolve().parts[-2:])
    summary = read_summary(folder)
    facts = card_facts(name, summary, trained.checkpoint, file_hash(trained.checkpoint))
    config = describe(trained, settings, summary.get("trained_rates"), facts)
    files = {key: value for key, value in _files(settings).items() if value is not None}
    shared = Pretrained(config=config, files=files)
    shared.model.load_state_dict(trained.model.state_dict())
    shared.save_pretrained(out)


def _files(settings: dict[str, Any]) -> dict[str, str | None]:
    """Files of this machine that the run's heads name; all heads pose one body."""
    from hummuss.inference.sharing import FILE_ARGUMENTS

    heads = settings["model"]["init_args"]["heads"].values()
    arguments = [head.get("init_args") or {} for head in heads]
    return {name: own[name] for own in arguments for name in FILE_ARGUMENTS if name in own}
