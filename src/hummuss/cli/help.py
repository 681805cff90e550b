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

# Folders of configs/ whose files are for other commands.
OTHER_FILES = ("studies", "sweeps")


def short_help(command: str, purpose: str, configs: Path = Path("configs")) -> str:
    """Help of ``fit``, ``validate`` or ``test``, with the configs that lie in a folder."""
    lines = [f"usage: hummuss {command} --config CONFIG [--config OVERLAY ...] [OPTION ...]", "", purpose]
    for title, rows in (("examples", EXAMPLES[command]), ("options", OPTIONS), ("more help", MORE)):
        width = max(len(left) for left, _ in rows)
        lines += ["", f"{title}:", *(f"  {left:<{width}}  {right}" for left, right in rows)]
    overlays = [path for path in configs.glob("*/*.yaml") if path.parent.name not in OTHER_FILES]
    found = [*sorted(configs.glob("*.yaml")), *sorted(overlays)]
    if found:
        width = max(len(str(path)) for path in found)
        lines += ["", "configs here:", *(f"  {path!s:<{width}}  {_first_comment(path)}".rstrip() for path in found)]
    return "\n".join(lines)


def _first_comment(path: Path) -> str:
    """The first sentence of the comment that a config begins with, or as much of it as fits into a line."""
    first = path.read_text().partition("\n")[0]
    if not first.startswith("#"):
        return ""
    return textwrap.shorten(first.lstrip("# ").partition(". ")[0].rstrip("."), 72, placeholder=" ...")
