"""The free body's joints: SMPL's tree, its posing, and the regressors from skin to joints.

Used by ``build_free_body.py`` alone.
"""

import numpy as np
from scipy.optimize import nnls
from scipy.spatial.transform import Rotation

REGRESSOR_VERTICES = 14  # at most, per Human3.6M joint

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
# Human3.6M's joints as means of the body's joints; nose and head are points of the head (below). Pelvis,
# spine and thorax stand where optical motion capture has them (CMU's ASF skeletons, training subjects): the
# root some 9 cm above the hips, the upper ends of the bones upperback and thorax.
H36M: tuple[tuple[str, ...], ...] = (
    ("spine1",), ("right_hip",), ("right_knee",), ("right_ankle",), ("left_hip",), ("left_knee",),
    ("left_ankle",), ("spine2", "spine3"), ("spine3", "spine3", "left_collar", "right_collar"),
    ("NOSE",), ("HEAD",), ("left_shoulder",), ("left_elbow",), ("left_wrist",), ("right_shoulder",),
    ("right_elbow",), ("right_wrist",),
)  # fmt: skip
# Spread (radians) of the random poses the regressor is fitted to; knees and elbows bend up to FLEXION more.
POSE_STD = {"pelvis": 0.0, "spine": 0.2, "neck": 0.25, "head": 0.25, "collar": 0.15, "shoulder": 0.6,
            "elbow": 0.15, "wrist": 0.4, "hand": 0.0, "hip": 0.5, "knee": 0.1, "ankle": 0.3,
            "foot": 0.0}  # fmt: skip
FLEXION = 2.0


def joint(name: str) -> int:
    return NAMES.index(name)


def skin(vertices, joints, weights, rotations):
    """Pose bodies (S, V, 3), rest joints (S, 24, 3), by global rotations (S, 24, 3, 3) about the pelvis."""
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


def convex_fit(offsets, groups, limit):
    """Weights >= 0 with sum 1 that minimise |sum_i w_i offsets_i|^2, at most ``limit`` of them nonzero.

    offsets (N, V, 3) are candidate points minus the target; groups lists candidates that share one weight.
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
    """Vertices near a joint that move with its neighbours, each with its mirror partner if paired.

    Every fourth of the nearest ``4 count``, if there are as many: a ring of skin, not only its nearest side.
    """
    near = np.flatnonzero(weights[:, family].sum(1) > 0.3)
    near = near[np.argsort(np.linalg.norm(template[near] - centre, axis=1), kind="stable")]
    ring = near[: 4 * count : 4] if len(near) > 4 * count else near[:count]
    return sorted({tuple(sorted({v, order[v]})) if paired else (v,) for v in ring.tolist()})


def family_of(j):
    return [j, max(PARENTS[j], 0), *np.flatnonzero(j == PARENTS)]


def joint_regressor(mean, shapedirs, joint_mean, joint_dirs, weights, order):
    """(24, V) regressor of joints from rest vertices, least expected squared error for beta ~ N(0, 1)."""
    fields = np.concatenate([mean[None], shapedirs.transpose(2, 0, 1)])
    targets = np.concatenate([joint_mean[None], joint_dirs.transpose(2, 0, 1)])
    regressor = np.zeros((24, len(mean)))
    for j in range(24):
        if NAMES[j].startswith("right"):
            continue
        groups = candidates(mean, weights, joint_mean[j], family_of(j), order, MIRROR[j] == j, 300)
        # The fields are linear in the weights, which sum to one: their targets may be subtracted beforehand.
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
    """(17, V) regressor of Human3.6M's joints from posed vertices, fitted to and checked on random bodies."""
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
    rows = [("all", "", regressor.any(0), errors)]
    for names, row, error in zip(H36M, regressor, errors.T, strict=True):
        target = "point fixed to the head" if names[0] in rigid else "joint centre"
        rows.insert(-1, (" + ".join(names).lower(), target, row > 0, error))
    for stands_at, target, used, error in rows:
        figures = f"{error.mean():.1f} | {np.percentile(error, 99):.1f} | {error.max():.1f}"
        print(f"| {stands_at} | {target} | {used.sum()} | {figures} |")
    return regressor
