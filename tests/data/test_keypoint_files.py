"""Your own keypoints from every detector's files to a store."""

import argparse
import json
from pathlib import Path

import numpy as np
import pytest

from hummuss.body.skeleton import H36M17
from hummuss.cli import prepare as command
from hummuss.data import MotionStore
from hummuss.data.readers.detected import Seen
from hummuss.data.readers.detections import openpose_frame, parse_detections
from hummuss.data.readers.frame_lists import UNCONFIRMED
from hummuss.data.readers.keypoint_files import keypoint_clips, read_keypoint_files
from hummuss.data.readers.people import find_tracks
from hummuss.data.readers.tracks import ALONE
from hummuss.errors import InputError

RNG = np.random.default_rng(0)
SIZE = [640, 480]


def points(frames: int, joints: int) -> np.ndarray:
    """(F, J, 3) pixels and confidence."""
    where = RNG.uniform(20, 460, (frames, joints, 2)).round(2)
    return np.concatenate([where, RNG.uniform(0.2, 1, (frames, joints, 1)).round(3)], -1)


def coco(detected: np.ndarray, **more: object) -> list[dict]:
    return [
        {"image_id": frame, "category_id": 1, "keypoints": one.ravel().tolist(), "score": 0.9} | more
        for frame, one in enumerate(detected)
    ]


def alphapose(detected: np.ndarray, person: int) -> list[dict]:
    entries = coco(detected, idx=person, box=[1, 2, 3, 4])
    return [entry | {"image_id": f"{entry['image_id']}.jpg"} for entry in entries]


def openpose(folder: Path, detected: np.ndarray, video: str = "walk", person: int = -1) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for frame, one in enumerate(detected):
        person_fields = {"person_id": [person], "pose_keypoints_2d": one.ravel().tolist(), "face_keypoints_2d": []}
        text = json.dumps({"version": 1.3, "people": [person_fields]})
        (folder / f"{video}_{frame:012}_keypoints.json").write_text(text)


def mediapipe(detected: np.ndarray, **frame: object) -> list[dict]:
    people = [[{"x": x / 640, "y": y / 480, "z": 0.1, "visibility": c} for x, y, c in one.tolist()] for one in detected]
    return [{"pose_landmarks": [person]} | frame for person in people]


def mmpose(detected: np.ndarray, first: int = 0, **more: object) -> list[dict]:
    """As split_instances has it: a box is a list in a list, scores stand apart."""
    return [
        {"frame_id": frame, "instances": [
            {"keypoints": one[:, :2].tolist(), "keypoint_scores": one[:, 2].tolist(), "bbox": [[1, 2, 3, 4]]} | more
        ]}
        for frame, one in enumerate(detected, first)
    ]  # fmt: skip


def ultralytics(detected: np.ndarray, **more: object) -> list[list[dict]]:
    """As Results.summary() has it, a list for each frame."""
    box = {"x1": 1.0, "y1": 2.0, "x2": 3.0, "y2": 4.0}
    return [
        [{"name": "person", "class": 0, "confidence": 0.9, "box": box}
         | more | {"keypoints": {"x": x.tolist(), "y": y.tolist(), "visible": c.tolist()}}]
        for x, y, c in detected.transpose(0, 2, 1)
    ]  # fmt: skip


def clips(path: Path, **options: object):
    untracked = options.pop("untracked", "refuse")
    given = {"layout": None, "fps": None, "image_size": SIZE} | options
    return keypoint_clips([path], "walk", given, "test", untracked)


def write(folder: Path, content: object) -> Path:
    (folder / "walk.json").write_text(json.dumps(content))
    return folder / "walk.json"


def prepare(raw: Path, out: Path, *options: object) -> tuple[int, MotionStore]:
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    words = ["keypoints", raw, out, "--workers", 1, "--image-size", *SIZE, *options]
    return command.run(parser.parse_args([str(word) for word in words])), MotionStore(out)


LEFT_WRIST = {"coco17": 9, "coco_wholebody133": 9, "halpe26": 9, "body25": 7, "blazepose33": 15}


def check(clip, detected: np.ndarray, layout: str, places: float = 1e-4) -> None:
    """The left wrist is where it was detected."""
    wrist = clip.keypoints2d[:, H36M17.joints.index("left_wrist")]
    np.testing.assert_allclose(wrist, detected[:, LEFT_WRIST[layout]], atol=places)
    assert (clip.frame, clip.camera.width, clip.camera.height) == ("camera", 640, 480)


