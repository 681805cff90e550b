"""The one exception for what a user can put right."""


class InputError(ValueError):
    """A file, value or setting that cannot be used.

    The message is one line: what is wrong, the offending file or value, and what to do about it. The command
    line prints that line alone; any other exception is a defect of this package, whose traceback goes to a log.
    """
