"""The CMU reader: conventions and their quirks on small files, damage, and a few real clips."""

import csv
import lzma
import os
import tarfile
import zipfile
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from hummuss.body.skeleton import H36M17, SMPL24
from hummuss.data.readers.asf_amc import parse_asf
from hummuss.data.readers.bvh import parse_bvh
from hummuss.data.readers.cmu import read_cmu, read_motion
from hummuss.data.readers.cmu_files import check_official_zip
from hummuss.data.readers.cmu_index import COLUMNS, CmuEntry, read_index
from hummuss.data.readers.cmu_skeletons import (
    CONVENTIONS,
    INCH_UNIT,
    free_body,
    h36m_joints,
    limb_alignment,
    restore_thorax,
)
from hummuss.data.readers.task import FailedFile, ReadTask
from hummuss.data.residuals import label_residuals
from hummuss.data.retarget import SOLVED
from hummuss.data.store import MotionStore, StoreWriter
from hummuss.errors import InputError

REAL = Path(__file__).parents[3] / "shared" / "data" / "cmu"
real = pytest.mark.skipif(not (REAL / "index.csv").is_file(), reason=f"CMU subset not found at {REAL}")


def small_skeleton() -> tuple[str, str]:
    """An upright ASF figure with CMU's bone names, and its two-frame AMC."""
    bones = {}
    for side, sign in (("l", 1), ("r", -1)):
        bones |= {
            f"{side}hipjoint": ("root", (sign, -1, 0), 2),
            f"{side}femur": (f"{side}hipjoint", (0, -1, 0), 7),
            f"{side}tibia": (f"{side}femur", (0, -1, 0), 7),
            f"{side}foot": (f"{side}tibia", (0, 0, 1), 2),
            f"{side}toes": (f"{side}foot", (0, 0, 1), 1),
            f"{side}clavicle": ("thorax", (sign, 0, 0), 3),
            f"{side}humerus": (f"{side}clavicle", (sign, 0, 0), 5),
            f"{side}radius": (f"{side}humerus", (sign, 0, 0), 4),
            f"{side}hand": (f"{side}radius", (sign, 0, 0), 1),
        }
    spine = ("root", "lowerback", "upperback", "thorax", "lowerneck", "upperneck", "head")
    for parent, bone in pairwise(spine):
        bones[bone] = (parent, (0, 1, 0), 2)
    lines = [":units", " length 0.45", " angle deg", ":root", ":bonedata"]
    for name, (_, direction, length) in bones.items():
        unit = np.array(direction) / np.linalg.norm(direction)
        lines += ["begin", f"name {name}", "direction {} {} {}".format(*unit), f"length {length}"]
        lines += ["axis 0 0 0 XYZ", *(["dof rx"] if name == "lradius" else []), "end"]
    order = ["root"]
    lines += [":hierarchy", "begin"]
    for parent in order:
        children = [name for name, bone in bones.items() if bone[0] == parent]
        order += children
        if children:
            lines.append(" ".join([parent, *children]))
    amc = ":FULLY-SPECIFIED\n:DEGREES\n"
    amc += "".join(f"{i}\nroot {i} 17 0 0 0 0\nlradius {i}\n" for i in (1, 2, 3))
    return "\n".join([*lines, "end", ""]), amc


