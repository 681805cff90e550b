"""Types of arguments that several commands share."""

import argparse


def count(text: str, least: int = 1) -> int:
    """A whole number from ``least`` on, for argparse."""
    if not text.isdigit() or int(text) < least:
        raise argparse.ArgumentTypeError(f"{text} is no whole number from {least} on")
    return int(text)
