"""The one exception for what a user can put right, and those that damaged archives raise."""

import zipfile
import zlib

# What zipfile and numpy raise over broken bytes; RuntimeError: kinds of archive that zipfile knows but cannot read.
DAMAGED_ARCHIVE = (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, RuntimeError)


class InputError(ValueError):
    """A file, value or setting that cannot be used.

    The message is one line: what is wrong, the offending file or value, and what to do about it. The command
    line prints that line alone; any other exception is a defect of this package, whose traceback goes to a log.
    """
