"""Every figure that a head reports has its unit in tables."""

from hummuss.heads import PoseHead
from hummuss.metrics.units import unit


def test_the_pose_heads_figures_have_units():
    units = {name: unit(name) for name in PoseHead(8).metrics()}
    assert units == {
        "mpjpe": "mm",
        "pa_mpjpe": "mm",
        "n_mpjpe": "mm",
        "mpjve": "mm/s",
        "accel": "m/s²",
        "accel_frame": "mm/frame²",
        "pck": "%",
        "auc": "%",
    }
