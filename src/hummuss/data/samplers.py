"""Which windows a process loads, and in what order: split over processes, and resumed in the middle of an epoch.

Both samplers are torch `DistributedSampler`s in name, which keeps Lightning from replacing them by one that would
repeat evaluation windows and tear training batches apart.
"""

import signal
from collections.abc import Iterator
from typing import Any, cast

from torch.utils.data import DataLoader, Dataset
from torch.utils.data.distributed import DistributedSampler


class EpochSampler(DistributedSampler[int]):
    """Numbers of an epoch's training windows: epoch e continues where e - 1 ended, so none repeats.

    Batches stay whole, for their windows share a rhythm: of R processes, process r takes batches r, r + R and so on,
    which R accumulated batches of one process would have been.

    Args:
        windows: windows per epoch over all processes; a last round that would not fill every process's batch is left
            out of the epoch and begins the next.
        batch_size: windows in a batch of one process.
        rank, processes: this process, of how many.
        epoch, batches: where a resumed run goes on: so many of this process's batches of that epoch were trained on.
    """

    def __init__(
        self, windows: int, batch_size: int, rank: int = 0, processes: int = 1, epoch: int = 0, batches: int = 0
    ) -> None:
        self.batch_size = batch_size
        self.rounds = windows // (batch_size * processes)
        super().__init__(cast(Dataset[int], range(windows)), processes, rank, shuffle=False)
        self.epoch = self.resumed_epoch = epoch
        self.resumed_batches = batches

    def __len__(self) -> int:
        return self.rounds * self.batch_size

    def __iter__(self) -> Iterator[int]:
        first = self.resumed_batches if self.epoch == self.resumed_epoch else 0
        for done in range(first, self.rounds):
            batch = (self.epoch * self.rounds + done) * self.num_replicas + self.rank
            yield from range(batch * self.batch_size, (batch + 1) * self.batch_size)


class EvaluationSampler(DistributedSampler[int]):
    """Every window once: of R processes, process r takes windows r, r + R and so on, the last of them one fewer.

    Args:
        windows: how many there are.
        rank, processes: this process, of how many.
    """

    def __init__(self, windows: int, rank: int = 0, processes: int = 1) -> None:
        super().__init__(cast(Dataset[int], range(windows)), processes, rank, shuffle=False)
        self.own = range(rank, windows, processes)

    def __len__(self) -> int:
        return len(self.own)

    def __iter__(self) -> Iterator[int]:
        return iter(self.own)


class ResumableLoader(DataLoader):
    """A loader that goes on in the middle of an epoch; it has no state but its sampler's place.

    Lightning asks for these two methods, and warns of data seen twice where they are missing.
    """

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        return


def outlive_sigterm(number: int) -> None:
    """For a loader's processes, which end with the training process: it alone answers SIGTERM.

    Schedulers send that to all processes of a job, and a run whose loader has died could not end its step.
    """
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
