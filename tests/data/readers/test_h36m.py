"""VideoPose3D's pair of files, written as its scripts write them, read, projected and scored."""

import pickle
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from hummuss.body.skeleton import COCO17, H36M17
from hummuss.data.readers import h36m_cameras as cameras
from hummuss.data.readers.h36m import read_h36m
from hummuss.data.readers.h36m_facts import ACTIONS, parse_source
from hummuss.errors import InputError
from hummuss.protocols import H36MP1P2, h36m_p1_p2

# Joints of the capture system: 13 is the thorax, 16 and 24 its twins, which the 17 leave out.
KEPT = [0, 1, 2, 3, 6, 7, 8, 12, 13, 14, 15, 17, 18, 19, 25, 26, 27]
SYMMETRY = [[4, 5, 6, 11, 12, 13], [1, 2, 3, 14, 15, 16]]


def project(world: np.ndarray, subject: str, view: int) -> np.ndarray:
    """Pixels of points (..., 3) in the dataset's own world, each on its own: VideoPose3D's formulae spelt out."""
    lens = list(cameras.LENSES.values())[view]
    (w, x, y, z), place = cameras._PLACES[subject][view]
    points = Rotation.from_quat([x, y, z, w]).inv().apply(world.reshape(-1, 3) - np.array(place) / 1000)
    pixels = []
    for X, Y, Z in points:
        a, b = X / Z, Y / Z
        r2 = a * a + b * b
        k, p = lens.radial, lens.tangential
        factor = 1 + k[0] * r2 + k[1] * r2**2 + k[2] * r2**3 + p[0] * a + p[1] * b
        pixels.append(
            [
                lens.focal[0] * (a * factor + p[0] * r2) + lens.centre[0],
                lens.focal[1] * (b * factor + p[1] * r2) + lens.centre[1],
            ]
        )
    return np.array(pixels).reshape(*world.shape[:-1], 2)


def people(subjects=("S1", "S8", "S9", "S11"), frames: int = 3) -> dict:
    """World positions of every action, z up, metres; every joint at a place of its own."""
    rng = np.random.default_rng(0)
    return {
        subject: {
            f"{action} 1" if i % 2 else action: (
                rng.normal(0, 0.3, (frames + i % 2, 32, 3)) + np.array([0, 0, 1])
            ).astype("f4")
            for i, action in enumerate(ACTIONS.values())
        }
        for subject in subjects
    }


def seen(positions: dict, extra: int = 0) -> dict:
    """Ground-truth keypoints, ``extra`` frames longer than the capture."""
    return {
        subject: {
            action: [
                np.concatenate([own := project(joints[:, KEPT], subject, view), own[:extra] * 0]).astype("f4")
                for view in range(4)
            ]
            for action, joints in actions.items()
        }
        for subject, actions in positions.items()
    }


def write(folder: Path, positions: dict, keypoints: dict, symmetry=SYMMETRY, kind: str = "gt") -> Path:
    folder.mkdir(exist_ok=True)
    np.savez_compressed(folder / "data_3d_h36m.npz", positions_3d=positions)
    metadata = {"num_joints": 17, "keypoints_symmetry": symmetry}
    np.savez_compressed(folder / f"data_2d_h36m_{kind}.npz", positions_2d=keypoints, metadata=metadata)
    return folder


def test_from_official_files_to_a_table_of_zeros(tmp_path, official) -> None:
    positions = people()
    for subject, actions in (("S1", ["Walking"]), ("S8", ["Sitting 1", "Eating"]), ("S11", ["Eating", "Posing 1"])):
        positions[subject] = {action: positions[subject][action] for action in actions}
    raw = write(tmp_path / "raw", positions, seen(positions, extra=2))
    status, store = official.prepare("h36m", raw, "--keypoints", "gt")
    assert status == 0
    assert [len(store.names(split)) for split in ("train", "val", "test")] == [4, 8, 4 * 17]
    rows = official.score(store, H36MP1P2()).rows
    assert [row.part for row in rows] == [*h36m_p1_p2.ACTIONS, "mean over actions"]
    for row in rows:
        assert row.figures == pytest.approx({"p1": 0, "p2": 0}, abs=1e-3)
    frames = sum(len(joints) for subject in ("S9", "S11") for joints in positions[subject].values())
    assert rows[-1].count == 4 * frames
    shifted = official.score(store, H36MP1P2(), lambda batch: batch["joints3d"] * 1.1).rows[-1].figures
    assert shifted["p1"] > 30
    assert shifted["p2"] == pytest.approx(0, abs=1e-2)


