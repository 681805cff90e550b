"""The datasets that ``hummuss prepare`` knows: one entry each. Adding one is its reader's file and a line here."""

from hummuss.data.readers.cmu import read_cmu
from hummuss.data.readers.cmu_files import OFFICIAL_URL, OFFICIAL_ZIP, check_official_zip
from hummuss.data.readers.task import Archive, Reader

READERS: dict[str, Reader] = {
    "cmu": Reader(
        read_cmu,
        "CMU motion capture: a folder with index.csv and its ASF/AMC and BVH files or archives, or allasfamc.zip alone",
        archive=Archive(OFFICIAL_URL, OFFICIAL_ZIP, check_official_zip),
    ),
}
