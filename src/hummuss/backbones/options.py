"""What every backbone refuses of its options, in one wording, before a weight is made."""

from hummuss.errors import InputError


def check_counts(**options: int) -> None:
    """Refuse what must be a number of things.

    Raises:
        InputError: one below 1.
    """
    for name, value in options.items():
        if value < 1:
            raise InputError(f"{name} is {value}: give 1 or more")


def check_positive(**options: float | None) -> None:
    """Refuse what must be more than nothing; None is an option that is not used.

    Raises:
        InputError: one that is 0 or below, or not finite.
    """
    for name, value in options.items():
        if value is not None and not 0 < value < float("inf"):
            raise InputError(f"{name} is {value}: give a number above 0")


def check_probabilities(**options: float) -> None:
    """Refuse what must be a probability.

    Raises:
        InputError: one outside [0, 1].
    """
    for name, value in options.items():
        if not 0 <= value <= 1:
            raise InputError(f"{name} is {value}: give a probability, from 0 to 1")


def check_range(name: str, bounds: tuple[float, float]) -> None:
    """Refuse bounds that nothing can be drawn log-uniformly between.

    Raises:
        InputError: bounds that are not positive, or the wrong way round.
    """
    low, high = bounds
    if not 0 < low <= high < float("inf"):
        raise InputError(f"{name} is {list(bounds)}: give two numbers above 0, the smaller first")
