"""What a preparation did: clips, frames and seconds by part, label residuals, failures."""

from dataclasses import dataclass, field
from typing import Any

from hummuss.data.motion import MotionClip
from hummuss.data.readers.task import FailedFile, LeftOut
from hummuss.data.residuals import ResidualTable


@dataclass
class Summary:
    """What a preparation did, of one raw file or of many.

    Attributes:
        clips, frames, seconds: by (group, split).
        residuals: of the body labels, by group.
        failed: the files that gave nothing.
        left_out: reason -> names of what was left out for it.
    """

    clips: dict[tuple[str, str], int] = field(default_factory=dict)
    frames: dict[tuple[str, str], int] = field(default_factory=dict)
    seconds: dict[tuple[str, str], float] = field(default_factory=dict)
    residuals: ResidualTable = field(default_factory=ResidualTable)
    failed: list[FailedFile] = field(default_factory=list)
    left_out: dict[str, list[str]] = field(default_factory=dict)

    def count(self, clip: MotionClip, group: str) -> None:
        """Count one written clip."""
        self._add((group, clip.split), 1, len(clip), clip.duration)

    def leave_out(self, left: LeftOut) -> None:
        """Note what is not wanted."""
        self.left_out.setdefault(left.reason, []).append(left.file)

    def merge(self, other: "Summary") -> None:
        """Add what another summary counted."""
        for key, clips in other.clips.items():
            self._add(key, clips, other.frames[key], other.seconds[key])
        self.residuals.merge(other.residuals)
        self.failed += other.failed
        for reason, names in other.left_out.items():
            self.left_out.setdefault(reason, []).extend(names)

    def _add(self, key: tuple[str, str], clips: int, frames: int, seconds: float) -> None:
        self.clips[key] = self.clips.get(key, 0) + clips
        self.frames[key] = self.frames.get(key, 0) + frames
        self.seconds[key] = self.seconds.get(key, 0.0) + seconds

    def to_json(self) -> dict[str, Any]:
        """For the journal of an unfinished store."""
        return {
            "counts": [[*key, clips, self.frames[key], self.seconds[key]] for key, clips in self.clips.items()],
            "residuals": self.residuals.to_json(),
            "failed": [[failure.file, failure.reason] for failure in self.failed],
            "left_out": self.left_out,
        }

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "Summary":
        """The summary that `to_json` wrote."""
        summary = cls(residuals=ResidualTable.from_json(values["residuals"]))
        for group, split, clips, frames, seconds in values["counts"]:
            summary._add((group, split), clips, frames, seconds)
        summary.failed = [FailedFile(file, reason) for file, reason in values["failed"]]
        summary.left_out = values["left_out"]
        return summary
