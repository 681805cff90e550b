"""``hummuss data``: what is prepared, and whether it is sound."""

import argparse
import dataclasses
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.markup import escape
from rich.progress import Progress
from rich.table import Table

from hummuss.cli.pages import write_rows
from hummuss.console import make_console
from hummuss.data.checking import StoreReport, check_store
from hummuss.data.findings import Finding
from hummuss.data.inventory import list_stores
from hummuss.data.motion import SPLITS
from hummuss.data.official_counts import ClipFacts
from hummuss.data.store import MotionStore
from hummuss.viz.contact_sheet import save_contact_sheet

# Findings of one check that are printed; findings.csv holds all.
PRINTED = 10
FINDING_COLUMNS = tuple(field.name for field in dataclasses.fields(Finding))
COUNT_COLUMNS = ("split", "subject", "action", "clips", "frames", "hours")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``hummuss data check`` and ``hummuss data info``."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    check = actions.add_parser("check", help="count, measure and look at a prepared store")
    check.add_argument("store", type=Path, metavar="OUT", help="folder that `hummuss prepare` wrote")
    check.add_argument(
        "--report", type=Path, metavar="FOLDER", help="where findings and pictures go (default: OUT.check, beside OUT)"
    )
    check.add_argument(
        "--pictures", type=_count, default=24, metavar="N", help="clips on the contact sheet (default: 24)"
    )
    check.add_argument("--seed", type=int, default=0, help="of the choice of clips on the contact sheet (default: 0)")
    info = actions.add_parser("info", help="list the prepared stores")
    info.add_argument("folder", type=Path, nargs="?", default=Path("data"), help="where stores are (default: data)")


def _count(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} must be a whole number, 0 for no picture")
    return int(text)


def run(args: argparse.Namespace) -> int:
    """Run the chosen action; return its exit status."""
    return check_data(args) if args.action == "check" else list_data(args)


def check_data(args: argparse.Namespace) -> int:
    """Check a store: counts, units, frame rates, sides, confidences, duplicates; draw a contact sheet.

    Exit status 0: nothing found; 1: findings; 2: no store there.
    """
    console = make_console(soft_wrap=True, highlight=False)
    store = MotionStore(args.store)
    folder = args.report or args.store.resolve().with_name(f"{args.store.resolve().name}.check")
    with Progress(console=console, transient=True) as bar:
        task = bar.add_task("reading clips", total=len(store))
        report = check_store(store, lambda: bar.advance(task))
    _print_counts(report, console)
    _print_rates(report, console)
    _print_lengths(report, console)
    _print_findings(report.findings, console)
    write_rows(folder / "findings.csv", FINDING_COLUMNS, [dataclasses.asdict(finding) for finding in report.findings])
    write_rows(folder / "counts.csv", COUNT_COLUMNS, _count_rows(report.facts))
    written = ["findings.csv", "counts.csv"]
    if report.facts and args.pictures:
        _draw(store, report.facts, args, folder / "contact_sheet.png")
        written.append("contact_sheet.png")
    console.print(f"wrote {', '.join(written)} into {folder}")
    return 1 if report.findings else 0


def _print_counts(report: StoreReport, console: Console) -> None:
    table = Table("split", "clips", "frames", "hours", "subjects", "actions", "no label", title="counts")
    for split in SPLITS:
        facts = [fact for fact in report.facts if fact.split == split]
        labels = {fact.label for fact in facts} - {None}
        unlabelled = sum(fact.label is None for fact in facts)
        clips, frames, hours = _amount(facts)
        people = len({fact.subject for fact in facts})
        cells = (f"{clips:,}", f"{frames:,}", f"{hours:.2f}", str(people), str(len(labels)))
        table.add_row(split, *cells, str(unlabelled))
    console.print(table)
    if report.official:
        table = Table("what", "found", "official", "source", title="against the official counts")
        for what, count, expected, source in report.official:
            color = "green" if count in expected else "red"
            wanted = " or ".join(f"{number:,}" for number in expected)
            table.add_row(what, f"[{color}]{count:,}", wanted, source)
        console.print(table)


