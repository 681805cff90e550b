"""MPI-INF-3DHP's MATLAB files, v5 and v7.3, and P-STMO's pair made from them: read, compared and scored."""

import argparse
from pathlib import Path

import h5py
import numpy as np
import pytest
import scipy.io

from hummuss.data.readers.mpi_inf_3dhp import read_mpi_inf_3dhp, read_training
from hummuss.data.readers.mpi_inf_3dhp import read_test as read_test_sequence
from hummuss.data.readers.mpi_inf_3dhp_facts import CAMERAS, RECORDINGS, TEST_SIZES, _sequence_fps
from hummuss.data.readers.mpi_inf_3dhp_npz import read_mpi_inf_3dhp_npz
from hummuss.errors import InputError
from hummuss.protocols import MPIINF3DHP
from hummuss.protocols.mpi_inf_3dhp import SEQUENCES

# P-STMO's joint_set, the 'relevant' 17 of the 28; and the order of Human3.6M's joints among those 17.
RELEVANT = [7, 5, 14, 15, 16, 9, 10, 11, 23, 24, 25, 18, 19, 20, 4, 3, 6]
TO_H36M = [14, 8, 9, 10, 11, 12, 13, 15, 1, 16, 0, 5, 6, 7, 2, 3, 4]


def joints(seed, frames: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.uniform(0, 2048, (frames, count, 2)), rng.normal(0, 300, (frames, count, 3)) + np.array([0, 0, 4000])


def write_training(raw: Path, sequence: str, frames: int = 5) -> None:
    """A cell for each of 14 cameras, a row of numbers for each frame: what loadmat gives for the dataset's file."""
    cells = {key: np.empty((14, 1), object) for key in ("annot2", "annot3", "univ_annot3")}
    for camera in range(14):
        pixels, millimetres = joints([camera, *sequence.encode()], frames, 28)
        cells["annot2"][camera, 0] = pixels.reshape(frames, -1)
        cells["annot3"][camera, 0] = 0.9 * millimetres.reshape(frames, -1)
        cells["univ_annot3"][camera, 0] = millimetres.reshape(frames, -1)
    folder = raw / sequence
    folder.mkdir(parents=True, exist_ok=True)
    rest = {"cameras": np.arange(14, dtype=np.uint8)[None], "frames": np.arange(frames)[:, None]}
    scipy.io.savemat(folder / "annot.mat", {**cells, **rest})


def write_test(raw: Path, sequence: str, frames: int) -> None:
    pixels, millimetres = joints([99, *sequence.encode()], frames, 17)
    folder = raw / "mpi_inf_3dhp_test_set" / sequence
    folder.mkdir(parents=True, exist_ok=True)
    with h5py.File(folder / "annot_data.mat", "w") as file:
        file["annot2"], file["univ_annot3"] = pixels[:, None], millimetres[:, None]
        file["annot3"] = 0.9 * millimetres[:, None]
        file["valid_frame"] = (np.arange(frames) % 4 != 3).astype(np.uint8)[None]
        file["activity_annotation"] = np.full((1, frames), 3.0)
        file["bb_crop"] = np.zeros((34, frames))


@pytest.fixture
def raw(tmp_path, calibration) -> Path:
    """Two training sequences, one with calibration, and the six of the test set; the other 14 are missing."""
    for sequence in ("S3/Seq1", "S8/Seq2"):
        write_training(tmp_path / "raw", sequence)
    (tmp_path / "raw" / "S3" / "Seq1" / "camera.calibration").write_text(calibration)
    for number, sequence in enumerate(TEST_SIZES):
        write_test(tmp_path / "raw", sequence, 9 + number)
    return tmp_path / "raw"


def as_npz(raw: Path) -> Path:
    """P-STMO's conversion of the same files."""
    out = raw.with_name("npz")
    out.mkdir()
    train, test = {}, {}
    for sequence in ("S3/Seq1", "S8/Seq2"):
        arrays, cameras = scipy.io.loadmat(raw / sequence / "annot.mat"), {}
        for camera in (0, 1, 2, 4, 5, 6, 7, 8):
            shaped = (arrays[key][camera][0].reshape(-1, 28, n) for key, n in (("annot2", 2), ("univ_annot3", 3)))
            cameras[str(camera)] = dict(zip(("data_2d", "data_3d"), (a[:, RELEVANT] for a in shaped), strict=True))
        train[sequence.replace("/", " ")] = [cameras, 50 if sequence == "S3/Seq1" else 25]
    for sequence in TEST_SIZES:
        with h5py.File(raw / "mpi_inf_3dhp_test_set" / sequence / "annot_data.mat") as file:
            keys = {"data_2d": "annot2", "data_3d": "univ_annot3", "valid": "valid_frame"}
            test[sequence] = {own: np.squeeze(file[key][()]) for own, key in keys.items()}
    np.savez_compressed(out / "data_train_3dhp.npz", data=train)
    np.savez_compressed(out / "data_test_3dhp.npz", data=test)
    return out


def test_from_official_files_to_a_table_of_zeros(raw, official) -> None:
    status, store = official.prepare("mpi-inf-3dhp", raw, "--test-fps", "TS5=30", "TS6=30")
    assert status == 1, "14 training sequences are missing"
    assert [len(store.names(split)) for split in ("train", "val", "test")] == [8, 8, 6]
    assert len(store.source["failed"]) == 14
    assert "TS4 25, TS5 30, TS6 30 frames per second are assumed; --test-fps changes it" in store.source["notes"][0]
    result = official.score(store, MPIINF3DHP())
    for row in result.rows:
        assert row.figures == pytest.approx({"pck": 100, "auc": 100 * 30 / 31, "mpjpe": 0, "mpjpe_17": 0}, abs=1e-3)
    valid = [sum(i % 4 != 3 for i in range(9 + number)) for number in range(6)]
    assert [row.count for row in result.rows] == [*valid, sum(valid), sum(valid)]
    assert result.notes == [
        "frames per second, as assumed when the data were prepared (the test files carry none): "
        "TS1 25, TS2 25, TS3 25, TS4 25, TS5 30, TS6 30",
        f"{sum(valid)} valid frames; the official test has 2,929",
    ]
    # The study of frame rates: every third frame, of which the valid ones are scored.
    thinned = official.score(store, MPIINF3DHP(), max_fps=25 / 3)
    assert thinned.rows[0].part == "TS1"
    assert thinned.rows[0].count == sum(i % 4 != 3 for i in range(0, 9, 3))
    assert "TS1 25 (tested at 8.333), TS2 25 (tested at 8.333)" in thinned.notes[0]
    assert "TS5 30 (tested at 7.5)" in thinned.notes[0]
    assert thinned.rows[-1].figures["mpjpe"] == pytest.approx(0, abs=1e-3)


def test_clips_of_the_official_files(raw, official) -> None:
    _, store = official.prepare("mpi-inf-3dhp", raw)
    pixels, millimetres = joints([4, *b"S3/Seq1"], 5, 28)
    clip, order = store["S3/Seq1/4"], [RELEVANT[joint] for joint in TO_H36M]
    np.testing.assert_allclose(clip.joints3d, millimetres[:, order] / 1000, rtol=1e-6)
    np.testing.assert_allclose(clip.keypoints2d[..., :2], pixels[:, order], rtol=1e-6)
    assert (clip.keypoints2d[..., 2] == 1).all()
    assert (clip.sequence, clip.subject, clip.split, clip.fps, clip.frame) == ("S3/Seq1", "S3", "train", 50, "camera")
    np.testing.assert_allclose(clip.camera.intrinsics, [[1504, 0, 1020.5], [0, 1490.5, 1050.5], [0, 0, 1]])
    np.testing.assert_allclose(clip.camera.translation, [-0.6, 1.4, 3.9])
    assert (clip.camera.rotation @ [0, 1, 0])[1] == -1, "its world is y up"
    other = store["S8/Seq2/0"]
    assert (other.split, other.fps, other.camera.width) == ("val", 25, 2048)
    assert (other.camera.intrinsics == 0).all(), "it has no calibration"
    pixels, millimetres = joints([99, *b"TS6"], 14, 17)
    clip = store["TS6"]
    np.testing.assert_allclose(clip.joints3d, millimetres[:, TO_H36M] / 1000, rtol=1e-6)
    np.testing.assert_allclose(clip.keypoints2d[..., :2], pixels[:, TO_H36M], rtol=1e-6)
    assert (clip.sequence, clip.split, clip.fps, clip.camera.width, clip.camera.height) == (
        "TS6", "test", 25, 1920, 1080,
    )  # fmt: skip
    assert clip.extras["valid_frame"].tolist() == [int(i % 4 != 3) for i in range(14)]
    assert (clip.extras["activity"] == 3).all()
    assert store["TS4"].camera.height == 2048


def test_the_pair_of_npz_files_holds_the_same_clips(raw, official) -> None:
    _, store = official.prepare("mpi-inf-3dhp", raw)
    clips = {clip.name: clip for clip in store}
    status, store = official.prepare("mpi-inf-3dhp-npz", as_npz(raw))
    assert (status, sorted(store.names())) == (1, sorted(clips))
    assert len(store.source["failed"]) == 14
    for clip in store:
        same = clips[clip.name]
        np.testing.assert_array_equal(clip.joints3d, same.joints3d)
        np.testing.assert_array_equal(clip.keypoints2d, same.keypoints2d)
        assert (clip.split, clip.fps, clip.sequence, clip.subject) == (
            same.split,
            same.fps,
            same.sequence,
            same.subject,
        )
        if clip.split == "test":
            np.testing.assert_array_equal(clip.extras["valid_frame"], same.extras["valid_frame"])
    assert official.score(store, MPIINF3DHP()).rows[-1].figures["mpjpe_17"] == pytest.approx(0, abs=1e-3)


def test_the_test_set_alone(tmp_path, official, capsys) -> None:
    write_test(tmp_path / "raw", "TS1", 4)
    (tmp_path / "raw" / "mpi_inf_3dhp_test_set").rename(tmp_path / "set")
    status, store = official.prepare("mpi-inf-3dhp", tmp_path / "set")
    assert (status, store.names()) == (1, ["TS1"])
    assert [name for name, _ in store.source["failed"]] == [
        "S1 ... S8",
        *(f"TS{i}/annot_data.mat" for i in range(2, 7)),
    ]
    shown = capsys.readouterr().out
    assert "none of their files is there" in shown
    assert "7 of 7" in shown, "one line for the training set"


def test_tables_of_the_dataset() -> None:
    assert len(RECORDINGS) == 16
    assert len(CAMERAS) == 8
    assert tuple(TEST_SIZES) == SEQUENCES
    seconds = [recording.frames / recording.fps for recording in RECORDINGS.values()]
    assert all(240 < each < 270 for each in seconds), "every sequence is roughly four minutes long, says its README"


def test_annotations_beyond_the_video_are_left_out(tmp_path, monkeypatch) -> None:
    write_training(tmp_path, "S3/Seq1", 6)
    monkeypatch.setitem(RECORDINGS, "S3/Seq1", RECORDINGS["S3/Seq1"]._replace(frames=4))
    clips = read_training(tmp_path / "S3/Seq1/annot.mat", "S3/Seq1")
    assert [len(clip) for clip in clips] == [4] * 8


@pytest.mark.parametrize("text", ["TS7=25", "TS1", "TS1=fast", "TS1=0", "TS1=inf"])
def test_frame_rates_of_another_form(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="is not of the form TS5=30"):
        _sequence_fps(text)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda a: a.pop("univ_annot3"), r"lacks univ_annot3, it holds .*: expected MPI-INF-3DHP's annot\.mat with"),
        (lambda a: a.update(annot2=np.zeros((14, 5))), "annot2 is no cell array with a cell for each camera"),
        (lambda a: a["annot2"].__setitem__((2, 0), np.zeros((5, 51))), r"camera 2, annot2 has shape \(5, 51\)"),
        (lambda a: a["univ_annot3"].__setitem__((1, 0), np.zeros((4, 84))), "annot2 has 5 frames, univ_annot3 4"),
        (lambda a: a["univ_annot3"].__setitem__((8, 0), "x"), "camera 8, univ_annot3 is no array of numbers"),
        (lambda a: a.update(cameras=np.arange(4)), r"camera 4 is missing, the file has \[0, 1, 2, 3\]"),
    ],
)
def test_a_training_file_that_cannot_be_used(tmp_path, change, message: str) -> None:
    write_training(tmp_path, "S1/Seq1")
    file = tmp_path / "S1/Seq1/annot.mat"
    arrays = {key: value for key, value in scipy.io.loadmat(file).items() if not key.startswith("__")}
    change(arrays)
    scipy.io.savemat(file, arrays)
    with pytest.raises(InputError, match=rf"annot\.mat.*{message}"):
        read_training(file, "S1/Seq1")


