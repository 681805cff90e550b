"""The datasets that ``hummuss prepare`` knows: one entry each. Adding one is its reader's file and a line here."""

from hummuss.data.readers.amass import read_amass
from hummuss.data.readers.body_files import BODY_OPTIONS
from hummuss.data.readers.cmu import read_cmu
from hummuss.data.readers.pw3d import read_pw3d
from hummuss.data.readers.task import Reader

READERS: dict[str, Reader] = {
    "amass": Reader(read_amass, "AMASS: a folder with its subsets, SUBSET/SUBJECT/*.npz at any depth", BODY_OPTIONS),
    "cmu": Reader(read_cmu, "CMU motion capture: a folder with index.csv and its ASF/AMC and BVH files or archives"),
    "pw3d": Reader(read_pw3d, "3D Poses in the Wild: the folder that holds sequenceFiles", BODY_OPTIONS),
}
