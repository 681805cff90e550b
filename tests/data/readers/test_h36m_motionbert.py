"""MotionBERT's pickle, made as its makers made it: projections, root-relative depth in pixels, and the factor."""

import pickle
from itertools import chain
from pathlib import Path

import numpy as np
import pytest

from hummuss.data.readers.h36m_cameras import CAMERAS, LENSES, h36m_camera
from hummuss.data.readers.h36m_facts import ACTIONS
from hummuss.data.readers.h36m_motionbert import FILE, read_h36m_motionbert
from hummuss.errors import InputError
from hummuss.protocols import H36MMotionBERT
from hummuss.protocols.h36m_motionbert import EXCLUDED


def rows_of(subject: int, action: int, take: int, frames: int) -> list[dict]:
    """The four videos of a take: arrays and names of their frames."""
    rng = np.random.default_rng([subject, action, take])
    world = rng.normal(0, 0.3, (frames, 17, 3)) + rng.normal(0, 0.5, 3) + [0, 1, 0]
    videos = []
    for view, name in enumerate(CAMERAS):
        camera, lens = h36m_camera(f"S{subject}", name), LENSES[name]
        mm = 1000 * (world @ camera.rotation.T + camera.translation)
        # A square of 2 m about the root gives the scale: H36M-Toolbox's _infer_box and camera_to_image_frame.
        left, right = ((mm[:, 0, 0] + side) / mm[:, 0, 2] * lens.focal[0] + lens.centre[0] for side in (-1000, 1000))
        ratio = ((right - left + 1) / 2000)[:, None]
        x, y = (mm[..., i] / mm[..., 2] * lens.focal[i] + lens.centre[i] for i in (0, 1))
        image = np.stack([x, y, ratio * (mm[..., 2] - mm[:, :1, 2])], -1)
        videos.append(
            {
                "joint_2d": (image[..., :2] + rng.normal(0, 5, (frames, 17, 2))).astype(np.float32),
                "confidence": rng.uniform(0.1, 1, (frames, 17, 1)).astype(np.float32),
                "joint3d_image": image.astype(np.float32),
                "camera_name": [name] * frames,
                "source": [f"s_{subject:02}_act_{action:02}_subact_{take:02}_ca_{view + 1:02}"] * frames,
                "2.5d_factor": 1 / ratio[:, 0],
                "joints_2.5d_image": image / ratio[..., None],
                "action": [ACTIONS[action]] * frames,
            }
        )
    return videos


def join(videos: list[dict], keys: tuple[str, ...]) -> dict:
    return {
        key: list(chain(*(video[key] for video in videos)))
        if isinstance(videos[0][key], list)
        else np.concatenate([video[key] for video in videos])
        for key in keys
    }


COMMON = ("joint_2d", "confidence", "joint3d_image", "camera_name", "source")


@pytest.fixture
def parts() -> dict:
    """Takes of S1 and S8, and all actions of S9 and S11; the excluded sequences among them."""
    train = [video for subject, frames in ((1, 5), (8, 4)) for video in rows_of(subject, 3, 1, frames)]
    takes = [(9, action, 2) for action in ACTIONS] + [(9, 13, 1), (11, 2, 1), (11, 5, 2), (11, 10, 1)]
    test = [video for subject, action, take in takes for video in rows_of(subject, action, take, 2 + action % 3)]
    return {"train": join(train, COMMON), "test": join(test, (*COMMON, "2.5d_factor", "joints_2.5d_image", "action"))}


def write(folder: Path, content) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / FILE).write_bytes(pickle.dumps(content))
    return folder


def test_from_the_official_file_to_a_table_of_zeros(tmp_path, official, parts) -> None:
    status, store = official.prepare("h36m-motionbert", write(tmp_path / "raw", parts))
    assert status == 0
    assert [len(store.names(split)) for split in ("train", "val", "test")] == [4, 4, 4 * 19]
    result = official.score(store, H36MMotionBERT())
    for row in result.rows:
        assert row.figures == pytest.approx({"p1": 0, "p2": 0}, abs=1e-2)
    assert len(result.rows) == 16
    left_out = [name for name in store.names("test") if name[:-6] in EXCLUDED]
    assert len(left_out) == 12
    assert f"left out as MotionBERT does: {len(left_out)} clips" in result.notes[0]
    scored = sum(len(clip) for clip in store if clip.split == "test" and clip.name not in left_out)
    assert result.rows[-1].count == scored


def test_a_clip_of_the_test_part(tmp_path, official, parts) -> None:
    _, store = official.prepare("h36m-motionbert", write(tmp_path / "raw", parts))
    clip, (expected, *_) = store["s_11_act_05_subact_02_ca_01"], rows_of(11, 5, 2, 4)
    assert (clip.sequence, clip.subject, clip.label, clip.split, clip.fps) == (
        "S11/Greeting 2", "S11", "Greeting", "test", 50,
    )  # fmt: skip
    assert (clip.camera.width, clip.camera.height) == (1000, 1002)
    assert store["s_11_act_05_subact_02_ca_02"].camera.height == 1000
    np.testing.assert_array_equal(clip.keypoints2d[..., :2], expected["joint_2d"])
    np.testing.assert_array_equal(clip.keypoints2d[..., 2:], expected["confidence"])
    np.testing.assert_allclose(clip.extras["factor_2_5d"], expected["2.5d_factor"], rtol=1e-6)
    np.testing.assert_allclose(clip.extras["joints_2_5d_image"], expected["joints_2.5d_image"], rtol=1e-6)
    metres = expected["joint3d_image"] * expected["2.5d_factor"][:, None, None] / 1000
    np.testing.assert_allclose(clip.joints3d, metres, rtol=1e-5, atol=1e-6)


