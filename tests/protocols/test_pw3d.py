"""3DPW against a loop over frames that poses bodies through smplx itself."""

import numpy as np
import pytest
import roma
import torch

from hummuss.body import smpl as smpl_module
from hummuss.body.smpl import BodyModel
from hummuss.body.unpickle import load_npz
from hummuss.errors import InputError
from hummuss.heads import MeshHead
from hummuss.protocols import PW3D, TestClips

FOURTEEN = [1, 2, 3, 4, 5, 6, 8, 10, 11, 12, 13, 14, 15, 16]


@pytest.fixture(scope="module")
def bodies(tmp_path_factory) -> dict[str, str]:
    """Body files whose men are a tenth larger and whose women a tenth smaller, and the regressor of all."""
    folder = tmp_path_factory.mktemp("bodies")
    free = dict(load_npz(smpl_module.Path(smpl_module.__file__).with_name("free_body.npz")))
    free["posedirs"] = np.zeros((len(free["v_template"]), 3, 207), np.float32)
    paths = {}
    for gender, size in (("male", 1.1), ("female", 0.9)):
        paths[f"{gender}_body"] = str(folder / f"SMPL_{gender.upper()}.npz")
        np.savez(paths[f"{gender}_body"], **(free | {"v_template": (size * free["v_template"]).astype(np.float32)}))
    paths["h36m_regressor"] = str(folder / "regressor.npy")
    np.save(paths["h36m_regressor"], free["h36m_regressor"])
    return paths


def make_clips(made):
    """A woman and two men; in the last clip a frame without a valid camera."""
    clips = []
    for number, (gender, frames) in enumerate(((0, 5), (1, 7), (1, 4))):
        rng = np.random.default_rng(number)
        valid = np.ones(frames, np.uint8)
        valid[2] = number < 2
        clips.append(
            made.clip(
                f"seq_{number}/0", frames, fps=30.0, body="free", betas=rng.normal(0, 1, 10).astype(np.float32),
                smpl_pose=rng.normal(0, 0.3, (frames, 24, 3)).astype(np.float32),
                transl=rng.normal(0, 1, (frames, 3)).astype(np.float32),
                extras={"gender": np.full(frames, gender, np.int8), "valid_frame": valid},
            )
        )  # fmt: skip
    return clips


def make_predictions(clips):
    """Poses and shapes near the true ones."""
    rng = np.random.default_rng(7)
    poses = [clip.smpl_pose + rng.normal(0, 0.1, clip.smpl_pose.shape).astype(np.float32) for clip in clips]
    return poses, [clip.betas + rng.normal(0, 0.5, 10).astype(np.float32) for clip in clips]


def evaluate(made, protocol, head, clips, poses, betas):
    shown = TestClips({"": clips})
    protocol.check(shown)
    evaluation = protocol.evaluation(head, shown)
    batch = made.batch(clips, [(number, list(range(len(clip)))) for number, clip in enumerate(clips)])
    rotations = roma.rotvec_to_rotmat(made.at(poses, batch))
    prediction = {"rotations": rotations, "betas": torch.from_numpy(np.stack(betas))}
    evaluation.update(prediction, batch, batch["clip"])
    return evaluation.result()


def posed(body, poses, betas):
    """Joints by the regressor and vertices of every frame of a clip, float64 numpy, each frame on its own."""
    joints, vertices = [], []
    for pose in poses:
        out = body(roma.rotvec_to_rotmat(torch.from_numpy(pose)), torch.from_numpy(betas), torch.zeros(3))
        regressor = np.zeros((17, body.num_vertices))
        regressor[:, body.support] = body.h36m_weights
        vertices.append(out.vertices.numpy().astype(np.float64))
        joints.append(regressor @ vertices[-1])
    return np.stack(joints), np.stack(vertices)


