"""Runs back from their folders, and single clips through them."""

from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from hummuss import HumMUSS, Inference, InputError, MotionModule
from hummuss.data import Camera, DetectionNoise, MotionClip, View
from hummuss.heads import ActionHead, EmbeddingHead, MeshHead, PoseHead
from hummuss.inference import ClipPrediction, Run, load_run, predict_clip

MODEL = {
    "class_path": "hummuss.MotionModule",
    "init_args": {
        "backbone": {"class_path": "hummuss.HumMUSS", "init_args": {"dim": 8, "depth": 1, "modes": 2}},
        "heads": {"pose": {"class_path": "hummuss.heads.PoseHead"}},
    },
}


def make_model(heads=None) -> MotionModule:
    torch.manual_seed(0)
    return MotionModule(HumMUSS(dim=8, depth=1, modes=2), heads or {"pose": PoseHead}).eval()


def make_run(folder: Path, config: dict | None = None, state: dict | None = None) -> Path:
    data = {"class_path": "hummuss.data.StoreDataModule", "init_args": {"root": "gone", "frames": 9}}
    (folder / "config.yaml").write_text(yaml.safe_dump(config or {"model": MODEL, "data": data}))
    torch.save({"state_dict": state or make_model().state_dict()}, folder / "best.ckpt")
    return folder / "best.ckpt"


def make_clip(frames: int = 20, **changes) -> MotionClip:
    points = np.random.default_rng(0).uniform(100, 500, (frames, 17, 3)).astype(np.float32)
    points[..., 2] = 0.8
    camera = Camera(np.zeros((3, 3)), np.eye(3), np.zeros(3), 640, 480)
    values = {"fps": 25.0, "keypoints2d": points, "camera": camera, "frame": "camera"} | changes
    return MotionClip(name="walk", sequence="walk", subject="1", split="test", **values)


def test_a_run_comes_back_with_its_weights_and_settings(tmp_path) -> None:
    view = {"class_path": "hummuss.data.View", "init_args": {"normalisation": "box"}}
    data = {"class_path": "x", "init_args": {"root": "gone", "frames": 9, "view": view}}
    model = {**MODEL, "init_args": MODEL["init_args"] | {"inference": {"windows": 7, "flip": True}}}
    path = make_run(tmp_path, {"model": model, "data": data, "seed_everything": 0})
    for given in (path, tmp_path, str(tmp_path)):
        run = load_run(given)
        assert (run.checkpoint, run.trained_frames, run.view.normalisation) == (path, 9, "box")
        assert run.model.inference == Inference(windows=7, flip=True)
        assert not run.model.training
        for name, value in make_model().state_dict().items():
            torch.testing.assert_close(run.model.state_dict()[name], value, rtol=0, atol=0)


def test_what_is_no_run_is_named(tmp_path) -> None:
    with pytest.raises(InputError, match=r"no checkpoint at .*best\.ckpt"):
        load_run(tmp_path)
    with pytest.raises(InputError, match=r"no checkpoint at .*last\.ckpt"):
        load_run(tmp_path / "last.ckpt")
    path = make_run(tmp_path)
    (tmp_path / "config.yaml").unlink()
    with pytest.raises(InputError, match=r"has no config\.yaml beside the checkpoint, which says what model it is of"):
        load_run(path)
    for config in ({"model": MODEL}, {"data": {}}, "nothing", {"model": MODEL, "data": {"init_args": {}}}):
        with pytest.raises(InputError, match="is not the config of a run"):
            load_run(make_run(tmp_path, config))
    make_run(tmp_path)
    (tmp_path / "config.yaml").write_text("model: {")
    with pytest.raises(InputError, match=r"config\.yaml is no YAML, or damaged .*: copy it again"):
        load_run(path)
    make_run(tmp_path)
    path.write_bytes(b"no checkpoint at all")
    with pytest.raises(InputError, match=r"best\.ckpt is not a checkpoint of `hummuss fit`, or damaged"):
        load_run(path)
    torch.save([1, 2], path)
    with pytest.raises(InputError, match=r"best\.ckpt is not a checkpoint"):
        load_run(path)


