"""Short help of the commands that LightningCLI runs: its own lists hundreds of options, most of them Lightning's."""

import textwrap
from pathlib import Path

EXAMPLES = {
    "fit": (
        ("hummuss fit --config configs/pose.yaml", "train on synthetic motion, which needs no file"),
        ("hummuss fit --config configs/mesh.yaml --config configs/data/cmu.yaml", "overlays change parts of it"),
        ("hummuss fit --config configs/pose.yaml --trainer.max_epochs 8", "an option changes one value"),
        ("hummuss fit --config configs/pose.yaml --ckpt_path last", "resume the newest run of that config"),
    ),
    "validate": (
        ("hummuss validate --config configs/pose.yaml --ckpt_path best", "the newest run's best checkpoint"),
        ("hummuss validate --config runs/pose/1/config.yaml --ckpt_path runs/pose/1/best.ckpt", "any other"),
    ),
    "test": (
        ("hummuss test --config configs/pose.yaml --ckpt_path best", "the newest run's best checkpoint"),
        ("hummuss test --config runs/pose/1/config.yaml --ckpt_path runs/pose/1/best.ckpt", "any other"),
        (
            "hummuss test --config ... --label at10fps --data.init_args.max_fps 10",
            "kept beside it, as test_at10fps.csv",
        ),
    ),
}
OPTIONS = (
    ("--config FILE", "a YAML file; further ones change what they name"),
    ("--name NAME", "the run's folder is runs/NAME/1, 2, ...; the first config's name by default"),
    ("--ckpt_path PATH", "a checkpoint; last and best stand for those of the newest run"),
    ("--seed_everything SEED", "of the weights and the data"),
    ("--model.init_args.KEY VALUE", "such as --model.init_args.learning_rate 1e-3"),
    ("--data.init_args.KEY VALUE", "such as --data.init_args.root data/cmu"),
    ("--trainer.KEY VALUE", "such as --trainer.max_epochs 8, --trainer.devices 2"),
    ("--print_config", "print all settings, and stop"),
    ("--debug", "a failing run shows its traceback"),
)
MORE = (
    ("--model.help CLASS", "options of a model, such as --model.help hummuss.MotionModule"),
    ("--data.help CLASS", "options of a data module, such as --data.help hummuss.data.StoreDataModule"),
    ("--help-all", "every option, Lightning's hundreds among them"),
)

RIGHT_WIDTH = 72
# Of a folder with more overlays than that, only the names are listed.
LISTED = 8
# Folders of configs/ whose files are for other commands.
OTHER_FILES = ("studies", "sweeps")


def short_help(command: str, purpose: str, configs: Path = Path("configs")) -> str:
    """Help of ``fit``, ``validate`` or ``test``, with the configs that lie in a folder."""
    lines = [f"usage: hummuss {command} --config CONFIG [--config OVERLAY ...] [OPTION ...]", "", purpose]
    for title, rows in (("examples", EXAMPLES[command]), ("options", OPTIONS), ("more help", MORE)):
        width = max(len(left) for left, _ in rows)
        lines += ["", f"{title}:", *(f"  {left:<{width}}  {right}" for left, right in rows)]
    folders = sorted(path for path in configs.glob("*/") if path.name not in OTHER_FILES)
    entries = [entry for folder in (configs, *folders) for entry in _entries(folder)]
    if entries:
        width = max(len(left) for left, _ in entries)
        lines += ["", "configs here:"]
        for left, right in entries:
            first, *more = textwrap.wrap(right, RIGHT_WIDTH) or [""]
            lines += [f"  {left:<{width}}  {first}".rstrip(), *(" " * (width + 4) + line for line in more)]
    return "\n".join(lines)


def _entries(folder: Path) -> list[tuple[str, str]]:
    """The configs of a folder, each with its comment; the names alone where there are many."""
    found = sorted(folder.glob("*.yaml"))
    if len(found) > LISTED:
        return [(f"{folder / 'NAME.yaml'}", ", ".join(path.stem for path in found))]
    return [(str(path), _first_comment(path)) for path in found]


def _first_comment(path: Path) -> str:
    """The first sentence of the comment that a config begins with, or as much of it as fits into a line."""
    first = path.read_text().partition("\n")[0]
    if not first.startswith("#"):
        return ""
    return textwrap.shorten(first.lstrip("# ").partition(". ")[0].rstrip("."), RIGHT_WIDTH, placeholder=" ...")
