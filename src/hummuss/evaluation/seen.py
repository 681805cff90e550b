"""Test moments as models see them at every rate: one camera, one noise, one normalisation for all."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32, Float64, Int
from torch import Tensor

from hummuss.data.datamodules import MotionDataModule
from hummuss.data.motion import MotionClip
from hummuss.data.transforms.frame_rate import Instants, window_instants
from hummuss.data.transforms.normalise import normalise
from hummuss.data.windows import EVALUATION_SEED, MotionSource, to_sample
from hummuss.evaluation.moments import Moment
from hummuss.evaluation.rates import Rate, positions
from hummuss.protocols.base import official_frames
from hummuss.provenance import SHORT_HASH


@dataclass(frozen=True)
class Seen:
    """Windows of one rate, padded behind where they differ in length.

    Attributes:
        keypoints: normalised, with confidence; zeros at padding.
        pixels: the same detections before that, for `interpolate`.
        times: seconds from the scored moment.
        dt: seconds since the previous frame.
        valid: False at padding.
        scored: which frame of each window is the scored moment.
        before: root-relative joints at the frame before the scored one, metres: what velocities are scored against. Of
            no meaning where the scored frame is the window's first; NaN where the clip's official protocol does not
            score the clip's own frames at or around that instant.
        base: seconds between frames at the base rate.
    """

    keypoints: Float[Tensor, "W F 17 3"]
    pixels: Float[Tensor, "W F 17 3"]
    times: Float[Tensor, "W F"]
    dt: Float[Tensor, "W F"]
    valid: Bool[Tensor, "W F"]
    scored: Int[Tensor, " W"]
    before: Float[Tensor, "W 17 3"]
    base: Float[Tensor, " W"]

    def take(self, windows: Tensor) -> "Seen":
        """Some of the windows, by number or by mask."""
        return Seen(*(getattr(self, name)[windows] for name in self.__dataclass_fields__))


@dataclass(frozen=True)
class SeenMoments:
    """What models are shown and scored against.

    Attributes:
        rates: the windows of each rate.
        target: root-relative joints at the scored moments, metres; the same for all rates.
        upsampled: which moments' clips were captured at a multiple of twice the base rate: the windows of rates of kind
            ``upsample``, and no others, are of these alone.
        normalisation: see `normalise`.
    """

    rates: dict[Rate, Seen]
    target: Float[Tensor, "W 17 3"]
    upsampled: Bool[Tensor, " W"]
    normalisation: str

    def digest(self) -> str:
        """The first digits of a hash of all of it: the same wherever nothing that decides a figure has changed."""
        digest = hashlib.sha256(self.target.numpy().tobytes())
        for rate, seen in self.rates.items():
            digest.update(repr(rate).encode())
            for name in seen.__dataclass_fields__:
                digest.update(getattr(seen, name).numpy().tobytes())
        return digest.hexdigest()[:SHORT_HASH]


class Row(NamedTuple):
    """One window, as in `Seen`; windows may differ in length."""

    keypoints: Float32[np.ndarray, "_ 17 3"]
    pixels: Float32[np.ndarray, "_ 17 3"]
    times: Float64[np.ndarray, "_"]
    dt: Float64[np.ndarray, "_"]


def see(
    data: MotionDataModule, sources: Sequence[MotionSource], moments: Sequence[Moment], rates: Iterable[Rate]
) -> SeenMoments:
    """Take every moment's frames at every rate.

    All instants that any rate asks for are seen at once, by one camera, with one draw of the detector's errors; each
    rate then gets its own: an instant that two rates share has the same detections in both.
    """
    half, rates = (data.frames - 1) // 2, list(rates)
    rows: dict[Rate, list[tuple[Row, Tensor, float]]] = {rate: [] for rate in rates}
    targets, upsampled = [], []
    for number, moment in enumerate(moments):
        rng = np.random.default_rng([EVALUATION_SEED, number])
        real = moment.stride % 2 == 0
        own = {
            rate: moment.centre + moment.stride * positions(rate, half, rng)
            for rate in rates
            if rate.kind != "upsample" or real
        }
        found, target, base = _see_one(data, sources[moment.source], moment, own, rng)
        targets.append(target)
        upsampled.append(real)
        for rate, (row, before) in found.items():
            rows[rate].append((row, before, base))
    windows = {rate: stack(*zip(*own, strict=True)) for rate, own in rows.items() if own}
    return SeenMoments(windows, torch.stack(targets), torch.tensor(upsampled), data.view.normalisation)


def _see_one(
    data: MotionDataModule,
    source: MotionSource,
    moment: Moment,
    own: dict[Rate, Float64[np.ndarray, "F1"]],
    rng: np.random.Generator,
) -> tuple[dict[Rate, tuple[Row, Float[Tensor, "17 3"]]], Float[Tensor, "17 3"], float]:
    """A moment's row of each rate and the joints one frame earlier, its target, and the interval at its base rate."""
    asked = [places[1:] for places in own.values()]
    union = np.unique(np.concatenate(asked))
    times = np.interp(union, np.arange(len(source.times)), source.times)
    clip = source.at(times)
    clip = replace(clip, smpl_pose=None, betas=None, transl=None, body=None)
    clip = data.view.see(clip, {}, 0.0, rng)
    instants = Instants(times, np.gradient(times), union)
    sample = to_sample(clip, instants, len(union), data.view.normalisation, (), (0, 0))
    keypoints, pixels = sample["keypoints"].numpy(), sample["keypoints2d_px"].numpy()
    joints = sample["joints3d"] - sample["joints3d"][:, :1]
    official, places = official_frames(source), union.round(6)
    counted = official[np.floor(places).astype(int)] & official[np.ceil(places).astype(int)]
    joints_before = torch.where(torch.from_numpy(counted)[:, None, None], joints, torch.nan)
    centre = int(np.searchsorted(union, moment.centre))
    rows = {}
    for rate, asked_places in own.items():
        window = window_instants(source.times, asked_places, len(asked_places) - 1)
        own_places = np.searchsorted(union, asked_places[1:])
        row = Row(keypoints[own_places], pixels[own_places], window.times - times[centre], window.dt)
        rows[rate] = row, joints_before[own_places[max(0, _scored(row) - 1)]]
    before, after = source.times[[moment.centre - moment.stride, moment.centre]]
    return rows, joints[centre], float(after - before)


