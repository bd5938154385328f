"""Prices in currency and in ticks (rule R1)."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

from hft_gym.errors import ConfigError, PriceError
from hft_gym.types import MAX_PRICE_TICKS

__all__ = ["TickGrid"]

ULPS = 4
"""How many units in the last place a price may be off: the rounding of a few sums of ticks."""


class TickGrid:
    """Translates between currency and integer ticks without accumulating rounding.

    The tick is taken as the decimal number its shortest representation shows, so that tick ``n`` is the
    double nearest to ``n`` times that decimal.

    >>> grid = TickGrid(0.01)
    >>> grid.to_ticks(150.95), grid.to_price(15095)
    (15095, 150.95)

    Args:
        tick_size: the tick in currency, between 1e-12 and 1e12.

    Raises:
        ConfigError: a tick size out of range.
    """

    __slots__ = ("_denominator", "_numerator", "tick_size")

    def __init__(self, tick_size: float) -> None:
        value = _as_float(tick_size)
        if value is None or not 1e-12 <= value <= 1e12:
            raise ConfigError(f"tick_size is {tick_size!r}; allowed are numbers from 1e-12 to 1e12")
        self.tick_size = value
        exact = Fraction(repr(value))
        self._numerator, self._denominator = exact.numerator, exact.denominator

    def to_price(self, ticks: int, parts: int = 1) -> float:
        """The price of ``ticks / parts`` ticks: the double nearest to the exact value."""
        return ticks * self._numerator / (parts * self._denominator)

    def to_ticks(self, price: Any) -> int:
        """The tick that ``price`` stands on.

        Raises:
            PriceError: not a finite number, off the tick, or out of range.
        """
        value = _as_float(price)
        if value is None or not math.isfinite(value):
            raise PriceError(f"price is {price!r}; allowed are finite multiples of the tick {self.tick_size}")
        exact = Fraction(value) * self._denominator / self._numerator
        nearest = round(exact)
        if abs(nearest) > MAX_PRICE_TICKS:
            bound = self.to_price(MAX_PRICE_TICKS)
            raise PriceError(f"price is {price!r}; allowed are prices from {-bound} to {bound}")
        if abs(value - self.to_price(nearest)) > ULPS * math.ulp(value):
            below = math.floor(exact)
            around = f"{self.to_price(below)} and {self.to_price(below + 1)}"
            raise PriceError(f"price is {price!r}, off the tick of {self.tick_size}; the nearest are {around}")
        return nearest


def _as_float(value: Any) -> float | None:
    """``value`` as a float; None for what is no real number (a bool is none)."""
    if isinstance(value, (bool, str, bytes)) or not hasattr(value, "__float__"):
        return None
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return None
