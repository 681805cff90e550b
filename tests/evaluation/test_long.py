"""Long sequences: played back and forth by hand, equal frames for all spans, rows by hand, verdicts from numbers."""

import csv
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from torch import Tensor

from hummuss import InputError
from hummuss.body.layouts import H36M17
from hummuss.cli.main import main
from hummuss.cli.messages import INTERRUPTED
from hummuss.data import SyntheticDataModule
from hummuss.data.datamodules import MotionDataModule
from hummuss.data.motion import MotionClip
from hummuss.data.synthetic import SyntheticMotion
from hummuss.evaluation.contestants import load_contestants
from hummuss.evaluation.kept_rows import KeptRows
from hummuss.evaluation.long import COLUMNS, SPANS, compare_lengths, stream_joints
from hummuss.evaluation.long_page import CALLED, sentences, write_page
from hummuss.evaluation.long_sequences import ROOM, performances, ping_pong, ping_pongs, real_spans
from hummuss.heads import ActionHead
from hummuss.protocols.base import VALID

CONFIGS = Path(__file__).parents[2] / "configs"


class Captures(MotionDataModule):
    """Captured clips, some at twice the base rate, some too short for a span."""

    dataset = "lab"

    def sources(self, split: str) -> Sequence[MotionClip]:
        clips = []
        for number, (frames, fps) in enumerate([(30, 50.0), (300, 100.0), (120, 50.0)]):
            clip = SyntheticMotion(number + 2, "test", duration=frames / fps).at(np.arange(frames) / fps)
            clips.append(replace(clip, name=f"clip{number}", fps=fps, timestamps=None))
        return clips

    def seconds(self, split: str) -> list[float]:
        return [clip.duration for clip in self.sources(split)]

    def labels(self, split: str) -> list[None]:
        return [None] * 3


def captures() -> Captures:
    return Captures()


def bare(clip: MotionClip) -> MotionClip:
    return replace(clip, smpl_pose=None, betas=None, transl=None, body=None)


def test_a_ping_pong_turns_at_both_ends_and_keeps_true_intervals() -> None:
    joints = np.arange(5, dtype=np.float32)[:, None, None] + np.zeros((1, 17, 3), np.float32)
    times = np.array([0.0, 0.1, 0.3, 0.6, 1.0])
    clip = MotionClip("c", "c", "s", "test", timestamps=times, joints3d=joints, extras={"mark": joints[:, 0]})
    played = ping_pong(clip, 1, 11)
    assert played.joints3d[:, 0, 0].tolist() == played.extras["mark"][:, 0].tolist()
    assert played.joints3d[:, 0, 0].tolist() == [0, 1, 2, 3, 4, 3, 2, 1, 0, 1, 2]
    np.testing.assert_allclose(np.diff(played.times), [0.1, 0.2, 0.3, 0.4, 0.4, 0.3, 0.2, 0.1, 0.1, 0.2])
    assert ping_pong(clip, 2, 6).joints3d[:, 0, 0].tolist() == [0, 2, 4, 2, 0, 2]
    with pytest.raises(InputError, match="clip c has one frame at the base rate"):
        ping_pong(clip, 5, 6)


def test_detectors_err_afresh_on_every_frame_of_a_ping_pong() -> None:
    clip = bare(captures().sources("test")[0])
    played = ping_pongs(captures(), [clip], 80, 1)
    back = 2 * 29  # frame 0 is the first that is shown, the clip's frame 1
    torch.testing.assert_close(played.target[0, 0], played.target[0, back])
    assert not torch.equal(played.keypoints[0, 0], played.keypoints[0, back])
    assert played.frames == 80