def stack(rows: Sequence[Row], before: Sequence[Float[Tensor, "17 3"]], base: Sequence[float]) -> Seen:
    """Windows of any lengths as one."""
    frames = max(len(row.dt) for row in rows)

    def padded(arrays: Iterable[np.ndarray]) -> Tensor:
        filled = [np.pad(a, [(0, frames - len(a))] + [(0, 0)] * (a.ndim - 1)) for a in arrays]
        return torch.from_numpy(np.stack(filled).astype(np.float32))

    lengths = torch.tensor([len(row.dt) for row in rows])
    return Seen(
        **{name: padded(getattr(row, name) for row in rows) for name in Row._fields},
        valid=torch.arange(frames) < lengths[:, None],
        scored=torch.tensor([_scored(row) for row in rows]),
        before=torch.stack(list(before)),
        base=torch.tensor(base, dtype=torch.float32),
    )


def _scored(row: Row) -> int:
    return int(np.abs(row.times).argmin())


def ignore_dt(seen: Seen) -> Seen:
    """The same frames as if they were taken at the base rate."""
    return replace(seen, dt=seen.base[:, None].expand_as(seen.dt))


def interpolate(seen: Seen, base: Seen, normalisation: str) -> Seen:
    """2D keypoints interpolated linearly back to the base rate's instants, as far as a window reaches.

    As `MotionClip.at` does: a joint is missing where either neighbour is, and has the smaller confidence of both.
    Detections are interpolated before they are normalised, as users of this remedy do. Where one map normalises all of
    a window that is the same as after, and done there.

    Args:
        seen: windows at some rate.
        base: the same moments at the base rate.
        normalisation: of the windows.
    """
    each_frame = normalisation == "frame"
    rows: list[Row] = []
    for window in range(len(seen.dt)):
        valid = seen.valid[window]
        times = seen.times[window][valid].double().numpy()
        detected = (seen.pixels if each_frame else seen.keypoints)[window][valid].numpy()
        grid, dt = (values[window].double().numpy() for values in (base.times, base.dt))
        within = (grid >= times[0] - 1e-6) & (grid <= times[-1] + 1e-6)
        if len(times) == 1:
            rows.append(
                Row(seen.keypoints[window][valid].numpy(), seen.pixels[window][valid].numpy(), times, dt[within])
            )
            continue
        clip = MotionClip("window", "window", "", "test", timestamps=times, keypoints2d=detected)
        between = clip.at(np.clip(grid[within], times[0], times[-1])).keypoints2d
        assert between is not None
        keypoints = normalise(between, grid[within], None, normalisation) if each_frame else between
        rows.append(Row(keypoints, between, grid[within], dt[within]))
    return stack(rows, base.before.unbind(), seen.base.tolist())


def crop(seen: Seen, most: int) -> Seen:
    """At most so many frames of each window, the scored one in their middle where the window allows."""
    frames = seen.dt.shape[1]
    if frames <= most:
        return seen
    first = (seen.scored - most // 2).clamp(0, frames - most)
    places = first[:, None] + torch.arange(most)
    window = torch.arange(len(places))[:, None]
    cut = {name: getattr(seen, name)[window, places] for name in ("valid", *Row._fields)}
    return replace(seen, scored=seen.scored - first, **cut)
