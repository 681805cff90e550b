"""What a backbone costs: parameters, and multiply-adds of its matrix products per frame."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode, sdpa_backward_flop_count, sdpa_flop_count


class Cost(NamedTuple):
    """A backbone's size and work.

    Attributes:
        parameters: learned numbers.
        multiply_adds: per frame of one person, in a clip of ``frames`` frames.
        frames: length of that clip; attention costs more per frame in longer ones.
    """

    parameters: int
    multiply_adds: float
    frames: int


def cost(backbone: nn.Module, frames: int, dt: Float[Tensor, "1 {frames}"] | None = None) -> Cost:
    """Count by running a clip, of evenly spaced frames unless ``dt`` says otherwise; ``backbone`` is not changed.

    Matrix products are counted, the making of kernels among them, and the Fourier transforms in place of some of them
    on GPUs; elementwise operations are not.

    >>> from hummuss import HumMUSS
    >>> cost(HumMUSS(dim=16, depth=1), frames=27).multiply_adds > 17 * 16 * 16
    True
    """
    parameter = next(backbone.parameters())
    keypoints = parameter.new_zeros(1, frames, getattr(backbone, "joints", 17), 3)
    dt = torch.full((1, frames), 1 / 50) if dt is None else dt
    training = [module for module in backbone.modules() if module.training]  # parts of it may be frozen
    # With gradients on, an SSM makes its kernels anew: they are counted whatever ran before. Nothing is kept for a
    # backward pass that never comes, so that long clips fit.
    keep_nothing = torch.autograd.graph.saved_tensors_hooks(lambda tensor: None, lambda nothing: nothing)
    backbone.eval()
    try:
        with torch.enable_grad(), keep_nothing:
            operations = count_operations(lambda: backbone(keypoints, dt.to(parameter)))
    finally:
        for module in training:
            module.training = True
    return Cost(sum(parameter.numel() for parameter in backbone.parameters()), operations / 2 / frames, frames)


def count_operations(run: Callable[[], Any]) -> int:
    """Multiplications and additions of the matrix products in one run, backward pass included where it has one.

    A Fourier transform of n complex numbers counts as 5 n log2 n, one of reals as half as many: what the radix-2
    algorithm does (Cooley and Tukey, 1965).

    >>> count_operations(lambda: torch.ones(2, 3) @ torch.ones(3, 4))
    48
    """
    # The CPU's attention kernels are unknown to the counter of torch 2.13, which knows those of GPUs.
    kernels: dict[Any, Any] = {
        torch.ops.aten._scaled_dot_product_flash_attention_for_cpu: _attention,
        torch.ops.aten._scaled_dot_product_flash_attention_for_cpu_backward: _attention_backward,
        torch.ops.aten._fft_r2c: _real_transform,
        torch.ops.aten._fft_c2r: _real_transform,
        torch.ops.aten._fft_c2c: _complex_transform,
    }
    with FlopCounterMode(display=False, custom_mapping=kernels) as counter:
        run()
    return counter.get_total_flops()


def _attention(query: Any, key: Any, value: Any, *options: Any, out_shape: Any = None, **named: Any) -> int:
    return sdpa_flop_count(query, key, value)


def _attention_backward(
    grad: Any, query: Any, key: Any, value: Any, *options: Any, out_shape: Any = None, **named: Any
) -> int:
    return sdpa_backward_flop_count(grad, query, key, value)


def _real_transform(given: Any, dims: list[int], *options: Any, out_shape: Any = None, **named: Any) -> int:
    return _complex_transform(max(given, out_shape, key=math.prod), dims) // 2  # the larger is the real one


def _complex_transform(given: Any, dims: list[int], *options: Any, out_shape: Any = None, **named: Any) -> int:
    return round(5 * math.prod(given) * sum(math.log2(given[dim]) for dim in dims))