@pytest.mark.parametrize("cut", [0, 100, 3000])
def test_a_truncated_training_file(tmp_path, cut: int) -> None:
    write_training(tmp_path, "S1/Seq1")
    file = tmp_path / "S1/Seq1/annot.mat"
    file.write_bytes(file.read_bytes()[:cut])
    with pytest.raises(InputError, match=r"annot\.mat (can't be read as MATLAB v5|lacks annot2)"):
        read_training(file, "S1/Seq1")


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("valid_frame", None, r"lacks valid_frame, it holds activity_annotation.*: expected MPI-INF-3DHP's annot_data"),
        ("annot2", np.zeros((9, 1, 28, 2)), r"annot2 has shape \(9, 1, 28, 2\), expected \(F, 1, 17, 2\)"),
        ("univ_annot3", np.zeros((8, 1, 17, 3)), r"have \[8, 9\] frames, expected one number"),
        ("valid_frame", np.zeros((1, 7)), r"have \[7, 9\] frames, expected one number"),
    ],
)
def test_a_test_file_that_cannot_be_used(tmp_path, key: str, value, message: str) -> None:
    write_test(tmp_path, "TS1", 9)
    path = tmp_path / "mpi_inf_3dhp_test_set/TS1/annot_data.mat"
    with h5py.File(path, "a") as file:
        del file[key]
        if value is not None:
            file[key] = value
    with pytest.raises(InputError, match=rf"annot_data\.mat.* ?{message}"):
        read_test_sequence(path, "TS1", 25.0)


