"""Memory of this process, as the kernel counts it (Linux)."""

import resource
from pathlib import Path


def resident_mb() -> float:
    """Megabytes in memory now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6


def peak_resident_mb() -> float:
    """Most megabytes in memory so far; getrusage's would start at that of the process that started this one."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) * 1024 / 1e6
