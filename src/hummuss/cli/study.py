"""Train variants of one model with equal data and steps over several seeds, and write the comparison.

A study is a YAML file: title, configs, arguments common to all, seeds, variants (name -> further arguments of
`hummuss fit`) and tested (variants that are also scored on the test split; the others only on validation).
"""

import argparse
import csv
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import yaml

from hummuss.cli.runs import newest_checkpoint
from hummuss.errors import InputError
from hummuss.study import COLUMNS, rows_of, write_page

KEYS = {"title", "configs", "arguments", "seeds", "tested", "variants"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    parser.add_argument("study", type=Path, help="the study's YAML file, such as configs/studies/backbone.yaml")
    parser.add_argument("--out", type=Path, required=True, help="page to write, without an ending")
    add_choices(parser)


def add_choices(parser: argparse.ArgumentParser) -> None:
    """What of a study is run, and how many runs at a time."""
    parser.add_argument("--jobs", type=int, default=1, help="runs at a time, each with its share of the cores")
    parser.add_argument("--variants", nargs="+", help="only these; the page still shows every finished run")
    parser.add_argument("--seeds", nargs="*", type=int, help="only these; none at all: train nothing, write the page")


def run(arguments: argparse.Namespace) -> int:
    """Train what is missing, then write OUT.csv, OUT.md and OUT.png."""
    study = read_study(arguments.study)
    name = arguments.study.stem
    variants = arguments.variants or list(study["variants"])
    for variant in set(variants) - set(study["variants"]):
        raise InputError(f"{arguments.study} has no variant {variant!r}, it has {', '.join(study['variants'])}")
    seeds = study["seeds"] if arguments.seeds is None else arguments.seeds
    threads = max(1, (os.cpu_count() or 1) // arguments.jobs)
    with ThreadPoolExecutor(arguments.jobs) as pool:
        # Seeds outermost: a study that is cut short has compared all variants on fewer seeds.
        runs = [pool.submit(_train, study, name, variant, seed, threads) for seed in seeds for variant in variants]
        for ended in runs:
            ended.result()
    rows = [row for variant in study["variants"] for seed in study["seeds"] for row in _finished(name, variant, seed)]
    if not rows:
        raise InputError(f"no run of {arguments.study} has finished: see runs/{name}/*/*/log.txt")
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    with open(arguments.out.with_suffix(".csv"), "w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
    write_page(arguments.out, study, arguments.study, rows)
    print(f"wrote {arguments.out.with_suffix('.md')}, its CSV and its picture")
    return 0


def read_study(path: Path) -> dict[str, Any]:
    """The study of a YAML file.

    Raises:
        InputError: no such file, a missing or unknown key, a tested variant that is not there.
    """
    if not path.is_file():
        raise InputError(f"no study at {path}: give a YAML file such as configs/studies/backbone.yaml")
    study = yaml.safe_load(path.read_text())
    if not isinstance(study, dict) or set(study) != KEYS:
        found = sorted(study) if isinstance(study, dict) else type(study).__name__
        raise InputError(f"{path} has {found}, expected the keys {sorted(KEYS)}")
    for variant in study["tested"]:
        if variant not in study["variants"]:
            raise InputError(f"{path}: tested variant {variant!r} is none of {', '.join(study['variants'])}")
    return study


def _train(study: dict[str, Any], name: str, variant: str, seed: int, threads: int) -> None:
    """Fit and, where the study says so, test one variant with one seed, unless that has been done."""
    folder = f"{name}/{variant}-{seed}"
    configs = [f"--config={config}" for config in study["configs"]]
    options = [*configs, *study["variants"][variant], *study["arguments"], f"--seed_everything={seed}"]
    options += [f"--name={folder}", "--trainer.enable_progress_bar=false"]
    splits = {row["split"] for row in _finished(name, variant, seed)}
    if "val" not in splits:
        _hummuss(["fit", *options], folder, threads)
    if variant in study["tested"] and "test" not in splits:
        _hummuss(["test", *options, "--ckpt_path=best"], folder, threads)


def _hummuss(command: list[str], folder: str, threads: int) -> None:
    """Run the command in a process of its own; what it prints goes to the study's log."""
    print(f"{command[0]} {folder}", flush=True)
    log = Path("runs") / folder / "log.txt"
    log.parent.mkdir(parents=True, exist_ok=True)
    environment = os.environ | {"OMP_NUM_THREADS": str(threads), "WANDB_MODE": "disabled"}
    with open(log, "a") as file:
        ended = subprocess.run(
            [sys.executable, "-m", "hummuss.cli.main", *command], stdout=file, stderr=file, env=environment
        )
    if ended.returncode:
        raise InputError(f"`hummuss {command[0]}` of {folder} ended with status {ended.returncode}: see {log}")


def _finished(name: str, variant: str, seed: int) -> list[dict[str, Any]]:
    """Rows of a variant's newest run, none where it has not finished."""
    try:
        folder = newest_checkpoint(Path("runs"), f"{name}/{variant}-{seed}", "best").parent
    except InputError:
        return []
    summary = folder / "summary.json"
    return rows_of(variant, json.loads(summary.read_text())) if summary.is_file() else []