def test_real_spans_are_the_middle_of_clips_that_are_long_enough_at_the_base_rate() -> None:
    data = captures()
    clips = [bare(clip) for clip in data.sources("test")]
    spans = real_spans(data, clips, 90, 5)
    assert (len(spans), spans.frames, spans.subjects) == (2, 90, "2 of subject synthetic")
    torch.testing.assert_close(spans.dt, torch.full((2, 90), 0.02))
    # Twice the base rate: 181 frames taken of 300, 60 of which are before them; the first gives the interval.
    height = torch.from_numpy(clips[1].joints3d[59 + 2 + 2 * np.arange(90)])
    length = (height - height[:, :1]).norm(dim=-1)
    torch.testing.assert_close(spans.target[0].norm(dim=-1), length, atol=1e-5, rtol=0)
    assert real_spans(data, clips, 150, 5) is None
    assert len(real_spans(data, clips, 90, 1)) == 1


def test_pieces_are_the_same_frames(make_run) -> None:
    data = captures()
    spans = real_spans(data, [bare(clip) for clip in data.sources("test")], 90, 5)
    pieces = spans.pieces(18)
    assert (len(pieces), pieces.frames, pieces.subjects) == (10, 18, spans.subjects)
    assert torch.equal(pieces.keypoints[7], spans.keypoints[1, 36:54])
    assert torch.equal(pieces.dt.reshape(2, 90), spans.dt)
    assert torch.equal(spans.begin(20).target, spans.target[:, :20])
    assert torch.equal(spans.take(1).scored, spans.scored[:1])


def test_performances_stay_in_one_room_and_last() -> None:
    data = SyntheticDataModule(frames=9, test_clips=6, duration=0.5)  # two walk or run off
    performed = performances(data, "test", 400, 3)
    assert (len(performed), performed.frames) == (3, 400)
    torch.testing.assert_close(performed.dt, torch.full((3, 400), 0.02), atol=1e-6, rtol=0)
    jump = SyntheticMotion(2, "test", duration=401 / 50)
    joints = torch.from_numpy(jump.at(jump.times[[400]]).joints3d[0])
    sizes = (joints - joints[:1]).norm(dim=-1)
    torch.testing.assert_close(performed.target[0, -1].norm(dim=-1), sizes, atol=1e-5, rtol=0)
    assert data.duration == 0.5
    data.clips["test"] = 2
    with pytest.raises(InputError, match=f"none of 2 test performances stays within {ROOM:g} m"):
        performances(data, "test", 2000, 3)


def mirrored(values: Tensor) -> Tensor:
    """Joints, or keypoints about the image's centre, left for right."""
    return values[..., list(H36M17.mirror), :] * values.new_tensor([-1.0, 1.0, 1.0])


def test_rows_are_those_of_the_same_frames_in_windows_and_in_one_piece(make_run) -> None:
    contestants = load_contestants([make_run("a"), make_run("b", "DSTformer", max_frames=9, seed=3)])
    rows = list(compare_lengths(contestants, captures(), "test", 400, [100], 1, 16000))
    assert all(set(row) <= set(COLUMNS) for row in rows)
    totals = {
        (row["model"], row["source"], row["frames"], row["mode"]): row for row in rows if row["position_s"] is None
    }
    ways = [("capture", 9 * size) for size in SPANS] + [("ping-pong", 100)]
    assert list(totals) == [
        (model, source, frames, mode)
        for part in (ways[:3], ways[3:])
        for model, modes in (
            ("hummuss", ("windows", "adjacent", "whole", "adjacent-mirrored", "mirrored")),
            ("dstformer", ("windows", "adjacent")),
        )
        for source, frames in part
        for mode in modes
    ]
    spans = real_spans(captures(), [bare(clip) for clip in captures().sources("test")], 90, 40)
    for size in SPANS:
        own = spans.pieces(9 * size)
        joints = contestants[0].joints(own.keypoints, own.dt)
        expected = 1000 * float((joints - own.target).norm(dim=-1).mean())
        assert totals["hummuss", "capture", 9 * size, "whole"]["mpjpe_mm"] == pytest.approx(expected, rel=1e-4)
        twin = contestants[0].joints(mirrored(own.keypoints), own.dt)
        expected = 1000 * float(((joints + mirrored(twin)) / 2 - own.target).norm(dim=-1).mean())
        assert totals["hummuss", "capture", 9 * size, "mirrored"]["mpjpe_mm"] == pytest.approx(expected, rel=1e-4)
    single = [totals["hummuss", "capture", 9, mode]["mpjpe_mm"] for mode in ("windows", "adjacent", "whole")]
    assert single == [pytest.approx(single[0], abs=2e-4)] * 3
    # Cut at the same places, a span in adjacent windows is as many spans of one window; averaging is more than that.
    tenfold = {mode: totals["hummuss", "capture", 90, mode]["mpjpe_mm"] for mode in CALLED}
    assert tenfold["adjacent"] == pytest.approx(single[0], abs=2e-4)
    assert tenfold["windows"] != pytest.approx(single[0], abs=2e-3)
    once = totals["hummuss", "capture", 9, "mirrored"]["mpjpe_mm"]
    assert tenfold["adjacent-mirrored"] == pytest.approx(once, abs=2e-4)
    assert tenfold["adjacent-mirrored"] != pytest.approx(tenfold["mirrored"], abs=2e-3)
    assert totals["hummuss", "capture", 18, "windows"] != totals["hummuss", "capture", 18, "whole"]
    assert (totals["dstformer", "capture", 18, "windows"]["sequences"], rows[0]["window"]) == (10, 9)