@pytest.mark.parametrize("cut", [0, 100, 5000])
def test_a_truncated_test_file(tmp_path, cut: int) -> None:
    write_test(tmp_path, "TS1", 9)
    path = tmp_path / "mpi_inf_3dhp_test_set/TS1/annot_data.mat"
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(InputError, match=r"annot_data\.mat can't be read as MATLAB v7\.3 \(HDF5\)"):
        read_test_sequence(path, "TS1", 25.0)


def test_folders_of_something_else(tmp_path) -> None:
    with pytest.raises(InputError, match=r"holds neither S1/Seq1/annot\.mat nor TS1/annot_data\.mat"):
        read_mpi_inf_3dhp(tmp_path, ())
    with pytest.raises(InputError, match=r"holds neither data_train_3dhp\.npz nor data_test_3dhp\.npz"):
        read_mpi_inf_3dhp_npz(tmp_path, ())


def test_a_calibration_cut_after_its_header(tmp_path, calibration) -> None:
    write_training(tmp_path, "S1/Seq1")
    (tmp_path / "S1/Seq1/camera.calibration").write_text(calibration[:40])
    with pytest.raises(InputError, match=r"camera\.calibration has no camera: it is cut short"):
        read_training(tmp_path / "S1/Seq1/annot.mat", "S1/Seq1")


