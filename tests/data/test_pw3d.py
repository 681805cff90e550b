"""The 3DPW reader on pickles as Python 2 wrote them, with their cameras that move."""

import argparse
import pickle
import struct
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np
import pytest
import roma
import torch
from scipy.spatial.transform import Rotation

from hummuss.body.skeleton import H36M17, OPENPOSE18, SMPL24
from hummuss.body.smpl import FREE_BODY, BodyModel
from hummuss.cli import prepare as command
from hummuss.cli.main import main
from hummuss.data import MotionStore, StoreDataModule
from hummuss.data.readers.pw3d import read_pw3d
from hummuss.data.readers.task import LeftOut, ReadTask
from hummuss.data.readers.tracks import ALONE
from hummuss.errors import InputError
from hummuss.heads import MeshHead
from hummuss.protocols import PW3D, TestClips

CONFIGS = Path(__file__).parents[2] / "configs"
K = np.array([[1961.1, 0, 540], [0, 1969.2, 960], [0, 0, 1]])


class Python2Pickler(pickle._Pickler):
    """Writes text and bytes as Python 2's one kind of string."""

    dispatch: ClassVar = dict(pickle._Pickler.dispatch)

    def save_bytes(self, value: bytes) -> None:
        self.write(pickle.BINSTRING + struct.pack("<i", len(value)) + value)
        self.memoize(value)

    def save_str(self, value: str) -> None:
        self.write(pickle.BINSTRING + struct.pack("<i", len(value)) + value.encode("latin1"))
        self.memoize(value)

    dispatch[bytes], dispatch[str] = save_bytes, save_str


def write(path: Path, content: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "wb") as file:
        Python2Pickler(file, 2).dump(content)
    path.write_bytes(path.read_bytes().replace(b"numpy._core", b"numpy.core"))
    return path


def make_sequence(body: BodyModel, frames: int = 6, genders: str = "m", seed: int = 0) -> dict[str, Any]:
    """People five metres before a phone that turns and drifts; detections are exact."""
    rng = np.random.default_rng(seed)
    cameras = np.tile(np.eye(4), (frames, 1, 1))
    turns = np.pi * np.array([1.0, 0, 0]) + rng.normal(0, 0.05, (frames, 3))  # the world is y up, cameras are y down
    cameras[:, :3, :3] = Rotation.from_rotvec(turns).as_matrix()
    cameras[:, :3, 3] = rng.normal([0, 0, 5], 0.05, (frames, 3))
    people = {key: [] for key in ("poses", "betas", "trans", "jointPositions", "poses2d", "campose_valid")}
    for _ in genders:
        pose, betas = rng.normal(0, 0.2, (frames, 24, 3)), rng.normal(0, 1, 10)
        trans = rng.normal(0, 0.05, (frames, 3))
        joints = posed(body, pose, betas, trans).joints24.numpy()
        seen = project(cameras, joints)
        detections = np.zeros((frames, 18, 3))
        for number, name in enumerate(OPENPOSE18.joints):
            if name in SMPL24.joints:
                detections[:, number, 2] = 0.9
                detections[:, number, :2] = seen[:, SMPL24.joints.index(name)]
        people["poses"].append(pose.reshape(frames, 72))
        people["betas"].append(betas)
        people["trans"].append(trans)
        people["jointPositions"].append(joints.reshape(frames, 72))
        people["poses2d"].append(detections.transpose(0, 2, 1))
        people["campose_valid"].append(np.ones(frames, bool))
    return {
        "sequence": "séquence", "genders": list(genders), "cam_poses": cameras, "cam_intrinsics": K.copy(),
        "img_frame_ids": np.arange(frames), "texture_maps": [], **people,
    }  # fmt: skip


def posed(body, pose, betas, transl):
    rotations = roma.rotvec_to_rotmat(torch.as_tensor(np.asarray(pose, np.float64)))
    shape, shift = (torch.as_tensor(np.asarray(array, np.float64)) for array in (betas, transl))
    return body(rotations, shape, shift)


def seen_from(cameras: np.ndarray, points: np.ndarray) -> np.ndarray:
    return np.einsum("fij,fpj->fpi", cameras[:, :3, :3], points) + cameras[:, None, :3, 3]


def project(cameras: np.ndarray, points: np.ndarray) -> np.ndarray:
    pixels = seen_from(cameras, points) @ K.T
    return pixels[..., :2] / pixels[..., 2:]


