"""What the speed benchmark's floor counts."""

import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from hummuss.backbones.cost import count_operations
from hummuss.evaluation import floor
from hummuss.evaluation.floor import Rates, Work, floor_seconds, measure_rates, work_of


def test_a_product_reads_its_operands_and_writes_its_result() -> None:
    a = torch.ones(4, 5)
    assert work_of(lambda: a @ a.T) == Work(operations=2 * 4 * 5 * 4, bytes=4 * (20 + 20 + 16))


def test_views_move_nothing_and_changes_in_place_do() -> None:
    a = torch.ones(4, 5)
    assert work_of(lambda: a.view(-1)[3:].unsqueeze(0)).bytes == 0
    assert work_of(lambda: a.mul_(2)).bytes == 2 * 4 * 20


def test_a_backward_pass_multiplies_twice_as_much() -> None:
    layer, x = nn.Linear(8, 16), torch.ones(3, 8, requires_grad=True)
    forward = work_of(lambda: layer(x))
    both = work_of(lambda: layer(x).sum().backward())
    assert both.operations == 3 * forward.operations == 3 * 2 * 3 * 8 * 16
    assert both.bytes > 2 * forward.bytes


def test_attention_counts_forward_and_backward() -> None:
    q = torch.rand(1, 2, 6, 4, requires_grad=True)

    def attend() -> torch.Tensor:
        return nn.functional.scaled_dot_product_attention(q, q, q)

    products = 2 * 2 * 6 * 6 * 4  # additions and multiplications in one of the products, both heads
    assert count_operations(attend) == 2 * products
    # Backward makes the scores anew, then the gradients of values, weights, queries and keys.
    assert count_operations(lambda: attend().sum().backward()) == (2 + 5) * products


def test_the_slower_of_computing_and_moving_is_the_floor() -> None:
    rates = Rates(operations=100.0, bytes=10.0)
    assert floor_seconds(Work(200.0, 10.0), rates) == 2
    assert floor_seconds(Work(200.0, 50.0), rates) == 5


@pytest.mark.parametrize(("precision", "kind"), [("32", torch.float32), ("bf16", torch.bfloat16)])
def test_rates_are_measured_in_the_precision_of_the_run(precision: str, kind: torch.dtype) -> None:
    multiplied: set[tuple[torch.dtype, ...]] = set()

    class Products(TorchDispatchMode):
        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            if func is torch.ops.aten.mm.default:
                multiplied.add(tuple(tensor.dtype for tensor in args))
            return func(*args, **(kwargs or {}))

    with Products():
        rates = measure_rates("cpu", precision, lambda: None, product=64, copy=2**12)
    assert multiplied == {(kind, kind)}
    assert rates.operations > 0
    assert rates.bytes > 0


def test_a_rate_is_that_of_the_quickest_of_a_few_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    durations = [9.0, 4.0, 2.0, 8.0, 4.0, 4.0] * 2  # the first warms up
    clock = iter([moment for start, taken in enumerate(durations) for moment in (100.0 * start, 100.0 * start + taken)])
    monkeypatch.setattr(floor.time, "perf_counter", lambda: next(clock))
    rates = measure_rates("cpu", "32", lambda: None, product=10, copy=1000)
    assert rates == Rates(operations=2 * 10**3 / 2.0, bytes=2 * 4 * 1000 / 2.0)
