"""Types of arguments that several commands share."""

import argparse
from functools import partial

import torch


def count(text: str, least: int = 1) -> int:
    """A whole number from ``least`` on, for argparse."""
    if not text.isdigit() or int(text) < least:
        raise argparse.ArgumentTypeError(f"{text} is no whole number from {least} on")
    return int(text)


count_or_none = partial(count, least=0)  # 0 says: none


def device(text: str) -> str:
    """A device that models can run on here, for argparse.

    >>> device("cpu")
    'cpu'
    """
    try:
        kind = torch.device(text).type
    except RuntimeError:
        kind = ""
    if kind not in ("cpu", "cuda") or text.startswith("cpu:"):
        raise argparse.ArgumentTypeError(f"{text} is neither cpu nor cuda")
    if kind == "cuda" and (torch.device(text).index or 0) >= torch.cuda.device_count():
        raise argparse.ArgumentTypeError(f"{text}: torch finds {torch.cuda.device_count()} GPUs here")
    return text


def add_device(parser: argparse.ArgumentParser, what: str) -> None:
    """``--device``, a GPU by default where there is one."""
    default = "cuda" if torch.cuda.is_available() else "cpu"
    text = f"where {what}, cpu or cuda; here {default} by default"
    parser.add_argument("--device", type=device, default=default, help=text)
