"""The strides that a training drew its windows at, as far as comparisons tell them apart."""

from typing import NamedTuple


class Strides(NamedTuple):
    """The strides of a training's windows.

    Attributes:
        low: smallest, in base frames.
        high: largest.
        whole: whether random ones were whole numbers.

    >>> str(Strides(1.0, 8.0)), str(Strides(1.0, 8.0, whole=True)), str(Strides(2.5, 2.5))
    ('1-8', '1-8 whole', '2.5')
    >>> Strides.read("1-8 whole") == Strides(1.0, 8.0, whole=True)
    True
    >>> Strides(1.0, 8.0, whole=True).describe()
    'whole ones from 1 to 8'
    """

    low: float
    high: float
    whole: bool = False

    def __str__(self) -> str:
        """What the column ``trained_strides`` says."""
        if self.low == self.high:
            return f"{self.low:g}"
        return f"{self.low:g}-{self.high:g}" + (" whole" if self.whole else "")

    @classmethod
    def read(cls, text: str) -> "Strides":
        """What `str` has written."""
        span, _, whole = text.partition(" ")
        low, _, high = span.partition("-")
        return cls(float(low), float(high or low), bool(whole))

    def describe(self) -> str:
        """In words."""
        return f"{'whole ones ' if self.whole else ''}from {self.low:g} to {self.high:g}"

    def cover(self, stride: float) -> bool:
        """Whether training can have drawn that stride."""
        return self.low <= stride <= self.high and not (self.whole and stride % 1)