def test_coco_results(tmp_path) -> None:
    detected = points(6, 17)
    [clip] = clips(write(tmp_path, coco(detected)), layout="coco17", fps=25.0)
    assert (clip.name, clip.fps) == ("walk", 25.0)
    check(clip, detected, "coco17")


def test_alphapose_tells_people_apart(tmp_path) -> None:
    first, second = points(6, 26), points(4, 26)
    [one, two] = clips(write(tmp_path, alphapose(first, 1) + alphapose(second, 2)), layout="halpe26", fps=30.0)
    assert [(clip.name, clip.person) for clip in (one, two)] == [("walk/person_1", "1"), ("walk/person_2", "2")]
    check(one, first, "halpe26")
    check(two, second, "halpe26")


def test_openpose_frames_are_one_recording_each_video(tmp_path) -> None:
    walk, jump = points(5, 25), points(4, 25)
    openpose(tmp_path / "raw" / "val", walk)
    openpose(tmp_path / "raw" / "val", jump, video="jump", person=3)
    openpose(tmp_path / "raw" / "run", walk[:3], video="")
    for frame in (tmp_path / "raw" / "run").iterdir():
        frame.rename(frame.with_name(frame.name.removeprefix("_")))
    status, store = prepare(tmp_path / "raw", tmp_path / "store", "--layout", "body25", "--fps", 50)
    assert status == 0
    assert {clip.name: (len(clip), clip.split) for clip in store} == {
        "run": (3, "test"), "val/walk": (5, "val"), "val/jump/person_3": (4, "val"),
    }  # fmt: skip
    check(store["val/walk"], walk, "body25")


@pytest.mark.parametrize("key", ["pose_landmarks", "landmarks"])
def test_mediapipe_with_a_frame_rate(tmp_path, key: str) -> None:
    detected = points(6, 33)
    content = [{key: frame["pose_landmarks"]} for frame in mediapipe(detected)]
    content[2] = {key: []}
    [clip] = clips(write(tmp_path, content), fps=30.0)
    np.testing.assert_allclose(clip.times, np.array([0, 1, 3, 4, 5]) / 30)
    check(clip, np.delete(detected, 2, 0), "blazepose33", places=1e-3)


def test_mediapipes_time_stamps(tmp_path) -> None:
    detected = points(4, 33)
    times = [1000, 1033, 1067, 1100]
    content = [entry | {"timestamp_ms": time} for entry, time in zip(mediapipe(detected), times, strict=True)]
    [clip] = clips(write(tmp_path, {"frames": content}))
    np.testing.assert_allclose(clip.times, np.array(times) / 1e3)
    even = [entry | {"timestamp_ms": 40.0 * n} for n, entry in enumerate(mediapipe(detected))]
    [clip] = clips(write(tmp_path, even))
    assert clip.fps == 25.0
    [again] = clips(write(tmp_path, even), fps=30.0, layout="coco17")
    assert again.fps == 25.0, "options are for what files do not say"
    since_1970 = [entry | {"timestamp_ms": 1_795_000_000_000 + 40 * n} for n, entry in enumerate(mediapipe(detected))]
    [clip] = clips(write(tmp_path, since_1970))
    np.testing.assert_allclose(np.diff(clip.times), 0.04, atol=1e-6)


def test_mmposes_inferencer_counts_from_zero(tmp_path) -> None:
    detected = points(6, 17)
    content = mmpose(detected)
    content[1]["instances"] = []
    [clip] = clips(write(tmp_path, content), layout="coco17", fps=25.0)
    np.testing.assert_allclose(clip.times, np.array([0, 2, 3, 4, 5]) / 25)
    check(clip, np.delete(detected, 1, 0), "coco17")


def test_mmposes_demos_name_the_joints_and_count_from_one(tmp_path) -> None:
    detected = points(6, 133)
    content = {"meta_info": {"dataset_name": "coco_wholebody"}, "instance_info": mmpose(detected, 1)}
    [clip] = clips(write(tmp_path, content), fps=25.0)
    assert (clip.fps, len(clip)) == (25.0, 6)
    check(clip, detected, "coco_wholebody133")
    with pytest.raises(InputError, match="have 133 joints, layout 'coco17' has 17: give --layout coco_wholebody133"):
        clips(write(tmp_path, mmpose(detected)), layout="coco17", fps=25.0)


