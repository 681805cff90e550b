"""Train variants of one model with equal data and steps over several seeds, and write the comparison.

A study is a YAML file: title, configs, arguments common to all, seeds, variants and tested (variants that are also
scored on the test split, or the word all; the others only on validation). A variant is a list of further arguments of
`hummuss fit`, or a mapping of arguments and configs of its own in place of the study's. {run:NAME} in an argument
stands for the folder of variant NAME's run of the same seed, which is trained first; NAME stands before the variant.
metrics, where given, are what is tabulated in place of the pose metrics: names such as mpve, or of one head's such as
mesh/mpve, which a run of several heads and one of that head alone then show side by side. note, where given, is a
paragraph of the page. variants may be the path of another study, for its variants. like, the path of another study,
stands for that one's configs, arguments, seeds, tested and metrics where the file does not give them; of arguments, its
own replace that one's of the same option.
"""

import argparse
import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from hummuss.cli.arguments import count
from hummuss.cli.pages import add_out, read_rows, write_rows
from hummuss.cli.runs import newest_checkpoint
from hummuss.errors import InputError
from hummuss.study import COLUMNS, Study, rows_of, write_page
from hummuss.study_file import RUN, needed, read_study

# What columns hold, where that is no text.
TYPES: dict[str, Callable[[str], Any]] = {
    "value": float,
    "seconds": float,
    "seed": int,
    "parameters": int,
    "multiply_adds_per_frame": int,
}
# Beside a run: what it was trained with.
ARGUMENTS = "arguments.json"
# In an argument, a run's folder whose number is not known any more.
GONE = re.compile(r"runs/[^*]*/\*")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    parser.add_argument("study", type=Path, help="the study's YAML file, such as configs/studies/backbone.yaml")
    add_out(parser)
    add_choices(parser)


def add_choices(parser: argparse.ArgumentParser) -> None:
    """What of a study is run, and how many runs at a time."""
    text = "runs at a time, each with its share of the cores, or as many threads as OMP_NUM_THREADS says"
    parser.add_argument("--jobs", type=count, default=1, help=text)
    parser.add_argument("--variants", nargs="+", help="only these; the page still shows every finished run")
    parser.add_argument("--seeds", nargs="*", type=int, help="only these; none at all: train nothing, write the page")
    text = "let runs that were cut off go on from their last checkpoint, not begin anew; by the code as it is now"
    parser.add_argument("--resume", action="store_true", help=text)
    text = "show OUT.csv's figures of runs whose folders are not here; the page says which"
    parser.add_argument("--keep", action="store_true", help=text)


def run(arguments: argparse.Namespace) -> int:
    """Train what is missing, then write OUT.csv, OUT.md and OUT.png."""
    return compare(arguments, shlex.join(["hummuss", "study", str(arguments.study), "--out", str(arguments.out)]))


def compare(arguments: argparse.Namespace, command: str) -> int:
    """`run` for any command that has its arguments; the page names that ``command``."""
    study = read_study(arguments.study)
    name = arguments.study.stem
    for variant in arguments.variants or ():
        if variant not in study.variants:
            raise InputError(f"{arguments.study} has no variant {variant!r}, it has {', '.join(study.variants)}")
    # In the study's order, in which every variant stands behind those it begins with.
    variants = [variant for variant in study.variants if variant in (arguments.variants or study.variants)]
    seeds = study.seeds if arguments.seeds is None else list(dict.fromkeys(arguments.seeds))
    earlier = _earlier(arguments.out.with_suffix(".csv"), study) if arguments.keep else {}
    for seed in seeds:
        if seed not in study.seeds:
            known = ", ".join(map(str, study.seeds))
            raise InputError(f"{arguments.study} has the seeds {known}, the page would not show {seed}: add it there")
    wanted = [(variant, seed) for variant in study.variants for seed in study.seeds]
    for run in wanted:
        _refuse_other_arguments(study, name, *run)  # before hours of training: the page shows all
    # Seeds outermost: a study that is cut short has compared all variants on fewer seeds.
    chosen = [(variant, seed) for seed in seeds for variant in variants]
    failures = _train_all(study, name, chosen, arguments.jobs, arguments.resume)

    found = {run: rows_of(run[0], _summary(name, *run), study.metrics) for run in wanted}
    kept = [run for run in wanted if not found[run] and run in earlier]
    rows = [row for run in wanted for row in (earlier[run] if run in kept else found[run])]
    if not rows:
        reason = "; ".join(failures) or f"see runs/{name}/*/log.txt"
        raise InputError(f"no run of {arguments.study} that has {', '.join(study.metrics)} has finished: {reason}")
    write_rows(arguments.out.with_suffix(".csv"), COLUMNS, rows)
    write_page(arguments.out, study, command + " --keep" * arguments.keep, rows, kept)
    print(f"wrote {arguments.out.with_suffix('.md')}, its CSV and its picture")
    if failures:
        raise InputError(f"{'; '.join(failures)}: the page shows the runs that have finished")
    return 0


