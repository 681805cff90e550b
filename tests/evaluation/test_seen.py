"""What models see at each rate: the same moments, the same span, the same detections at shared instants."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from hummuss import InputError
from hummuss.data.datamodules import MotionDataModule
from hummuss.data.motion import MotionClip
from hummuss.data.windows import View
from hummuss.evaluation.moments import Moment, datasets, spread_moments
from hummuss.evaluation.rates import BASE, Rate, all_rates, margins, positions
from hummuss.evaluation.seen import SeenMoments, crop, ignore_dt, interpolate, see

FRAMES, HALF = 17, 8


def make_clip(name: str = "a", frames: int = 240, fps: float = 120.0, **options) -> MotionClip:
    walk = np.random.default_rng(len(name)).normal(0, 0.02, (frames, 17, 3)).cumsum(0) + np.array([0, 1, 0])
    return MotionClip(name, name, "1", "test", fps=fps, joints3d=walk.astype(np.float32), **options)


class Clips(MotionDataModule):
    dataset = "made"

    def __init__(self, parts: dict[str, list[MotionClip]], **options) -> None:
        super().__init__(frames=FRAMES, **options)
        self.parts = parts

    def sources(self, split):
        return [clip for part in self.parts.values() for clip in part]

    def groups(self, split):
        return self.parts

    def seconds(self, split):
        raise NotImplementedError

    def labels(self, split):
        raise NotImplementedError


def seen_at_all_rates(data: MotionDataModule, count: int = 4) -> SeenMoments:
    sources = data.sources("test")
    return see(data, sources, spread_moments(sources, data.max_fps, *margins(HALF), count), all_rates())


@pytest.mark.parametrize("normalisation", ["image", "box", "frame"])
def test_only_the_rate_changes(normalisation) -> None:
    seen = seen_at_all_rates(Clips({"": [make_clip()]}, view=View(normalisation=normalisation)))
    assert set(seen.rates) == set(all_rates())
    base = seen.rates[BASE]
    assert base.keypoints.shape == (4, FRAMES, 17, 3)
    window = torch.arange(4)
    moment = base.keypoints[window, base.scored]
    for rate, windows in seen.rates.items():
        assert torch.equal(windows.keypoints[window, windows.scored], moment), rate
        assert (windows.times[window, windows.scored] == 0).all()
        shared = 0
        for w in range(4):
            for frame, time in enumerate(windows.times[w]):
                same = (base.times[w] - time).abs() < 1e-6
                if same.any():
                    shared += 1
                    assert torch.equal(windows.keypoints[w, frame], base.keypoints[w, same][0]), rate
        assert shared >= (4 if rate.kind == "jitter" else 4 * len(windows.dt[0]) // 3)


def test_intervals_add_up_to_the_span() -> None:
    seen = seen_at_all_rates(Clips({"": [make_clip()]}))
    for rate, windows in seen.rates.items():
        torch.testing.assert_close(windows.dt[:, 1:].cumsum(1), (windows.times - windows.times[:, :1])[:, 1:])
        span = windows.times[:, -1] - windows.times[:, 0]
        if rate.kind in ("stride", "upsample"):
            torch.testing.assert_close(windows.dt, torch.full_like(windows.dt, rate.rate / 60))
            assert (2 * HALF - 2 * rate.rate) / 60 < span[0] <= 2 * HALF / 60 + 1e-6
        if rate.kind == "dropped":
            assert windows.dt.shape[1] == FRAMES - round(rate.rate * FRAMES)
            # the frame before the window is never dropped
            torch.testing.assert_close(windows.dt.sum(1), windows.times[:, -1] + (HALF + 1) / 60)
        if rate.kind == "jitter":
            assert 0.3 * rate.rate < (windows.dt * 60 - 1).std() / 2**0.5 < 2 * rate.rate


def test_the_target_is_the_clips_own_frame_in_the_camera() -> None:
    camera_clip = make_clip(frame="world")
    data = Clips({"": [camera_clip]})
    (moment,) = spread_moments([camera_clip], 60.0, *margins(HALF), 1)
    seen = see(data, [camera_clip], [moment], all_rates())
    bones = camera_clip.joints3d[moment.centre] - camera_clip.joints3d[moment.centre, 0]
    np.testing.assert_allclose(seen.target[0].norm(dim=-1), np.linalg.norm(bones, axis=-1), atol=1e-5)
    again = see(data, [camera_clip], [moment], all_rates())
    assert torch.equal(again.target, seen.target)


def test_what_velocities_are_scored_against_is_the_frame_before() -> None:
    """Joints that move evenly, each at its own speed: how far they are from where they were tells when that was."""
    speed = np.linspace(0, 1, 17)  # m/s; the root stands still
    time = np.arange(240) / 120
    joints = np.array([0, 0, 4.0]) + (time[:, None] * speed)[..., None] * np.array([1.0, 0, 0])
    seen = seen_at_all_rates(Clips({"": [replace(make_clip(), joints3d=joints.astype(np.float32))]}))
    window = torch.arange(4)
    for windows in seen.rates.values():
        assert (windows.scored > 0).all()
        ago = -windows.times[window, windows.scored - 1]
        moved = (seen.target - windows.before).norm(dim=-1)
        torch.testing.assert_close(moved, ago[:, None] * torch.from_numpy(speed).float(), rtol=1e-3, atol=1e-5)


def test_no_velocity_is_scored_against_frames_that_the_official_protocol_leaves_out() -> None:
    """Of a capture of twice the base rate every fourth frame counts: those of stride 2, 4, 6 and 8 before a moment."""
    valid = np.arange(240) % 4 == 0
    marked = seen_at_all_rates(Clips({"": [make_clip(extras={"valid_frame": valid})]}))
    for rate, windows in marked.rates.items():
        lost = windows.before.isnan()
        assert lost.all() or not lost.any()
        if rate.kind == "stride":
            assert bool(lost.any()) == (rate.rate not in (2, 4, 6, 8))


def test_upsampling_takes_captures_of_twice_the_rate_alone() -> None:
    seen = seen_at_all_rates(Clips({"": [make_clip("a"), make_clip("bb", frames=120, fps=60.0)]}))
    assert seen.upsampled.tolist() == [True, True, False, False]
    windows = seen.rates[Rate("upsample", 0.5)]
    assert windows.dt.shape == (2, 2 * FRAMES - 1)
    torch.testing.assert_close(windows.keypoints[:, ::2], seen.rates[BASE].keypoints[:2])
    assert Rate("upsample", 0.5) not in seen_at_all_rates(Clips({"": [make_clip(fps=60.0)]})).rates


def test_ignoring_dt_changes_nothing_else() -> None:
    clips = [make_clip("a"), make_clip("b", fps=50.0)]
    moments = [Moment(0, 100, 2), Moment(1, 100, 1)]
    windows = see(Clips({"": clips}), clips, moments, all_rates()).rates[Rate("stride", 4.0)]
    ignored = ignore_dt(windows)
    expected = torch.tensor([1 / 60, 1 / 50])[:, None].expand_as(windows.dt)
    torch.testing.assert_close(ignored.dt, expected)
    assert torch.equal(ignored.keypoints, windows.keypoints)


@pytest.mark.parametrize("rate", [Rate("stride", 2.5), Rate("stride", 8.0), Rate("dropped", 0.5), Rate("jitter", 0.2)])
def test_interpolation_is_numpys(rate) -> None:
    seen = seen_at_all_rates(Clips({"": [make_clip()]}))
    windows, base = seen.rates[rate], seen.rates[BASE]
    back = interpolate(windows, base, seen.normalisation)
    assert back.valid.sum() > 4 * (FRAMES - 5)
    for w in range(4):
        times, own = back.times[w, back.valid[w]], windows.times[w].numpy()
        assert torch.isin(times, base.times[w]).all()
        for joint in range(17):
            confidence = windows.keypoints[w, :, joint, 2].numpy()
            for number, time in enumerate(times.numpy()):
                after = min(int(np.searchsorted(own, time - 1e-6)), len(own) - 1)
                exact = abs(own[after] - time) < 1e-6
                neighbours = [confidence[after]] if exact else [confidence[after - 1], confidence[after]]
                found = back.keypoints[w, number, joint].numpy()
                assert found[2] == pytest.approx(min(neighbours), abs=1e-6)
                if min(neighbours) == 0:
                    assert not found.any()
                    continue
                for axis in range(2):
                    expected = np.interp(time, own, windows.keypoints[w, :, joint, axis].numpy())
                    assert found[axis] == pytest.approx(expected, abs=1e-5)
    moment = base.keypoints[torch.arange(4), base.scored]
    assert torch.equal(back.keypoints[torch.arange(4), back.scored], moment)


def test_interpolating_the_base_rate_or_above_gives_the_base_rate() -> None:
    seen = seen_at_all_rates(Clips({"": [make_clip()]}))
    base = seen.rates[BASE]
    for rate in (BASE, Rate("upsample", 0.5)):
        assert torch.equal(interpolate(seen.rates[rate], base, seen.normalisation).keypoints, base.keypoints)


def test_detections_are_interpolated_before_each_frame_is_normalised() -> None:
    """To interpolate what is normalised gives frames whose extent is no longer 1."""
    seen = seen_at_all_rates(Clips({"": [make_clip()]}, view=View(normalisation="frame")))
    windows, base = seen.rates[Rate("stride", 8.0)], seen.rates[BASE]
    back = interpolate(windows, base, seen.normalisation)
    for w in range(4):
        own, times = windows.times[w].numpy(), back.times[w].numpy()
        for frame, time in enumerate(times):
            pixels = back.pixels[w, frame]
            there = pixels[:, 2] > 0
            for joint in there.nonzero().flatten():
                for axis in range(2):
                    expected = np.interp(time, own, windows.pixels[w, :, joint, axis].numpy())
                    assert float(pixels[joint, axis]) == pytest.approx(expected, abs=1e-2)
            away = pixels[there, :2] - pixels[there, :2].mean(0)
            expected = away / away.square().sum(1).mean().sqrt()
            torch.testing.assert_close(back.keypoints[w, frame][there, :2], expected, rtol=0, atol=1e-4)
    moment = base.keypoints[torch.arange(4), base.scored]
    assert torch.equal(back.keypoints[torch.arange(4), back.scored], moment)


def test_a_crop_has_the_scored_frame_in_its_middle() -> None:
    windows = seen_at_all_rates(Clips({"": [make_clip()]})).rates[BASE]
    cut = crop(windows, 5)
    assert cut.dt.shape == (4, 5)
    assert (cut.scored == 2).all()
    assert torch.equal(cut.keypoints, windows.keypoints[:, HALF - 2 : HALF + 3])
    assert crop(windows, FRAMES) is windows
    late = crop(replace(windows, scored=torch.full((4,), FRAMES - 1)), 5)
    assert torch.equal(late.keypoints, windows.keypoints[:, -5:])


def test_moments_are_spread_over_clips_away_from_their_ends() -> None:
    clips = [make_clip("a", frames=241), make_clip("b", frames=80), make_clip("c", frames=121, fps=60.0)]
    moments = spread_moments(clips, 60.0, 16, 9, 1000)
    assert [m.centre for m in moments if m.source == 0] == list(range(32, 241 - 18, 2))
    assert [m.centre for m in moments if m.source == 1] == list(range(32, 80 - 18, 2))
    assert [m.centre for m in moments if m.source == 2] == list(range(16, 121 - 9))
    assert spread_moments(clips, 60.0, 16, 9, 3) == [Moment(0, 128, 2), Moment(1, 46, 2), Moment(2, 64, 1)]


@pytest.mark.parametrize(("count", "shares"), [(2, (1, 0, 1)), (9, (3, 3, 3)), (40, (15, 10, 15)), (999, (96, 10, 96))])
def test_clips_have_equally_many_moments_as_far_as_they_go(count, shares) -> None:
    clips = [make_clip("a", frames=121, fps=60.0), make_clip("b", frames=35, fps=60.0), make_clip("c", 121, 60.0)]
    moments = spread_moments(clips, 60.0, 16, 9, count)
    assert tuple(sum(moment.source == clip for moment in moments) for clip in range(3)) == shares
    assert len(set(moments)) == len(moments)


def test_moments_need_clips_that_hold_their_windows() -> None:
    clips = [make_clip("a", frames=241), make_clip("b", frames=80), make_clip("c", frames=121, fps=60.0)]
    with pytest.raises(InputError, match="none of 3 clips has 600 frames"):
        spread_moments(clips, 60.0, 300, 299, 3)


def test_frames_that_the_official_protocol_leaves_out_are_no_moments() -> None:
    valid = np.zeros(100, bool)
    valid[[3, 50, 60]] = True
    clip = make_clip(frames=100, fps=25.0, extras={"valid_frame": valid})
    assert [m.centre for m in spread_moments([clip], 60.0, 16, 9, 10)] == [50, 60]


def test_datasets_have_the_names_of_tables() -> None:
    a, b, c = make_clip("a"), make_clip("b"), make_clip("c")
    data = Clips({"asf-amc": [a], "bvh-daz": [b], "bvh-mb2": [c]})
    names = {name: [clip.name for clip in part] for name, part in datasets(data, "test").items()}
    assert names == {"made-test": ["a", "c"], "made-test-daz": ["b"]}
    data.dataset = "synthetic"
    assert list(datasets(data, "test")) == ["synthetic", "synthetic-daz"]
    assert list(datasets(data, "val")) == ["synthetic-val", "synthetic-val-daz"]
    with pytest.raises(InputError, match="clip d has no joints3d"):
        datasets(
            Clips({"": [MotionClip("d", "d", "1", "test", fps=50.0, keypoints2d=np.ones((9, 17, 3), np.float32))]}),
            "test",
        )


@pytest.mark.parametrize("rate", list(all_rates()))
@pytest.mark.parametrize("half", [1, 13, 40])
def test_every_rate_holds_the_moment_within_the_margins(rate, half) -> None:
    before, after = margins(half)
    for seed in range(20):
        places = positions(rate, half, np.random.default_rng(seed))
        assert 0 in places[1:]
        assert (np.diff(places) > 0).all()
        assert -before <= places[0]
        assert places[-1] <= after


def test_a_digest_changes_with_anything_that_decides_a_figure() -> None:
    seen = seen_at_all_rates(Clips({"": [make_clip()]}))
    assert seen_at_all_rates(Clips({"": [make_clip()]})).digest() == seen.digest()
    base = seen.rates[BASE]
    others = [
        replace(seen, target=seen.target + 0.001),
        replace(seen, rates=seen.rates | {BASE: replace(base, dt=2 * base.dt)}),
        replace(seen, rates=seen.rates | {BASE: replace(base, keypoints=base.keypoints * 2)}),
    ]
    assert len({seen.digest(), *(other.digest() for other in others)}) == 4
