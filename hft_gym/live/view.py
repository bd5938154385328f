"""`SessionView`: one market of a session at one moment, as plain data."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Hashable
from dataclasses import dataclass, fields
from itertools import count, islice, takewhile
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from hft_gym.market.records import SUBUNITS
from hft_gym.portfolio.usage import Use, uses_of_market
from hft_gym.types import OrderSide

if TYPE_CHECKING:
    from hft_gym.live.config import SessionConfig
    from hft_gym.live.floor import Floor
    from hft_gym.live.trader import Trader

__all__ = ["Alert", "Alerts", "Point", "Print", "SessionView", "view_of"]

T = TypeVar("T")
logger = logging.getLogger("hft_gym.live")
# A limit may be met every second of the market's time, of which a fast clock has a thousand in one of ours.
_LEVELS = {"info": logging.INFO, "warning": logging.INFO, "risk": logging.DEBUG, "error": logging.WARNING}
ALERTS = 500
_QUIET_NS = 1_000_000_000
_SHOWN_TAPE, _SHOWN_FILLS = 100, 100


class Print(NamedTuple):
    """A trade on the tape: market time [ns], price [ticks], lots, the aggressor's side, whether one of us traded."""

    time: int
    price: int
    quantity: int
    side: str
    own: bool


class Point(NamedTuple):
    """The price at a market time [ns]: mid, best bid and ask, volume-weighted average price since the opening
    [ticks]; None where there is none."""

    time: int
    mid: float | None
    bid: int | None
    ask: int | None
    vwap: float | None


class Alert(NamedTuple):
    """A piece of news: its number, session time [ns], level (info, warning, risk, error), text, symbol or nothing."""

    number: int
    time_ns: int
    level: str
    text: str
    symbol: str | None


class Alerts:
    """The latest news of a session, numbered."""

    def __init__(self) -> None:
        self.found: deque[Alert] = deque(maxlen=ALERTS)
        self.numbers = count(1)
        self._last: dict[Hashable, int] = {}

    def add(
        self, time_ns: int, level: str, text: str, *, symbol: str | None = None, key: Hashable | None = None
    ) -> None:
        """Add a piece of news; of one *key*, one a second of market time."""
        if key is not None:
            if time_ns - self._last.get(key, -_QUIET_NS) < _QUIET_NS:
                return
            self._last[key] = time_ns
        self.found.append(Alert(next(self.numbers), time_ns, level, text, symbol))
        logger.log(_LEVELS[level], "%s (at %.3f s)", text, time_ns / 1e9)


