"""The AMASS reader on files of every generation of the dataset."""

import argparse
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import roma
import torch
from scipy.spatial.transform import Rotation

from hummuss.body.skeleton import H36M17
from hummuss.body.smpl import FREE_BODY, BodyModel
from hummuss.cli import prepare as command
from hummuss.cli.main import main
from hummuss.data import MotionStore
from hummuss.data.readers.amass import read_amass
from hummuss.data.readers.task import ReadTask
from hummuss.errors import InputError

CONFIGS = Path(__file__).parents[2] / "configs"
UPRIGHT = [np.pi / 2, 0, 0]  # turns a body that is y up in rest to stand in a world that is z up


def smplh(frames: int = 5, seed: int = 0) -> dict[str, Any]:
    """A file of the first generation."""
    rng = np.random.default_rng(seed)
    return {
        "poses": rng.normal(0, 0.2, (frames, 156)), "betas": rng.normal(0, 1, 16),
        "trans": rng.normal(0, 1, (frames, 3)), "dmpls": np.zeros((frames, 8)), "gender": np.array("female"),
        "mocap_framerate": np.array(120.0),
    }  # fmt: skip


def smplx(frames: int = 5, seed: int = 0) -> dict[str, Any]:
    """A file of the SMPL-X generation, with the same body pose and marker data of all kinds beside it."""
    older = smplh(frames, seed)
    pose, rng = older["poses"][:, :66], np.random.default_rng(1)
    face, hands = rng.normal(0, 0.2, (frames, 9)), rng.normal(0, 0.2, (frames, 90))
    return {
        "poses": np.concatenate([pose, face, hands], 1), "root_orient": pose[:, :3], "pose_body": pose[:, 3:],
        "pose_jaw": face[:, :3], "pose_eye": face[:, 3:], "pose_hand": hands, "trans": older["trans"],
        "betas": older["betas"], "num_betas": np.array(16), "gender": np.array("neutral_stub"),
        "surface_model_type": np.array("smplx"), "mocap_frame_rate": np.array(120.0),
        "markers_obs": np.array([Path("x")], dtype=object),  # nothing that the unpickler lets through
    }  # fmt: skip


def newer_smplh(frames: int = 5, seed: int = 0) -> dict[str, Any]:
    """Named parts alone, as in the SMPL+H files of the second generation."""
    older = smplh(frames, seed)
    return {
        "root_orient": older["poses"][:, :3], "pose_body": older["poses"][:, 3:66], "pose_hand": older["poses"][:, 66:],
        "trans": older["trans"], "betas": older["betas"], "surface_model_type": np.array(b"smplh"),
        "mocap_frame_rate": np.array(120.0),
    }  # fmt: skip


def write(path: Path, content: dict[str, Any]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, **content)
    return path


def clips(raw: Path, smpl: SimpleNamespace | None = None):
    files = () if smpl is None else (smpl.file, smpl.regressor)
    return [clip for task in read_amass(raw, *files).files if isinstance(task, ReadTask) for clip in task.read()]


def posed(body, pose, betas, transl):
    rotations = roma.rotvec_to_rotmat(torch.as_tensor(np.asarray(pose, np.float64)))
    shape, shift = (torch.as_tensor(np.asarray(array, np.float64)) for array in (betas, transl))
    return body(rotations, shape, shift)


@pytest.mark.parametrize(("make", "keeps_betas"), [(smplh, True), (newer_smplh, True), (smplx, False)])
def test_labels_pose_the_recorded_body_turned_upright(tmp_path, smpl, make, keeps_betas) -> None:
    content = make()
    write(tmp_path / "ACCAD/s001/walk_poses.npz", content)
    (clip,) = clips(tmp_path, smpl)
    pose, betas = np.zeros((5, 24, 3)), np.zeros(10)
    pose[:, :22] = smplh()["poses"][:, :66].reshape(5, 22, 3)
    if keeps_betas:
        betas = content["betas"][:10]
    recorded = posed(smpl.body, pose, betas, content["trans"])
    upright = posed(smpl.body, clip.smpl_pose, clip.betas, clip.transl)
    turn = Rotation.from_euler("x", -90, degrees=True).as_matrix()
    np.testing.assert_allclose(upright.vertices.numpy(), recorded.vertices.numpy() @ turn.T, atol=1e-5)
    np.testing.assert_allclose(clip.joints3d, recorded.joints17.numpy() @ turn.T, atol=1e-5)
    assert (clip.smpl_pose[:, 22:] == 0).all()
    assert (clip.fps, clip.frame, clip.body) == (120.0, "world", "SMPL_NEUTRAL")


