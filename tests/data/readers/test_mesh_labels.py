"""MotionBERT's mesh labels: posed by the user's body, placed by the file's own joints, named by the body."""

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from hummuss.data.readers.h36m_cameras import CAMERAS
from hummuss.data.readers.mesh_labels import COCO_FILE, H36M_FILE, read_coco_mesh, read_h36m_mesh
from hummuss.errors import InputError
from hummuss.heads.base import root_relative
from hummuss.protocols import Plain

VIDEOS = (("s_01_act_02_subact_01_ca_01", 4), ("s_08_act_12_subact_02_ca_02", 3), ("s_11_act_16_subact_01_ca_04", 5))


def posed(smpl, pose: np.ndarray, betas: np.ndarray) -> np.ndarray:
    """Human3.6M's joints of the body at no translation, in float64."""
    rotations = torch.from_numpy(Rotation.from_rotvec(pose.reshape(-1, 3)).as_matrix().reshape(-1, 24, 3, 3))
    with torch.no_grad():
        return smpl.body(rotations, torch.from_numpy(betas), torch.zeros(len(pose), 3).double()).joints17.numpy()


def rows_of(smpl, source: str, frames: int) -> dict:
    rng = np.random.default_rng(list(source.encode()))
    pose, betas = rng.normal(0, 0.3, (frames, 24, 3)), rng.normal(0, 0.5, 10)
    joints = posed(smpl, pose, betas)
    place = rng.normal(0, 0.5, (frames, 1, 3)) + np.array([0, 0, 5])
    return {
        "joint_2d": rng.uniform(0, 1000, (frames, 17, 2)),
        "confidence": rng.uniform(0.2, 1, (frames, 17, 1)).astype(np.float32),
        "joint_cam": 1000 * (joints - joints[:, :1] + place),
        "smpl_pose": pose.reshape(frames, 72),
        "smpl_shape": np.tile(betas, (frames, 1)),
        "camera_name": [CAMERAS[int(source[-1]) - 1]] * frames,
        "action": ["Direction"] * frames,
        "source": [source] * frames,
    }


def joined(parts: list[dict]) -> dict:
    return {
        key: [name for part in parts for name in part[key]]
        if isinstance(parts[0][key], list)
        else np.concatenate([part[key] for part in parts])
        for key in parts[0]
    }


@pytest.fixture
def videos(smpl) -> dict[str, dict]:
    return {source: rows_of(smpl, source, frames) for source, frames in VIDEOS}


@pytest.fixture
def content(videos) -> dict:
    rows = list(videos.values())
    return {"train": joined(rows[:2]), "test": joined(rows[2:])}


def write(folder: Path, name: str, content) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / name).write_bytes(pickle.dumps(content))
    return folder


def test_videos_of_human36m(tmp_path, official, smpl, videos, content) -> None:
    raw = write(tmp_path / "raw", H36M_FILE, content)
    status, store = official.prepare(
        "h36m-mesh", raw, "--body", str(smpl.file), "--regressor", str(smpl.regressor)
    )  # fmt: skip
    assert (status, store.names()) == (0, [source for source, _ in VIDEOS])
    assert [clip.split for clip in store] == ["train", "val", "test"]
    assert [clip.label for clip in store] == ["Directions", "Photo", "WalkTogether"]
    assert [clip.camera.height for clip in store] == [1002, 1000, 1002]
    for clip in store:
        rows = videos[clip.name]
        assert (clip.fps, clip.frame, clip.body) == (10, "camera", "SMPL_NEUTRAL")
        np.testing.assert_allclose(clip.joints3d, rows["joint_cam"] / 1000, atol=1e-5)
        np.testing.assert_allclose(clip.betas, rows["smpl_shape"][0], atol=1e-6)
        np.testing.assert_allclose(clip.smpl_pose.reshape(-1, 72), rows["smpl_pose"], atol=1e-6)
        np.testing.assert_allclose(clip.joints3d - clip.transl[:, None], posed(
            smpl, clip.smpl_pose.astype(float), clip.betas.astype(float)), atol=1e-5)  # fmt: skip
        np.testing.assert_allclose(clip.keypoints2d[..., :2], rows["joint_2d"], rtol=1e-6)
        np.testing.assert_array_equal(clip.keypoints2d[..., 2:], rows["confidence"])


def test_a_prepared_store_is_scored(tmp_path, official, smpl, content) -> None:
    files = (str(smpl.file), str(smpl.regressor))
    raw = write(tmp_path / "raw", H36M_FILE, content)
    _, store = official.prepare("h36m-mesh", raw, "--body", files[0], "--regressor", files[1])
    result = official.score(
        store, Plain(), lambda batch: root_relative(batch["joints3d"]), body_path=files[0], h36m_regressor=files[1]
    )
    (row, *_) = result.rows
    assert (row.count, row.figures["mpjpe"]) == (5, pytest.approx(0, abs=1e-3))
    with pytest.raises(InputError, match="poses the body 'SMPL_NEUTRAL', but the data module has 'free'"):
        official.score(store, Plain())