def test_heads_of_other_tasks_change_nothing(make_run) -> None:
    alone, beside = (load_contestants([make_run(name)])[0] for name in ("a", "b"))
    beside.run.model.heads["action"] = ActionHead(beside.run.model.backbone.dim_rep, hidden=8, classes=["walk", "run"])
    rows = [list(compare_lengths([own], captures(), "test", 400, [100], 1, 16000)) for own in (alone, beside)]
    assert [row["mpjpe_mm"] for row in rows[1]] == [row["mpjpe_mm"] for row in rows[0]]


def test_positions_cover_the_sequence(make_run) -> None:
    (contestant,) = load_contestants([make_run("a")])
    rows = [row for row in compare_lengths([contestant], captures(), "test", 400, [180, 200], 2, 16000)]
    whole = [row for row in rows if (row["frames"], row["mode"]) == (200, "whole")]
    assert len(whole) == 21
    assert whole[0]["mpjpe_mm"] == pytest.approx(np.mean([row["mpjpe_mm"] for row in whole[1:]]), abs=1e-3)
    # Bins of ten frames, 20 ms each; the first frame ends the first interval.
    assert [row["position_s"] for row in whole[1:3]] == [pytest.approx(0.11, abs=1e-3), pytest.approx(0.31, abs=1e-3)]
    assert sum(row["frames"] == 18 for row in rows) == 5 * 3


