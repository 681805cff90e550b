"""Whether a clip fits into memory: counted by hand, and read from the system's own files."""

import pytest
import torch
from torch import nn

from hummuss import HumMUSS
from hummuss.inference import memory


class Chain(nn.Module):
    """Makes ten tensors in a row, of which two are alive at once, and a view of one."""

    def __init__(self) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.ones(()))
        self.runs = 0

    def forward(self, keypoints, dt, valid=None):
        self.runs += 1
        for _ in range(10):
            keypoints = (keypoints + 1).transpose(1, 2)
        return keypoints


def test_bytes_that_are_alive_at_once_are_counted() -> None:
    # Each of the chain's tensors replaces the one it was made from.
    assert memory.bytes_per_frame(Chain()) == 2 * 17 * 3 * 4
    assert memory.bytes_per_frame(Chain().double()) == 2 * 17 * 3 * 8
    wide, narrow = (memory.bytes_per_frame(HumMUSS(dim=dim, depth=1, modes=2)) for dim in (32, 16))
    assert wide == pytest.approx(2 * narrow, rel=0.2)


def test_long_clips_fit_if_twice_their_count_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    chain, per_frame, dt = Chain(), 408, torch.full((1, 9), 0.02)
    monkeypatch.setattr(memory, "free_bytes", lambda device: 2 * 1000 * per_frame)
    assert memory.fits(chain, 1000, dt)
    assert not memory.fits(chain, 1001, dt)
    assert chain.runs == len(memory.TRIAL_FRAMES), "measured once"
    monkeypatch.setattr(memory, "free_bytes", lambda device: 0)
    assert memory.fits(chain, memory.TRIAL_FRAMES[-1], dt), "as long as the trial itself"
    monkeypatch.setattr(memory, "free_bytes", lambda device: None)
    assert memory.fits(chain, 10**9, dt), "nothing is known"


def test_long_intervals_cost_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """States are stored once in a chunk, and chunks have fewer frames where modes decay more within one."""
    model = HumMUSS(dim=16, depth=1)
    cost = memory.bytes_per_frame(model, 0.03)
    assert memory.bytes_per_frame(model, 4.0) > 2 * cost
    monkeypatch.setattr(memory, "free_bytes", lambda device: int(2 * 1000 * 2 * cost))
    assert memory.fits(model, 1000, torch.full((1, 9), 0.03))
    assert not memory.fits(model, 1000, torch.full((1, 9), 4.0))


def test_free_memory_is_the_systems_or_what_the_container_leaves(tmp_path) -> None:
    (tmp_path / "meminfo").write_text("MemTotal:  16000000 kB\nMemFree: 10 kB\nMemAvailable:    2048 kB\n")
    assert memory._available_in_system(tmp_path / "meminfo") == 2048 * 1024
    assert memory._available_in_system(tmp_path / "nowhere") is None
    assert memory._left_in_container(tmp_path) is None
    (tmp_path / "memory.max").write_text("max\n")
    (tmp_path / "memory.current").write_text("600\n")
    assert memory._left_in_container(tmp_path) is None
    (tmp_path / "memory.max").write_text("1000\n")
    assert memory._left_in_container(tmp_path) == 400
    (tmp_path / "memory.stat").write_text("anon 1\ninactive_file 50\n")
    assert memory._left_in_container(tmp_path) == 450
    found = memory.free_bytes(torch.device("cpu"))
    assert found is None or found > 0
