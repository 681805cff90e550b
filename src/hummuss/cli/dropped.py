"""Settings that an overlay's class does not take: jsonargparse drops them without a word, this says so."""

import logging
import re
import sys

from lightning.fabric.utilities.rank_zero import rank_zero_only

_DROPPED = re.compile(r"Due to class_path change from '(.+)' to '(.+)', discarding init_args: (.+)\.", re.DOTALL)


class _Tell(logging.Handler):
    """Passes on what is dropped, out of all that a parser says to its logger."""

    def emit(self, record: logging.LogRecord) -> None:
        found = _DROPPED.fullmatch(record.getMessage())
        if found is not None:
            before, now, settings = found.groups()
            line = f"hummuss: {now} does not take {settings}, set before for {before}: dropped"
            rank_zero_only(print)(line, file=sys.stderr)


def telling_logger() -> logging.Logger:
    """The logger for the parser of one command."""
    logger = logging.getLogger("hummuss.parser")  # by name: parsers are pickled with theirs
    logger.setLevel(logging.DEBUG)
    logger.propagate = False  # the parser's debugging is for nobody else
    logger.handlers = [_Tell()]
    return logger
