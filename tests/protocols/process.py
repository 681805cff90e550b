"""One of the two processes of ``test_processes``: ``python process.py RANK RENDEZVOUS``; they share seven clips."""

import sys

import torch
from torch import distributed

from hummuss.metrics import MPJPE, AccelerationError
from hummuss.protocols.confusion import Confusion
from hummuss.protocols.frames import FrameFigures
from hummuss.protocols.ntu import _Means
from hummuss.protocols.spread import ErrorSpread


def main(rank: int, rendezvous: str) -> None:
    """Compare what both processes find together with what one finds in all clips; the middle one is seen by both."""
    distributed.init_process_group("gloo", init_method=rendezvous, rank=rank, world_size=2)
    generator = torch.Generator().manual_seed(0)
    joints = torch.randn(7, 5, 17, 3, generator=generator)
    whole = {"predicted": joints, "target": 0 * joints, "dt": torch.ones(7, 5)}
    mine = torch.tensor([0, 1, 2, 3, 4] if rank == 0 else [4, 5, 6])
    frames = torch.arange(5).expand(7, 5)
    logits, label = torch.randn(7, 3, generator=generator), torch.arange(7) % 3
    found = []
    for clips in (mine, torch.arange(7)):
        alone = len(clips) == 7
        figures, means = FrameFigures({"mpjpe": MPJPE(), "accel": AccelerationError()}), _Means()
        figures.update(clips, frames[clips], **{name: value[clips] for name, value in whole.items()})
        means.update(clips, logits[clips].double())
        once = clips if alone or rank == 0 else clips[1:]  # these two only count
        spread, confusion = ErrorSpread(["a", "b"]), Confusion(["x", "y", "z"])
        spread.update(100 * joints[once].abs().flatten(), torch.zeros(once.numel() * 255, dtype=torch.long))
        confusion.update(logits[once], label[once], torch.ones(len(once), dtype=torch.bool))
        for metric in (figures, means, spread, confusion):
            if alone:
                metric.distributed_available_fn = lambda: False
        found.append([metric.compute() for metric in (figures, means, spread, confusion)])
    torch.testing.assert_close(*found)
    print("agree")
    distributed.destroy_process_group()


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