def clips(raw: Path, smpl: SimpleNamespace | None = None):
    files = () if smpl is None else (smpl.file, smpl.regressor)
    return [clip for task in read_pw3d(raw, *files).files if isinstance(task, ReadTask) for clip in task.read()]


def test_each_person_is_a_clip_of_its_split(tmp_path, smpl) -> None:
    for number, split in enumerate(("test", "validation", "train")):
        write(tmp_path / f"sequenceFiles/{split}/walk_{number}.pkl", make_sequence(smpl.body, genders="fm"))
    found = clips(tmp_path, smpl)
    assert [(clip.name, clip.split) for clip in found] == [
        ("walk_2/0", "train"), ("walk_2/1", "train"), ("walk_1/0", "val"), ("walk_1/1", "val"), ("walk_0/0", "test"),
        ("walk_0/1", "test"),
    ]  # fmt: skip
    assert [clip.extras["gender"].tolist() for clip in found] == 3 * [[0] * 6, [1] * 6]
    first = found[0]
    assert (first.fps, first.frame, first.body, first.person) == (30.0, "camera", "SMPL_NEUTRAL", "0")
    assert (first.camera.width, first.camera.height) == (1080, 1920)
    np.testing.assert_array_equal(first.camera.intrinsics, K)
    assert clips(tmp_path / "sequenceFiles", smpl)[0].name == "walk_2/0"


def test_labels_pose_the_body_where_the_moving_camera_sees_it(tmp_path, smpl) -> None:
    content = make_sequence(smpl.body, genders="fm")
    write(tmp_path / "test/walk.pkl", content)
    for number, clip in enumerate(clips(tmp_path, smpl)):
        own = {key: content[key][number] for key in ("poses", "betas", "trans")}
        world = posed(smpl.body, own["poses"].reshape(-1, 24, 3), own["betas"], own["trans"])
        seen = posed(smpl.body, clip.smpl_pose, clip.betas, clip.transl)
        expected = seen_from(content["cam_poses"], world.vertices.numpy())
        np.testing.assert_allclose(seen.vertices.numpy(), expected, atol=1e-5)
        np.testing.assert_allclose(clip.joints3d, seen_from(content["cam_poses"], world.joints17.numpy()), atol=1e-5)
        assert (clip.joints3d[:, H36M17.joints.index("right_ankle"), 1] > clip.joints3d[:, 10, 1]).all()  # y down


def test_detections_lie_on_the_projected_joints(tmp_path, smpl) -> None:
    write(tmp_path / "test/walk.pkl", make_sequence(smpl.body))
    (clip,) = clips(tmp_path, smpl)
    joints = posed(smpl.body, clip.smpl_pose, clip.betas, clip.transl).joints24.numpy()
    pixels = joints @ clip.camera.intrinsics.T
    pixels = pixels[..., :2] / pixels[..., 2:]
    for name in ("left_wrist", "right_knee", "left_hip", "right_shoulder"):
        detected = clip.keypoints2d[:, H36M17.joints.index(name)]
        np.testing.assert_allclose(detected[:, :2], pixels[:, SMPL24.joints.index(name)], atol=0.01)
        np.testing.assert_allclose(detected[:, 2], 0.9, atol=1e-6)
    assert (clip.keypoints2d[:, [H36M17.joints.index("head")]] == 0).all()  # eyes, which the fixture lacks


def test_without_a_body_file_the_free_body_stands_where_the_person_did(tmp_path, smpl) -> None:
    content = make_sequence(smpl.body)
    write(tmp_path / "test/walk.pkl", content)
    (clip,) = clips(tmp_path)
    assert (clip.body, clip.betas.tolist()) == (FREE_BODY, [0.0] * 10)
    dataset = read_pw3d(tmp_path)
    assert "betas are dropped" in dataset.notes[0]
    assert not next(dataset.files).captured  # or the summary would say that labels miss the capture by 0 mm
    pelvis = posed(BodyModel().double(), clip.smpl_pose, clip.betas, clip.transl).joints24[:, :1].numpy()
    true = content["jointPositions"][0].reshape(-1, 24, 3)[:, :1]
    np.testing.assert_allclose(pelvis, seen_from(content["cam_poses"], true), atol=1e-5)
    np.testing.assert_allclose(clip.smpl_pose[:, 1:], content["poses"][0].reshape(-1, 24, 3)[:, 1:], atol=1e-6)


