"""The datasets that ``hummuss prepare`` knows: one entry each. Adding one is its reader's file and a line here."""

from hummuss.data.readers import (
    h36m,
    h36m_motionbert,
    keypoint_files,
    mesh_labels,
    mpi_inf_3dhp,
    mpi_inf_3dhp_npz,
    ntu,
    posetrack,
    pyskl,
)
from hummuss.data.readers.amass import read_amass
from hummuss.data.readers.body_files import BODY_OPTIONS
from hummuss.data.readers.cmu import read_cmu
from hummuss.data.readers.cmu_files import OFFICIAL_URL, OFFICIAL_ZIP, check_official_zip
from hummuss.data.readers.pw3d import read_pw3d
from hummuss.data.readers.task import Archive, Reader

READERS: dict[str, Reader] = {
    "amass": Reader(read_amass, "AMASS: a folder with its subsets, SUBSET/SUBJECT/*.npz at any depth", BODY_OPTIONS),
    "cmu": Reader(
        read_cmu,
        "CMU motion capture: a folder with index.csv and its ASF/AMC and BVH files or archives, or allasfamc.zip alone",
        archive=Archive(OFFICIAL_URL, OFFICIAL_ZIP, check_official_zip),
    ),
    "h36m": Reader(
        h36m.read_h36m, "Human3.6M: a folder with VideoPose3D's data_3d and data_2d npz files", h36m.OPTIONS
    ),
    "h36m-motionbert": Reader(
        h36m_motionbert.read_h36m_motionbert, f"Human3.6M: MotionBERT's {h36m_motionbert.FILE}, or its folder"
    ),
    "h36m-mesh": Reader(
        mesh_labels.read_h36m_mesh,
        f"Human3.6M's SMPL labels: MotionBERT's {mesh_labels.H36M_FILE}, or its folder",
        mesh_labels.H36M_OPTIONS,
    ),
    "coco-mesh": Reader(
        mesh_labels.read_coco_mesh,
        f"COCO's SMPL labels: MotionBERT's {mesh_labels.COCO_FILE}, or its folder",
        BODY_OPTIONS,
    ),
    "mpi-inf-3dhp": Reader(
        mpi_inf_3dhp.read_mpi_inf_3dhp,
        "MPI-INF-3DHP: a folder with S1 ... S8 (annot.mat) and mpi_inf_3dhp_test_set (annot_data.mat)",
        mpi_inf_3dhp.OPTIONS,
    ),
    "mpi-inf-3dhp-npz": Reader(
        mpi_inf_3dhp_npz.read_mpi_inf_3dhp_npz,
        "MPI-INF-3DHP: a folder with P-STMO's data_train_3dhp.npz and data_test_3dhp.npz",
        mpi_inf_3dhp_npz.OPTIONS,
    ),
    "pw3d": Reader(read_pw3d, "3D Poses in the Wild: the folder that holds sequenceFiles", BODY_OPTIONS),
    "keypoints": Reader(
        keypoint_files.read_keypoint_files,
        "your own 2D keypoints: npz, npy, JSON of COCO results, AlphaPose, OpenPose, MediaPipe, mmpose, Ultralytics; "
        "a file, or a folder",
        keypoint_files.OPTIONS,
    ),
    "ntu": Reader(ntu.read_ntu, "NTU RGB+D 60 or 120: a folder of .skeleton files or of their zips", ntu.OPTIONS),
    "ntu-pyskl": Reader(pyskl.read_pyskl, "NTU RGB+D of pyskl, as ntu60_hrnet.pkl or ntu120_3danno.pkl", pyskl.OPTIONS),
    "posetrack": Reader(posetrack.read_posetrack, "2D tracks in PoseTrack's JSON: file or folder", posetrack.OPTIONS),
}
