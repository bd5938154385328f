"""Numbers as their owners mean them: 0.1 is one tenth."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from math import isfinite
from numbers import Integral, Rational, Real
from typing import Any

__all__ = ["Amount", "exact", "number"]

Amount = float | Decimal | Fraction
"""A number in currency or in units of an instrument; a float means the decimal that it shows."""


def exact(value: Any) -> Fraction | None:
    """The number that *value* shows; None for what is no finite number (a bool is none)."""
    if isinstance(value, bool):
        return None
    if isinstance(value, (Integral, Rational)):
        return Fraction(int(value.numerator), int(value.denominator))
    if isinstance(value, Decimal):
        return Fraction(value) if value.is_finite() else None
    if isinstance(value, Real) and isfinite(value):
        return Fraction(repr(float(value)))
    return None


def number(value: Fraction) -> float:
    """An int where it is whole."""
    return value.numerator if value.denominator == 1 else float(value)