def write_index(folder: Path, rows: list[dict[str, str]]) -> None:
    defaults = {
        "skeleton": "asfamc/01.asf",
        "subject": "01",
        "format": "asf/amc",
        "fps": "120",
        "frames": "3",
    }
    defaults |= {"start_frame": "1", "category": "walk", "split": "train"}
    with open(folder / "index.csv", "w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows([{**defaults, **row} for row in rows])


@pytest.fixture
def raw(tmp_path) -> Path:
    """An unpacked raw folder of two clips."""
    (tmp_path / "asfamc").mkdir()
    asf, amc = small_skeleton()
    (tmp_path / "asfamc" / "01.asf").write_text(asf)
    (tmp_path / "asfamc" / "01_01.amc").write_text(amc)
    (tmp_path / "asfamc" / "01_02.amc").write_text(amc)
    rows = [{"file": "asfamc/01_01.amc"}, {"file": "asfamc/01_02.amc", "category": "", "fps": "60"}]
    write_index(tmp_path, rows)
    return tmp_path


def pack(raw: Path, order: list[str]) -> Path:
    """Replace the folder by its archive."""
    archive = raw / "cmu_asfamc.tar.xz"
    with tarfile.open(archive, "w:xz") as file:
        for name in order:
            file.add(raw / "asfamc" / name, f"asfamc/{name}")
            (raw / "asfamc" / name).unlink()
    (raw / "asfamc").rmdir()
    return archive


def zip_officially(raw: Path) -> Path:
    """Replace index and folder by the archive that CMU offers, subjects and more of it."""
    with zipfile.ZipFile(raw / "allasfamc.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted((raw / "asfamc").iterdir()):
            archive.write(path, f"all_asfamc/subjects/{path.name[:2]}/{path.name}")
            path.unlink()
        archive.writestr("all_asfamc/subjects/77/77_01.amc", "a motion without a skeleton")
        archive.writestr("all_asfamc/readme.txt", "no motion")
    (raw / "asfamc").rmdir()
    (raw / "index.csv").unlink()
    return raw / "allasfamc.zip"


def test_the_official_zip_alone_is_enough(raw):
    for subject in ("35", "61"):
        for name in ("{}.asf", "{}_02.amc"):
            content = (raw / "asfamc" / name.format("01")).read_bytes()
            (raw / "asfamc" / name.format(subject)).write_bytes(content)
    unpacked = clips(raw)
    zip_officially(raw)
    found = clips(raw)
    assert [clip.name for clip in found] == ["01_01", "01_02", "35_02", "61_02"]
    assert [clip.split for clip in found] == ["train", "train", "val", "train"]
    assert [clip.fps for clip in found] == [120, 120, 120, 60]
    assert {clip.label for clip in found} == {None}
    np.testing.assert_array_equal(found[0].joints3d[1:], unpacked[0].joints3d)  # there the first frame was cut
    (note,) = read_cmu(raw).notes
    assert "index.csv was made from the names in allasfamc.zip: it takes 120 fps for granted" in note


def test_a_given_index_goes_before_the_made_one(raw):
    given = (raw / "index.csv").read_bytes()
    unpacked = clips(raw)
    before = read_cmu(raw).fingerprint
    (replaced,) = raw.glob("asfamc/01.asf")
    os.utime(replaced, (1e9, 1e9))
    assert read_cmu(raw).fingerprint != before, "another file of the same name"
    zip_officially(raw)
    made = read_cmu(raw).fingerprint
    (raw / "index.csv").write_bytes(given)
    assert read_cmu(raw).notes == ()
    assert read_cmu(raw).fingerprint != made
    for one, other in zip(unpacked, clips(raw), strict=True):
        assert (one.name, one.label, one.fps) == (other.name, other.label, other.fps)
        np.testing.assert_array_equal(one.smpl_pose, other.smpl_pose)


def test_a_damaged_official_zip(raw):
    path = zip_officially(raw)
    check_official_zip(path)
    whole = path.read_bytes()
    path.write_bytes(whole[:-30])
    with pytest.raises(InputError, match=r"allasfamc\.zip is damaged or cut short"):
        read_cmu(raw)
    with pytest.raises(InputError, match=r"allasfamc\.zip is damaged or cut short"):
        check_official_zip(path)
    broken = bytearray(whole)
    broken[whole.index(b"01_01.amc") + 30] ^= 255
    path.write_bytes(broken)
    with pytest.raises(InputError, match=r"01_01\.amc is damaged .*: fetch the archive again"):
        check_official_zip(path)
    files = list(read_cmu(raw).files)
    assert [type(file) for file in files] == [FailedFile, ReadTask]
    assert "01_01.amc is damaged" in files[0].reason
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "not found")
    with pytest.raises(InputError, match="holds no ASF and AMC files"):
        check_official_zip(path)


def clips(raw: Path):
    return [clip for file in read_cmu(raw).files if isinstance(file, ReadTask) for clip in file.read()]


def test_clip_fields(raw):
    first, second = clips(raw)
    assert (first.name, first.sequence, first.subject, first.split) == (
        "01_01",
        "asf-amc/01_01",
        "01",
        "train",
    )
    assert (first.label, second.label) == ("walk", None)
    assert (first.fps, second.fps) == (120, 60)
    assert (first.frame, first.person, first.body) == ("world", None, second.body)
    assert len(first) == 2  # the frame before start_frame is gone
    joints = dict(zip(H36M17.joints, first.joints3d[0] / INCH_UNIT, strict=True))
    np.testing.assert_allclose(joints["pelvis"], [2, 17, 0], atol=1e-5)
    np.testing.assert_allclose(joints["left_ankle"], [2 + 2**0.5, 17 - 2**0.5 - 14, 0], atol=1e-4)
    np.testing.assert_allclose(joints["thorax"], [2, 23, 0], atol=1e-4)
    np.testing.assert_allclose(joints["right_wrist"], [2 - 12, 23, 0], atol=1e-4)


@pytest.mark.parametrize("order", [["01.asf", "01_01.amc", "01_02.amc"], ["01_02.amc", "01_01.amc", "01.asf"]])
def test_archive_equals_folder_in_any_order(raw, order):
    unpacked = clips(raw)
    pack(raw, order)
    for one, other in zip(unpacked, clips(raw), strict=True):
        assert one.name == other.name
        np.testing.assert_array_equal(one.smpl_pose, other.smpl_pose)


def test_truncated_archive_keeps_what_came_before(raw):
    # Noise that does not compress, so that a cut loses the file behind it.
    filler = raw / "asfamc" / "02.bin"
    filler.write_bytes(np.random.default_rng(0).bytes(400_000))
    archive = pack(raw, ["01.asf", "01_01.amc", "02.bin", "01_02.amc"])
    archive.write_bytes(archive.read_bytes()[:200_000])
    first, second = read_cmu(raw).files
    assert isinstance(first, ReadTask)
    assert isinstance(second, FailedFile)
    assert second.file == "asfamc/01_02.amc"
    assert "cmu_asfamc.tar.xz is damaged or cut short" in second.reason


@pytest.mark.parametrize("content", [b"", b"not an archive", lzma.compress(b"no tar within")])
def test_wrong_archive(raw, content):
    pack(raw, ["01.asf", "01_01.amc", "01_02.amc"]).write_bytes(content)
    files = list(read_cmu(raw).files)
    assert len(files) == 2
    for file in files:
        assert isinstance(file, FailedFile)
        assert "cmu_asfamc.tar.xz" in file.reason


def test_missing_files_are_named(raw):
    (raw / "asfamc" / "01_01.amc").unlink()
    first, second = read_cmu(raw).files
    assert isinstance(first, FailedFile)
    assert "01_01.amc: No such file" in first.reason
    assert isinstance(second, ReadTask)
    (raw / "asfamc" / "01.asf").unlink()
    assert all("01.asf: No such file" in file.reason for file in list(read_cmu(raw).files)[1:])


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"frames": "4"}, "has 3 frames, index.csv says 4"),
        ({"skeleton": ""}, "names no ASF skeleton"),
        ({"format": "bvh-mb2"}, "line 1: expected 'HIERARCHY'"),
        ({"split": "dev"}, "split 'dev'"),
    ],
)
def test_row_that_does_not_fit_its_file(raw, row, reason):
    write_index(raw, [{"file": "asfamc/01_01.amc", **row}])
    with pytest.raises(InputError, match=reason):
        clips(raw)


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"fps": "0"}, "line 2: expected fps > 0"),
        ({"start_frame": "3"}, "line 2: expected fps > 0 and 0 <= start_frame < frames"),
        ({"frames": "many"}, "line 2: expected numbers"),
        ({"format": "c3d"}, "line 2: format 'c3d' is none of asf/amc"),
    ],
)
def test_index_that_cannot_be_used(raw, row, reason):
    write_index(raw, [{"file": "asfamc/01_01.amc", **row}])
    with pytest.raises(InputError, match=reason):
        read_cmu(raw)