def test_mmposes_scores_have_no_end_and_people_whom_somebody_numbered_stay_apart(tmp_path) -> None:
    detected = points(6, 17)
    detected[0, 9, 2], detected[1, 9, 2] = 6.4, -0.1
    content = mmpose(detected, track_id=4)
    for frame, other in zip(content, mmpose(points(6, 17), track_id=7), strict=True):
        frame["instances"] += other["instances"]
    one, other = clips(write(tmp_path, content), layout="coco17", fps=25.0)
    assert (one.name, other.name) == ("walk/person_4", "walk/person_7")
    wrist = one.keypoints2d[:, H36M17.joints.index("left_wrist")]
    assert (wrist[0, 2], *wrist[1]) == (1, 0, 0, 0)
    np.testing.assert_allclose(wrist[2:], detected[2:, 9], atol=1e-4)


def test_ultralytics_frames_with_its_trackers_numbers(tmp_path) -> None:
    detected = points(6, 17)
    detected[2, 9] = [0, 0, 0.4]  # a joint of little confidence
    content = ultralytics(detected, track_id=3)
    content[4] = ultralytics(points(1, 17))[0] + ultralytics(points(1, 17))[0]  # whom the tracker has not confirmed
    *left, clip = clips(write(tmp_path, content), layout="coco17", fps=25.0)
    assert [(one.file.rpartition("/")[2], one.reason) for one in left] == [("walk.json, frame 4", UNCONFIRMED)] * 2
    assert clip.name == "walk/person_3"
    np.testing.assert_allclose(clip.times, np.array([0, 1, 2, 3, 5]) / 25)
    expected = np.delete(detected, 4, 0)
    expected[2, 9] = 0
    check(clip, expected, "coco17")


def test_joints_at_the_origin_are_missing_in_other_lists_too(tmp_path) -> None:
    detected = points(4, 17)
    detected[2, 9] = (0, 0, 0.3)
    [clip] = clips(write(tmp_path, coco(detected)), layout="coco17", fps=25.0)
    detected[2, 9] = 0
    check(clip, detected, "coco17")


def test_ultralytics_models_without_visibility(tmp_path) -> None:
    detected = points(4, 17)
    detected[..., 2] = 1
    content = ultralytics(detected)
    for [person] in content:
        del person["keypoints"]["visible"]
    [clip] = clips(write(tmp_path, [*content, []]), layout="coco17", fps=25.0)
    check(clip, detected, "coco17")


def test_who_is_not_seen_for_long_goes_on_as_another_part_and_a_lone_frame_is_left_out(tmp_path) -> None:
    entries = coco(points(40, 17))
    kept = [entry for entry in entries if entry["image_id"] in (0, 1, 3, 30, 31, 39)]
    first, second = clips(write(tmp_path, kept), layout="coco17", fps=25.0)
    np.testing.assert_allclose(first.times, [0, 0.04, 0.12])
    assert (second.name, len(second)) == ("walk/part_2", 3)
    [left] = clips(write(tmp_path, entries[:1]), layout="coco17", fps=25.0)
    assert left.reason == ALONE
    own = {"keypoints": points(1, 17).tolist(), "layout": "coco17", "fps": 25}
    assert clips(write(tmp_path, own)) == [left]


def test_persons_times_count_from_the_recordings_first_frame(tmp_path) -> None:
    early, late = alphapose(points(9, 26), 1), alphapose(points(9, 26), 2)[4:]
    one, two = clips(write(tmp_path, early + late), layout="halpe26", fps=30.0)
    np.testing.assert_allclose(one.times, np.arange(9) / 30)
    np.testing.assert_allclose(two.times, np.arange(4, 9) / 30)


