"""Which clips the CMU database has, and what is known of each: ``index.csv``, given or made."""

import csv
import io
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from hummuss.data.readers.cmu_skeletons import CONVENTIONS
from hummuss.errors import InputError

INDEX = "index.csv"
COLUMNS = ("file", "skeleton", "subject", "format", "fps", "frames", "start_frame", "category", "split")
# The database was captured at 120 frames per second (mocap.cs.cmu.edu, FAQs: "How is this data captured?"), the salsa
# of these subjects at 60 (the CMU index as compiled by B. Hahne, cgspeed.com).
FPS, SALSA = 120, {60: 60, 61: 60}


@dataclass(frozen=True)
class CmuEntry:
    """A row of ``index.csv``; see docs/data.md for the meaning of the columns.

    ``fps`` is the capture rate: headers of some files state another one. ``frames`` is None where it is not known.
    """

    file: str
    skeleton: str
    subject: str
    format: str
    fps: float
    frames: int | None
    start_frame: int
    category: str
    split: str


def read_index(raw: Path) -> list[CmuEntry]:
    """Read ``index.csv`` of a folder.

    Raises:
        InputError: no such file, a missing column, an unknown format, or a number that is none; names it.
    """
    path = raw / INDEX
    if not path.is_file():
        raise InputError(
            f"{path} does not exist: point at the folder that holds the CMU {INDEX} and its archives, "
            "or let --download fetch the official archive into it"
        )
    with open(path, newline="", encoding="utf-8", errors="replace") as file:
        rows = csv.DictReader(file)
        missing = [column for column in COLUMNS if column not in (rows.fieldnames or [])]
        if missing:
            raise InputError(f"{path}: column {missing[0]!r} is missing: restore the file")
        entries = [_parse_row(row, f"{path}, line {rows.line_num}") for row in rows]
    if not entries:
        raise InputError(f"{path} lists no clips: restore the file")
    return entries


def _parse_row(row: dict[str, str | None], place: str) -> CmuEntry:
    absent = [column for column in COLUMNS if row[column] is None]
    if absent:
        raise InputError(f"{place}: the row ends before column {absent[0]!r}: restore the file")
    text = {column: str(row[column]) for column in COLUMNS}
    if text["format"] not in CONVENTIONS:
        raise InputError(f"{place}: format {text['format']!r} is none of {', '.join(CONVENTIONS)}")
    try:
        fps, start = float(text["fps"]), int(text["start_frame"])
        frames = int(text["frames"]) if text["frames"] else None
    except ValueError as error:
        raise InputError(f"{place}: expected numbers for fps, frames and start_frame: {error}") from error
    if not (0 < fps < np.inf and start >= 0 and (frames is None or start < frames)):
        raise InputError(f"{place}: expected fps > 0 and 0 <= start_frame < frames, found {fps}, {start}, {frames}")
    return CmuEntry(**{**text, "fps": fps, "frames": frames, "start_frame": start})  # type: ignore[arg-type]


def index_text(names: Iterable[str]) -> str:
    """``index.csv`` for the files of the official archive, from their names alone.

    Every motion whose subject has a skeleton is listed: 120 frames per second (60 for the salsa of subjects 60 and
    61), frames not known, no category, and a split by `subject_split`. It is there to be mended by its user.

    Args:
        names: of the files in the archive, ``.../SS/SS.asf`` and ``.../SS/SS_TT.amc``.
    """
    paths = [PurePosixPath(name) for name in names]
    skeletons = {path.stem for path in paths if path.suffix == ".asf" and path.stem.isdecimal()}
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for stem in sorted(path.stem for path in paths if path.suffix == ".amc"):
        subject = stem.split("_")[0]
        if subject in skeletons:
            fps, split = SALSA.get(int(subject), FPS), subject_split(int(subject))
            writer.writerow((f"asfamc/{stem}.amc", f"asfamc/{subject}.asf", subject, "asf/amc", fps, "", 0, "", split))
    return text.getvalue()


def subject_split(subject: int) -> str:
    """Split of a CMU subject: of every five tens of subject numbers the fourth is ``val``, the fifth ``test``.

    Ours, as CMU has none. Whole tens, because one performer may appear under several numbers (the site says so), most
    often neighbouring ones. It cannot rule out that a performer appears in two splits.

    >>> [subject_split(number) for number in (1, 29, 30, 49, 50, 144)]
    ['train', 'train', 'val', 'test', 'train', 'test']
    """
    return ("train", "train", "train", "val", "test")[subject // 10 % 5]