def test_detections_that_are_none_are_missing(tmp_path, smpl) -> None:
    content = make_sequence(smpl.body)
    wrist, other = OPENPOSE18.joints.index("left_wrist"), OPENPOSE18.joints.index("right_wrist")
    detections = content["poses2d"][0]
    detections[:3, :, wrist] = [[1e6, 5, 0.8], [-1, 5, 0.8], [5, 1919, 1.04]]
    detections[0, :, other] = [5, 5, 0]
    write(tmp_path / "test/walk.pkl", content)
    (clip,) = clips(tmp_path, smpl)
    found = clip.keypoints2d[:, H36M17.joints.index("left_wrist")]
    assert found[:3].tolist() == [[0, 0, 0], [0, 0, 0], [5, 1919, 1]]
    assert clip.keypoints2d[0, H36M17.joints.index("right_wrist")].tolist() == [0, 0, 0]
    assert clip.keypoints2d[1, H36M17.joints.index("right_wrist"), 2] > 0


def test_frames_without_a_camera_are_cut_from_training_and_marked_in_the_test(tmp_path, smpl) -> None:
    content = make_sequence(smpl.body, frames=10)
    content["campose_valid"][0] = np.array([1, 1, 1, 0, 1, 0, 0, 1, 1, 0], np.uint8)
    for split in ("train", "test"):
        write(tmp_path / f"{split}/walk_{split}.pkl", content)
    before, alone, after, whole = clips(tmp_path, smpl)
    assert alone == LeftOut("walk_train/0/4", ALONE)
    assert (before.name, after.name, whole.name) == ("walk_train/0/0", "walk_train/0/7", "walk_test/0")
    assert whole.extras["valid_frame"].tolist() == [1, 1, 1, 0, 1, 0, 0, 1, 1, 0]
    for part, frames in ((before, slice(0, 3)), (after, slice(7, 9))):
        for key, array in part.frame_arrays():
            np.testing.assert_array_equal(array, dict(whole.frame_arrays())[key][frames])
    np.testing.assert_allclose(before.times, np.arange(3) / 30)
    np.testing.assert_allclose(after.times, [7 / 30, 8 / 30])  # the sequence's clock: others may be in view then
    assert "there is no validation split" in " ".join(read_pw3d(tmp_path).notes)


@pytest.mark.parametrize(("centre", "size"), [((540, 960), (1080, 1920)), ((962.5, 538.4), (1920, 1080))])
def test_image_size_follows_from_the_principal_point(tmp_path, smpl, centre, size) -> None:
    content = make_sequence(smpl.body)
    content["cam_intrinsics"][:2, 2] = centre
    write(tmp_path / "test/walk.pkl", content)
    (clip,) = clips(tmp_path, smpl)
    assert (clip.camera.width, clip.camera.height) == size


def spoil(key: str, value: Any, person: int | None = 0):
    def change(content: dict[str, Any]) -> None:
        if value is None:
            del content[key]
        elif person is None:
            content[key] = value
        else:
            content[key][person] = value

    return change


NAN = np.full((6, 72), np.nan)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (spoil("poses2d", None), "is no 3DPW sequence: it lacks poses2d"),
        (spoil("genders", "n"), "gender of person 0 is 'n', expected 'm' or 'f'"),
        (spoil("genders", ["m", "f"], None), r"as many of each as there are people, found .*'genders': 2"),
        (spoil("poses", 3, None), "as many of each as there are people, found {'poses': 0"),
        (spoil("poses", np.zeros((5, 72))), r"poses of person 0 has shape \(5, 72\), expected \(6, 72\)"),
        (spoil("poses", NAN), r"poses of person 0 has a NaN or infinity at \[0, 0\]"),
        (spoil("poses", ["a"]), "poses of person 0 is not an array of numbers"),
        (spoil("betas", np.zeros((6, 10))), r"betas of person 0 have shape \(6, 10\), expected 10 for the sequence"),
        (spoil("poses2d", np.zeros((6, 18, 3))), r"poses2d of person 0 has shape .*, expected \(6, 3, 18\)"),
        (spoil("poses2d", -np.ones((6, 3, 18))), "poses2d of person 0 has confidence -1 at frame 0, joint 0"),
        (spoil("cam_poses", np.zeros((6, 4, 4)), None), "cam_poses has no rotation at frame 0"),
        (spoil("cam_poses", np.zeros((0, 4, 4)), None), "cam_poses has 0 frames, at least 2 are needed"),
        (spoil("cam_poses", np.eye(4), None), r"cam_poses has shape \(4, 4\), expected \(F, 4, 4\)"),
        (spoil("cam_intrinsics", np.eye(3), None), r"principal point at \(0, 0\)"),
        (spoil("cam_intrinsics", -K, None), "expected the middle of a 1920 x 1080 image"),
    ],
)
def test_what_does_not_fit_is_refused_by_file_and_field(tmp_path, smpl, change, reason) -> None:
    content = make_sequence(smpl.body)
    change(content)
    write(tmp_path / "train/walk.pkl", content)
    with pytest.raises(InputError, match=rf"walk\.pkl.*{reason}"):
        clips(tmp_path, smpl)