def test_a_standing_person_has_the_head_above_the_feet(tmp_path, smpl) -> None:
    content = smplh() | {"poses": np.tile(np.r_[UPRIGHT, np.zeros(153)], (5, 1)), "trans": np.tile([3.0, 2, 1], (5, 1))}
    write(tmp_path / "CMU/01/stand_poses.npz", content)
    for clip in (*clips(tmp_path, smpl), *clips(tmp_path)):
        by_name = dict(zip(H36M17.joints, clip.joints3d[0], strict=True))
        assert by_name["head"][1] > by_name["pelvis"][1] + 0.5 > by_name["left_ankle"][1] + 1
        assert by_name["left_wrist"][0] > 3.5 > 2.5 > by_name["right_wrist"][0]
        assert abs(by_name["pelvis"][2] + 2) < 0.3  # forward, -y in a world that is z up, is +z in ours
        assert np.abs(clip.smpl_pose).max() < 1e-6


def test_without_a_body_file_the_free_body_is_posed_and_betas_are_dropped(tmp_path) -> None:
    write(tmp_path / "CMU/01/a_poses.npz", smplh())
    dataset = read_amass(tmp_path)
    assert "the free body is posed in place of SMPL, and betas are dropped" in dataset.notes[0]
    (task,) = dataset.files
    assert not task.captured
    (clip,) = task.read()
    assert (clip.body, clip.betas.tolist()) == (FREE_BODY, [0.0] * 10)
    np.testing.assert_allclose(clip.smpl_pose[:, 1:22], smplh()["poses"][:, 3:66].reshape(5, 21, 3), atol=1e-6)
    expected = posed(BodyModel().double(), clip.smpl_pose, clip.betas, clip.transl).joints17
    np.testing.assert_allclose(clip.joints3d, expected.numpy(), atol=1e-5)


def test_subsets_at_any_depth_decide_the_split(tmp_path) -> None:
    names = {
        "ACCAD/ACCAD/s1/a_poses.npz": ("ACCAD/ACCAD/s1/a_poses", "ACCAD/s1", "train"),
        "BMLrub/BioMotionLab_NTroje/r1/a_poses.npz": ("BMLrub/BioMotionLab_NTroje/r1/a_poses", "BMLrub/r1", "train"),
        "DanceDB/x/a.b_poses.npz": ("DanceDB/x/a.b_poses", "DanceDB/x", "train"),
        "HDM05/bd/a_stageii.npz": ("HDM05/bd/a_stageii", "HDM05/bd", "val"),
        "MPImosh/MPI_mosh/5/a_poses.npz": ("MPImosh/MPI_mosh/5/a_poses", "MPImosh/5", "val"),
        "SSM_synced/s/a_poses.npz": ("SSM_synced/s/a_poses", "SSM_synced/s", "test"),
        "Transitions/m/a_poses.npz": ("Transitions/m/a_poses", "Transitions/m", "test"),
    }
    for name in names:
        write(tmp_path / name, smplh())
    write(tmp_path / "SSM_synced/s/shape.npz", {"betas": np.zeros(16)})
    write(tmp_path / "HDM05/bd/neutral_stagei.npz", {"betas": np.zeros(16)})
    assert [(clip.name, clip.subject, clip.split) for clip in clips(tmp_path)] == list(names.values())
    notes = read_amass(tmp_path).notes
    assert "2 shape files (shape.npz, *_stagei.npz) hold no motion and are left out" in notes
    assert "in no recommended list, and so training data: DanceDB" in notes
    (own,) = clips(tmp_path / "SSM_synced")
    assert (own.name, own.sequence, own.split) == ("s/a_poses", "SSM_synced/s/a_poses", "test")