def test_a_clip_in_its_camera_and_back_in_the_world(tmp_path, official) -> None:
    positions = people(["S9"])
    raw = write(tmp_path / "raw", positions, seen(positions, extra=1))
    _, store = official.prepare("h36m", raw, "--keypoints", "gt")
    original = positions["S9"]["Discussion 1"]
    for view, name in enumerate(cameras.CAMERAS):
        clip = store[f"S9/Discussion 1/{name}"]
        assert (clip.label, clip.subject, clip.split, clip.fps, clip.frame) == (
            "Discussion", "S9", "test", 50, "camera",
        )  # fmt: skip
        assert (clip.camera.width, clip.camera.height) == (1000, 1002 if view in (0, 3) else 1000)
        world = (clip.joints3d - clip.camera.translation) @ clip.camera.rotation
        np.testing.assert_allclose(world, original[:, KEPT][..., [0, 2, 1]] * [1, 1, -1], atol=1e-5)
        np.testing.assert_allclose(clip.keypoints2d[..., :2], project(original[:, KEPT], "S9", view), atol=0.01)
        assert (clip.keypoints2d[..., 2] == 1).all()
        np.testing.assert_allclose(
            cameras.project_h36m(clip.joints3d.astype(float), name), clip.keypoints2d[..., :2], atol=0.01
        )
    # Without its distortion a camera is off by pixels: the test above would see it.
    pinhole = clip.joints3d @ clip.camera.intrinsics.T
    assert np.abs(pinhole[..., :2] / pinhole[..., 2:] - clip.keypoints2d[..., :2]).max() > 0.3


@pytest.mark.parametrize("subject", ["S1", "S5", "S6", "S7", "S8", "S9", "S11"])
def test_every_camera_stands_upright_and_looks_at_the_middle(subject: str) -> None:
    for name in cameras.CAMERAS:
        camera = cameras.h36m_camera(subject, name)
        np.testing.assert_allclose(camera.rotation @ camera.rotation.T, np.eye(3), atol=1e-6)
        assert np.linalg.det(camera.rotation) == pytest.approx(1)
        assert (camera.rotation @ [0, 1, 0])[1] < -0.9, "world is y up, cameras are y down"
        person = camera.rotation @ [0, 1, 0] + camera.translation
        assert 3 < person[2] < 7
        pixel = cameras.project_h36m(person, name)
        assert ((pixel > 250) & (pixel < 750)).all()
        assert 1 < (-camera.rotation.T @ camera.translation)[1] < 2, "cameras stand at the height of a chest"


def test_actions_are_those_of_the_protocol() -> None:
    assert sorted(ACTIONS.values()) == sorted(h36m_p1_p2.ACTIONS)
    named = "Directions Discussion Eating Greeting Phoning Posing Purchases Sitting SittingDown Smoking TakingPhoto "
    named = [*named.split(), "Waiting", "Walking", "WalkingDog", "WalkTogether"]  # metadata.xml, from number 2 on
    evaluated = {"TakingPhoto": "Photo", "WalkingDog": "WalkDog"}
    for number, name in enumerate(named, 2):
        assert parse_source(f"s_09_act_{number:02}_subact_01_ca_01", "x").action == evaluated.get(name, name)
    assert parse_source("s_11_act_16_subact_01_ca_04", "x") == ("S11", "WalkTogether", 1, 4)
    for wrong in ("s_09_act_17_subact_01_ca_01", "s_02_act_02_subact_01_ca_01", "S9 Walking"):
        with pytest.raises(InputError, match="source '"):
            parse_source(wrong, "x")


def test_coco_keypoints_are_converted_by_name(tmp_path, official) -> None:
    positions = people(["S9"])
    joints = [H36M17.joints.index(name) if name in H36M17.joints else 10 for name in COCO17.joints]
    keypoints = {"S9": {action: [view[:, joints] for view in views] for action, views in seen(positions)["S9"].items()}}
    odd, even = list(range(1, 17, 2)), list(range(2, 17, 2))
    raw = write(tmp_path / "raw", positions, keypoints, [odd, even], "detectron_pt_coco")
    status, store = official.prepare("h36m", raw, "--keypoints", "detectron_pt_coco")
    assert status == 0
    clip = store["S9/Eating/54138969"]
    expected = project(positions["S9"]["Eating"][:, KEPT], "S9", 0)
    np.testing.assert_allclose(clip.keypoints2d[:, [1, 6, 13], :2], expected[:, [1, 6, 13]], atol=0.01)
    np.testing.assert_allclose(clip.keypoints2d[:, 0, :2], expected[:, [1, 4]].mean(1), atol=0.01)


