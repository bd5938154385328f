"""`Account`: what fills make of one symbol, in exact fractions, by average cost and by FIFO lots."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from fractions import Fraction
from math import floor

__all__ = ["Account"]

_ZERO = Fraction(0)


@dataclass
class Account:
    """The exact account of one symbol [currency]."""

    quantity: Fraction = _ZERO
    cost: Fraction = _ZERO
    cash: Fraction = _ZERO
    fees: Fraction = _ZERO
    price: Fraction | None = None
    fifo: Fraction = _ZERO
    lots: deque[tuple[Fraction, Fraction, int]] = field(default_factory=deque)

    @property
    def value(self) -> Fraction:
        """Of what is held, at the last price; 0 before the first."""
        return _ZERO if self.price is None else self.quantity * self.price

    @property
    def average(self) -> float:
        """Price at average cost of what is held; NaN when flat."""
        return float(self.cost / self.quantity) if self.quantity else float("nan")

    @property
    def realised(self) -> Fraction:
        """Profit of what was closed, at average cost, before fees."""
        return self.cash + self.fees + self.cost

    def fill(self, signed: Fraction, price: Fraction, fee: Fraction, time: int, unit: Fraction) -> None:
        """Book a fill: *signed* units, negative when sold; average costs are rounded to *unit*."""
        self.cash -= signed * price + fee
        self.fees += fee
        self.cost = self._cost_after(signed, price, unit)
        self.quantity += signed
        self.price = price
        self.fifo += self._match(signed, price, time)

    def _cost_after(self, signed: Fraction, price: Fraction, unit: Fraction) -> Fraction:
        """What the position costs after a fill, at average cost."""
        cost, held = self.cost, self.quantity
        if held * signed >= 0:
            return cost + signed * price
        if abs(signed) >= abs(held):
            return (held + signed) * price
        return cost - floor(cost * abs(signed) / abs(held) / unit) * unit

    def _match(self, signed: Fraction, price: Fraction, time: int) -> Fraction:
        """Close the oldest of the opposite lots, open a lot with what is left; returns what was realised."""
        realised, lots = _ZERO, self.lots
        while signed and lots and lots[0][0] * signed < 0:
            quantity, opened, when = lots[0]
            closed = min(abs(quantity), abs(signed)) * (1 if quantity > 0 else -1)
            realised += closed * (price - opened)
            signed += closed
            if closed == quantity:
                lots.popleft()
            else:
                lots[0] = (quantity - closed, opened, when)
        if signed:
            lots.append((signed, price, time))
        return realised
