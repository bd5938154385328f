"""Every error the package raises on purpose. Each message names the value found and what is allowed."""

from __future__ import annotations

from typing import Any

__all__ = [
    "ActionError",
    "BookFullError",
    "CheckpointError",
    "ConfigError",
    "DataError",
    "DuplicateOrderError",
    "FeedError",
    "HFTGymError",
    "LogOverflowError",
    "MessageError",
    "MissingExtraError",
    "OrderError",
    "PriceError",
    "QuantityError",
    "RiskError",
    "SideError",
    "SymbolError",
    "UnknownOrderError",
]


class HFTGymError(Exception):
    """Base of all errors of this package."""

    def __str__(self) -> str:
        # KeyError, a base of UnknownOrderError, would show the repr of the message.
        return Exception.__str__(self)


class ConfigError(HFTGymError, ValueError):
    """A setting that does not exist, has the wrong type or is out of range."""


class ActionError(HFTGymError, ValueError):
    """An action outside the action space."""


class MissingExtraError(HFTGymError, ModuleNotFoundError):
    """An optional module is not installed; the message names the pip command that brings it."""


class CheckpointError(HFTGymError, ValueError):
    """A saved agent or run that cannot be loaded."""


class LogOverflowError(HFTGymError, RuntimeError):
    """A fill, order or mid log was full: records would have been lost."""


class OrderError(HFTGymError, ValueError):
    """An order or message that the book refuses. The book is unchanged."""


class PriceError(OrderError):
    """A price off the tick, not finite or out of range."""


class QuantityError(OrderError):
    """A quantity that is not a whole number of lots in the allowed range."""


class SideError(OrderError):
    """A side that is neither bid nor ask."""


class SymbolError(OrderError):
    """An order for another instrument than the book's."""


class DuplicateOrderError(OrderError):
    """The id of an order that is already resting."""


class UnknownOrderError(OrderError, KeyError):
    """An id that no resting order has."""


class BookFullError(OrderError):
    """No room for another order, or for more volume at a price."""


class RiskError(OrderError):
    """An order or change that a participant's risk limits forbid; nothing was sent.

    Attributes:
        reason: the limit, by its name in :class:`hft_gym.market.records.RiskReason`.
    """

    def __init__(self, message: str, reason: str) -> None:
        super().__init__(message, reason)
        self.message = message
        self.reason = reason

    def __str__(self) -> str:
        return self.message


class MessageError(OrderError):
    """A message of an array was refused; the ones before it stay applied.

    Attributes:
        index: position of the message in the array.
        trades: the trades of the messages before it, as ``TRADE_DTYPE``.
        cause: the typed error of the message itself.
    """

    def __init__(self, index: int, trades: Any, cause: OrderError) -> None:
        super().__init__(index, trades, cause)
        self.index = index
        self.trades = trades
        self.cause = cause

    def __str__(self) -> str:
        return f"message {self.index}: {self.cause}"


class FeedError(HFTGymError, RuntimeError):
    """A data feed that cannot be reached, has failed, or is asked for something out of turn."""


class DataError(HFTGymError, ValueError):
    """A data file that does not hold what it should.

    Attributes:
        file: the file (or its name), where known.
        row: the row, counted from 0, where known.
        value: the offending value, where known.
    """

    def __init__(self, message: str, file: Any = None, row: int | None = None, value: Any = None) -> None:
        super().__init__(message, file, row, value)
        self.message = message
        self.file = file
        self.row = row
        self.value = value

    def __str__(self) -> str:
        place = "" if self.file is None else f"{self.file}"
        if self.row is not None:
            place += f"{', ' if place else ''}row {self.row}"
        return f"{place}: {self.message}" if place else self.message
