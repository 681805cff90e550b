"""Keep freed memory within the process: on a CPU, large tensors otherwise spend their time on fresh pages.

glibc hands every large tensor back to the kernel when it is freed and asks for fresh pages, zeroed one page fault at
a time, for the next. Measured in docs/architecture.md.
"""

import ctypes
import os
import sys

# Names and numbers of glibc's malloc.h.
M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4


def keep_freed_memory() -> bool:
    """Tell glibc's allocator to reuse freed memory; return whether it agreed. Elsewhere, do nothing.

    What the environment asks for (MALLOC_MMAP_MAX_, MALLOC_TRIM_THRESHOLD_, GLIBC_TUNABLES) is left alone.

    >>> keep_freed_memory() in (True, False)
    True
    """
    asked = {"MALLOC_MMAP_MAX_", "MALLOC_TRIM_THRESHOLD_", "GLIBC_TUNABLES"} & set(os.environ)
    if asked or not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except AttributeError:  # another C library, such as musl
        return False
    return bool(mallopt(M_MMAP_MAX, 0)) and bool(mallopt(M_TRIM_THRESHOLD, -1))


def give_back_freed_memory() -> bool:
    """Hand freed memory back to the kernel, before another process needs it; return whether any was.

    >>> give_back_freed_memory() in (True, False)
    True
    """
    try:
        return bool(ctypes.CDLL(None).malloc_trim(0))
    except (AttributeError, TypeError):  # another C library; Windows, which has none to ask
        return False
