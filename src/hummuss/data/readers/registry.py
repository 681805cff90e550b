"""The datasets that ``hummuss prepare`` knows: one entry each. Adding one is its reader's file and a line here."""

from hummuss.data.readers.cmu import read_cmu
from hummuss.data.readers.ntu import OPTIONS as NTU_OPTIONS
from hummuss.data.readers.ntu import read_ntu
from hummuss.data.readers.pyskl import OPTIONS as PYSKL_OPTIONS
from hummuss.data.readers.pyskl import read_pyskl
from hummuss.data.readers.task import Reader

READERS: dict[str, Reader] = {
    "cmu": Reader(read_cmu, "CMU motion capture: a folder with index.csv and its ASF/AMC and BVH files or archives"),
    "ntu": Reader(read_ntu, "NTU RGB+D 60 or 120: a folder of .skeleton files, or of their zip archives", NTU_OPTIONS),
    "ntu-pyskl": Reader(read_pyskl, "NTU RGB+D of pyskl: ntu60_hrnet.pkl, ntu60_3danno.pkl, ntu120_...", PYSKL_OPTIONS),
}
