"""What is prepared: one line per store, from the indices alone."""

from dataclasses import dataclass
from pathlib import Path

from hummuss.data.motion import SPLITS
from hummuss.data.store import INDEX, MotionStore
from hummuss.errors import InputError


@dataclass(frozen=True)
class StoreInfo:
    """A store in short.

    Attributes:
        path: its folder.
        dataset: name of the reader.
        clips, frames, hours: how much there is.
        splits: clips of each split.
        rates: frame rates, frames per second; ``time stamps`` for clips that have them.
        fields: names of the per-frame arrays.
        size: bytes on disk.
        prepared_by: version of hummuss that wrote it.
        damage: why it cannot be opened; then all else is empty.
    """

    path: Path
    dataset: str = ""
    clips: int = 0
    frames: int = 0
    hours: float = 0.0
    splits: tuple[tuple[str, int], ...] = ()
    rates: tuple[str, ...] = ()
    fields: tuple[str, ...] = ()
    size: int = 0
    prepared_by: str = ""
    damage: str | None = None


def list_stores(folder: Path) -> list[StoreInfo]:
    """The stores in a folder and its subfolders, or the folder itself if it is one, by name.

    Raises:
        InputError: no such folder.
    """
    if not folder.is_dir():
        raise InputError(f"no folder {folder}: give the one that holds your prepared stores")
    found = (index.parent for index in folder.rglob(INDEX))
    # Hidden folders are stores half written.
    whole = [path for path in found if not any(part.startswith(".") for part in path.relative_to(folder).parts)]
    return [_describe(path) for path in sorted(whole)]


def _describe(path: Path) -> StoreInfo:
    try:
        store = MotionStore(path)
    except InputError as error:
        return StoreInfo(path, damage=str(error))
    names = store.names()
    rates = {store.fps(name) for name in names}
    return StoreInfo(
        path=path,
        dataset=str(store.source.get("dataset", "unknown")),
        clips=len(names),
        frames=sum(store.frames(name) for name in names),
        hours=sum(store.seconds(name) for name in names) / 3600,
        splits=tuple((split, len(store.names(split))) for split in SPLITS if store.names(split)),
        rates=(*(f"{fps:g}" for fps in sorted(rates - {None})), *(("time stamps",) if None in rates else ())),  # type: ignore[type-var]
        fields=tuple(store.fields),
        size=sum(file.stat().st_size for file in path.iterdir()),
        prepared_by=str(store.source.get("hummuss", "unknown")),
    )
