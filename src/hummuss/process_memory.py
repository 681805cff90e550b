"""Memory of this process, as the kernel counts it."""

import resource
import sys
from pathlib import Path

STATUS = Path("/proc/self/status")


def resident_mb() -> float:
    """Megabytes in memory now (Linux)."""
    return _status_mb("VmRSS")


def peak_resident_mb() -> float:
    """Most megabytes in memory so far.

    >>> 50 < peak_resident_mb() < 1e5
    True
    """
    if STATUS.is_file() and "VmHWM:" in STATUS.read_text():
        return _status_mb("VmHWM")  # getrusage's would start at that of the process that started this one
    unit = 1 if sys.platform == "darwin" else 1024  # bytes on macOS, KiB elsewhere
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


def limit_memory(more: int) -> None:
    """Let this process take ``more`` bytes from now on (Linux): beyond that allocations fail, nothing is killed."""
    if STATUS.is_file():
        _, hard = resource.getrlimit(resource.RLIMIT_DATA)
        resource.setrlimit(resource.RLIMIT_DATA, (int(_status_mb("VmData") * 1e6) + more, hard))


def _status_mb(name: str) -> float:
    return int(STATUS.read_text().split(f"{name}:")[1].split()[0]) * 1024 / 1e6
