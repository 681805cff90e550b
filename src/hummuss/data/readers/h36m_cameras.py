"""Human3.6M's four cameras: their lenses, and where they stood for each subject.

The dataset's own calibration (``metadata.xml`` of its release), as VideoPose3D (Pavllo et al., CVPR 2019) lists it in
``common/h36m_dataset.py``; numbers of float32 precision. The files of poses carry no cameras.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from scipy.spatial.transform import Rotation

from hummuss.data.motion import Camera


class Lens(NamedTuple):
    """Intrinsics of one camera: pixels, and Human3.6M's distortion coefficients."""

    focal: tuple[float, float]
    centre: tuple[float, float]
    radial: tuple[float, float, float]
    tangential: tuple[float, float]
    width: int
    height: int


# By camera, in the order that files list views: ca_01 ... ca_04.
LENSES = {
    "54138969": Lens(
        (1145.04944, 1143.78113),
        (512.541504, 515.451477),
        (-0.207098916, 0.247775182, -0.00307515031),
        (-0.000975698873, -0.00142447161),
        1000,
        1002,
    ),
    "55011271": Lens(
        (1149.67566, 1147.59167),
        (508.848633, 508.064911),
        (-0.194213629, 0.24040854, 0.00681997556),
        (-0.00161902665, -0.00274089444),
        1000,
        1000,
    ),
    "58860488": Lens(
        (1149.14075, 1148.79895),
        (519.815857, 501.402649),
        (-0.208338186, 0.255488008, -0.00246049743),
        (0.00148438697, -0.000759999326),
        1000,
        1000,
    ),
    "60457274": Lens(
        (1145.51135, 1144.77393),
        (514.968201, 501.882019),
        (-0.198384091, 0.218323678, -0.00894780736),
        (-0.000587205577, -0.001813362),
        1000,
        1002,
    ),
}
# Subject -> per camera the quaternion (w, x, y, z) from camera to world, and the camera's place in the world in mm.
_PLACES = {
    "S1": (
        ((0.140705645, -0.150070176, -0.755240798, 0.622328043), (1841.10706, 4955.28467, 1563.44543)),
        ((0.615718782, -0.764836311, -0.148338258, 0.117947407), (1761.27856, -5078.00684, 1606.26501)),
        ((0.146514729, -0.146478519, 0.76530236, -0.609417558), (-1846.77771, 5215.04639, 1491.97241)),
        ((0.583400846, -0.785316229, 0.145488232, -0.14749594), (-1794.78967, -3722.69897, 1574.8927)),
    ),
    "S5": (
        ((0.146737725, -0.162370965, -0.7551893, 0.617893875), (2097.3916, 4880.94482, 1605.73242)),
        ((0.615975857, -0.762679219, -0.15728192, 0.118981503), (2031.70081, -5167.93311, 1612.9231)),
        ((0.142913714, -0.129078418, 0.767838478, -0.611014307), (-1620.59485, 5171.65869, 1496.43701)),
        ((0.592047989, -0.781421781, 0.127474859, -0.150364175), (-1637.17371, -3867.31738, 1547.0332)),
    ),
    "S6": (
        ((0.133789778, -0.156923965, -0.757109046, 0.619887948), (1935.45178, 4950.24561, 1618.08386)),
        ((0.614719748, -0.762881279, -0.161747679, 0.118192449), (1969.80396, -5128.73877, 1632.77881)),
        ((0.152994812, -0.135291308, 0.764609635, -0.611278117), (-1769.59644, 5185.36133, 1476.99341)),
        ((0.591610134, -0.780477405, 0.128322706, -0.156159386), (-1721.6687, -3884.13135, 1540.48792)),
    ),
    "S7": (
        ((0.143524185, -0.163133681, -0.754832864, 0.618882477), (1974.51294, 4926.35449, 1597.83264)),
        ((0.614167273, -0.763826251, -0.159664556, 0.117792994), (1937.05847, -5119.79004, 1631.56653)),
        ((0.1455006, -0.128748164, 0.76605165, -0.612713933), (-1741.81116, 5208.24951, 1464.82458)),
        ((0.591284811, -0.782176435, 0.124454737, -0.151964873), (-1734.71057, -3832.42139, 1548.58301)),
    ),
    "S8": (
        ((0.141105875, -0.155898675, -0.75619173, 0.619644046), (2150.65186, 4896.16113, 1611.90466)),
        ((0.616960168, -0.764766812, -0.148463503, 0.111581579), (2219.96558, -5148.45312, 1613.04407)),
        ((0.147144407, -0.133771196, 0.767012835, -0.610036969), (-1571.22156, 5137.01855, 1498.17615)),
        ((0.592782438, -0.782587051, 0.121478163, -0.146319956), (-1476.91333, -3896.74121, 1547.97217)),
    ),
    "S9": (
        ((0.155405879, -0.155482158, -0.753209531, 0.619959474), (2044.4585, 4935.11719, 1481.22754)),
        ((0.618784487, -0.763473511, -0.141322389, 0.119339682), (1990.95972, -5123.81055, 1568.80481)),
        ((0.133578271, -0.136710048, 0.768945456, -0.610073864), (-1670.99219, 5211.98584, 1528.38794)),
        ((0.587939918, -0.782340705, 0.142761439, -0.147948697), (-1696.04346, -3827.09985, 1591.41272)),
    ),
    "S11": (
        ((0.152324721, -0.154423207, -0.754756331, 0.619107008), (2098.44019, 4926.55469, 1500.27856)),
        ((0.618944943, -0.760091722, -0.15300633, 0.125525832), (2083.18237, -4912.17285, 1561.07861)),
        ((0.149432287, -0.156502277, 0.768123388, -0.602630436), (-1609.81531, 5177.33594, 1537.89673)),
        ((0.589425147, -0.78188771, 0.139912114, -0.147153616), (-1590.73804, -3854.16895, 1578.01758)),
    ),
}
CAMERAS = tuple(LENSES)
# Human3.6M's world is z up, a clip's is y up: x stays, y up is the old z, and the old y points to -z.
Y_UP_FROM_Z_UP = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]])


