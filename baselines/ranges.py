"""Ranges of parameters that a tuning searches: plain data, declared by each strategy."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from hft_gym.config import validate
from hft_gym.errors import ConfigError

__all__ = ["Choice", "Range", "SearchSpace"]


@dataclass(frozen=True)
class Range:
    """Numbers from ``low`` to ``high``, both included.

    Args:
        low: smallest.
        high: largest.
        log: whether equal ratios are equally likely, instead of equal differences.
        whole: whether only whole numbers.
    """

    low: float
    high: float
    log: bool = False
    whole: bool = False

    def __post_init__(self) -> None:
        validate(self)
        if not self.low < self.high:
            raise ConfigError(f"range: low is {self.low}, high {self.high}; low must be below high")
        if self.log and self.low <= 0:
            raise ConfigError(f"range: low is {self.low}; a logarithmic range must be above 0")
        if self.whole and (self.low % 1 or self.high % 1):
            raise ConfigError(f"range: {self.low} to {self.high} are not whole numbers")

    def holds(self, value: Any) -> bool:
        """Whether a value lies within."""
        return bool(self.low <= value <= self.high)

    def ends(self) -> tuple[Any, Any]:
        """The smallest and the largest value, as the parameter takes them."""
        return (int(self.low), int(self.high)) if self.whole else (self.low, self.high)


@dataclass(frozen=True, init=False)
class Choice:
    """One of a few values."""

    values: tuple[Any, ...]

    def __init__(self, values: Iterable[Any]) -> None:
        object.__setattr__(self, "values", tuple(values))
        if not self.values:
            raise ConfigError("choice: no values")

    def holds(self, value: Any) -> bool:
        """Whether it is one of the values."""
        return value in self.values

    def ends(self) -> tuple[Any, Any]:
        """The first and the last value."""
        return self.values[0], self.values[-1]


SearchSpace = dict[str, Range | Choice]
"""Parameter -> what to search."""