def test_training_videos_get_the_factor_that_the_file_lacks(tmp_path, official, parts) -> None:
    _, store = official.prepare("h36m-motionbert", write(tmp_path / "raw", parts))
    assert "8 videos have no 2.5d_factor in the file: theirs is found" in store.source["notes"][0]
    for subject, frames, split in ((1, 5, "train"), (8, 4, "val")):
        for view, expected in enumerate(rows_of(subject, 3, 1, frames)):
            clip = store[f"s_{subject:02}_act_03_subact_01_ca_{view + 1:02}"]
            assert (clip.split, clip.label, list(clip.extras)) == (split, "Discussion", ["factor_2_5d"])
            np.testing.assert_allclose(clip.extras["factor_2_5d"], expected["2.5d_factor"], rtol=1e-4)
            # A few mm per pixel, whose metres are those of a person.
            assert 2 < clip.extras["factor_2_5d"].mean() < 7


def test_factors_in_the_training_part_are_taken_as_they_are(tmp_path, official, parts) -> None:
    frames = len(parts["train"]["source"])
    parts["train"]["2.5d_factor"] = np.full(frames, 4.5)
    status, store = official.prepare("h36m-motionbert", write(tmp_path / "raw", parts))
    assert (status, store.source["notes"]) == (0, [])
    assert (store["s_01_act_03_subact_01_ca_01"].extras["factor_2_5d"] == 4.5).all()


def test_factors_that_cannot_be_found_or_checked_leave_the_training_part_out(tmp_path, official, parts, capsys) -> None:
    parts["test"]["2.5d_factor"] = parts["test"]["2.5d_factor"] * 1.05
    status, store = official.prepare("h36m-motionbert", write(tmp_path / "raw", parts))
    assert (status, store.names("train"), len(store)) == (1, [], 4 * 19)
    shown = " ".join(capsys.readouterr().out.split())
    assert "differ from the test part's by 4.8 % (median), expected under 2 %" in shown
    parts["test"]["2.5d_factor"] = parts["test"]["2.5d_factor"] / 1.05
    alone = [source.endswith("ca_01") for source in parts["train"]["source"]]
    for key, values in parts["train"].items():
        kept = [value for value, keep in zip(values, alone, strict=True) if keep]
        parts["train"][key] = np.array(kept) if isinstance(values, np.ndarray) else kept
    status, store = official.prepare("h36m-motionbert", write(tmp_path / "raw", parts))
    assert (status, store.names("train")) == (1, [])
    assert "its take has 1 videos of [5] frames, where two of one length" in " ".join(capsys.readouterr().out.split())


def broken(parts: dict, part: str, key: str, change) -> dict:
    return parts | {part: parts[part] | {key: change(parts[part][key])}}


def without(parts: dict, part: str, key: str) -> dict:
    return parts | {part: {name: value for name, value in parts[part].items() if name != key}}


def rotated(rows: dict) -> dict:
    return {key: np.roll(a, -1, 0) if isinstance(a, np.ndarray) else [*a[1:], a[0]] for key, a in rows.items()}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda p: without(p, "test", "2.5d_factor"), "test lacks 2.5d_factor, it holds joint_2d"),
        (lambda p: without(p, "train", "confidence"), "train lacks confidence"),
        (lambda p: {"train": p["train"]}, "lacks test, it holds train: expected MotionBERT's"),
        (lambda p: [p], "holds a list, expected MotionBERT's"),
        (lambda p: broken(p, "test", "joint_2d", lambda a: a[..., :1]), r"joint_2d has shape .* expected \(F, 17, 2\)"),
        (lambda p: broken(p, "train", "joint3d_image", lambda a: a[:-1]), "joint3d_image has 35 frames, joint_2d 36"),
        (lambda p: broken(p, "train", "confidence", lambda a: list("abc")), "confidence is no array of numbers"),
        (lambda p: p | {"train": rotated(p["train"])}, "the frames of s_01_act_03_subact_01_ca_01 do not follow one"),
        (lambda p: broken(p, "test", "camera_name", lambda a: a[::-1]), "is camera 54138969, but camera_name says"),
        (lambda p: {"train": p["test"], "test": p["test"]}, "train has s_09.*: S9 and S11 are the test part"),
    ],
)
def test_another_file_is_refused(tmp_path, parts, change, message: str) -> None:
    with pytest.raises(InputError, match=rf"{FILE}.*{message}"):
        read_h36m_motionbert(write(tmp_path / "raw", change(parts)))


@pytest.mark.parametrize(("cut", "message"), [(0, "is empty"), (1000, "is a damaged pickle")])
def test_a_truncated_file_is_refused(tmp_path, parts, cut: int, message: str) -> None:
    file = write(tmp_path / "raw", parts) / FILE
    file.write_bytes(file.read_bytes()[:cut])
    with pytest.raises(InputError, match=rf"{FILE} {message}"):
        read_h36m_motionbert(file)


def test_no_file(tmp_path) -> None:
    with pytest.raises(InputError, match=rf"{FILE} does not exist: expected MotionBERT's"):
        read_h36m_motionbert(tmp_path)