def h36m_camera(subject: str, camera: str) -> Camera:
    """The pinhole part of a camera, in the world that is y up (metres).

    Real pixels are distorted beyond it: by some 15 pixels at the image's edges, see `project_h36m`.

    Args:
        subject: S1, S5, S6, S7, S8, S9 or S11.
        camera: one of `CAMERAS`.
    """
    lens, (quaternion, place) = LENSES[camera], _PLACES[subject][CAMERAS.index(camera)]
    to_camera = Rotation.from_quat(quaternion, scalar_first=True).as_matrix().T
    intrinsics = np.array([[lens.focal[0], 0, lens.centre[0]], [0, lens.focal[1], lens.centre[1]], [0, 0, 1]])
    translation = -to_camera @ np.array(place) / 1000
    return Camera(intrinsics, to_camera @ Y_UP_FROM_Z_UP.T, translation, lens.width, lens.height)


def project_h36m(joints: Float[np.ndarray, "*batch 3"], camera: str) -> Float[np.ndarray, "*batch 2"]:
    """Camera coordinates (metres) to pixels, with the lens's distortion.

    With the tangential coefficients in the order in which VideoPose3D's ``project_to_2d``, which made the ground truth
    of ``data_2d_h36m_gt.npz``, applies them.
    """
    lens = LENSES[camera]
    flat = np.clip(joints[..., :2] / joints[..., 2:], -1, 1)
    squared = (flat**2).sum(-1, keepdims=True)
    radial = 1 + (squared ** np.array([1, 2, 3])) @ np.array(lens.radial)
    tangential = np.array(lens.tangential)
    bent = flat * (radial + flat @ tangential)[..., None] + tangential * squared
    return bent * np.array(lens.focal) + np.array(lens.centre)
