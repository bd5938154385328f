"""What a :class:`~hft_gym.market.Market` hands out: accounts, orders, counters, logs. All are values."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntFlag
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hft_gym.market.arrays import MarketArrays
from hft_gym.market.records import (
    EVENT_END,
    EVENT_FILL,
    EVENT_TOUCH,
    EVENT_TRADE,
    IN_FLIGHT,
    MAX_RATE,
    SUBUNITS,
    EndReason,
    RiskMode,
    RiskReason,
)
from hft_gym.types import OrderSide, OrderStatus, TimeInForce


class MarketEvent(IntFlag):
    """What ``Market.run_until_event`` can stop at; combine with ``|``.

    ``FILL``: a participant was filled. ``TRADE``: anybody traded. ``TOUCH``: the best bid or ask price
    changed. ``END``: the recorded day is over (replays only).
    """

    FILL = EVENT_FILL
    TRADE = EVENT_TRADE
    TOUCH = EVENT_TOUCH
    END = EVENT_END


@dataclass(frozen=True)
class Account:
    """One participant's account at one moment.

    Money comes twice: exact, as integer *sub-units* (``..._units``; 10,000 to one tick·lot), and as floats in
    ticks·lots (times the tick size: currency). ``equity = realised + unrealised - fees``, exactly in
    sub-units. The position is marked at ``mid``, the others' mid.
    """

    participant: int
    position: int
    """Lots held, negative when short."""
    cash_units: int
    """Money received less money paid, fees included [sub-units]."""
    fees_units: int
    """Fees paid less rebates received [sub-units]."""
    cost_units: int
    """What the position cost at average cost, negative when short, before fees [sub-units]."""
    mid2: int
    """Best bid + best ask of the others [half-ticks]; while a side is empty, as it was after the last run."""
    bought: int
    sold: int
    maker_volume: int
    """Lots filled passively; ``bought + sold - maker_volume`` were taken."""

    @classmethod
    def of(cls, participant: int, row: Any, mid2: int) -> Account:
        """From an ``ACCOUNT`` record."""
        return cls(
            participant=participant,
            position=int(row["position"]),
            cash_units=int(row["cash"]),
            fees_units=int(row["fees"]),
            cost_units=int(row["cost"]),
            mid2=mid2,
            bought=int(row["bought"]),
            sold=int(row["sold"]),
            maker_volume=int(row["maker_volume"]),
        )

    @property
    def realised_units(self) -> int:
        """Profit of closed positions at average cost, before fees [sub-units]."""
        return self.cash_units + self.fees_units + self.cost_units

    @property
    def unrealised_units(self) -> int:
        """Value of the position at the mid less its cost [sub-units]."""
        return self.position * self.mid2 * (SUBUNITS // 2) - self.cost_units

    @property
    def equity_units(self) -> int:
        """Cash and position at the mid: the net profit so far [sub-units]."""
        return self.cash_units + self.position * self.mid2 * (SUBUNITS // 2)

    @property
    def cash(self) -> float:
        """As ``cash_units`` [ticks·lots]."""
        return self.cash_units / SUBUNITS

    @property
    def fees(self) -> float:
        """As ``fees_units`` [ticks·lots]."""
        return self.fees_units / SUBUNITS

    @property
    def realised(self) -> float:
        """As ``realised_units`` [ticks·lots]."""
        return self.realised_units / SUBUNITS

    @property
    def unrealised(self) -> float:
        """As ``unrealised_units`` [ticks·lots]."""
        return self.unrealised_units / SUBUNITS

    @property
    def equity(self) -> float:
        """As ``equity_units`` [ticks·lots]."""
        return self.equity_units / SUBUNITS

    @property
    def mid(self) -> float:
        """The mid that the position is marked at [ticks]."""
        return self.mid2 / 2


@dataclass(frozen=True)
class WorkingOrder:
    """A participant's order that has not ended: on its way to the exchange (``NEW``) or in the book."""

    order_id: int
    side: OrderSide
    price: int
    """Ticks; ``MAX_PRICE_TICKS`` with the sign of the worst price for a market order on its way."""
    quantity: int
    """Lots ordered, as last modified."""
    remaining: int
    time_in_force: TimeInForce
    status: OrderStatus
    """NEW, RESTING or PARTIALLY_FILLED."""
    time_sent: int
    time_entry: int | None
    """When it joined its queue [ns]; None while on its way."""
    queue_ahead_entry: int | None
    """Lots ahead of it then."""
    volume_ahead: int | None
    """Lots ahead of it now."""
    orders_ahead: int | None
    cancel_sent: bool
    """A cancel is on its way."""

    @classmethod
    def of(cls, row: Any, volume: int, count: int) -> WorkingOrder:
        """From a record of the order table (``OWN``), with *volume* lots and *count* orders ahead of it."""
        resting = row["state"] != IN_FLIGHT
        quantity, remaining = int(row["quantity"]), int(row["remaining"])
        status = OrderStatus.NEW
        if resting:
            status = OrderStatus.RESTING if remaining == quantity else OrderStatus.PARTIALLY_FILLED
        return cls(
            order_id=int(row["id"]),
            side=OrderSide(int(row["side"])),
            price=int(row["price"]),
            quantity=quantity,
            remaining=remaining,
            time_in_force=TimeInForce(int(row["time_in_force"])),
            status=status,
            time_sent=int(row["time_sent"]),
            time_entry=int(row["time_entry"]) if resting else None,
            queue_ahead_entry=int(row["queue_entry"]) if resting else None,
            volume_ahead=volume if resting else None,
            orders_ahead=count if resting else None,
            cancel_sent=bool(row["cancel_sent"]),
        )