def test_times_count_from_the_recordings_first_frame_whoever_is_in_it(tmp_path) -> None:
    """Who lays the result over the video finds each pose at the frame that it is of."""
    late = np.arange(3, 9) / 30
    listed = ultralytics(points(9, 17))
    [clip] = clips(write(tmp_path, [[], [], [], *listed[3:]]), layout="coco17", fps=30.0)
    np.testing.assert_allclose(clip.times, late)
    shares = [{"pose_landmarks": []}] * 3 + mediapipe(points(6, 33))
    [clip] = clips(write(tmp_path, shares), fps=30.0)
    np.testing.assert_allclose(clip.times, late)
    counted = mmpose(points(9, 17), first=1)
    for frame in counted[:3]:
        frame["instances"] = []
    [clip] = clips(write(tmp_path, counted), layout="coco17", fps=30.0)
    np.testing.assert_allclose(clip.times, late)
    (tmp_path / "video").mkdir()
    openpose(tmp_path / "video", points(9, 25))
    for frame in range(3):
        (tmp_path / "video" / f"walk_{frame:012}_keypoints.json").write_text('{"version": 1.3, "people": []}')
    files = sorted((tmp_path / "video").iterdir())
    given = {"layout": "body25", "fps": 30.0, "image_size": SIZE}
    [clip] = keypoint_clips(files, "walk", given, "test", "refuse")
    np.testing.assert_allclose(clip.times, late)
    # Lists of results name no frame in which nobody was detected.
    [clip] = clips(write(tmp_path, coco(points(9, 17))[3:]), layout="coco17", fps=30.0)
    np.testing.assert_allclose(clip.times, late - 0.1, atol=1e-12)


def test_at_one_frame_a_second_nobody_is_absent_between_frames(tmp_path) -> None:
    [clip] = clips(write(tmp_path, coco(points(6, 17))), layout="coco17", fps=1.0)
    assert (len(clip), clip.fps) == (6, 1.0)


@pytest.mark.parametrize("idx", [[0.0], 0, [[0.0], [0.0]], [3.0, 5.0]])
def test_alphapose_without_tracking_is_one_person(tmp_path, idx) -> None:
    [clip] = clips(write(tmp_path, coco(points(4, 26), idx=idx)), layout="halpe26", fps=30.0)
    assert (clip.name, clip.person) == ("walk", None)
    [tracked] = clips(write(tmp_path, coco(points(4, 26), idx=[[7.0], [7.0]])), layout="halpe26", fps=30.0)
    assert tracked.person == "7"


def test_confidence_a_little_above_one_is_one(tmp_path) -> None:
    detected = points(4, 17)
    detected[1, 9, 2] = 1.407
    [clip] = clips(write(tmp_path, coco(detected)), layout="coco17", fps=30.0)
    assert clip.keypoints2d[1, H36M17.joints.index("left_wrist"), 2] == 1.0
    own = {"keypoints": detected.tolist(), "layout": "coco17", "fps": 25}
    [clip] = clips(write(tmp_path, own), layout="coco17", fps=25.0)
    assert clip.keypoints2d[..., 2].max() == 1.0


def test_videos_in_one_file_are_not_taken_for_one(tmp_path) -> None:
    two = [entry | {"image_id": f"{video}/{entry['image_id']}.jpg"} for video in "ab" for entry in coco(points(3, 17))]
    with pytest.raises(InputError, match="lie in several folders, 'a' and 'b' among them: give each video a file"):
        clips(write(tmp_path, two), layout="coco17", fps=30.0)


def test_a_frame_without_confidence_is_no_frame(tmp_path) -> None:
    detected = points(6, 17)
    detected[2, :, 2] = 0
    [clip] = clips(write(tmp_path, coco(detected)), layout="coco17", fps=25.0)
    np.testing.assert_allclose(clip.times, np.array([0, 1, 3, 4, 5]) / 25)


def test_of_untracked_people_the_surest_is_kept_if_one_asks_for_it(tmp_path) -> None:
    sure = np.repeat(points(1, 17), 5, 0)
    unsure = sure + np.array([3, 2, 0])  # found twice
    sure[..., 2], unsure[..., 2] = 0.9, 0.5
    sure[3, :, 2] = 0.1
    path = write(tmp_path, coco(sure) + coco(unsure))
    with pytest.raises(InputError, match="frame 0 has several people and no tracker has told them apart"):
        clips(path, layout="coco17", fps=25.0)
    [clip] = clips(path, layout="coco17", fps=25.0, untracked="best")
    expected = sure.copy()
    expected[3] = unsure[3]
    check(clip, expected, "coco17")