def test_a_calibration_without_a_camera(tmp_path, calibration) -> None:
    write_training(tmp_path, "S1/Seq1")
    (tmp_path / "S1/Seq1/camera.calibration").write_text(calibration.split("name          7")[0])
    with pytest.raises(InputError, match=r"camera\.calibration has no camera 7, only 0, 1"):
        read_training(tmp_path / "S1/Seq1/annot.mat", "S1/Seq1")


def test_npz_sequences_that_cannot_be_used(raw, official, capsys) -> None:
    folder = as_npz(raw)
    train = np.load(folder / "data_train_3dhp.npz", allow_pickle=True)["data"].item()
    test = np.load(folder / "data_test_3dhp.npz", allow_pickle=True)["data"].item()
    train["S8 Seq2"][1] = 50
    train["S3 Seq1"][0].pop("4")
    train["S9 Seq1"] = train["S8 Seq2"]
    test["TS1"]["data_3d"] = test["TS1"]["data_3d"][:-1]
    test["TS2"].pop("valid")
    test["TS3"]["data_2d"] = test["TS3"]["data_2d"][:, :16]
    del test["TS4"]
    np.savez(folder / "data_train_3dhp.npz", data=train)
    np.savez(folder / "data_test_3dhp.npz", data=test)
    status, store = official.prepare("mpi-inf-3dhp-npz", folder)
    assert (status, store.names()) == (1, ["TS5", "TS6"])
    shown = " ".join(capsys.readouterr().out.split())
    for expected in (
        "S8/Seq2 is said to have 50 frames per second, the dataset's list says 25",
        "S3/Seq1, cameras lacks 4, it holds 0, 1, 2, 5",
        "data_train_3dhp.npz has S9/Seq1, which is no sequence of MPI-INF-3DHP",
        "TS1, data_3d has shape (8, 17, 3), expected (9, 17, 3)",
        "TS2 lacks valid, it holds data_2d, data_3d",
        "TS3, data_2d has shape (11, 16, 2), expected (F, 17, 2)",
        "data_test_3dhp.npz has no TS4: is it cut short",
        "data_train_3dhp.npz has no S1/Seq1: is it cut short",
    ):
        assert expected in shown
    (folder / "data_train_3dhp.npz").write_bytes(b"")
    np.savez(folder / "data_test_3dhp.npz", poses=test)
    with pytest.raises(InputError, match="none of the 22 files"):
        official.prepare("mpi-inf-3dhp-npz", folder)
    shown = " ".join(capsys.readouterr().out.split())
    assert "data_train_3dhp.npz is empty" in shown
    assert "data_test_3dhp.npz lacks data, it holds poses" in shown
