"""What a :class:`~hft_gym.market.Market` refuses: typed errors that name the value found."""

from __future__ import annotations

import operator
from typing import Any

from hft_gym.book import refusals
from hft_gym.errors import ConfigError, OrderError, PriceError
from hft_gym.types import MAX_PRICE_TICKS, OrderSide, TimeInForce

__all__ = ["member", "participant", "side", "ticks", "time_in_force", "whole"]


def whole(name: str, value: Any, low: int, high: int) -> int:
    """A whole number from *low* to *high*, or a ConfigError that calls it *name*."""
    try:
        number = operator.index(value)
    except TypeError:
        number = None
    if number is None or isinstance(value, bool) or not low <= number <= high:
        raise ConfigError(f"{name} is {value!r}; allowed are whole numbers from {low} to {high}")
    return number


def ticks(value: Any) -> int:
    """A price in ticks, or a PriceError."""
    number = refusals.whole_number(value)
    if number is None:
        hint = "Market.to_ticks converts from currency"
        raise PriceError(f"price is {value!r}; allowed are whole ticks ({hint})")
    if abs(number) > MAX_PRICE_TICKS:
        raise refusals.bad_price(number)
    return number


def participant(value: Any, low: int, high: int) -> int:
    """A participant's number, or an OrderError."""
    number = refusals.whole_number(value)
    if number is None or not low <= number <= high:
        raise OrderError(f"participant is {value!r}; this market has {low} to {high}")
    return number


def member(enum: Any, value: Any, refusal: Any) -> Any:
    """A member of *enum*, or the error that *refusal* makes of the value."""
    number = refusals.whole_number(value)
    if number is None or number not in list(enum):
        raise refusal(value)
    return enum(number)


def side(value: Any) -> OrderSide:
    """A side, or a SideError."""
    found: OrderSide = member(OrderSide, value, refusals.bad_side)
    return found


def time_in_force(value: Any) -> TimeInForce:
    """A time in force, or an OrderError."""
    found: TimeInForce = member(TimeInForce, value, refusals.bad_time_in_force)
    return found
