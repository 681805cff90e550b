"""Score trained runs on the same test moments at every frame rate, with frames dropped and with jittered time stamps.

Rows that OUT.csv already has, of the same checkpoint on the same moments, are kept: a comparison that was cut off goes
on where it was. With --keep so are those of checkpoints that are not at hand any more, and the page says so. With
--at-rate the models of one rate of another comparison stand beside them.
"""

import argparse
from collections.abc import Callable, Collection, Container, Hashable, Mapping, Sequence
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

from hummuss.cli.arguments import count
from hummuss.cli.eval import command
from hummuss.cli.pages import read_rows, write_rows
from hummuss.errors import InputError
from hummuss.evaluation.contestants import Contestant, load_contestants, load_data
from hummuss.evaluation.framerate import AT_RATE, COLUMNS, Row, compare_rates, training_facts
from hummuss.evaluation.framerate_lines import line_of, shown
from hummuss.evaluation.framerate_page import write_page
from hummuss.evaluation.moments import choose_moments, clips_scored
from hummuss.evaluation.settings import differences
from hummuss.evaluation.standing_still import velocity_of_standing_still

LEAVE_OUT = "leave out --keep or that table of --at-rate, or give another --out"
# What seeds of one training share. Two sizes of a model differ in multiply-adds a frame by more than this factor; one
# has a little more or less at other lengths, or as another device counts them.
TRAINED = ("trained_strides", "trained_frames", "recipe")
ONE_SIZE = 1.25
# What columns hold, where that is no text.
TYPES: dict[str, Callable[[str], Any]] = {
    "trained_with_augmentation": lambda text: text == "True",
    "rate": float,
    "mpjpe_mm": float,
    "mpjve_mm_s": lambda text: float(text) if text else None,
} | dict.fromkeys(("seed", "windows", "trained_frames", "span_frames", "multiply_adds_per_frame"), int)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What this comparison has beside those of every comparison."""
    text = "frames that the span of all windows has at the base rate, by default as the config's windows"
    parser.add_argument("--frames", type=partial(count, least=3), help=text)
    text = "show OUT.csv's rows of checkpoints that --ckpt does not name, on the same moments; the page says which"
    parser.add_argument("--keep", action="store_true", help=text)
    text = "show what models of one rate have at it by tables of other comparisons, on the same moments"
    parser.add_argument("--at-rate", type=Path, nargs="+", default=[], metavar="TABLE.csv", help=text)


def run(arguments: argparse.Namespace) -> int:
    """Write OUT.csv, as it goes, then OUT.md and OUT.png."""
    contestants = load_contestants(arguments.ckpt, arguments.device)
    data = load_data(arguments.config, contestants)
    if arguments.frames is not None:
        data.frames = arguments.frames
    chosen = choose_moments(data, arguments.split, arguments.windows)
    table = arguments.out.with_suffix(".csv")
    known = read_table(table) if table.is_file() else []
    asked = {contestant.checkpoint for contestant in contestants}
    models = {contestant.model for contestant in contestants}
    added = {path: _at_rate(path, models, asked) for path in arguments.at_rate}
    borrowed = list(chain(*added.values()))
    others = [row for row in known if row["checkpoint"] not in asked and row not in borrowed]
    if arguments.keep:
        added.setdefault(table, []).extend(others)
    _check_added(added, [own.dataset for own in chosen], contestants)
    _check_trainings(added, contestants)
    rows: list[Row] = []
    for found in compare_rates(contestants, data, chosen, known):
        _check_beside(added, found)  # before the next are computed
        rows += found
        # Rows that are still to be handed back are kept in the file too.
        done = {(row["dataset"], row["checkpoint"]) for row in rows}
        later = [row for row in known if (row["dataset"], row["checkpoint"]) not in done]
        write_rows(table, COLUMNS, [*rows, *later])
        first = found[0]
        print(
            f"{first['dataset']} {first['model']}, strides {first['trained_strides']}, seed {first['seed']}: "
            f"{first['mpjpe_mm']:.1f} mm at {first['kind']} {first['rate']:g}, {len(found)} rows"
            + (" from before" if found[0] in known else ""),
            flush=True,
        )
    unnamed = sorted({row["checkpoint"] for row in others})
    rows += chain(*added.values())
    if others and not arguments.keep:
        print(f"left out of {table}: rows of {len(unnamed)} checkpoints that --ckpt does not name any more")
    write_rows(table, COLUMNS, rows)
    own = ["--frames", str(data.frames)] if arguments.frames else []
    own += ["--keep"] if arguments.keep else []
    own += ["--at-rate", *map(str, arguments.at_rate)] if arguments.at_rate else []
    clips = {dataset: clips_scored(sources, moments) for dataset, sources, moments in chosen}
    still = velocity_of_standing_still(data, chosen)
    typed = command("framerate", arguments, *own)
    beside = [path.name for path in arguments.at_rate]
    write_page(arguments.out, rows, typed, clips, still, unnamed if arguments.keep else (), beside)
    print(f"wrote {arguments.out.with_suffix('.md')}, its CSV and its picture")
    return 0


def _at_rate(path: Path, models: Container[str], asked: Container[str]) -> list[Row]:
    """What these models have by a table at the one rate of their training, but for checkpoints that have rows anyway.

    Raises:
        InputError: see `read_rows`; no such table, or it has no such model.
    """
    if not path.is_file():
        raise InputError(f"--at-rate: there is no {path}")
    found = [row for row in read_table(path) if row["variant"] == AT_RATE and row["model"] in models]
    if not found:
        raise InputError(
            f"--at-rate: {path} has no row of a model of --ckpt with variant {AT_RATE}: give another comparison's table"
        )
    return [row for row in found if row["checkpoint"] not in asked]


def _check_added(
    added: Mapping[Path, Sequence[Row]], datasets: Collection[str], contestants: Sequence[Contestant]
) -> None:
    """Refuse rows of earlier comparisons that are of other datasets than are shown, or two of one line and seed."""
    asked = {_training(own.model, own.augmented, str(own.strides), own.seed): own for own in contestants}
    places: dict[tuple[Hashable, ...], Path] = {}
    for path, rows in added.items():
        if absent := {row["dataset"] for row in rows} - set(datasets):
            raise InputError(
                f"{path} has rows on {', '.join(sorted(absent))}, which --config does not give: {LEAVE_OUT}"
            )
        for row in rows:
            how = _training(row["model"], row["trained_with_augmentation"], row["trained_strides"], row["seed"])
            if how in asked:
                raise InputError(
                    f"{path}: checkpoint {row['checkpoint']} is {row['model']}, seed {row['seed']}, trained as "
                    f"{asked[how].checkpoint} is, which --ckpt names: {LEAVE_OUT}"
                )
            if (other := places.setdefault(_place(row), path)) != path:
                raise InputError(
                    f"{other} and {path} both have {row['model']}, seed {row['seed']}, {row['variant']} at "
                    f"{row['kind']} {row['rate']:g} on {row['dataset']}: {LEAVE_OUT}"
                )


def _check_trainings(added: Mapping[Path, Sequence[Row]], contestants: Sequence[Contestant]) -> None:
    """Refuse rows of earlier comparisons that the page would take for further seeds of a training, which they are not,
    or for a model of the same size.
    """
    trainings: dict[tuple[Hashable, ...], tuple[str, dict[str, Any]]] = {}
    sizes: dict[str, tuple[str, float]] = {}
    for own in contestants if any(added.values()) else ():  # to count multiply-adds takes time
        name, row = str(own.run.checkpoint), training_facts(own) | own.origin
        training = _training(own.model, own.augmented, str(own.strides), None)
        trainings[training] = name, {column: row[column] for column in TRAINED}
        sizes[own.model] = name, row["multiply_adds_per_frame"]
    for path, rows in added.items():
        for row in rows:
            model, name = row["model"], f"checkpoint {row['checkpoint']}"
            training = _training(model, row["trained_with_augmentation"], row["trained_strides"], None)
            other, facts = trainings.setdefault(training, (name, {column: row[column] for column in TRAINED}))
            if told := differences({column: row[column] for column in TRAINED}, facts):
                raise InputError(
                    f"{path}: {name} and {other} are both {model}, but not seeds of one training: {'; '.join(told)}; "
                    f"{LEAVE_OUT}"
                )
            other, work = sizes.setdefault(model, (name, row["multiply_adds_per_frame"]))
            if not 1 / ONE_SIZE < row["multiply_adds_per_frame"] / work < ONE_SIZE:
                raise InputError(
                    f"{path}: {name} and {other} are both {model}, but have {row['multiply_adds_per_frame'] / 1e6:.1f} "
                    f"and {work / 1e6:.1f} million multiply-adds a frame: models of one size are compared; {LEAVE_OUT}"
                )


def _check_beside(added: Mapping[Path, Sequence[Row]], found: Sequence[Row]) -> None:
    """Refuse rows of other moments than new ones of a dataset are of."""
    new = found[0]
    for path, rows in added.items():
        for row in rows:
            if row["dataset"] == new["dataset"] and shown(row) != shown(new):
                raise InputError(
                    f"{path}: the rows of checkpoint {row['checkpoint']} on {row['dataset']} are of other moments than "
                    f"are shown now: {LEAVE_OUT}"
                )


def _training(model: str, augmented: bool, strides: str, seed: int | None) -> tuple[Hashable, ...]:
    """What no two trainings on a page may share."""
    return model, augmented or strides, seed


def _place(row: Row) -> tuple[Hashable, ...]:
    """Where a row stands on the page: no two may share it."""
    return row["dataset"], line_of(row), row["rate"], row["kind"], row["seed"]


def read_table(path: Path) -> list[Row]:
    """Rows of an earlier comparison; see `read_rows` for what is refused."""
    return read_rows(path, COLUMNS, TYPES)