@dataclass(frozen=True)
class SessionView:
    """What there is to see of one market. Prices are in ticks, sizes in lots, money in ticks·lots (times ``tick_size``:
    currency), times in ns since the session opened.

    Attributes:
        time_ns, symbol, tick_size: when, what, and currency per tick.
        market: ``mid``, ``spread``, ``imbalance``, ``last`` (price of the last trade), ``vwap``, ``traded`` (lots),
            ``trades``, ``messages``, ``volume_bought``, ``volume_sold``, ``resting`` (orders in the book).
        book: ``bids`` and ``asks``, best first: [price, quantity, quantity of participants, queue ahead of the first of
            their orders there (None: they have none)].
        tape: the last trades, oldest first: [time, price, quantity, aggressor "bid" or "ask", own?].
        points: the price since the last view: [time, mid, bid, ask, vwap].
        traders: one mapping each, strategies by slot, then the person: ``name, kind, participant, position, cash,
            equity, realised, unrealised, fees, drawdown, traded, maker_share, attribution, orders, fills, risk,
            counters, ended``.
        alerts: the news so far: [number, time, level, text, symbol].
    """

    time_ns: int
    symbol: str
    tick_size: float
    market: dict[str, Any]
    book: dict[str, list[list[Any]]]
    tape: list[list[Any]]
    points: list[list[Any]]
    traders: list[dict[str, Any]]
    alerts: list[list[Any]]

    def to_json(self) -> dict[str, Any]:
        """The same as nested dicts and lists; they are shared with the view."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


def view_of(
    floor: Floor, config: SessionConfig, origin: int, levels: int, since_ns: int | None, accounts: bool = True
) -> SessionView:
    """The view of one floor; times count from *origin*. Without *accounts* it is made in a third of the time."""
    market = floor.market
    traders = [_seat(who) | (_account(who, config, origin) if accounts else {}) for who in floor.everybody]
    after = floor.shown if since_ns is None else since_ns + origin
    new = takewhile(lambda point: point.time > after, reversed(floor.points))
    points = list(new)[::-1]
    if points:
        floor.shown = points[-1].time
    bids, asks = (_side(floor, side, levels, traders) for side in OrderSide)
    counters = market.counters
    both = bids and asks
    size = bids[0][1] + asks[0][1] if both else 0
    return SessionView(
        time_ns=market.time - origin,
        symbol=market.symbol,
        tick_size=market.config.tick_size,
        market={
            "mid": (bids[0][0] + asks[0][0]) / 2 if both else None,
            "spread": asks[0][0] - bids[0][0] if both else None,
            "imbalance": (bids[0][1] - asks[0][1]) / size if size else 0.0,
            "last": floor.last_price,
            "vwap": floor.turnover / floor.traded if floor.traded else None,
            "traded": floor.traded,
            "trades": counters.trades,
            "messages": counters.messages,
            "volume_bought": counters.volume_bought,
            "volume_sold": counters.volume_sold,
            "resting": counters.resting,
        },
        book={"bids": bids, "asks": asks},
        tape=[[t.time - origin, *t[1:]] for t in _last(floor.tape, _SHOWN_TAPE)],
        points=[[p.time - origin, *p[1:]] for p in points],
        traders=traders,
        alerts=[list(alert) for alert in floor.alerts.found],
    )


def _last(found: deque[T], most: int) -> list[T]:
    """The last of a long queue, without a walk through all of it."""
    return list(islice(reversed(found), most))[::-1]


def _side(floor: Floor, side: OrderSide, levels: int, traders: list[dict[str, Any]]) -> list[list[Any]]:
    own: dict[int, list[tuple[int, int]]] = {}
    for trader in traders:
        for order in trader["orders"]:
            if order["side"] == side.name.lower() and order["ahead"] is not None:
                own.setdefault(order["price"], []).append((order["remaining"], order["ahead"]))
    found = []
    for price, volume in floor.market.depth(side, levels):
        mine = own.get(price, [])
        found.append([price, volume, sum(q for q, _ in mine), min((a for _, a in mine), default=None)])
    return found


def _seat(trader: Trader) -> dict[str, Any]:
    """Who it is, and what stands in the book."""
    market, p = trader.market, trader.participant
    now = market.time
    orders = [
        {
            "id": o.order_id,
            "side": o.side.name.lower(),
            "price": o.price,
            "quantity": o.quantity,
            "remaining": o.remaining,
            "ahead": o.volume_ahead,
            "age_ns": now - o.time_sent,
            "status": o.status.name.lower(),
            "cancel_sent": o.cancel_sent,
        }
        for o in market.working_orders(p)
    ]
    return {
        "name": trader.name,
        "kind": trader.tenure.kind,
        "participant": p,
        "position": market.account(p).position,
        "orders": orders,
    }


def _account(trader: Trader, config: SessionConfig, origin: int) -> dict[str, Any]:
    """What it has, has done and may do."""
    market, p = trader.market, trader.participant
    account = market.account(p)
    equity = (account.equity_units - trader.tenure.origin_units) / SUBUNITS
    fees = (account.fees_units - trader.fees_before) / SUBUNITS
    traded = account.bought + account.sold
    return {
        "cash": account.cash,
        "portfolio": config.initial_cash + equity * market.config.tick_size,
        "equity": equity,
        "realised": equity + fees - account.unrealised,
        "unrealised": account.unrealised,
        "fees": fees,
        "drawdown": trader.drawdown,
        "traded": traded,
        "maker_share": account.maker_volume / traded if traded else None,
        "attribution": {
            "spread_captured": trader.spread_captured,
            "adverse_selection": trader.adverse,
            "position": equity + fees - trader.spread_captured - trader.adverse,
            "fees": -fees,
        },
        "fills": [{**fill, "time_ns": fill["time_ns"] - origin} for fill in _last(trader.recent, _SHOWN_FILLS)],
        "risk": _risk(trader),
        "counters": {
            "fills": len(trader.tenure.log("fills")),
            "orders": len(trader.tenure.log("orders")),
            "decisions": len(trader.tenure.path) - 1,
        },
        "ended": trader.tenure.ended or None,
    }


def _risk(trader: Trader) -> dict[str, Any]:
    """How much of each limit is used, as the exchange counts it."""
    risk = trader.market.risk(trader.participant)
    uses: tuple[Use, ...] = ()
    if trader.market.config.risk_of(trader.participant).active:
        uses, _ = uses_of_market(trader.market, trader.participant)
    return {
        "state": risk.mode.name.lower().replace("_", "-"),
        "allowed": risk.passed is None and risk.mode == 0 and not trader.tenure.ended,
        "passed": None if risk.passed is None else risk.passed.name.lower(),
        "limits": {use.limit: {"limit": use.allowed, "used": use.used} for use in uses},
        "breaches": {reason.name.lower(): n for reason, n in risk.breaches.items()},
    }
