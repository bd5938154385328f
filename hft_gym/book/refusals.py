"""What the books say when they refuse a message: one home for the texts, so both books say the same."""

from __future__ import annotations

import operator
from typing import Any

from hft_gym.errors import (
    BookFullError,
    DuplicateOrderError,
    OrderError,
    PriceError,
    QuantityError,
    SideError,
    UnknownOrderError,
)
from hft_gym.types import MAX_PRICE_TICKS, MAX_QUANTITY, MessageKind, OrderSide, TimeInForce

MAX_LEVEL_VOLUME = 2**32 - 1
"""Largest volume at one price, in lots (R12)."""

MAX_PARTICIPANT = 2**32 - 1
MIN_ID, MAX_ID = -(2**63), 2**63 - 1


def _members(enum: Any) -> str:
    return ", ".join(f"{m.value} ({m.name})" for m in enum)


def bad_kind(kind: Any) -> OrderError:
    """R1: no such message kind."""
    return OrderError(f"kind is {kind!r}; allowed are {_members(MessageKind)}")


def bad_id(order_id: Any, low: int, high: int) -> OrderError:
    """R1: an id out of range."""
    return OrderError(f"order_id is {order_id!r}; allowed are whole numbers from {low} to {high}")


def duplicate_id(order_id: int) -> DuplicateOrderError:
    """R2: the id is taken."""
    return DuplicateOrderError(f"order_id is {order_id}: an order with this id is resting; allowed are other ids")


def unknown_id(order_id: Any) -> UnknownOrderError:
    """R6: no such order."""
    return UnknownOrderError(f"order_id is {order_id!r}: no order with this id is resting in the book")


def bad_side(side: Any) -> SideError:
    """R1: neither bid nor ask."""
    return SideError(f"side is {side!r}; allowed are {_members(OrderSide)}")


def bad_price(ticks: int) -> PriceError:
    """R1: a price in ticks out of range."""
    return PriceError(f"price is {ticks} ticks; allowed are {-MAX_PRICE_TICKS} to {MAX_PRICE_TICKS}")


def bad_quantity(quantity: Any) -> QuantityError:
    """R1: not a whole number of lots, or out of range."""
    return QuantityError(f"quantity is {quantity!r} lots; allowed are whole numbers from 1 to {MAX_QUANTITY}")


def bad_reduction(quantity: int, remaining: int) -> QuantityError:
    """R7: more than remains."""
    return QuantityError(f"quantity is {quantity} lots; a reduction allows 1 to the {remaining} that remain")


def bad_time_in_force(time_in_force: Any) -> OrderError:
    """R1: no such time in force."""
    return OrderError(f"time_in_force is {time_in_force!r}; allowed are {_members(TimeInForce)}")


def bad_market_time_in_force() -> OrderError:
    """R10: a market order always meets the opposite side."""
    return OrderError("time_in_force is POST_ONLY; a market order allows GTC, IOC and FOK")


def bad_participant(participant: Any) -> OrderError:
    """R1: a participant out of range."""
    return OrderError(f"participant is {participant!r}; allowed are whole numbers from 0 to {MAX_PARTICIPANT}")


def book_full(max_orders: int) -> BookFullError:
    """R12: no free place."""
    return BookFullError(
        f"{max_orders} orders are resting and max_orders is {max_orders}: no order may rest until one leaves"
    )


def level_full(ticks: int, quantity: int) -> BookFullError:
    """R12: too much volume at one price."""
    return BookFullError(
        f"{quantity} more lots at {ticks} ticks would exceed the {MAX_LEVEL_VOLUME} allowed at one price"
    )


def whole_number(value: Any) -> int | None:
    """``value`` as an int if it is a whole number (100.0 counts, a bool does not), else None."""
    if isinstance(value, bool):
        return None
    try:
        return operator.index(value)
    except TypeError:
        pass
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return None
