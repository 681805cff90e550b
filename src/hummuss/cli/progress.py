"""Progress of long commands: a bar on a terminal, a line now and then anywhere else."""

import contextlib
import time
from collections.abc import Callable, Iterator

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

# Log files of batch jobs are read hours later: one line in so many seconds.
LINE_SECONDS = 30.0


@contextlib.contextmanager
def progress(
    console: Console, description: str, total: int, done: int = 0, data: bool = False, every: float = LINE_SECONDS
) -> Iterator[Callable[[int], None]]:
    """Show how far a task is; yields what is called with the number of steps that were done.

    Args:
        console: where it is shown.
        description: of the task.
        total: steps of the whole task.
        done: steps that were done before.
        data: steps are bytes, and shown as such.
        every: seconds between two lines where ``console`` is no terminal.
    """
    if console.is_terminal:
        count = DownloadColumn() if data else MofNCompleteColumn()
        columns = (TextColumn("{task.description}"), BarColumn(), count, TimeElapsedColumn(), TimeRemainingColumn())
        with Progress(*columns, console=console) as bar:
            task = bar.add_task(description, total=total, completed=done)
            yield lambda steps: bar.advance(task, steps)
        return
    began = last = time.monotonic()

    def advance(steps: int) -> None:
        nonlocal done, last
        done += steps
        now = time.monotonic()
        if now - last >= every or done >= total:
            last = now
            count = f"{done / 1e6:.1f} of {total / 1e6:.1f} MB" if data else f"{done} of {total}"
            console.print(f"{description}: {count} after {now - began:.0f} s", highlight=False, soft_wrap=True)

    yield advance
