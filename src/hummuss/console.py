"""Where commands print their tables: a terminal of its own width, or a file or pipe wide enough for all of them."""

import sys
from typing import Any

from rich.console import Console

FILE_WIDTH = 160


def make_console(**options: Any) -> Console:
    """A console; ``options`` are rich's.

    >>> make_console(width=40).width
    40
    """
    return Console(**({"width": None if sys.stdout.isatty() else FILE_WIDTH} | options))
