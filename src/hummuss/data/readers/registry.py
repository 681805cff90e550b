"""The datasets that ``hummuss prepare`` knows: one entry each. Adding one is its reader's file and a line here."""

from hummuss.data.readers import keypoint_files, ntu, posetrack, pyskl
from hummuss.data.readers.cmu import read_cmu
from hummuss.data.readers.cmu_files import OFFICIAL_URL, OFFICIAL_ZIP, check_official_zip
from hummuss.data.readers.task import Archive, Reader

READERS: dict[str, Reader] = {
    "cmu": Reader(
        read_cmu,
        "CMU motion capture: a folder with index.csv and its ASF/AMC and BVH files or archives, or allasfamc.zip alone",
        archive=Archive(OFFICIAL_URL, OFFICIAL_ZIP, check_official_zip),
    ),
    "keypoints": Reader(
        keypoint_files.read_keypoint_files,
        "your own 2D keypoints: npz, npy, JSON of COCO results, AlphaPose, OpenPose, MediaPipe; a file, or a folder",
        keypoint_files.OPTIONS,
    ),
    "ntu": Reader(ntu.read_ntu, "NTU RGB+D 60 or 120: a folder of .skeleton files or of their zips", ntu.OPTIONS),
    "ntu-pyskl": Reader(pyskl.read_pyskl, "NTU RGB+D of pyskl, as ntu60_hrnet.pkl or ntu120_3danno.pkl", pyskl.OPTIONS),
    "posetrack": Reader(posetrack.read_posetrack, "2D tracks in PoseTrack's JSON: file or folder", posetrack.OPTIONS),
}
