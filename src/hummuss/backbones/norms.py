"""The norms that the residual stream may pass on its way into a block and out of the backbone."""

from torch import nn

from hummuss.errors import InputError

EPS = 1e-5  # of either, added to what the input is divided by the root of
NORMS: dict[str, type[nn.LayerNorm] | type[nn.RMSNorm]] = {"layer": nn.LayerNorm, "rms": nn.RMSNorm}


def make_norm(norm: str, dim: int) -> nn.LayerNorm | nn.RMSNorm:
    """``layer``: zero mean, unit variance, then scale and shift; ``rms``: unit mean square, then scale.

    Raises:
        InputError: unknown norm.

    >>> sorted(name for name, _ in make_norm("rms", 4).named_parameters())
    ['weight']
    """
    if norm not in NORMS:
        raise InputError(f"norm {norm!r} is none of {', '.join(NORMS)}")
    return NORMS[norm](dim, EPS)