def test_folder_that_is_none(raw, tmp_path):
    with pytest.raises(InputError, match=r"index\.csv does not exist"):
        read_cmu(tmp_path / "nowhere")
    pack(raw, ["01.asf", "01_01.amc", "01_02.amc"]).unlink()
    with pytest.raises(InputError, match="neither a folder 'asfamc' nor cmu_asfamc"):
        read_cmu(raw)
    (raw / "index.csv").write_text("file,fps\n")
    with pytest.raises(InputError, match="column 'skeleton' is missing"):
        read_cmu(raw)
    write_index(raw, [])
    with pytest.raises(InputError, match="lists no clips"):
        read_cmu(raw)


def test_thorax_is_restored():
    joint = "JOINT {}\n{{\nOFFSET {}\nCHANNELS 3 Zrotation Yrotation Xrotation\n"
    text = "HIERARCHY\nROOT Hips\n{\nOFFSET 0 0 0\nCHANNELS 3 Zrotation Yrotation Xrotation\n"
    text += joint.format("Spine1", "0 2 0.5")
    text += "".join(joint.format(name, "0 0 0") + "}\n" for name in ("Neck", "LeftShoulder", "RightShoulder"))
    text += "}\n}\nMOTION\nFrames: 1\nFrame Time: 0.01\n" + "0 " * 15 + "\n"
    mended = restore_thorax(parse_bvh(text, "a.bvh"), "a.bvh")
    np.testing.assert_allclose(mended.tree.rest()[2:], [[0, 4, 1]] * 3)