@dataclass(frozen=True)
class MarketCounters:
    """What has happened since the market opened; ``resting`` and ``parked`` are what is so now."""

    messages: int
    """Book messages: orders, cancels and changes that reached the book."""
    trades: int
    volume_bought: int
    """Lots taken by buyers."""
    volume_sold: int
    hidden_volume: int
    """Lots traded against hidden orders (replays only)."""
    fees_units: int
    """Fees collected from all participants [sub-units]."""
    resting: int
    """Orders in the book."""
    parked: int
    """Orders whose price lies beyond the ladder: kept in order, slower to reach."""
    rejected: int
    """Orders of the flow refused because the book was full (``max_orders``)."""
    refused: int
    """Participants' orders and changes that the exchange could not take: no room when they arrived."""
    displaced: int
    """Historic lots cancelled because participants were filled in their stead (replays only)."""
    lost: int
    """Log records lost since the last drain because a log was full."""

    @classmethod
    def of(cls, arrays: MarketArrays) -> MarketCounters:
        """From the arrays of one market."""
        state, flow, head = arrays.state[0], arrays.flow_state[0], arrays.head[0]
        return cls(
            messages=int(state["messages"]),
            trades=int(state["trades"]),
            volume_bought=int(state["volume"][OrderSide.BID]),
            volume_sold=int(state["volume"][OrderSide.ASK]),
            hidden_volume=int(state["hidden_volume"]),
            fees_units=int(state["fees"]),
            resting=int(head["n_live"]),
            parked=int(head["parked"].sum()),
            rejected=int(flow["rejected"]),
            refused=int(arrays.account["refused"].sum()),
            displaced=int(flow["displaced"]),
            lost=int(state["lost"]),
        )


_NAMES = {
    "side": [s.name for s in OrderSide],
    "time_in_force": [t.name for t in TimeInForce],
    "end_reason": [r.name for r in EndReason],
}


@dataclass(frozen=True)
class RiskState:
    """Where one participant stands with its limits (`RiskLimits`)."""

    participant: int
    mode: RiskMode
    """``NORMAL``, ``REDUCE_ONLY`` or ``KILLED``."""
    passed: RiskReason | None
    """The limit that the price has passed at this moment."""
    breaches: dict[RiskReason, int]
    """Breaches so far, of those limits that were broken."""
    drawdown: float
    """Fall of the equity from its highest since the market opened [ticks·lots]; 0 without a limit on it."""
    orders_in_window: int = 0
    """Orders and changes sent within the last rate window; 0 without a limit on them."""
    cancels_in_window: int = 0
    """Cancels, likewise."""

    @classmethod
    def of(cls, participant: int, record: Any, equity2: int, now: int) -> RiskState:
        """From a ``RISK`` record and twice the equity [sub-units], at *now* [ns]."""
        return cls(
            participant,
            RiskMode(int(record["mode"])),
            RiskReason(int(record["passed"])) if record["passed"] >= 0 else None,
            {reason: int(n) for reason, n in zip(RiskReason, record["breaches"], strict=True) if n},
            max(int(record["peak2"]) - equity2, 0) / (2 * SUBUNITS) if record["watched"] else 0.0,
            *(_sent_since(record, kind, now - int(record["rate_window"])) for kind in range(2)),
        )


def _sent_since(record: Any, kind: int, time: int) -> int:
    """Messages of a limited *kind* (0: orders, 1: cancels) that a ``RISK`` record has as sent after *time*."""
    limit = int(record["max_cancel_rate" if kind else "max_order_rate"])
    known = min(int(record["n_sent"][kind]), limit, MAX_RATE)
    return int((record["sent"][kind * MAX_RATE : kind * MAX_RATE + known] > time).sum())


class Log:
    """Drained log records: a structured array with a table view.

    ``log["price"]`` is a column, ``len(log)`` the number of records, ``log.records`` the array itself, of
    ``FILL_LOG``, ``ORDER_LOG`` or ``MID_LOG`` of :mod:`hft_gym.market.records`, where columns are explained.
    """

    def __init__(self, records: NDArray[Any]) -> None:
        self.records = records

    def __len__(self) -> int:
        return len(self.records)

    def __getitem__(self, column: str) -> NDArray[Any]:
        return self.records[column]

    def __iter__(self) -> Iterator[Any]:
        return iter(self.records)

    def __array__(self, dtype: Any = None, copy: Any = None) -> NDArray[Any]:
        return np.array(self.records, dtype=dtype, copy=copy)

    def __repr__(self) -> str:
        return f"<{len(self)} records: {', '.join(self._columns())}>"

    def _columns(self) -> list[str]:
        return [name for name in self.records.dtype.names or () if name not in ("env", "episode", "pad")]

    def to_frame(self) -> Any:
        """The records as a pandas DataFrame; sides, times in force and reasons by name."""
        import pandas as pd

        frame = pd.DataFrame({name: self.records[name] for name in self._columns()})
        for name, words in _NAMES.items():
            if name in frame:
                frame[name] = pd.Categorical.from_codes(self.records[name].astype(np.int64), words)
        for name in ("maker", "closing", "cancel_sent"):
            if name in frame:
                frame[name] = frame[name].astype(bool)
        return frame
