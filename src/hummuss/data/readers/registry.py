"""The datasets that ``hummuss prepare`` knows: one entry each. Adding one is its reader's file and a line here."""

from hummuss.data.readers import h36m, h36m_motionbert
from hummuss.data.readers.cmu import read_cmu
from hummuss.data.readers.task import Reader

READERS: dict[str, Reader] = {
    "cmu": Reader(read_cmu, "CMU motion capture: a folder with index.csv and its ASF/AMC and BVH files or archives"),
    "h36m": Reader(
        h36m.read_h36m, "Human3.6M: a folder with VideoPose3D's data_3d and data_2d npz files", h36m.OPTIONS
    ),
    "h36m-motionbert": Reader(
        h36m_motionbert.read_h36m_motionbert, f"Human3.6M: MotionBERT's {h36m_motionbert.FILE}, or its folder"
    ),
}