def test_frames_that_a_protocol_leaves_out_do_not_count(make_run, monkeypatch) -> None:
    (contestant,) = load_contestants([make_run("a")])
    plain = Captures.sources

    def half(self: Captures, split: str) -> list[MotionClip]:
        return [replace(c, extras={VALID: np.arange(len(c)) >= len(c) // 2}) for c in plain(self, split)]

    monkeypatch.setattr(Captures, "sources", half)
    rows = list(compare_lengths([contestant], captures(), "test", 400, [100], 1, 16000))
    spans = [row for row in rows if (row["source"], row["frames"], row["mode"]) == ("capture", 90, "whole")]
    own = real_spans(captures(), [bare(clip) for clip in captures().sources("test")], 90, 40)
    assert 0.4 < own.scored.float().mean() < 0.6
    errors = (contestant.joints(own.keypoints, own.dt) - own.target).norm(dim=-1).mean(-1)
    assert spans[0]["mpjpe_mm"] == pytest.approx(1000 * float(errors[own.scored].mean()), rel=1e-4)
    assert spans[1]["mpjpe_mm"] is None


def test_a_stream_is_one_piece_and_its_state_is_watched(make_run) -> None:
    (contestant,) = load_contestants([make_run("a", causal=True)])
    rows = list(compare_lengths([contestant], captures(), "test", 400, [100, 120], 2, 16000))
    streamed = [row for row in rows if row["mode"] == "stream"]
    assert {(row["source"], row["frames"], row["sequences"]) for row in streamed} == {
        ("capture", 90, 1),
        ("ping-pong", 120, 1),
    }
    assert max(row["stream_off_mm"] for row in streamed) < 0.01
    span = real_spans(captures(), [bare(clip) for clip in captures().sources("test")], 90, 40).take(1)
    joints, norms = stream_joints(contestant, span)
    torch.testing.assert_close(joints, contestant.joints(span.keypoints, span.dt), atol=1e-5, rtol=0)
    backbone = contestant.run.model.backbone
    with torch.inference_mode():
        state = backbone.init_state(1)
        for frame in range(18):
            _, state = backbone.step(span.keypoints[:, frame], span.dt[:, frame], state)
    expected = float(torch.cat([part.flatten() for layer in state for part in layer]).norm())
    assert float(norms[17]) == pytest.approx(expected, rel=1e-5)
    told = [row["state_norm"] for row in streamed if row["source"] == "capture"]
    assert told[0] is None
    assert told[2] == pytest.approx(expected, abs=1e-4)


def test_a_causal_model_goes_on_where_the_memory_ends(make_run, monkeypatch) -> None:
    (contestant,) = load_contestants([make_run("a", causal=True)])
    wanted = [
        row for row in compare_lengths([contestant], captures(), "test", 400, [100], 1, 1) if row["frames"] == 100
    ]
    for module in ("evaluation.long", "inference.strategy"):
        monkeypatch.setattr(f"hummuss.{module}.fits", lambda *_: False)
    monkeypatch.setattr("hummuss.inference.strategy.FRAMES_AT_ONCE", 30)
    rows = [row for row in compare_lengths([contestant], captures(), "test", 400, [100], 1, 1) if row["frames"] == 100]
    assert "whole" in {row["mode"] for row in rows}
    for found, expected in zip(rows, wanted, strict=True):
        assert found["mpjpe_mm"] == pytest.approx(expected["mpjpe_mm"], abs=2e-3)
        assert {**found, "mpjpe_mm": None} == {**expected, "mpjpe_mm": None}


def test_what_the_memory_cannot_hold_in_one_piece_is_left_out_and_told(make_run, monkeypatch) -> None:
    (contestant,) = load_contestants([make_run("a", causal=True)])
    monkeypatch.setattr("hummuss.evaluation.long.fits", lambda backbone, frames, device: frames < 120)
    monkeypatch.setattr("hummuss.evaluation.long.goes_on", lambda backbone: False)  # as a user's own may be
    rows = list(compare_lengths([contestant], captures(), "test", 400, [100, 120], 1, 16000))
    modes = {(row["frames"], row["mode"]) for row in rows if row["source"] == "ping-pong"}
    assert modes == {(size, mode) for size in (100, 120) for mode in ("windows", "adjacent")} | {
        *((100, mode) for mode in ("whole", "adjacent-mirrored", "mirrored")),
        (120, "stream"),
    }
    assert all(row["stream_off_mm"] is None for row in rows if (row["frames"], row["mode"]) == (120, "stream"))
    said = "\n".join(sentences(rows))
    assert ": not run in one piece, which the memory did not hold: 120 frames (clips played" in said
    assert "frame by frame" in said

    few = list(compare_lengths([contestant], captures(), "test", 400, [100, 120], 1, 100))
    assert {row["frames"] for row in few if row["mode"] == "stream"} == {90, 100}


def test_what_cannot_be_compared_is_refused(make_run) -> None:
    contestants = load_contestants([make_run("a"), make_run("b", dim=16)])
    with pytest.raises(InputError, match="both hummuss, seed 0, trained alike"):
        next(compare_lengths(contestants, captures(), "test", 400, [100], 1, 16000))
    with pytest.raises(InputError, match="--lengths has 90 frames: give more than 90"):
        next(compare_lengths(contestants[:1], captures(), "test", 400, [100, 90], 1, 16000))
    shorter = load_contestants([make_run("c", frames=5, seed=1)])
    with pytest.raises(InputError, match=r"different lengths, .*a/1/best.ckpt on 9, .*c/1/best.ckpt on 5 frames"):
        next(compare_lengths([contestants[0], *shorter], captures(), "test", 400, [100], 1, 16000))


def fabricated(seed: int, source: str, frames: int, mode: str, errors: list[float]) -> list[dict]:
    facts = {"dataset": "lab", "model": "hummuss-causal", "trained_with_augmentation": True, "seed": seed}
    facts |= {"source": source, "frames": frames, "mode": mode, "window": 9, "stream_off_mm": 0.002, "sequences": 1}
    places = [None, *map(float, range(1, len(errors) + 1))]
    return [
        facts | {"position_s": place, "mpjpe_mm": error, "state_norm": place and 10.0 * place}
        for place, error in zip(places, [float(np.mean(errors)), *errors], strict=True)
    ]


def test_verdicts_are_computed_from_means_over_seeds() -> None:
    rows = []
    for seed, more in enumerate((0.0, 2.0)):
        for frames, worse in ((18, 1.0), (90, 2.5)):
            rows += fabricated(seed, "capture", frames, "windows", [99.0 + more])
            rows += fabricated(seed, "capture", frames, "whole", [99.0 + more + worse])
        rows += fabricated(seed, "ping-pong", 200, "windows", [50.0 + more] * 5)
        rows += fabricated(seed, "ping-pong", 200, "whole", [40.0, 50.0, 50.0, 50.0, 50.0])
        rows += fabricated(seed, "ping-pong", 200, "stream", [1.0] * 5)
    name = "**hummuss-causal (varied rate)**"
    assert sentences(rows) == [
        f"{name}, real spans in one piece against windows: +1.0 ± 0.0 % at 18 frames and +2.5 ± 0.0 % at 90 "
        "frames; at most 2 % worse does not hold.",
        f"{name}, 200 frames (clips played forwards and backwards in turn): 48.0 mm in one piece, 51.0 mm in windows "
        "(-5.9 ± 2.6 %); no worse in one piece holds. From the first to the last fifth of the sequence the error "
        "changes by +25.0 % in one piece and +0.0 % in windows.",
        f"{name}, streamed frame by frame, never more than 0.002 mm from one piece: the norm of its state is 10 "
        "after a 5th of 200 frames (clips played forwards and backwards in turn) and 50 after all of them.",
    ]
    averaged = [row for row in rows if row["mode"] == "windows"]
    once = rows + [row | {"mode": "adjacent", "mpjpe_mm": row["mpjpe_mm"] / 0.8} for row in averaged]
    said = sentences(once)
    assert said[0] == sentences(rows)[0] + " Against adjacent windows: -19.2 ± 0.0 % and -18.0 ± 0.0 %."
    assert said[1] == sentences(rows)[1] + " Against adjacent windows: -24.7 ± 2.1 %."
    assert said[2:] == sentences(rows)[2:]
    pieces = [row for row in rows if row["mode"] == "whole"]
    twice = once + [row | {"mode": "mirrored", "mpjpe_mm": row["mpjpe_mm"] / 2} for row in pieces]
    assert sentences(twice) == sentences(once)  # what mirroring brings is no merit of one piece
    twice += [row | {"mode": "adjacent-mirrored"} for row in averaged]
    assert sentences(twice)[0] == sentences(once)[0] + " Both mirrored too: -49.5 ± 0.0 % and -48.8 ± 0.0 %."
    assert sentences(twice)[2:] == sentences(rows)[2:]
    fine = [row | {"mpjpe_mm": 99.5} if row["frames"] == 90 and row["mode"] == "whole" else row for row in rows]
    assert "at most 2 % worse holds" in sentences(fine)[0]
    worse = [row | {"mpjpe_mm": 51.5} if row["frames"] == 200 and row["mode"] == "whole" else row for row in rows]
    assert "no worse in one piece does not hold" in sentences(worse)[1]
    lacking = [row for row in worse if (row["frames"], row["mode"], row["seed"]) != (200, "whole", 1)]
    said = sentences(lacking)
    assert (
        said[0] == f"{name}: not run in one piece, which the memory did not hold: 200 frames (clips played forwards "
        "and backwards in turn) of seed 1."
    )
    assert "51.5 mm in one piece, 50.0 mm in windows (+3.0 %)" in said[2]  # of seed 0 alone
    too_long = [row | {"mpjpe_mm": 55.0 + (row["position_s"] or 3)} if row["mode"] == "stream" else row for row in rows]
    too_long = [row for row in too_long if (row["frames"], row["mode"]) != (200, "whole")]
    assert sentences(too_long)[-1] == (
        f"{name}, 200 frames (clips played forwards and backwards in turn) that the memory did not hold in one piece: "
        "58.0 mm streamed, 51.0 mm in windows (+13.7 ± 3.2 %). From the first to the last fifth of the stream the "
        "error changes by +7.1 %."
    )
    assert not any("mm streamed" in sentence for sentence in sentences(rows))
    one_of_two = [row | {"sequences": 2} if row["mode"] == "windows" else row for row in too_long]
    assert not any("mm streamed" in sentence for sentence in sentences(one_of_two))
    few = [row for row in rows if row["mode"] != "stream" or row["position_s"] is None]
    assert sentences(few)[-1].endswith(
        "frames streamed one by one (clips played forwards and backwards in turn), never "
        "more than 0.002 mm from one piece."
    )
    windows = [row for row in rows if row["mode"] == "windows" and row["source"] == "ping-pong"]
    assert sentences(windows) == [
        "No clip has 90 frames at the base rate: there are no real spans.",
        f"{name} takes no sequence longer than its windows in one piece.",
    ]


def test_the_command_writes_rows_page_and_picture(make_run, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    overlay = tmp_path / "short.yaml"
    overlay.write_text(yaml.safe_dump({"data": {"init_args": {"test_clips": 4, "duration": 0.5}}}))
    runs = [make_run("a", causal=True), make_run("b", "DSTformer", max_frames=9)]
    configs = ["--config", str(CONFIGS / "pose.yaml"), "--config", str(overlay)]
    options = ["--ckpt", *map(str, runs), "--out", "page/long", "--lengths", "100", "120", "--clips", "1"]
    assert main(["eval", "long", *configs, *options]) == 0
    with open("page/long.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert {(row["source"], row["frames"]) for row in rows} == {
        *(("synthetic", str(frames)) for frames in (9, 18, 90, 100, 120)),
        *(("ping-pong", str(frames)) for frames in (100, 120)),
    }
    assert {row["mode"] for row in rows if row["model"] == "dstformer"} == {"windows", "adjacent"}
    page = Path("page/long.md").read_text()
    chosen = ("synthetic", "120", "whole", "")
    (whole,) = [row for row in rows if (row["source"], row["frames"], row["mode"], row["position_s"]) == chosen]
    assert f"{float(whole['mpjpe_mm']):.1f} | " in next(line for line in page.splitlines() if "synthetic | 120" in line)
    assert "--lengths 100 120 --clips 1" in page
    assert "ping-pong" in page
    assert Path("page/long.png").stat().st_size > 10_000
    assert {path.name for path in Path("page").iterdir()} == {"long.csv", "long.md", "long.png"}


def test_a_comparison_that_was_cut_off_goes_on_where_it_was(make_run, tmp_path) -> None:
    contestants = load_contestants([make_run("a", causal=True), make_run("b", seed=1)])
    path = tmp_path / "long.partial.jsonl"

    def rows(kept: KeptRows | None, streamed: int = 120) -> Iterator[dict[str, Any]]:
        return compare_lengths(contestants, captures(), "test", 40, [100, 120], 1, streamed, kept)

    expected = list(rows(None))
    begun = rows(KeptRows(path))
    assert [next(begun) for _ in expected[:-1]] == expected[:-1]
    begun.close()
    model, predicted = contestants[1].run.model, []
    handle = model.backbone.register_forward_hook(lambda _, inputs, __: predicted.append(inputs[0].shape[1]))
    contestants[0].run.model.backbone.register_forward_hook(
        lambda *_: pytest.fail("what was finished is computed anew")
    )
    assert list(rows(KeptRows(path))) == expected
    assert 120 in predicted
    assert 100 not in predicted
    handle.remove()
    # Nothing is left to compute, but of another length to stream nothing is known.
    assert list(rows(KeptRows(path))) == expected
    with pytest.raises(pytest.fail.Exception, match="computed anew"):
        list(rows(KeptRows(path), 100))


def test_the_command_goes_on_too(make_run, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    overlay = tmp_path / "short.yaml"
    overlay.write_text(yaml.safe_dump({"data": {"init_args": {"test_clips": 4, "duration": 0.5}}}))
    command = ["eval", "long", "--config", str(CONFIGS / "pose.yaml"), "--config", str(overlay)]
    command += ["--ckpt", str(make_run("a")), "--out", "page/long", "--lengths", "100", "--clips", "1"]

    def no_page(*_: object) -> None:
        raise KeyboardInterrupt

    def anew(*_: object, **__: object) -> Iterator[dict[str, Any]]:
        yield pytest.fail("computed anew")

    monkeypatch.setattr("hummuss.cli.eval_long.write_page", no_page)
    assert main(command) == INTERRUPTED
    table = Path("page/long.csv").read_text()
    assert {path.name for path in Path("page").iterdir()} == {"long.csv", "long.partial.jsonl"}
    monkeypatch.setattr("hummuss.evaluation.long._rows", anew)
    monkeypatch.setattr("hummuss.cli.eval_long.write_page", lambda *_: None)
    assert main(command) == 0
    assert Path("page/long.csv").read_text() == table
    assert {path.name for path in Path("page").iterdir()} == {"long.csv"}


def test_pages_say_whose_clips_they_are(tmp_path) -> None:
    rows = [
        row | {"subjects": "1 of subject 07", "recipe": "", "commit": "a", "device": "b"}
        for mode in ("windows", "whole")
        for row in fabricated(0, "capture", 90, mode, [50.0] * 5)
    ]
    write_page(tmp_path / "page", rows, "command")
    assert "\nClips: real spans 1 of subject 07.\n\n- " in (tmp_path / "page.md").read_text()


def test_what_has_no_scored_frame_is_told_and_an_interruption_leaves_the_last_table(
    make_run, tmp_path, monkeypatch, capsys
) -> None:
    monkeypatch.chdir(tmp_path)
    made = {"dataset": "lab", "source": "capture", "frames": 90, "mode": "whole", "model": "hummuss"}
    made |= {"position_s": None}
    rows = [made | {"mpjpe_mm": None}, made | {"mpjpe_mm": 51.0}]

    def cut_off(*_: object) -> Iterator[dict[str, Any]]:
        yield from rows
        raise KeyboardInterrupt

    monkeypatch.setattr("hummuss.cli.eval_long.compare_lengths", cut_off)
    Path("long.csv").write_text("earlier")
    run = str(make_run("a"))
    assert main(["eval", "long", "--config", str(CONFIGS / "pose.yaml"), "--ckpt", run, "--out", "long"]) == INTERRUPTED
    told, error = capsys.readouterr()
    assert error == "hummuss: interrupted\n"
    assert "90 frames whole hummuss: no frame is scored" in told
    assert "90 frames whole hummuss: 51.0 mm" in told
    assert Path("long.csv").read_text() == "earlier"
