"""The data module of prepared stores."""

from collections.abc import Sequence
from fnmatch import fnmatch
from itertools import combinations
from pathlib import Path
from typing import Any, cast

from hummuss.data.datamodules import MotionDataModule
from hummuss.data.motion import MotionClip
from hummuss.data.recordings import together
from hummuss.data.store import MotionStore
from hummuss.data.windows import MotionSource
from hummuss.errors import InputError


class StoreDataModule(MotionDataModule):
    """Motion from a prepared store.

    Args:
        root: folder that ``hummuss prepare`` wrote.
        test_groups: name -> pattern over clips' ``sequence`` (as in file names): parts of the test split that get
            rows of their own. Every test clip must be in exactly one.
        options: see `MotionDataModule`.

    Raises:
        InputError: no store at ``root``, a split without clips, or a test clip in no group or in two.
    """

    def __init__(self, root: str | Path, test_groups: dict[str, str] | None = None, **options: Any) -> None:
        super().__init__(**options)
        self.store = MotionStore(root)
        self.dataset = str(self.store.source.get("dataset", self.store.path.name))
        self.test_groups = test_groups or {}

    def sources(self, split: str) -> Sequence[MotionClip]:
        names = self._names(split)
        if not names:
            wanted = f"clip of {', '.join(self.classes)}" if self.balance_classes else "clip"
            raise InputError(
                f"{self.store.path} has no {wanted} in its {split!r} split: check the splits it was prepared with"
                + (", or set data.init_args.select_on_test: true, which tables then say" if split == "val" else "")
            )
        return _Clips(self.store, names)

    def seconds(self, split: str) -> list[float]:
        return [self.store.seconds(name) for name in self._names(split)]

    def labels(self, split: str) -> list[str | None]:
        return [self.store.label(name) for name in self._names(split)]

    def recordings(self, sources: Sequence[MotionSource]) -> list[list[int]] | None:
        if not self.persons_together:
            return None
        names = sources.names if isinstance(sources, _Clips) else [cast(MotionClip, clip).name for clip in sources]
        spans = [self.store.span(name) for name in names]
        found = together([self.store.sequence(name) for name in names], spans)
        for first, second in (pair for group in found for pair in combinations(sorted(group), 2)):
            person = self.store.person(names[first])
            alike = person == self.store.person(names[second])
            if alike and spans[first][0] <= spans[second][1] and spans[second][0] <= spans[first][1]:
                raise InputError(
                    f"{self.store.path}: {names[first]} and {names[second]} show person {person} of one sequence at "
                    "the same time: views of one person are no sample of several, set data.init_args.persons_together: "
                    "false, or prepare clips that say who is who"
                )
        return found

    def _names(self, split: str) -> list[str]:
        names = self.store.names(split)
        return [name for name in names if self.store.label(name) in self.classes] if self.balance_classes else names

    def carries(self, field: str) -> bool:
        return super().carries(field) and field in self.store.fields

    def groups(self, split: str) -> dict[str, Sequence[MotionSource]]:
        if not self.test_groups:
            return super().groups(split)
        clips = list(self.sources(split))
        parts: dict[str, list[MotionClip]] = {name: [] for name in self.test_groups}
        for clip in clips:
            fitting = [name for name, pattern in self.test_groups.items() if fnmatch(clip.sequence, pattern)]
            if len(fitting) != 1:
                raise InputError(
                    f"{split} clip {clip.name} ({clip.sequence}) is in the groups {fitting}, expected exactly one: "
                    "mend data.init_args.test_groups"
                )
            parts[fitting[0]].append(clip)
        return {name: part for name, part in parts.items() if part}


class _Clips(Sequence[MotionClip]):
    """Clips of a store by name, opened when first asked for."""

    def __init__(self, store: MotionStore, names: list[str]) -> None:
        self.store, self.names = store, names
        self.opened: dict[str, MotionClip] = {}

    def __reduce__(self) -> tuple[type["_Clips"], tuple[MotionStore, list[str]]]:
        """Opened anew by another process: pickled, the clips' arrays would be copied in full."""
        return _Clips, (self.store, self.names)

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, index: Any) -> Any:
        name = self.names[index]
        if name not in self.opened:
            self.opened[name] = self.store[name]
        return self.opened[name]