def _print_rates(report: StoreReport, console: Console) -> None:
    rates = ", ".join(f"{rate}: {count:,} clips" for rate, count in report.rates.most_common())
    console.print(f"frame rates: {rates or 'no readable clip'}")
    if report.confidences:
        least, middle, greatest, missing = np.array(report.confidences).T
        console.print(
            f"confidences: {least.min():.2f} to {greatest.max():.2f}, median {np.median(middle):.2f}; "
            f"joints not detected: {missing.mean():.1%} on average, {missing.max():.1%} in the worst clip"
        )


def _print_lengths(report: StoreReport, console: Console) -> None:
    if not report.lengths:
        return
    table = Table("", "shortest", "median", "longest", title="people's lengths over the clips, metres")
    for name, lengths in report.lengths.items():
        table.add_row(name, *(f"{length:.2f}" for length in np.percentile(lengths, [0, 50, 100])))
    console.print(table, "(height: trunk, neck, head and legs, without feet and scalp)")


def _print_findings(findings: Sequence[Finding], console: Console) -> None:
    """Each check's first findings, and how many more there are."""
    if not findings:
        console.print("[green]no findings")
        return
    printed: Counter[str] = Counter()
    for finding in findings:
        printed[finding.check] += 1
        if printed[finding.check] <= PRINTED:
            where = finding.clip if finding.frame is None else f"{finding.clip}, frame {finding.frame}"
            console.print(f"[red]{finding.check}[/red] {escape(where)}: {escape(finding.value)}, expected ", end="")
            console.print(f"{escape(finding.expected)}: {escape(finding.remedy)}")
    for check, count in printed.items():
        if count > PRINTED:
            console.print(f"[red]{check}[/red]: {count - PRINTED} more in findings.csv")
    console.print(f"{len(findings)} findings")


def _count_rows(facts: Sequence[ClipFacts]) -> list[dict[str, Any]]:
    """What there is of each split, subject and action."""
    groups: dict[tuple[str, str, str], list[ClipFacts]] = {}
    for fact in facts:
        groups.setdefault((fact.split, fact.subject, fact.label or ""), []).append(fact)
    rows = []
    for key, group in sorted(groups.items()):
        clips, frames, hours = _amount(group)
        rows.append(dict(zip(COUNT_COLUMNS, (*key, clips, frames, round(hours, 4)), strict=True)))
    return rows


def _amount(facts: Sequence[ClipFacts]) -> tuple[int, int, float]:
    """Clips, frames and hours."""
    return len(facts), sum(fact.frames for fact in facts), sum(fact.seconds for fact in facts) / 3600


def _draw(store: MotionStore, facts: Sequence[ClipFacts], args: argparse.Namespace, path: Path) -> None:
    count = min(args.pictures, len(facts))
    chosen = np.random.default_rng(args.seed).choice(len(facts), count, replace=False)
    clips = [store[facts[index].name] for index in sorted(chosen)]
    save_contact_sheet(path, clips, f"{store.path.name}: {count} of {len(facts)} clips")


def list_data(args: argparse.Namespace) -> int:
    """List the prepared stores of a folder, and its subfolders."""
    console = make_console(soft_wrap=True, highlight=False)
    stores = list_stores(args.folder)
    if not stores:
        console.print(f"nothing is prepared in {args.folder}: `hummuss prepare --help` lists the datasets")
        return 0
    columns = ("store", "dataset", "clips", "frames", "hours", "splits", "fps", "fields", "size", "hummuss")
    table = Table(*columns)
    for store in stores:
        if store.damage is not None:
            table.add_row(store.path.name, f"[red]{escape(store.damage)}")
            continue
        table.add_row(
            str(store.path.relative_to(args.folder)) if store.path != args.folder else store.path.name,
            store.dataset,
            f"{store.clips:,}",
            f"{store.frames:,}",
            f"{store.hours:.2f}",
            ", ".join(f"{split} {count:,}" for split, count in store.splits),
            ", ".join(store.rates),
            ", ".join(store.fields),
            f"{store.size / 1e6:,.1f} MB",
            store.prepared_by,
        )
    console.print(table)
    return 0