def test_residuals_of_a_stored_clip(raw, tmp_path):
    with StoreWriter(tmp_path / "store") as writer:
        for clip in clips(raw):
            writer.add(clip)
    # Arrays of a store are read-only maps of the file.
    stored = label_residuals(MotionStore(tmp_path / "store")["01_01"])
    assert stored is not None
    np.testing.assert_array_equal(stored, label_residuals(clips(raw)[0]))


def test_limbs_take_the_directions_of_the_captured_rest_pose():
    tree = parse_asf(small_skeleton()[0].replace("0.0 -1.0 0.0", "0.5 -0.8 0.1"), "01.asf").tree
    rest = h36m_joints(tree.rest()[None], tree.joints, CONVENTIONS["asf/amc"])[0]
    body = free_body()
    alignment, own = limb_alignment(body, rest), body.rest_joints(np.zeros(10))
    for start, end in (
        ("left_hip", "left_knee"),
        ("right_knee", "right_ankle"),
        ("left_elbow", "left_wrist"),
    ):
        bone = own[SMPL24.joints.index(end)] - own[SMPL24.joints.index(start)]
        wanted = rest[H36M17.joints.index(end)] - rest[H36M17.joints.index(start)]
        turned = alignment[SMPL24.joints.index(start)] @ bone
        np.testing.assert_allclose(turned / np.linalg.norm(turned), wanted / np.linalg.norm(wanted), atol=1e-9)
    np.testing.assert_array_equal(alignment[SMPL24.joints.index("left_foot")], np.eye(3))


def test_wrong_skeleton_convention(raw):
    asf, amc = small_skeleton()
    entry = CmuEntry("01_01.amc", "01.asf", "01", "asf/amc", 120.0, 3, 0, "", "train")
    asf, amc = (text.replace("radius", "forearm") for text in (asf, amc))
    with pytest.raises(InputError, match=r"01_01\.amc: its skeleton has no joint 'lradius'"):
        read_motion(entry, amc.encode(), asf.encode())


class Archive:
    """Single files of the real archives, each read up to the file wanted."""

    def __init__(self, name: str, wanted: set[str]) -> None:
        self.files: dict[str, bytes] = {}
        with tarfile.open(REAL / name, "r|xz") as archive:
            for member in archive:
                if member.name in wanted:
                    content = archive.extractfile(member)
                    assert content is not None
                    self.files[member.name] = content.read()
                if len(self.files) == len(wanted):
                    break