def test_what_is_no_clip_is_named_with_what_makes_one(unchecked: None) -> None:
    with pytest.raises(
        InputError, match=r"expected a clip, found str: make one of a file with hummuss\.data\.read_key"
    ):
        predict_clip(run_of(make_model()), "walk.npz")


def test_heads_that_were_shown_otherwise_normalised_keypoints_do_not_predict_together(tmp_path) -> None:
    heads = {"pose": MODEL["init_args"]["heads"]["pose"], "act": {"class_path": "hummuss.heads.ActionHead"}}
    heads["act"]["init_args"] = {"classes": ["walk", "run"]}
    model = {**MODEL, "init_args": MODEL["init_args"] | {"heads": heads}}
    made = make_model({"pose": PoseHead, "act": lambda dim: ActionHead(dim, classes=["walk", "run"])})

    def run_of_parts(normalisation: str) -> Path:
        parts = {
            "pose": {"class_path": "x", "init_args": {"frames": 9, "view": None}},
            "act": {"class_path": "x", "init_args": {"frames": 5, "view": {"normalisation": normalisation}}},
        }
        config = {"model": model, "data": {"class_path": "x", "init_args": {"parts": parts}}}
        return make_run(tmp_path, config, made.state_dict())

    path = run_of_parts("frame")
    with pytest.raises(InputError, match="different normalisations, act 'frame', pose 'image', so no clip"):
        load_run(path)
    for head, normalisation, kept in ((ActionHead, "frame", "act"), (PoseHead, "image", "pose")):
        run = load_run(path, head=head)
        assert run.view.normalisation == normalisation
        assert list(run.model.heads) == [kept], "no head predicts from keypoints that it was not trained on"
    assert predict_clip(load_run(path, head=PoseHead), make_clip()).actions is None
    assert list(load_run(path, head=MeshHead).model.heads) == ["act", "pose"], "as its config has them"
    together = load_run(run_of_parts("image"))
    assert together.trained_frames == 5  # the first head's, in the order of the file
    assert len(together.model.heads) == 2


@pytest.mark.parametrize("causal", [False, True])
def test_every_head_predicts_in_double_precision(causal) -> None:
    heads = {
        "pose": PoseHead,
        "mesh": lambda dim: MeshHead(dim, hidden=8, vertex_count=5),
        "action": lambda dim: ActionHead(dim, classes=["walk", "run"]),
        "one_shot": lambda dim: EmbeddingHead(dim, dim=4),
    }
    torch.manual_seed(0)
    model = MotionModule(HumMUSS(dim=8, depth=1, modes=2, causal=causal), heads).eval()
    single = predict_clip(run_of(model), make_clip(), Inference(flip=True))
    double = predict_clip(run_of(model.double()), make_clip(), Inference(flip=True))
    for name in ("joints3d", "smpl_pose", "betas", "embedding"):
        np.testing.assert_allclose(getattr(double, name), getattr(single, name), atol=1e-5)


def test_weights_of_another_model_are_refused(tmp_path) -> None:
    for change in ({"heads.pose.project.weight": torch.zeros(3, 9)}, {"backbone.more": torch.zeros(1)}):
        path = make_run(tmp_path, state=make_model().state_dict() | change)
        with pytest.raises(InputError, match="does not hold the weights of the model") as caught:
            load_run(path)
        assert next(iter(change)) in str(caught.value)
        assert "\n" not in str(caught.value)
    state = make_model().state_dict()
    del state["backbone.lift.bias"]
    with pytest.raises(InputError, match=r"backbone\.lift\.bias"):
        load_run(make_run(tmp_path, state=state))


def run_of(model: MotionModule, **view) -> Run:
    return Run(Path("best.ckpt"), model, View(**view), trained_frames=9)


