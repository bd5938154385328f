"""What a client may say: one frozen dataclass for each message, checked before anything is done.

A message is a JSON object with ``v`` (`VERSION`), ``type``, optionally ``id`` (a number that the answer repeats),
and the fields of its type. Anything else in it is an error, and so is every value out of range.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, Literal

from hft_gym.config import build, did_you_mean, setting, validate
from hft_gym.dashboard.config import CHART_HZ, LADDER_HZ
from hft_gym.errors import ConfigError, DataError

__all__ = ["MESSAGES", "VERSION", "Message", "parse"]

VERSION = 1
MAX_INTEGER = 2**53 - 1
"""Largest whole number that a browser tells exactly."""
NAME = 64
"""Characters of a name at most."""


@dataclass(frozen=True)
class Message:
    """Base of all messages."""

    def __post_init__(self) -> None:
        validate(self)


@dataclass(frozen=True)
class Attach(Message):
    """Find a session again, or begin one; the first message of a client."""

    session: str = setting("", max_length=NAME, doc="what an earlier `attached` said; empty: a new one")
    fresh: bool = setting(False, doc="begin a new one even so")


@dataclass(frozen=True)
class Watch(Message):
    """What to show, and how often."""

    symbol: str = setting(min_length=1, max_length=NAME)
    levels: int = setting(10, low=1, high=20)
    ladder_hz: float = setting(LADDER_HZ, low=0.5, high=LADDER_HZ)
    chart_hz: float = setting(CHART_HZ, low=0.25, high=CHART_HZ)


@dataclass(frozen=True)
class Start(Message):
    """Let the market's time pass."""


@dataclass(frozen=True)
class Pause(Message):
    """Stand still."""


@dataclass(frozen=True)
class Step(Message):
    """Make decisions one by one, while paused."""

    count: int = setting(1, low=1, high=1000)


@dataclass(frozen=True)
class Speed(Message):
    """Seconds of market time in one of the viewer's; 0: as fast as the machine can."""

    value: float = setting(low=0.0, high=1000.0)

    def __post_init__(self) -> None:
        super().__post_init__()
        if 0 < self.value < 0.1:
            raise ConfigError(f"value: must be 0 or at least 0.1, got {self.value}")


@dataclass(frozen=True)
class Reset(Message):
    """Begin anew from a seed."""

    seed: int = setting(low=0, high=2**32 - 1)


@dataclass(frozen=True)
class SetMarket(Message):
    """Another preset for all symbols; begins anew."""

    preset: str = setting(min_length=1, max_length=NAME)


@dataclass(frozen=True)
class SetStrategy(Message):
    """Another strategy, or other parameters, in a slot; an empty name empties it."""

    slot: int = setting(low=1, high=8)
    name: str = setting("", max_length=4 * NAME)
    parameters: dict[str, bool | int | float | str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self.parameters) > 32:
            raise ConfigError(f"parameters: {len(self.parameters)} of them; allowed are 32")
        for name, value in self.parameters.items():
            if len(name) > NAME or (isinstance(value, str) and len(value) > NAME):
                raise ConfigError(f"parameters: {name[:NAME]!r} or its text is longer than {NAME} characters")


@dataclass(frozen=True)
class PlaceOrder(Message):
    """The ticket: an order of the viewer's own. No price: a market order."""

    symbol: str = setting(min_length=1, max_length=NAME)
    side: Literal["buy", "sell"] = setting()
    quantity: int = setting(low=1, high=1_000_000)
    price: float | None = setting(None, above=0.0, high=1e9)
    time_in_force: Literal["GTC", "IOC", "FOK", "POST_ONLY"] = setting("GTC")


@dataclass(frozen=True)
class ModifyOrder(Message):
    """Change what is left of one of the viewer's orders: its quantity and its price."""

    symbol: str = setting(min_length=1, max_length=NAME)
    order: int = setting(low=0, high=MAX_INTEGER)
    quantity: int = setting(low=1, high=1_000_000)
    price: float = setting(above=0.0, high=1e9)


