"""The clip index of a store: what `index.json` says of every clip, by column, quick to read however many there are."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from hummuss.data.motion import CLIP_SCALARS, Camera, MotionClip

# Written once for all clips that share them: each would take more room than the rest of a clip's entry.
SHARED = ("camera", "betas")


def clip_entry(clip: MotionClip, offsets: dict[str, int]) -> dict[str, Any]:
    """What the index says of one clip, as JSON knows it.

    Args:
        clip: the clip.
        offsets: field -> the row of the field's file that the clip's frames start at.
    """
    entry: dict[str, Any] = {key: getattr(clip, key) for key in CLIP_SCALARS}
    entry["frames"] = len(clip)
    entry["camera"] = None if clip.camera is None else _camera_to_json(clip.camera)
    entry["betas"] = None if clip.betas is None else clip.betas.tolist()
    return entry | {"offsets": offsets}


def pack_entries(entries: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Entries of `clip_entry` as columns."""
    columns: dict[str, Any] = {name: [entry[name] for entry in entries] for name in (*CLIP_SCALARS, "frames")}
    for name in SHARED:
        texts = [None if entry[name] is None else json.dumps(entry[name]) for entry in entries]
        places = {text: place for place, text in enumerate(dict.fromkeys(filter(None, texts)))}
        columns[name] = {
            "values": [json.loads(text) for text in places],
            "clips": [None if text is None else places[text] for text in texts],
        }
    fields = dict.fromkeys(field for entry in entries for field in entry["offsets"])
    columns["offsets"] = {field: [entry["offsets"].get(field) for entry in entries] for field in fields}
    return columns


class ClipIndex:
    """The columns of `pack_entries`, as they were read.

    Attributes:
        names: of the clips, in stored order.
        splits: of each.
        frames: of each, how many.
    """

    def __init__(self, columns: dict[str, Any]) -> None:
        self._columns = columns
        self.names: list[str] = columns["name"]
        self.splits: list[str] = columns["split"]
        self.frames: list[int] = columns["frames"]
        self._position = {name: position for position, name in enumerate(self.names)}

    def position(self, name: str) -> int:
        """Where a clip stands.

        Raises:
            KeyError: no clip of that name.
        """
        return self._position[name]

    def fps(self, position: int) -> float | None:
        """Frames per second; None for a clip with time stamps."""
        return self._columns["fps"][position]

    def label(self, position: int) -> str | None:
        """Action name."""
        return self._columns["label"][position]

    def sequence(self, position: int) -> str:
        """What the clip was recorded in."""
        return self._columns["sequence"][position]

    def person(self, position: int) -> str | None:
        """Who of those in the sequence the clip shows."""
        return self._columns["person"][position]

    def offsets(self, position: int) -> dict[str, int]:
        """Field -> first row, of the fields that the clip has."""
        found = ((field, rows[position]) for field, rows in self._columns["offsets"].items())
        return {field: row for field, row in found if row is not None}

    def values(self, position: int) -> dict[str, Any]:
        """What `MotionClip` is made with beside its per-frame arrays."""
        values = {name: self._columns[name][position] for name in CLIP_SCALARS}
        for name in SHARED:
            place = self._columns[name]["clips"][position]
            values[name] = None if place is None else self._columns[name]["values"][place]
        if values["camera"] is not None:
            values["camera"] = _camera_from_json(values["camera"])
        if values["betas"] is not None:
            values["betas"] = np.asarray(values["betas"], np.float32)
        return values


def _camera_to_json(camera: Camera) -> dict[str, Any]:
    return {key: value.tolist() if isinstance(value, np.ndarray) else value for key, value in asdict(camera).items()}


def _camera_from_json(values: dict[str, Any]) -> Camera:
    arrays: dict[str, Any] = {key: np.asarray(v) if isinstance(v, list) else v for key, v in values.items()}
    return Camera(**arrays)
