"""Risk limits: what a participant may not exceed, and what happens when it tries or a price takes it there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from hft_gym.config import setting, validate
from hft_gym.market.records import MAX_RATE, NO_LIMIT, RISK, SUBUNITS, RiskMode

ON_BREACH = {"reject": RiskMode.NORMAL, "reduce-only": RiskMode.REDUCE_ONLY, "kill-switch": RiskMode.KILLED}
_LARGE = 2**50


@dataclass(frozen=True)
class RiskLimits:
    """Limits checked by the exchange before every order and change of each participant; None: no limit.

    Position, notional, open orders, order size, rates, collar and self-trade are checked when a message is sent, with
    everything in flight counted as if it rested, and a change once more when it arrives: no sequence of messages,
    latencies and fills leaves one of the first four exceeded. Notional, loss and drawdown can be passed by a price
    alone; they are looked at after every event.

    What a breach does is ``on_breach``. ``reject``: the message is refused; while a loss, drawdown or notional is
    exceeded, so is every order that could add to the position. ``reduce-only``: from then on only orders that bring the
    position towards zero are accepted. ``kill-switch``: with the next event every order is withdrawn, messages in
    flight are dropped, the position is traded away at market, and nothing more is accepted. Both last until the market
    opens anew (an environment's next episode) or :meth:`hft_gym.Market.release`.

    The checks are those of SEC Rule 15c3-5 and the FIA's Best Practices for Exchange Risk Controls (2024).
    """

    max_position: int | None = setting(
        None, low=0, high=_LARGE, doc="largest absolute position, working orders included [lots]"
    )
    max_order_size: int | None = setting(None, low=1, high=_LARGE, doc="largest order [lots]")
    max_notional: float | None = setting(
        None, above=0.0, high=1e14, doc="largest value of the position at the mid, working orders included [ticks·lots]"
    )
    max_open_orders: int | None = setting(None, low=0, high=_LARGE, doc="most working orders, in flight included")
    max_order_rate: int | None = setting(
        None, low=1, high=MAX_RATE, doc="most orders and changes sent within any rate window"
    )
    max_cancel_rate: int | None = setting(
        None,
        low=1,
        high=MAX_RATE,
        doc="most cancels sent within any rate window; a change that only takes lots away counts as one",
    )
    rate_window_ns: int = setting(1_000_000_000, low=1, high=10**15, doc="length of the rate window [ns]")
    price_collar: int | None = setting(
        None,
        low=1,
        high=2**40,
        doc="largest distance of an order from the others' mid [ticks]; a market order is held to it",
    )
    max_loss: float | None = setting(None, above=0.0, high=1e14, doc="loss that is a breach, at the mid [ticks·lots]")
    max_drawdown: float | None = setting(
        None, above=0.0, high=1e14, doc="fall of the equity from its peak that is a breach [ticks·lots]"
    )
    no_self_trade: bool = setting(False, doc="refuse an order whose price would cross one's own working order")
    on_breach: Literal["reject", "reduce-only", "kill-switch"] = setting("reject", doc="what a breach does")

    def __post_init__(self) -> None:
        validate(self)

    @property
    def active(self) -> bool:
        """Whether there is any limit."""
        names = (*_WHOLE, *_MONEY, "price_collar")
        return self.no_self_trade or any(getattr(self, name) is not None for name in names)

    def compiled(self) -> NDArray[Any]:
        """The limits as one ``RISK`` record (shape ``(1,)``), nothing done yet."""
        record = np.zeros(1, RISK)
        for name in _WHOLE:
            value = getattr(self, name)
            record[name] = NO_LIMIT if value is None else value
        for name in _MONEY:
            value = getattr(self, name)
            record[name] = NO_LIMIT if value is None else round(2 * value * SUBUNITS)
        record["collar2"] = NO_LIMIT if self.price_collar is None else 2 * self.price_collar
        record["rate_window"] = self.rate_window_ns
        record["no_self_trade"] = self.no_self_trade
        record["on_breach"] = ON_BREACH[self.on_breach]
        record["watched"] = any(getattr(self, name) is not None for name in _MONEY) or self.on_breach == "kill-switch"
        return record


_WHOLE = ("max_position", "max_order_size", "max_open_orders", "max_order_rate", "max_cancel_rate")
_MONEY = ("max_notional", "max_loss", "max_drawdown")
LIMITS = (*_WHOLE, *_MONEY, "collar2", "rate_window", "no_self_trade", "on_breach", "watched")
"""The fields of a ``RISK`` record that are limits; the others are what a participant has done."""