# Early in the archives, short, and one of every kind; 07 has an ASF skeleton and an mb2 clip.
CLIPS = ("asfamc/07_01.amc", "bvh/06_01.bvh", "bvh/07_03.bvh", "bvh/06_02.bvh")


@pytest.fixture(scope="module")
def real_raw(tmp_path_factory) -> Path:
    """A raw folder with a few real clips, cut to a second and a bit."""
    folder = tmp_path_factory.mktemp("cmu")
    entries = [entry for entry in read_index(REAL) if entry.file in CLIPS]
    files = Archive("cmu_asfamc.tar.xz", {"asfamc/07.asf", "asfamc/07_01.amc"}).files
    files |= Archive("cmu_bvh.tar.xz", {name for name in CLIPS if name.startswith("bvh/")}).files
    for name, content in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(content)
    rows = [{column: str(getattr(entry, column)) for column in COLUMNS} for entry in entries]
    write_index(folder, rows)
    return folder


@pytest.fixture(scope="module")
def real_clips(real_raw):
    return {clip.name: clip for clip in clips(real_raw)}


@real
def test_real_clips_are_people(real_clips):
    assert len(real_clips) == len(CLIPS)
    for clip in real_clips.values():
        joints = dict(zip(H36M17.joints, clip.joints3d.astype(np.float64).transpose(1, 0, 2), strict=True))
        limbs = ("right_hip", "right_knee", 0.33, 0.45), ("left_elbow", "left_wrist", 0.12, 0.3)
        for start, end, low, high in limbs:
            length = np.linalg.norm(joints[start] - joints[end], axis=-1)
            assert low < length.mean() < high
            assert np.ptp(length) < 1e-5
        lowest = np.minimum(joints["left_ankle"], joints["right_ankle"])[:, 1].min()
        assert 0.02 < lowest < 0.12
        # left x up = forward: people walk the way they face.
        across = joints["left_hip"] - joints["right_hip"]
        forward = np.cross(across, [0.0, 1, 0])
        travelled = joints["pelvis"][-1] - joints["pelvis"][0]
        assert forward.mean(0) @ travelled > 0.5 * np.linalg.norm(forward.mean(0)) * np.linalg.norm(travelled)
        assert joints["head"][:, 1].mean() > joints["pelvis"][:, 1].mean() + 0.4


@real
def test_repaired_bvh_agrees_with_the_asf_of_its_subject(real_raw):
    trees = {}
    for name, convention in (("bvh/07_03.bvh", "bvh-mb2"), ("asfamc/07.asf", "asf/amc")):
        text = (real_raw / name).read_text()
        if convention == "bvh-mb2":
            tree = restore_thorax(parse_bvh(text, name), name).tree
        else:
            tree = parse_asf(text, name).tree
        names = CONVENTIONS[convention]
        trees[convention] = h36m_joints(tree.rest()[None], tree.joints, names)[0] * names.unit
    np.testing.assert_allclose(trees["bvh-mb2"], trees["asf/amc"], atol=0.015)


@real
def test_real_labels_meet_the_capture(real_clips):
    limbs = [i for i, joint in enumerate(H36M17.joints) if joint not in ("pelvis", "spine", "thorax")]
    for clip in real_clips.values():
        residuals = label_residuals(clip)
        assert residuals is not None
        assert np.linalg.norm(residuals[:, limbs], axis=-1).mean() < 0.025
        assert np.abs(clip.betas).max() < 5


@real
def test_real_labels_turn_no_faster_than_people(real_clips):
    for clip in real_clips.values():
        rotations = Rotation.from_rotvec(clip.smpl_pose.reshape(-1, 3).astype(np.float64))
        matrices = rotations.as_matrix().reshape(-1, 24, 3, 3)
        between = Rotation.from_matrix((matrices[:-1].swapaxes(-1, -2) @ matrices[1:]).reshape(-1, 3, 3))
        speed = between.magnitude().reshape(-1, 24) * clip.fps
        # Feet and hands keep the capture's own rotations, with its glitches.
        assert speed[:, SOLVED].max() < 40