@pytest.mark.parametrize("gt", ["neutral", "gendered"])
@pytest.mark.parametrize("root", ["midhip", "regressor"])
def test_figures_against_a_loop_over_frames(made, bodies, gt, root) -> None:
    clips, head = make_clips(made), MeshHead(4, hidden=8, vertex_count=20)
    poses, betas = make_predictions(clips)
    protocol = PW3D(gt=gt, root=root, **(bodies if gt == "gendered" else {}))
    true_bodies = [head.body, head.body]
    if gt == "gendered":
        true_bodies = [BodyModel(bodies[f"{g}_body"], bodies["h36m_regressor"]) for g in ("female", "male")]
    result = evaluate(made, protocol, head, clips, poses, betas)
    figures = {name: [] for name in ("mpjpe", "pa_mpjpe", "mpve", "accel", "accel_frame")}
    for number, clip in enumerate(clips):
        x, xv = posed(head.body, poses[number], betas[number])
        y, yv = posed(true_bodies[clip.extras["gender"][0]], clip.smpl_pose, clip.betas)
        roots = [(z[:, 1:2] + z[:, 4:5]) / 2 if root == "midhip" else z[:, :1] for z in (x, y)]
        x, xv, y, yv = x - roots[0], xv - roots[0], y - roots[1], yv - roots[1]
        x, y, scored = x[:, FOURTEEN], y[:, FOURTEEN], clip.extras["valid_frame"] > 0
        for f in np.flatnonzero(scored):
            figures["mpjpe"].append(1000 * np.linalg.norm(x[f] - y[f], axis=-1).mean())
            figures["pa_mpjpe"].append(1000 * made.aligned_error(x[f], y[f]))
            figures["mpve"].append(1000 * np.linalg.norm(xv[f] - yv[f], axis=-1).mean())
            if f >= 2 and scored[f - 2 : f].all():
                second = (x[f] - y[f]) - 2 * (x[f - 1] - y[f - 1]) + (x[f - 2] - y[f - 2])
                figures["accel_frame"].append(1000 * np.linalg.norm(second, axis=-1).mean())
                figures["accel"].append(30**2 * np.linalg.norm(second, axis=-1).mean())
    (row,) = result.rows
    assert row.figures == pytest.approx({name: np.mean(values) for name, values in figures.items()}, rel=2e-4)
    assert row.count == 15
    assert protocol.options() == {"gt": gt, "root": root}
    assert "not SMPL's" in result.notes[0]
    assert result.notes[1:] == ["15 frames with a valid camera; the official test has 35,515"]


def test_options_change_the_figures(made, bodies) -> None:
    clips, head = make_clips(made), MeshHead(4, hidden=8, vertex_count=20)
    poses, betas = make_predictions(clips)
    found = {
        (gt, root): evaluate(
            made, PW3D(gt=gt, root=root, **(bodies if gt == "gendered" else {})), head, clips, poses, betas
        ).rows[0].figures["mpve"]
        for gt in ("neutral", "gendered") for root in ("midhip", "regressor")
    }  # fmt: skip
    assert len({round(value, 1) for value in found.values()}) == 4


def test_perfect_predictions_have_no_error_on_their_own_body(made) -> None:
    clips, head = make_clips(made), MeshHead(4, hidden=8, vertex_count=20)
    protocol = PW3D(gt="neutral", root="regressor")
    (row,) = evaluate(made, protocol, head, clips, [c.smpl_pose for c in clips], [c.betas for c in clips]).rows
    assert max(row.figures.values()) < 1e-2


def test_what_does_not_fit_is_refused(made, bodies, tmp_path) -> None:
    with pytest.raises(InputError, match="pw3d with gt gendered and bodies for no gender"):
        PW3D()
    with pytest.raises(InputError, match="gendered needs male_body and female_body"):
        PW3D(male_body=bodies["male_body"])
    with pytest.raises(InputError, match="neutral and bodies for female and male"):
        PW3D(gt="neutral", **bodies)
    with pytest.raises(InputError, match=r"has no smpl_pose, which pw3d compares with"):
        PW3D(gt="neutral").check(TestClips({"": [made.clip("seq")]}))
    clips = make_clips(made)
    del clips[0].extras["gender"]
    with pytest.raises(InputError, match=r"seq_0/0 has no extras\['gender'\]: prepare it again, or set gt: neutral"):
        PW3D(**bodies).check(TestClips({"": clips}))
    other = tmp_path / "other.npy"
    regressor = np.load(bodies["h36m_regressor"])
    np.save(other, 0.9 * regressor + np.float32(0.1 / regressor.shape[1]))
    with pytest.raises(InputError, match=r"SMPL_FEMALE and free have different Human3.6M regressors"):
        PW3D(**(bodies | {"h36m_regressor": str(other)})).evaluation(
            MeshHead(4, hidden=8, vertex_count=20), TestClips({"": make_clips(made)})
        )
