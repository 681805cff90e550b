"""How quick a run could be: what it computes and moves, over what the machine can compute and move."""

import time
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from hummuss.backbones.cost import count_operations

# Sides of a product large enough to reach the full rate, a copy too large for any cache; well under a second each.
PRODUCT, GPU_PRODUCT, COPY, REPEATS = 1024, 8192, 2**26, 5


class Work(NamedTuple):
    """What a run does.

    Attributes:
        operations: additions and multiplications of its matrix products.
        bytes: what its operators read and write, each on its own, none fused with the next.
    """

    operations: float
    bytes: float


class Rates(NamedTuple):
    """What a machine reaches: operations per second in one large product, bytes per second in one large copy."""

    operations: float
    bytes: float

    def best(self, other: "Rates") -> "Rates":
        """The higher of either rate: what was reached once is possible, what was reached less often was disturbed.

        >>> Rates(2.0, 3.0).best(Rates(1.0, 4.0))
        Rates(operations=2.0, bytes=4.0)
        """
        return Rates(max(self.operations, other.operations), max(self.bytes, other.bytes))


def floor_seconds(work: Work, rates: Rates) -> float:
    """The slower of computing and moving, as if the two overlapped in full.

    >>> floor_seconds(Work(operations=2e9, bytes=1e9), Rates(operations=1e10, bytes=1e9))
    1.0
    """
    return max(work.operations / rates.operations, work.bytes / rates.bytes)


def work_of(run: Callable[[], None]) -> Work:
    """Count one run, backward pass included where it has one."""
    with _Traffic() as traffic:
        operations = count_operations(run)
    return Work(operations, traffic.bytes)


def measure_rates(
    device: str, precision: str, synchronise: Callable[[], None], product: int | None = None, copy: int = COPY
) -> Rates:
    """The best of a few square products of side ``product`` in the run's precision, and of copying ``copy`` float32s.

    All products of a mixed run are counted at its lower precision's rate, those it keeps in float32 too: a floor.
    """
    product = product or (PRODUCT if torch.device(device).type == "cpu" else GPU_PRODUCT)
    dtype = torch.bfloat16 if precision == "bf16" else torch.float32
    square = torch.rand(product, product, device=device).to(dtype)
    source = torch.rand(copy, device=device)
    target = torch.empty_like(source)
    multiplied = _seconds(lambda: square @ square, synchronise)
    copied = _seconds(lambda: target.copy_(source), synchronise)
    return Rates(2 * product**3 / multiplied, 2 * source.numel() * source.element_size() / copied)


def _seconds(run: Callable[[], Any], synchronise: Callable[[], None]) -> float:
    """The quickest of a few runs after one that warms up."""
    times = []
    for _ in range(REPEATS + 1):
        synchronise()
        start = time.perf_counter()
        run()
        synchronise()
        times.append(time.perf_counter() - start)
    return min(times[1:])


class _Traffic(TorchDispatchMode):
    """Adds up the bytes of what every operator reads and writes; views move nothing."""

    bytes = 0.0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        given = _tensors((args, kwargs))
        made = _tensors(result)
        if not (func.is_view or all(_same_memory(own, given) for own in made)) or func._schema.is_mutable:
            self.bytes += sum(tensor.numel() * tensor.element_size() for tensor in [*given, *made])
        return result


def _tensors(tree: Any) -> list[Tensor]:
    return [leaf for leaf in tree_leaves(tree) if isinstance(leaf, Tensor)]


def _same_memory(tensor: Tensor, others: list[Tensor]) -> bool:
    own = tensor.untyped_storage().data_ptr()
    return any(own == other.untyped_storage().data_ptr() for other in others)