def test_a_mixed_folder_to_a_store(tmp_path) -> None:
    raw, detected = tmp_path / "raw", points(6, 17)
    (raw / "train").mkdir(parents=True)
    fields = {"keypoints": detected, "layout": "coco17", "fps": 25.0}
    np.savez(raw / "walk.npz", **fields)
    np.savez(raw / "train" / "walk.npz", **fields)
    (raw / "walk.json").write_text(json.dumps(fields | {"keypoints": detected.tolist()}))
    (raw / "broken.json").write_text("[")
    (raw / "video.mp4").write_text("not ours")
    status, store = prepare(raw, tmp_path / "store", "--split", "val")
    assert status == 1
    assert {clip.name: clip.split for clip in store} == {
        "walk.npz": "val", "walk.json": "val", "train/walk": "train",
    }  # fmt: skip
    for clip in store:
        check(clip, detected, "coco17")
    [[name, reason]] = store.source["failed"]
    assert name == "broken"
    assert "broken.json is no JSON file, or a damaged one" in reason
    assert prepare(raw / "walk.npz", tmp_path / "one")[1].names() == ["walk"]


def test_options_are_for_those_of_a_folders_files_that_lack_them(tmp_path) -> None:
    raw, detected = tmp_path / "raw", points(6, 17)
    raw.mkdir()
    np.savez(raw / "own.npz", keypoints=detected, layout="coco17", fps=25.0, width=1000, height=1000)
    (raw / "bare.json").write_text(json.dumps(coco(detected)))
    options = ("--layout", "coco17", "--fps", 30, "--image-size", *SIZE)
    status, store = prepare(raw, tmp_path / "store", *options)
    assert status == 0
    assert {clip.name: (clip.fps, clip.camera.width) for clip in store} == {
        "own": (25.0, 1000),
        "bare": (30.0, SIZE[0]),
    }


def test_a_frame_of_openposes_by_another_name_is_told(tmp_path) -> None:
    with pytest.raises(InputError, match=r"is a frame of OpenPose's: name it as OpenPose does"):
        clips(write(tmp_path, {"version": 1.3, "people": []}), layout="body25", fps=30.0)