def test_a_sequence_without_any_camera_is_refused(tmp_path, smpl) -> None:
    content = make_sequence(smpl.body)
    content["campose_valid"][0][:] = False
    write(tmp_path / "train/walk.pkl", content)
    with pytest.raises(InputError, match="campose_valid is 0 throughout"):
        clips(tmp_path, smpl)


def test_damaged_files_and_wrong_folders(tmp_path, smpl) -> None:
    path = write(tmp_path / "train/walk.pkl", make_sequence(smpl.body))
    path.write_bytes(path.read_bytes()[:-500])
    with pytest.raises(InputError, match=r"walk\.pkl is a damaged pickle"):
        clips(tmp_path)
    write(path, [1, 2])
    with pytest.raises(InputError, match=r"walk\.pkl holds a list, expected the dict of a 3DPW sequence"):
        clips(tmp_path)
    with pytest.raises(InputError, match=r"holds no sequenceFiles/\{train,validation,test\}/\*\.pkl: unpack"):
        read_pw3d(tmp_path / "train")
    with pytest.raises(InputError, match="belongs to a body file: give --body too"):
        read_pw3d(tmp_path, None, smpl.regressor)
    with pytest.raises(InputError, match=r"SMPL_NEUTRAL\.npz has no Human3\.6M joint regressor"):
        read_pw3d(tmp_path, smpl.file)


@pytest.fixture
def store(tmp_path, smpl) -> Path:
    """All three splits, prepared by the command."""
    for number, split in enumerate(("train", "validation", "test")):
        content = make_sequence(smpl.body, frames=12, genders="fm", seed=number)
        content["campose_valid"][1][4] = split != "test"
        write(tmp_path / f"raw/sequenceFiles/{split}/walk_{number}.pkl", content)
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    files = ["--body", str(smpl.file), "--regressor", str(smpl.regressor)]
    words = ["pw3d", str(tmp_path / "raw"), str(tmp_path / "store"), *files, "--workers", "1"]
    assert command.run(parser.parse_args(words)) == 0
    return tmp_path / "store"


def test_perfect_predictions_on_a_prepared_store_score_nothing(store, smpl) -> None:
    assert MotionStore(store).source["residual_mm"] == []
    files = {"body_path": str(smpl.file), "h36m_regressor": str(smpl.regressor)}
    data = StoreDataModule(store, frames=5, **files)
    head = MeshHead(4, hidden=8, vertex_count=20, **files)
    shown = TestClips(data.groups("test"), [])
    protocol = PW3D(gt="neutral", root="regressor")
    protocol.check(shown)
    evaluation = protocol.evaluation(head, shown)
    (loader,) = data.test_dataloader()
    for batch in loader:
        prediction = {"rotations": roma.rotvec_to_rotmat(batch["smpl_pose"]), "betas": batch["betas"]}
        evaluation.update(prediction, batch, batch["clip"])
    (row,) = evaluation.result().rows
    assert row.count == 23
    assert max(row.figures.values()) < 1e-2


@pytest.mark.filterwarnings("ignore:LightningCLI's args parameter")
def test_mesh_training_on_the_prepared_store(store, smpl, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    paths = {"body_path": smpl.file, "h36m_regressor": smpl.regressor}
    words = [f"--{place}.{name}={path}" for place in ("data.init_args", "model.init_args.heads.mesh.init_args")
             for name, path in paths.items()]  # fmt: skip
    words += ["--trainer.fast_dev_run=1", "--data.init_args.frames=5", "--data.init_args.batch_size=2"]
    configs = ["--config", str(CONFIGS / "mesh.yaml"), "--config", str(CONFIGS / "data/pw3d.yaml")]
    assert main(["fit", *configs, *words, f"--data.init_args.root={store}"]) == 0