@pytest.mark.parametrize("normalisation", ["image", "box", "frame"])
def test_the_model_sees_what_training_would_have_shown_it(normalisation: str) -> None:
    times = np.cumsum(np.random.default_rng(1).uniform(0.01, 0.05, 20))
    clip = make_clip(fps=None, timestamps=times)
    model = make_model()
    got = predict_clip(run_of(model, normalisation=normalisation), clip)
    points = clip.keypoints2d
    if normalisation == "image":
        scaled = (points[..., :2] - (320, 240)) / 320
    elif normalisation == "frame":
        away = points[..., :2] - points[..., :2].mean(1, keepdims=True)
        scaled = away / np.sqrt((away**2).sum(-1).mean(-1))[:, None, None]
    else:
        early = points[times <= times[0] + 0.5, :, :2].reshape(-1, 2)
        low, high = early.min(0), early.max(0)
        scaled = (points[..., :2] - (low + high) / 2) / ((high - low).max() / 2)
    keypoints = torch.from_numpy(np.concatenate([scaled, points[..., 2:]], -1).astype(np.float32))[None]
    dt = torch.from_numpy(np.concatenate([np.diff(times)[:1], np.diff(times)]).astype(np.float32))[None]
    with torch.inference_mode():
        joints = model.heads["pose"].project(model.backbone(keypoints, dt))[0].numpy()
    np.testing.assert_allclose(got.joints3d, joints - joints[:, :1], atol=1e-5)
    np.testing.assert_allclose(got.dt, dt[0], rtol=1e-6)
    np.testing.assert_array_equal(got.timestamps, times)
    assert (got.confidence == np.float32(0.8)).all()
    assert got.smpl_pose is got.betas is got.body is None


def test_pose_and_mesh_together_give_the_pose_heads_joints_and_the_meshs_body(tmp_path) -> None:
    model = make_model({"mesh": lambda dim: MeshHead(dim, hidden=8, vertex_count=5), "pose": PoseHead})
    both = predict_clip(run_of(model), make_clip())
    alone = make_model()
    alone.load_state_dict({k: v for k, v in model.state_dict().items() if "mesh" not in k})
    np.testing.assert_allclose(both.joints3d, predict_clip(run_of(alone), make_clip()).joints3d, atol=1e-6)
    assert both.smpl_pose is not None
    assert both.smpl_pose.shape == (20, 24, 3)
    both.draw(tmp_path / "new" / "both.png", count=2)
    both.save(tmp_path / "other" / "both.npz")
    with np.load(tmp_path / "other" / "both.npz") as file:
        assert set(file) == {
            "joints3d", "confidence", "timestamps", "dt", "inference", "smpl_pose", "betas", "body",
        }  # fmt: skip
        np.testing.assert_array_equal(file["smpl_pose"], both.smpl_pose)
    assert (tmp_path / "new" / "both.png").is_file()


def test_pictures_name_frames_and_times_and_show_a_truth_where_there_is_one(monkeypatch) -> None:
    drawn = []
    monkeypatch.setattr("hummuss.inference.clips.save_comparison", lambda path, panels, faces: drawn.extend(panels))
    run = run_of(make_model(), noise=DetectionNoise(missed=0.0))
    predict_clip(run, make_clip()).draw("x.png", count=3)
    assert [panel.title for panel in drawn] == ["frame 3, 0.12 s", "frame 9, 0.36 s", "frame 16, 0.64 s"]
    assert all(panel.true_joints is None for panel in drawn)
    drawn.clear()
    joints = np.random.default_rng(0).normal(0, 0.3, (20, 17, 3)).astype(np.float32)
    prediction = predict_clip(run, make_clip(keypoints2d=None, camera=None, frame="world", joints3d=joints))
    prediction.draw("x.png", count=1)
    error = 1000 * np.linalg.norm(drawn[0].predicted_joints - drawn[0].true_joints, axis=-1).mean()
    assert drawn[0].title == f"frame 9, 0.36 s: {error:.0f} mm"
    np.testing.assert_allclose(drawn[0].predicted_joints, prediction.joints3d[9], atol=1e-6)