def test_a_take_that_cannot_be_used_is_named_and_stops_nothing(tmp_path, official, capsys) -> None:
    positions = people(["S8", "S9"], frames=4)
    keypoints = seen(positions)
    keypoints["S9"]["Eating"][2] = keypoints["S9"]["Eating"][2][:-1]
    keypoints["S9"]["Phoning"][1] = keypoints["S9"]["Phoning"][1][..., :1]
    keypoints["S9"]["Purchases"].pop()
    keypoints["S9"]["Smoking 1"] = keypoints["S9"]["Smoking 1"][::-1]
    positions["S9"]["Photo"] = positions["S9"]["Photo"][:, :17]
    positions["S9"]["Running"] = positions["S9"]["Walking"]
    keypoints["S9"]["Running"] = keypoints["S9"]["Walking"]
    del positions["S9"]["Walking"]
    del keypoints["S9"]["WalkDog 1"]
    status, store = official.prepare("h36m", write(tmp_path / "raw", positions, keypoints), "--keypoints", "gt")
    assert status == 1
    assert len(store) == 4 * (2 * 15 - 7)
    shown = " ".join(capsys.readouterr().out.split())
    for expected in (
        "S9/Eating/58860488: 3 frames of 2D keypoints for 4 of 3D",
        "S9/Phoning/55011271, positions_2d has shape (4, 17, 1), expected (F, 17, 2)",
        "S9/Purchases: positions_2d should be a list of 4 cameras",
        "the two files are no pair, or cameras or joints are in another order",
        "S9/Photo, positions_3d has shape (4, 17, 3), expected (F, 32, 3)",
        "S9/Running: unknown action 'Running', the 15 are Directions",
        "data_3d_h36m.npz has no S9/Walking, the other file has",
        "data_2d_h36m_gt.npz has no S9/WalkDog 1, the other file has",
    ):
        assert expected in shown


def test_drifted_positions_are_kept(tmp_path, official) -> None:
    """Some takes of S9 have their 3D positions a hand's breadth off: published rows are of them all the same."""
    positions = people(["S9"])
    keypoints = seen(positions)
    keypoints["S9"]["Greeting 1"] = [view + np.float32([80, 20]) for view in keypoints["S9"]["Greeting 1"]]
    assert official.prepare("h36m", write(tmp_path / "raw", positions, keypoints), "--keypoints", "gt")[0] == 0


def test_files_that_cannot_be_used(tmp_path) -> None:
    with pytest.raises(InputError, match=r"data_3d_h36m\.npz does not exist: expected VideoPose3D's positions_3d"):
        read_h36m(tmp_path, "gt")
    positions = people(["S9"])
    raw = write(tmp_path / "raw", positions, seen(positions))
    with pytest.raises(InputError, match=r"data_2d_h36m_cpn\.npz does not exist: choose --keypoints among gt"):
        read_h36m(raw, "cpn")
    with pytest.raises(InputError, match=r"keypoints_symmetry \[\[1\], \[2\]\] is neither Human3.6M's nor COCO's"):
        read_h36m(write(raw, positions, seen(positions), [[1], [2]]), "gt")
    with pytest.raises(InputError, match=r"positions_3d has subject 'S2': Human3\.6M's with poses are S1, S5"):
        read_h36m(write(raw, {"S2": positions["S9"]}, seen(positions)), "gt")
    with pytest.raises(InputError, match="positions_2d, S9 holds nothing, expected actions"):
        read_h36m(write(raw, positions, {"S9": {}}), "gt")
    with pytest.raises(InputError, match="positions_3d holds a ndarray, expected subjects"):
        read_h36m(write(raw, np.zeros(3), seen(positions)), "gt")
    np.savez(raw / "data_3d_h36m.npz", positions=positions)
    with pytest.raises(InputError, match=r"data_3d_h36m\.npz lacks positions_3d, it holds positions: expected"):
        read_h36m(raw, "gt")
    write(raw, positions, seen(positions))
    whole = (raw / "data_2d_h36m_gt.npz").read_bytes()
    for cut, message in ((0, "is empty"), (len(whole) // 2, "is no .npz archive of arrays, or a damaged one")):
        (raw / "data_2d_h36m_gt.npz").write_bytes(whole[:cut])
        with pytest.raises(InputError, match=rf"data_2d_h36m_gt\.npz {message}"):
            read_h36m(raw, "gt")


def test_tasks_can_be_sent_to_other_processes(tmp_path) -> None:
    positions = people(["S9"])
    raw = read_h36m(write(tmp_path / "raw", positions, seen(positions)), "gt")
    task = pickle.loads(pickle.dumps(next(iter(raw.files))))
    assert len(task.read()) == 4