def test_without_a_body_file_the_free_body_is_posed_and_named(tmp_path, official, content, capsys) -> None:
    status, store = official.prepare("h36m-mesh", write(tmp_path / "raw", H36M_FILE, content), "--fps", "25")
    assert status == 0
    assert {clip.body for clip in store} == {"free"}
    assert all((clip.betas == 0).all() for clip in store)
    assert store[0].fps == 25
    assert "the free body is posed in place of SMPL" in " ".join(capsys.readouterr().out.split())
    pelvis = content["test"]["joint_cam"][:, 0] / 1000
    np.testing.assert_allclose(store[2].joints3d[:, 0], pelvis, atol=1e-5)


def test_photographs_of_coco(tmp_path, official, smpl, videos, content) -> None:
    keys = ("joint_2d", "confidence", "smpl_pose", "smpl_shape")
    stills = {part: {key: rows[key] for key in keys} for part, rows in content.items()}
    stills["train"]["confidence"] = stills["train"]["confidence"][..., 0]
    raw = write(tmp_path / "raw", COCO_FILE, stills)
    status, store = official.prepare(
        "coco-mesh", raw, "--body", str(smpl.file), "--regressor", str(smpl.regressor)
    )  # fmt: skip
    assert (status, len(store.names("train")), len(store.names("val"))) == (0, 7, 5)
    clip, rows = store["train/000005"], videos[VIDEOS[1][0]]  # its second frame
    assert (len(clip), clip.fps, clip.camera.width, clip.body) == (2, 30, 640, "SMPL_NEUTRAL")
    joints = rows["joint_cam"][1] / 1000
    for frame in range(2):
        np.testing.assert_allclose(clip.joints3d[frame], joints - joints[:1], atol=1e-5)
        np.testing.assert_allclose(clip.keypoints2d[frame, :, :2], rows["joint_2d"][1], rtol=1e-6)
    np.testing.assert_allclose(clip.betas, rows["smpl_shape"][1], atol=1e-6)


@pytest.mark.parametrize(
    ("part", "key", "change", "message"),
    [
        ("train", "smpl_pose", lambda a: a[:, :69], r"smpl_pose has shape \(7, 69\), expected \(F, 72\)"),
        ("train", "smpl_shape", lambda a: a[:-1], "smpl_shape has 6 frames, joint_2d 7"),
        ("test", "joint_cam", None, "test lacks joint_cam, it holds joint_2d"),
        ("train", "source", lambda a: a[::2] + a[1::2], "but camera_name says|do not follow one another"),
        ("train", "source", lambda a: ["image.jpg"] * 7, "source 'image.jpg' is not of the form s_09_act_05"),
    ],
)
def test_another_file_is_refused(tmp_path, content, part: str, key: str, change, message: str) -> None:
    if change is None:
        del content[part][key]
    else:
        content[part][key] = change(content[part][key])
    with pytest.raises(InputError, match=rf"{H36M_FILE}.*({message})"):
        read_h36m_mesh(write(tmp_path / "raw", H36M_FILE, content), None, None, 10.0)


def test_units_and_numbers_that_cannot_be(tmp_path, official, content, capsys) -> None:
    content["train"]["joint_cam"][:4] /= 10
    content["train"]["smpl_pose"][5, 3] = np.nan
    status, store = official.prepare("h36m-mesh", write(tmp_path / "raw", H36M_FILE, content))
    assert (status, store.names()) == (1, [VIDEOS[2][0]])
    shown = " ".join(capsys.readouterr().out.split())
    assert "s_01_act_02_subact_01_ca_01: thighs in joint_cam are" in shown
    assert "clip s_08_act_12_subact_02_ca_02: joints3d has a NaN or infinity at frame 1" in shown


def test_files_that_are_not_there_or_cut_short(tmp_path, content) -> None:
    with pytest.raises(InputError, match=rf"{H36M_FILE} does not exist: expected MotionBERT's"):
        read_h36m_mesh(tmp_path, None, None, 10.0)
    with pytest.raises(InputError, match="--fps is 0: give frames per second"):
        read_h36m_mesh(write(tmp_path / "raw", H36M_FILE, content), None, None, 0.0)
    file = write(tmp_path / "raw", COCO_FILE, content) / COCO_FILE
    file.write_bytes(file.read_bytes()[:500])
    with pytest.raises(InputError, match=rf"{COCO_FILE} is a damaged pickle"):
        read_coco_mesh(file, None, None)
    write(tmp_path / "raw", COCO_FILE, {"train": content["train"]})
    with pytest.raises(InputError, match=rf"{COCO_FILE} lacks test, it holds train"):
        read_coco_mesh(file, None, None)