def action_run(head=lambda dim: ActionHead(dim, hidden=8, classes=["walk", "run", "jump"])) -> Run:
    return run_of(make_model({"action": head}))


def test_an_action_run_gives_probabilities_by_name_and_no_picture(tmp_path) -> None:
    run, clip = action_run(), make_clip()
    got = predict_clip(run, clip)
    points = (clip.keypoints2d - np.float32([320, 240, 0])) / np.float32([320, 320, 1])
    head = run.model.heads["action"]
    with torch.inference_mode():
        mean = run.model.backbone(torch.from_numpy(points)[None], torch.full((1, 20), 0.04)).mean(1)
        expected = head.classify(head.embed(mean.flatten(1))).softmax(1)[0].numpy()
    assert list(got.actions) == ["walk", "run", "jump"]
    np.testing.assert_allclose([*got.actions.values()], expected, atol=1e-6)
    assert got.joints3d is got.smpl_pose is got.betas is got.body is got.embedding is None
    got.save(tmp_path / "action.npz")
    with np.load(tmp_path / "action.npz") as file:
        assert set(file) == {"classes", "probabilities", "confidence", "timestamps", "dt", "inference"}
        assert file["classes"].tolist() == ["walk", "run", "jump"]
        np.testing.assert_allclose(file["probabilities"], expected, atol=1e-6)
    with pytest.raises(InputError, match=r"a\.png: the run predicts neither pose nor mesh"):
        got.draw(tmp_path / "a.png")
    flipped = predict_clip(run, clip, Inference(windows=9, flip=True)).actions
    assert sum(flipped.values()) == pytest.approx(1, abs=1e-5)


def test_all_tasks_together_are_all_there() -> None:
    heads = {
        "action": lambda dim: ActionHead(dim, hidden=8, classes=["walk", "run"]),
        "mesh": lambda dim: MeshHead(dim, hidden=8, vertex_count=5),
        "again": PoseHead,
        "pose": PoseHead,
        "one_shot": lambda dim: EmbeddingHead(dim, dim=4),
    }
    run = run_of(make_model(heads))
    got = predict_clip(run, make_clip())
    alone = predict_clip(
        run_of(MotionModule(run.model.backbone, {"pose": lambda dim: run.model.heads["again"]})), make_clip()
    )
    np.testing.assert_allclose(got.joints3d, alone.joints3d, atol=1e-6)
    assert (list(got.actions), got.body, got.embedding.shape) == (["walk", "run"], "free", (4,))
    assert np.linalg.norm(got.embedding) == pytest.approx(1, abs=1e-5)
    assert got.smpl_pose.shape == (20, 24, 3)


def test_heads_whose_answers_have_no_name_are_refused() -> None:
    class Size(PoseHead):
        def forward(self, representation, batch):
            return {"size": representation.mean((1, 2, 3))}

    with pytest.raises(InputError, match="predicts neither pose, mesh, action nor embedding, only size: call it with"):
        predict_clip(run_of(make_model({"size": Size})), make_clip())


def test_one_frame_needs_a_rate() -> None:
    run = run_of(make_model())
    single = predict_clip(run, make_clip(frames=1))
    assert isinstance(single, ClipPrediction)
    np.testing.assert_allclose(single.dt, 1 / 25)
    with pytest.raises(InputError, match="clip walk has one frame with a time stamp, which gives no interval"):
        predict_clip(run, make_clip(frames=1, fps=None, timestamps=np.zeros(1)))


def test_clips_without_what_it_takes_are_refused() -> None:
    run = run_of(make_model())
    with pytest.raises(InputError, match="needs the image's width and height"):
        predict_clip(run, make_clip(camera=None))
    with pytest.raises(InputError, match=r"needs 17 2D keypoints in Human3\.6M order, found 21"):
        predict_clip(run, make_clip(keypoints2d=np.ones((20, 21, 3), np.float32)))