@dataclass(frozen=True)
class CancelOrder(Message):
    """Withdraw one of the viewer's orders."""

    symbol: str = setting(min_length=1, max_length=NAME)
    order: int = setting(low=0, high=MAX_INTEGER)


@dataclass(frozen=True)
class CancelAll(Message):
    """Withdraw all the viewer's orders in a symbol."""

    symbol: str = setting(min_length=1, max_length=NAME)


@dataclass(frozen=True)
class SetRisk(Message):
    """Limits of every trader; absent: none."""

    max_position: int | None = setting(None, low=0, high=1_000_000)
    max_order_size: int | None = setting(None, low=1, high=1_000_000)
    max_open_orders: int | None = setting(None, low=0, high=1000)
    max_loss: float | None = setting(None, above=0.0, high=1e12)
    max_drawdown: float | None = setting(None, above=0.0, high=1e12)
    price_collar: int | None = setting(None, low=1, high=1_000_000)
    on_breach: Literal["reject", "reduce-only", "kill-switch"] = setting("reject")


@dataclass(frozen=True)
class Release(Message):
    """Let a trader that a limit has stopped trade again."""

    trader: int = setting(low=1, high=64)


@dataclass(frozen=True)
class SetCosts(Message):
    """Latency and fees of every trader; begins anew."""

    order_ms: float = setting(low=0.0, high=60_000.0)
    market_data_ms: float = setting(low=0.0, high=60_000.0)
    maker: float = setting(low=-100.0, high=100.0)
    taker: float = setting(low=-100.0, high=100.0)


@dataclass(frozen=True)
class Record(Message):
    """Keep what the session has shown so far, to be replayed later."""


MESSAGES: dict[str, type[Message]] = {
    "attach": Attach,
    "watch": Watch,
    "start": Start,
    "pause": Pause,
    "step": Step,
    "speed": Speed,
    "reset": Reset,
    "market": SetMarket,
    "strategy": SetStrategy,
    "order": PlaceOrder,
    "modify": ModifyOrder,
    "cancel": CancelOrder,
    "cancel-all": CancelAll,
    "risk": SetRisk,
    "release": Release,
    "costs": SetCosts,
    "record": Record,
}
"""Type -> what it says."""


def parse(text: str | bytes, limit: int) -> tuple[int | None, Message]:
    """A client's message: its id, and what it says.

    Args:
        text: as it came.
        limit: bytes at most.

    Raises:
        DataError: it is none; the message says why.
    """
    size = len(text.encode()) if isinstance(text, str) else len(text)
    if size > limit:
        raise DataError(f"a message of {size} bytes; allowed are {limit}")
    try:
        document = json.loads(text, parse_constant=_no_constant, parse_int=_integer)
    except (ValueError, RecursionError) as error:
        raise DataError(f"no JSON ({str(error)[:80] or type(error).__name__})") from None
    if not isinstance(document, dict):
        raise DataError(f"expected an object, got {type(document).__name__}")
    version, kind, number = document.pop("v", None), document.pop("type", None), document.pop("id", None)
    if type(version) is not int or version != VERSION:
        raise DataError(f"v is {_short(version)}; this server speaks {VERSION}")
    if not isinstance(kind, str) or kind not in MESSAGES:
        raise DataError(f"type is {_short(kind)}{did_you_mean(_short(kind), list(MESSAGES))}")
    if number is not None and (type(number) is not int or not 0 <= number <= MAX_INTEGER):
        raise DataError(f"id is {_short(number)}; allowed are whole numbers from 0")
    try:
        return number, build(MESSAGES[kind], document, kind)
    except ConfigError as error:
        raise DataError(str(error)[:1000]) from None


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


def _integer(digits: str) -> int:
    if len(digits) > 17 or abs(value := int(digits)) > MAX_INTEGER:
        raise ValueError(f"the whole number {digits[:20]} is too large")
    return value


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
