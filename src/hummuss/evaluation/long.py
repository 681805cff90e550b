"""Errors of trained runs on sequences longer than their training windows: in windows, in one piece and streamed."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from hummuss.data.datamodules import MotionDataModule
from hummuss.data.synthetic_module import SyntheticDataModule
from hummuss.data.windows import MotionSource
from hummuss.errors import InputError
from hummuss.evaluation.contestants import Contestant, pose_head
from hummuss.evaluation.kept_rows import KeptRows, Row, digest
from hummuss.evaluation.long_sequences import Sequences, performances, ping_pongs, real_spans
from hummuss.evaluation.moments import datasets
from hummuss.evaluation.trained import find_head, refuse_alike
from hummuss.heads.pose import PoseHead
from hummuss.inference.memory import fits
from hummuss.inference.strategy import FRAMES_AT_ONCE, Inference, mirror_keypoints
from hummuss.inference.streaming import goes_on, stream
from hummuss.metrics.per_joint import position_errors

COLUMNS = (
    "dataset", "model", "trained_with_augmentation", "source", "frames", "mode", "position_s", "mpjpe_mm",
    "state_norm", "seed",
    # What the page says of them.
    "window", "sequences", "subjects", "stream_off_mm", "recipe", "checkpoint", "commit", "device",
)  # fmt: skip
SPANS = (1, 2, 10)  # in training windows
BINS = 20  # positions at which the error is told, at most; none shorter than a window


def compare_lengths(
    contestants: Sequence[Contestant],
    data: MotionDataModule,
    split: str,
    windows: int,
    lengths: Sequence[int],
    clips: int,
    streamed: int,
    kept: KeptRows | None = None,
) -> Iterator[Row]:
    """Rows per dataset, source, length, contestant and mode: one of all frames and one of each position.

    Spans of one, two and ten windows are cut from the same frames, seen once; so are the ``lengths``, which begin
    alike. Modes: ``windows`` of the training's length, half overlapping and averaged, as `Inference` makes them;
    ``adjacent`` ones, which like one piece predict a frame once; ``stream``, for causal backbones. Backbones that take
    any length also have ``whole``, every sequence in one piece, and two predictions of a frame: ``mirrored`` is the
    mean of ``whole`` and of the same for the mirrored sequence, mirrored back, ``adjacent-mirrored`` of ``adjacent``.

    Args:
        contestants: from `load_contestants`.
        data: from `load_data`.
        split: which of its splits.
        windows: most windows of each dataset that real spans cover.
        lengths: frames of ping-pongs and of long performances.
        clips: how many of either.
        streamed: most frames that are streamed, of one sequence of each source.
        kept: rows of a comparison that was cut off.

    Sequences that the memory cannot hold in one piece have no row for it nor for mirrored ones, but of a backbone that
    goes on from the state of the frames before, which gives the same.

    Raises:
        InputError: a length of no more than ten windows, runs trained on windows of different lengths, or two runs that
            would share their rows.
    """
    window = _check(contestants, lengths)
    kept = kept or KeptRows()
    for dataset, sources in datasets(data, split).items():
        for group in _groups(data, sources, split, window, windows, lengths, clips):
            shown = [digest((own.keypoints, own.dt, own.target, own.scored)) for own in group]
            longest = max((own.frames for own in group if own.frames <= streamed), default=None)
            for contestant in contestants:
                place: Row = {"dataset": dataset, "model": contestant.model}
                place |= {"trained_with_augmentation": contestant.augmented}
                place |= {"seed": contestant.seed, "window": window, "checkpoint": contestant.checkpoint}
                for sequences, digits in zip(group, shown, strict=True):
                    ways = _ways(contestant, sequences, longest)
                    facts = place | {"source": sequences.source, "subjects": sequences.subjects, "shown": digits}
                    facts |= ways | contestant.computes
                    rows = _rows(contestant, sequences, window, **ways)
                    yield from kept.rows(facts, (place | row | contestant.origin for row in rows))


def _groups(
    data: MotionDataModule,
    sources: Sequence[MotionSource],
    split: str,
    window: int,
    windows: int,
    lengths: Sequence[int],
    clips: int,
) -> Iterator[list[Sequences]]:
    """Lists of the same frames in growing length."""
    spans = [size * window for size in SPANS]
    found = (
        None
        if isinstance(data, SyntheticDataModule)
        else real_spans(data, sources, spans[-1], max(1, windows // max(SPANS)))
    )
    if found is not None:
        yield [found.pieces(frames) for frames in spans]
    played = ping_pongs(data, sources, max(lengths), clips)
    yield [played.begin(frames) for frames in sorted(lengths)]
    if isinstance(data, SyntheticDataModule):  # clips last as long as one likes
        performed = performances(data, split, max(lengths), clips)
        yield [performed.begin(spans[-1]).pieces(frames) for frames in spans]
        yield [performed.begin(frames) for frames in sorted(lengths)]


def _ways(contestant: Contestant, sequences: Sequences, longest: int | None) -> dict[str, bool]:
    """Whether sequences are predicted in one piece, and whether, being the ``longest``, frame by frame."""
    backbone = contestant.run.model.backbone
    whole = contestant.most_frames is None and (
        goes_on(backbone) or fits(backbone, sequences.frames, sequences.dt.to(contestant.device))
    )
    return {"whole": whole, "streams": sequences.frames == longest and getattr(backbone, "causal", False)}


def _rows(contestant: Contestant, sequences: Sequences, window: int, whole: bool, streams: bool) -> Iterator[Row]:
    place: Row = {"source": sequences.source, "frames": sequences.frames, "subjects": sequences.subjects}
    adjacent = Inference(windows=window, stride=window)
    joints = _joints(contestant, sequences, Inference(windows=window))
    yield from _told(place | {"mode": "windows"}, sequences, joints, window)
    apart = _joints(contestant, sequences, adjacent)
    yield from _told(place | {"mode": "adjacent"}, sequences, apart, window)
    one_piece = None
    if whole:
        one_piece = _whole(contestant, sequences)
        yield from _told(place | {"mode": "whole"}, sequences, one_piece, window)
        # `Inference.flip` would predict anew what has been predicted above.
        joints = (apart + _joints(contestant, sequences, adjacent, mirror=True)) / 2
        yield from _told(place | {"mode": "adjacent-mirrored"}, sequences, joints, window)
        joints = (one_piece + _whole(contestant, sequences, mirror=True)) / 2
        yield from _told(place | {"mode": "mirrored"}, sequences, joints, window)
    if streams:
        one = sequences.take(1)
        joints, norms = stream_joints(contestant, one)
        off = None if one_piece is None else round(float(position_errors(joints, one_piece[:1]).max()), 6)
        of_one = {"mode": "stream", "stream_off_mm": off, "subjects": ""}
        yield from _told(place | of_one, one, joints, window, norms)


def _told(
    place: Row,
    sequences: Sequences,
    joints: Float[Tensor, "N F 17 3"],
    window: int,
    norms: Float[Tensor, " F"] | None = None,
) -> Iterator[Row]:
    """A row of all frames, then one for each of up to `BINS` positions, with the state's norm at its end."""
    errors = position_errors(joints, sequences.target).mean(-1).double()
    times = sequences.dt.double().cumsum(1).mean(0)  # since the frame before the first
    place = place | {"sequences": len(sequences)}
    yield place | {"position_s": None} | _mean(errors, sequences.scored)
    bins = min(BINS, sequences.frames // window)
    if bins == 1:
        return
    ends = [round(sequences.frames * number / bins) for number in range(bins + 1)]
    for first, end in pairwise(ends):
        row = place | {"position_s": round(float(times[first:end].mean()), 3)}
        norm = {} if norms is None else {"state_norm": round(float(norms[end - 1]), 4)}
        yield row | _mean(errors[:, first:end], sequences.scored[:, first:end]) | norm


def _mean(errors: Tensor, scored: Tensor) -> Row:
    """Over the frames that count; None where none does."""
    return {"mpjpe_mm": round(float(errors[scored].mean()), 4) if scored.any() else None, "state_norm": None}


def _joints(
    contestant: Contestant, sequences: Sequences, inference: Inference, mirror: bool = False
) -> Float[Tensor, "N F 17 3"]:
    """All sequences at once; ``mirror`` shows them mirrored left to right, and mirrors the joints back."""
    model = contestant.run.model
    device = next(model.parameters()).device
    batch = {"keypoints": sequences.keypoints, "dt": sequences.dt, "valid": torch.ones_like(sequences.scored)}
    batch["sample"] = torch.arange(len(sequences))  # heads of other tasks ask whose each is
    moved = {name: values.to(device) for name, values in batch.items()}
    made = inference.predict(model, mirror_keypoints(moved) if mirror else moved, contestant.run.trained_frames)
    name, head = find_head(contestant.run, PoseHead)
    return (head.mirror(made[name]) if mirror else made[name])["joints"].cpu()


def _whole(contestant: Contestant, sequences: Sequences, mirror: bool = False) -> Float[Tensor, "N F 17 3"]:
    """Every sequence in one piece; some at once where they are short."""
    size = max(1, FRAMES_AT_ONCE // sequences.frames)
    whole = Inference(windows="whole")
    return torch.cat([_joints(contestant, some, whole, mirror) for some in sequences.split(size)])


@torch.inference_mode()
def stream_joints(
    contestant: Contestant, sequences: Sequences
) -> tuple[Float[Tensor, "N F 17 3"], Float[Tensor, " F"]]:
    """Joints computed frame by frame, and the Euclidean norm of all that is carried on from each frame.

    Args:
        contestant: a causal one.
        sequences: what it is shown.
    """
    watched = _WatchedState(contestant.run.model.backbone)
    device = next(contestant.run.model.parameters()).device
    representation = stream(watched, sequences.keypoints.to(device), sequences.dt.to(device))
    joints = pose_head(contestant.run)(representation, {})["joints"]
    return joints.cpu(), torch.stack(watched.norms).cpu()


class _WatchedState(nn.Module):
    """A causal backbone that keeps the norm of its state after every frame."""

    causal = True

    def __init__(self, backbone: nn.Module) -> None:
        super().__init__()
        self.backbone: Any = backbone
        self.norms: list[Tensor] = []

    def init_state(self, batch_size: int) -> Any:
        return self.backbone.init_state(batch_size)

    def step(self, keypoints: Tensor, dt: Tensor, state: Any) -> tuple[Tensor, Any]:
        representation, state = self.backbone.step(keypoints, dt, state)
        parts = [torch.linalg.vector_norm(part) for layer in state for part in layer]
        self.norms.append(torch.linalg.vector_norm(torch.stack(parts)))
        return representation, state


def _check(contestants: Sequence[Contestant], lengths: Sequence[int]) -> int:
    """The window that all were trained on."""
    trained = {own.run.trained_frames: own.run.checkpoint for own in contestants}
    if len(trained) > 1:
        told = ", ".join(f"{checkpoint} on {frames}" for frames, checkpoint in trained.items())
        raise InputError(f"runs were trained on windows of different lengths, {told} frames: compare those of one")
    (window,) = trained
    refuse_alike(contestants, lambda own: (own.model, own.augmented))
    least = max(SPANS) * window
    if min(lengths) <= least:
        raise InputError(f"--lengths has {min(lengths)} frames: give more than {least}, which are ten windows")
    return window