NAN = np.full((5, 3), np.nan)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"poses": None}, "is no AMASS motion: it has neither poses nor root_orient"),
        ({"poses": None, "root_orient": np.zeros((5, 3))}, "is no AMASS motion: it has no pose_body"),
        ({"poses": np.zeros((5, 72))}, r"poses has shape \(5, 72\), expected \(F, 156\) of SMPL\+H or \(F, 165\)"),
        ({"poses": np.zeros(156)}, r"poses has shape \(156,\), expected"),
        ({"poses": np.zeros((0, 156)), "trans": np.zeros((0, 3))}, "has 0 frames, at least 2 are needed"),
        ({"trans": None}, "it has no trans"),
        ({"trans": np.zeros((4, 3))}, r"trans has shape \(4, 3\), expected \(5, 3\)"),
        ({"trans": NAN}, r"trans has a NaN or infinity at \[0, 0\]"),
        ({"betas": None}, "it has no betas"),
        ({"betas": np.zeros(8)}, "betas has 8 numbers, expected 10 or more"),
        ({"mocap_framerate": None}, "expected one frame rate above 0 .*, found none"),
        ({"mocap_framerate": np.array(0.0)}, r"expected one frame rate above 0 .*, found \[0.0\]"),
        ({"mocap_frame_rate": np.array(60.0)}, r"expected one frame rate .*, found \[60.0, 120.0\]"),
        ({"mocap_framerate": np.array("fast")}, "mocap_framerate is not an array of numbers"),
    ],
)
def test_what_does_not_fit_is_refused_by_file_and_field(tmp_path, smpl, change, reason) -> None:
    content = {key: value for key, value in (smplh() | change).items() if value is not None}
    write(tmp_path / "CMU/01/a_poses.npz", content)
    with pytest.raises(InputError, match=rf"a_poses\.npz.*{reason}"):
        clips(tmp_path, smpl)


def test_damaged_files_and_empty_folders(tmp_path) -> None:
    with pytest.raises(InputError, match=r"holds no motion \(\*\.npz in SUBSET/SUBJECT\): unpack AMASS"):
        read_amass(tmp_path)
    path = write(tmp_path / "CMU/01/a_poses.npz", smplh())
    path.write_bytes(path.read_bytes()[:-300])
    with pytest.raises(InputError, match=r"a_poses\.npz is no \.npz archive of arrays, or a damaged one"):
        clips(tmp_path)


@pytest.mark.filterwarnings("ignore:LightningCLI's args parameter")
def test_mesh_training_on_the_prepared_store(tmp_path, smpl, monkeypatch, capsys) -> None:
    for number, subset in enumerate(("CMU", "SFU", "SSM_synced")):
        write(tmp_path / f"raw/{subset}/01/a_poses.npz", smplh(40, number))
    monkeypatch.chdir(tmp_path)
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    files = ["--body", str(smpl.file), "--regressor", str(smpl.regressor)]
    assert command.run(parser.parse_args(["amass", "raw", "store", *files, "--workers", "1"])) == 0
    assert "note poses and joints are those of the body SMPL_NEUTRAL" in capsys.readouterr().out
    assert {clip.split: clip.name for clip in MotionStore("store")}["val"] == "SFU/01/a_poses"
    paths = {"body_path": smpl.file, "h36m_regressor": smpl.regressor}
    words = [f"--{place}.{name}={path}" for place in ("data.init_args", "model.init_args.heads.mesh.init_args")
             for name, path in paths.items()]  # fmt: skip
    words += ["--trainer.fast_dev_run=1", "--data.init_args.frames=5", "--data.init_args.batch_size=2"]
    configs = ["--config", str(CONFIGS / "mesh.yaml"), "--config", str(CONFIGS / "data/amass.yaml")]
    assert main(["fit", *configs, *words, "--data.init_args.root=store"]) == 0