@pytest.mark.parametrize(
    ("content", "options", "message"),
    [
        (coco(points(2, 17)), {"fps": 25.0}, "does not name the joints' order: give --layout"),
        (coco(points(2, 17)), {"layout": "coco17"}, "does not say when frames were taken: give --fps"),
        (coco(points(2, 17)), {"layout": "coco17", "fps": 25.0, "image_size": None}, "give --image-size W H"),
        (coco(points(2, 17)), {"layout": "halpe26", "fps": 25.0}, "have 17 joints, layout 'halpe26' has 26"),
        (coco(points(2, 17) / 460), {"layout": "coco17", "fps": 25.0}, "give pixels, not shares"),
        ({"keypoints": points(2, 17).tolist(), "layout": "coco17", "fps": 25}, {"image_size": None}, "--image-size"),
        ([], {}, r"expected a list of COCO results .* found list \[\]"),
        ("walk", {}, "expected a list of COCO results .* found str"),
        ([{"name": 1}], {}, "found objects with 'name'"),
        (
            {"images": [], "annotations": [], "categories": []},
            {},
            "is a file of annotations: give what a detector found",
        ),
        (ultralytics(points(1, 17))[0], {}, "has the people of a single image: give a list with such a list for each"),
        (mmpose(points(1, 17))[0]["instances"], {}, "has the people of a single image"),
        (["[]", "[]"], {}, r"frames are text in JSON: save lists, as Ultralytics' summary\(\) gives them"),
        ({"instance_info": {}}, {}, "expected mmpose's frames, each with frame_id and instances"),
        (mmpose(points(2, 17)), {"fps": 25.0}, "does not name the joints' order: give --layout"),
        (ultralytics(points(2, 17) / 460), {"layout": "coco17", "fps": 25.0}, "give pixels, not shares"),
        ([{"image_id": 1}, 2], {}, "expected a list of COCO results"),
    ],
)
def test_what_cannot_be_used_is_named(tmp_path, content: object, options: dict, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        clips(write(tmp_path, content), **options)
    assert "walk.json" in str(caught.value)


def changed(entries: list[dict], key: str, value: object) -> list[dict]:
    return [entries[0], entries[1] | {key: value}]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (changed(coco(points(2, 17)), "image_id", "first"), "result 1: expected a frame's number, or an image name"),
        (changed(coco(points(2, 17)), "image_id", 10**20), "result 1: expected a frame's number"),
        (changed(coco(points(2, 17)), "keypoints", [1, 2]), "result 1: expected keypoints x, y, confidence"),
        (changed(coco(points(2, 17)), "keypoints", [1, 2, 5]), "result 1: joint 0 has confidence 5, expected 0 to 1"),
        (changed(coco(points(2, 17)), "idx", {}), "result 1: expected idx to be a whole number or a name"),
        (changed(mmpose(points(2, 17)), "frame_id", None), "frame 1: expected a frame's number"),
        (changed(mmpose(points(2, 17)), "instances", 3), "frame 1: expected a list of people"),
        (
            mmpose(points(1, 17), keypoints=[[1, 2, 3]], keypoint_scores=[1]),
            "frame 0, person 0: expected keypoints of two",
        ),
        (mmpose(points(1, 17), keypoint_scores=[1]), "frame 0, person 0: expected keypoints of two numbers each"),
        ([[], 3], "frame 1: expected a list of people"),
        (
            [[{"name": "person", "box": {}}]],
            "frame 0, person 0: has no keypoints, only 'name, box': let a model of poses",
        ),
        ([[{"keypoints": {"x": [1, 2], "y": [3]}}]], "frame 0, person 0: expected keypoints as lists x, y and visible"),
        (changed(mediapipe(points(2, 33)), "pose_landmarks", 3), "frame 1: expected a list of people's landmarks"),
        (changed(mediapipe(points(2, 33)), "pose_landmarks", [3]), "frame 1: expected a person as a list of landmarks"),
        (
            changed(mediapipe(points(2, 33)), "pose_landmarks", [[{"x": 1}]]),
            "frame 1: joint 0 has y None, expected a number",
        ),
        (changed(mediapipe(points(2, 33), timestamp_ms=5), "timestamp_ms", None), "frame 1: expected a timestamp_ms"),
        (changed(mediapipe(points(2, 33), timestamp_ms=5), "timestamp_ms", -1), "frame 1: expected a timestamp_ms"),
        (
            changed(mediapipe(points(2, 33)), "timestamp_ms", 5),
            "frame 0: expected a timestamp_ms from 0 to 1e\\+13, as",
        ),
        (mediapipe(points(2, 33), timestamp_ms=5), "frame 1 has the timestamp_ms of frame 0, 5: drop either"),
    ],
)
def test_a_damaged_entry_is_named(content: object, message: str) -> None:
    with pytest.raises(InputError, match=rf"a\.json, {message}"):
        parse_detections(content, "a.json")


def test_a_damaged_openpose_frame_is_named() -> None:
    assert openpose_frame({"people": []}, 3, "a.json") == []
    with pytest.raises(InputError, match=r"a\.json: expected 'people' as OpenPose writes them"):
        openpose_frame({"persons": []}, 3, "a.json")
    with pytest.raises(InputError, match=r"a\.json, person 0: expected keypoints"):
        openpose_frame({"people": [{"pose_keypoints_2d": []}]}, 3, "a.json")


@pytest.mark.parametrize(
    ("seen", "message"),
    [
        ([], "nobody was detected in any frame"),
        ([Seen(0, "1", np.ones((17, 3))), Seen(0, None, np.ones((17, 3)))], "some people have a number and some have"),
        ([Seen(0, "1", np.ones((17, 3))), Seen(0, "1", np.ones((17, 3)))], "person 1 comes twice in frame 0"),
        ([Seen(0, "1", np.ones((17, 3))), Seen(1, "1", np.ones((18, 3)))], "some people have 17 joints, some 18"),
    ],
)
def test_people_that_cannot_be_told_apart_are_refused(seen: list[Seen], message: str) -> None:
    with pytest.raises(InputError, match=rf"a\.json: {message}"):
        find_tracks(seen, "best", 25.0, "a.json")


def test_options_and_folders_that_cannot_be_used_are_named(tmp_path) -> None:
    with pytest.raises(InputError, match=r"--fps is -1\.0, expected"):
        read_keypoint_files(tmp_path, fps=-1.0)
    with pytest.raises(InputError, match=r"--image-size is \[0, 5\], expected"):
        read_keypoint_files(tmp_path, image_size=[0, 5])
    with pytest.raises(InputError, match=r"holds no \.npz, \.npy, \.json"):
        read_keypoint_files(tmp_path)
