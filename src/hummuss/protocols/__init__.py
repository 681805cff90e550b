"""Evaluation protocols: how each dataset is scored. docs/protocols.md lists them."""

from hummuss.protocols.base import Evaluation, Protocol, Result, Row, TestClips
from hummuss.protocols.h36m_motionbert import H36MMotionBERT
from hummuss.protocols.h36m_p1_p2 import H36MP1P2
from hummuss.protocols.mpi_inf_3dhp import MPIINF3DHP
from hummuss.protocols.ntu import NTU
from hummuss.protocols.plain import Plain
from hummuss.protocols.pw3d import PW3D

__all__ = [
    "H36MP1P2",
    "MPIINF3DHP",
    "NTU",
    "PW3D",
    "Evaluation",
    "H36MMotionBERT",
    "Plain",
    "Protocol",
    "Result",
    "Row",
    "TestClips",
]