def _train_all(study: Study, name: str, chosen: Sequence[tuple[str, int]], jobs: int, resume: bool) -> list[str]:
    """Train variants with seeds, in this order, ``jobs`` at a time; what some could not do, each message once."""
    threads = max(1, (os.cpu_count() or 1) // jobs)
    runs: dict[tuple[str, int], Future[None]] = {}
    with ThreadPoolExecutor(jobs) as pool:
        try:
            for variant, seed in chosen:
                # The pool starts runs in this order: those waited for have been started, so it never locks up.
                before = [runs[other, seed] for other in needed(study.variants[variant]) if (other, seed) in runs]
                runs[variant, seed] = pool.submit(_train, study, name, variant, seed, threads, before, resume)
            return list(dict.fromkeys(filter(None, map(_failure, runs.values()))))
        except KeyboardInterrupt:  # what has not begun is not begun any more
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _failure(run: Future[None]) -> str | None:
    """What a run that has been waited for could not do, for the user to put right; None where it has done all."""
    error = run.exception()
    if error is not None and not isinstance(error, InputError):
        raise error
    return None if error is None else str(error)


def _earlier(path: Path, study: Study) -> dict[tuple[str, int], list[dict[str, Any]]]:
    """The table of an earlier page of a study: the rows of every variant and seed.

    What they were trained with is not in it, as it is in a run's folder: that they are the study's is taken on trust.

    Raises:
        InputError: there is no such table, it is another's, or it has runs that the study has not.
    """
    if not path.is_file():
        raise InputError(f"there is no {path} to keep figures of: leave out --keep")
    found: dict[tuple[str, int], list[dict[str, Any]]] = {}
    for row in read_rows(path, COLUMNS, TYPES):
        found.setdefault((row["variant"], row["seed"]), []).append(row)
    for variant, seed in found:
        if variant not in study.variants or seed not in study.seeds:
            raise InputError(
                f"{path} has figures of {variant!r} with seed {seed}, which the study has not: add them to its file, "
                "or write another page"
            )
    return found


def _train(
    study: Study, name: str, variant: str, seed: int, threads: int, before: Sequence[Future[None]], resume: bool
) -> None:
    """Fit and, where the study says so, test one variant with one seed, unless that has been done."""
    for run in before:
        run.result()
    done = _summary(name, variant, seed)
    wanted = {"val", "test"} if variant in study.tested else {"val"}
    if wanted <= done.keys():
        return
    folder, options = f"{name}/{variant}-{seed}", _options(study, name, variant, seed)
    if "val" not in done:
        cut_off = ["--ckpt_path=last"] if _can_go_on(folder, options) and resume else []
        asked = Path("runs", folder, ARGUMENTS)
        asked.parent.mkdir(parents=True, exist_ok=True)
        asked.write_text(json.dumps(options, indent=1))
        _hummuss(["fit", *options, *cut_off], folder, threads)
    if variant in study.tested:
        _hummuss(["test", *options, "--ckpt_path=best"], folder, threads)


def _options(study: Study, name: str, variant: str, seed: int, must_be_here: bool = True) -> list[str]:
    """Arguments of `hummuss fit`: a variant's own stand behind those of the study, and so win."""
    chosen = study.variants[variant]
    configs = [f"--config={config}" for config in chosen.configs]
    own = [
        RUN.sub(lambda found: _folder(name, variant, found[1], seed, must_be_here), argument)
        for argument in chosen.arguments
    ]
    options = [*configs, *study.arguments, *own, f"--seed_everything={seed}"]
    return [*options, f"--name={name}/{variant}-{seed}", "--trainer.enable_progress_bar=false"]


def _refuse_other_arguments(study: Study, name: str, variant: str, seed: int) -> None:
    """Refuse a finished run that was trained with other arguments than the study has now: it is none of its runs.

    Raises:
        InputError: it is such a run.
    """
    folder = f"{name}/{variant}-{seed}"
    if "val" in _summary(name, variant, seed):
        # The run that it began with need not be here any more.
        _refuse_others(folder, _options(study, name, variant, seed, must_be_here=False))


def _refuse_others(folder: str, options: Sequence[str]) -> None:
    """Refuse a run, finished or not, whose arguments were others than those given."""
    asked = Path("runs", folder, ARGUMENTS)
    if not asked.is_file():
        return
    recorded = json.loads(asked.read_text())
    for gone in {found[0] for option in options for found in GONE.finditer(option)}:
        recorded = [re.sub(re.escape(gone[:-1]) + r"\d+", gone, option) for option in recorded]
    # In any order: studies once put a variant's own arguments before the common ones.
    if sorted(recorded) != sorted(options):
        raise InputError(
            f"{asked.parent} was trained with other arguments than the study has now ({asked}): move that folder away, "
            "or give the study a file of another name"
        )


def _folder(study: str, variant: str, needed: str, seed: int, must_be_here: bool) -> str:
    """Folder of the finished run that a variant begins with, its number a * where it may be gone and is."""
    if "val" not in _summary(study, needed, seed):
        if not must_be_here:
            return f"runs/{study}/{needed}-{seed}/*"
        raise InputError(f"variant {variant!r} begins with {needed!r}, whose run of seed {seed} has not finished")
    return str(newest_checkpoint(Path("runs"), f"{study}/{needed}-{seed}", "best").parent)


def _can_go_on(folder: str, options: Sequence[str]) -> bool:
    """Whether a run that has not finished left a checkpoint to go on from.

    Raises:
        InputError: it was trained with other arguments. Were it left beside a new one, that might go on from it later.
    """
    try:
        newest_checkpoint(Path("runs"), folder, "last")
    except InputError:
        return False
    _refuse_others(folder, options)
    return True


def _hummuss(command: list[str], folder: str, threads: int) -> None:
    """Run the command in a process of its own; what it prints goes to the study's log."""
    print(f"{command[0]} {folder}", flush=True)
    log = Path("runs") / folder / "log.txt"
    log.parent.mkdir(parents=True, exist_ok=True)
    environment = {"OMP_NUM_THREADS": str(threads)} | os.environ | {"WANDB_MODE": "disabled"}
    with open(log, "a") as file:
        ended = subprocess.run(
            [sys.executable, "-m", "hummuss.cli.main", *command], stdout=file, stderr=file, env=environment
        )
    if ended.returncode:
        told = f"`hummuss {command[0]}` of {folder} ended with status {ended.returncode}: see {log}"
        print(told, flush=True)  # at once: others go on for hours
        raise InputError(told)


def _summary(name: str, variant: str, seed: int) -> dict[str, Any]:
    """The summary of a variant's newest run, empty where there is none."""
    try:
        folder = newest_checkpoint(Path("runs"), f"{name}/{variant}-{seed}", "best").parent
    except InputError:
        return {}
    summary = folder / "summary.json"
    return json.loads(summary.read_text()) if summary.is_file() else {}
