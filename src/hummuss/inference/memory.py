"""How much memory a clip needs in one piece, measured on short ones, and how much there is."""

import math
import weakref
from pathlib import Path
from typing import Any, cast
from weakref import WeakKeyDictionary

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

# Lengths of the two trial runs; both are so long that kernels, which do not grow with the clip, are the same.
TRIAL_FRAMES = (256, 512)
# Share of the free memory that tensors may take by the trial's count. A process grows by up to 1.8 times that count:
# kernels have buffers of their own, and allocators keep holes.
SHARE = 0.5
# Figures of backbones measured before, by device, precision and interval.
_measured: WeakKeyDictionary[nn.Module, dict[Any, float]] = WeakKeyDictionary()


def fits(backbone: nn.Module, frames: int, dt: Float[Tensor, "B F"]) -> bool:
    """Whether one clip of ``frames`` frames fits into the memory that is free, in one piece, on the device of ``dt``.

    Clips no longer than the trial runs are not measured, and where the free memory is not known (no GPU, not Linux)
    every clip fits. What a frame costs depends on the intervals: the longer they are, the more often a state space
    layer stores its state.

    >>> fits(torch.nn.Identity(), 100, torch.full((1, 100), 0.02))
    True
    """
    if frames <= TRIAL_FRAMES[-1]:
        return True
    free = free_bytes(dt.device)
    if free is None:
        return True
    interval = 2.0 ** math.ceil(math.log2(float(dt.mean())))  # few values, so that few are measured
    known = _measured.setdefault(backbone, {})
    key = (dt.device, next(backbone.parameters()).dtype, interval)
    if key not in known:
        known[key] = bytes_per_frame(backbone, interval)
    return frames * known[key] <= SHARE * free


def fits_in_pieces(backbone: nn.Module, frames: int, dt: Float[Tensor, "B F"]) -> bool:
    """Whether there is room for the representation of ``frames`` frames, which outlives the pieces that make it.

    >>> from hummuss import HumMUSS
    >>> fits_in_pieces(HumMUSS(dim=16, depth=1), 1000, torch.full((1, 1000), 0.02))
    True
    """
    free, parameter = free_bytes(dt.device), next(backbone.parameters())
    width = int(getattr(backbone, "joints", 17)) * cast(int, backbone.dim_rep)
    size = frames * width * parameter.element_size()
    return free is None or size <= SHARE * free


@torch.inference_mode()
def bytes_per_frame(backbone: nn.Module, interval: float = 0.03) -> float:
    """Bytes of tensors alive at once, per further frame of a clip with uneven intervals of about so many seconds.

    Memory must grow linearly with the frames, as it does in a state space model and in attention that never stores
    its square matrix.

    >>> from hummuss import HumMUSS
    >>> 17 * 16 * 4 < bytes_per_frame(HumMUSS(dim=16, depth=1)) < 17 * 16 * 4 * 100
    True
    """
    parameter = next(backbone.parameters())
    peaks = []
    for frames in TRIAL_FRAMES:
        keypoints = parameter.new_zeros(1, frames, getattr(backbone, "joints", 17), 3)
        dt = _uneven(frames, interval, parameter)
        with _LiveBytes() as live:
            backbone(keypoints, dt)
        peaks.append(live.peak)
    return (peaks[1] - peaks[0]) / (TRIAL_FRAMES[1] - TRIAL_FRAMES[0])


def free_bytes(device: torch.device) -> int | None:
    """Memory that new tensors may take on a device: a GPU's, or what Linux and the container's limit leave."""
    if device.type == "cuda":
        unused = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return torch.cuda.mem_get_info(device)[0] + unused
    found = [_available_in_system(), _left_in_container()]
    return min((value for value in found if value is not None), default=None)


def _available_in_system(path: Path = Path("/proc/meminfo")) -> int | None:
    if not path.is_file():
        return None
    for line in path.read_text().splitlines():
        if line.startswith("MemAvailable:"):
            return 1024 * int(line.split()[1])
    return None


def _left_in_container(folder: Path = Path("/sys/fs/cgroup")) -> int | None:
    """What a control group (version 2) allows beyond what is in use; its page cache would make room."""
    limit, used = folder / "memory.max", folder / "memory.current"
    if not limit.is_file() or not used.is_file() or limit.read_text().strip() == "max":
        return None
    lines = (folder / "memory.stat").read_text().splitlines() if (folder / "memory.stat").is_file() else []
    cached = sum(int(line.split()[1]) for line in lines if line.startswith("inactive_file "))
    return int(limit.read_text()) - int(used.read_text()) + cached


def _uneven(frames: int, interval: float, like: Tensor) -> Float[Tensor, "1 frames"]:
    """Intervals up to a third shorter and longer."""
    return (interval * (1 + torch.arange(frames, device=like.device).sin() / 3)).to(like.dtype)[None]


class _LiveBytes(TorchDispatchMode):
    """Counts the bytes of the tensors made within it that are alive; ``peak`` is the most there were at once."""

    def __init__(self) -> None:
        super().__init__()
        self.live, self.peak = 0, 0
        self._sizes: dict[int, int] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(made):
            if isinstance(tensor, Tensor):
                self._count(tensor.untyped_storage())
        return made

    def _count(self, storage: torch.UntypedStorage) -> None:
        key = storage._cdata
        if key not in self._sizes:  # a view shares its storage
            self._sizes[key] = storage.nbytes()
            self.live += storage.nbytes()
            self.peak = max(self.peak, self.live)
            weakref.finalize(storage, self._release, key).atexit = False

    def _release(self, key: int) -> None:
        self.live -= self._sizes.pop(key)
