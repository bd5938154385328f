"""From a session's view to what the page shows: prices and money in currency, sizes in lots, times in ns."""

from __future__ import annotations

import json
import math
from collections import deque
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from hft_gym.config import to_dict
from hft_gym.dashboard.schema import SetCosts
from hft_gym.errors import ConfigError
from hft_gym.market.config import FeeConfig, LatencyConfig
from hft_gym.market.limits import RiskLimits
from hft_gym.report.writers import json_text

if TYPE_CHECKING:
    from hft_gym.dashboard.catalogue import Catalogue
    from hft_gym.live import LiveSession, SessionConfig, SessionView

__all__ = ["Shown", "as_text", "settings_of", "with_costs"]

TAPE = 40
FILLS = 1000
AVERAGES = {"ma_fast": 10.0, "ma_slow": 60.0}
"""Exponential moving averages of the mid, by their time constant [s of market time]."""
NOBODY = "do-nothing"
"""The strategy of an empty slot."""
_SIDES = {"bid": "buy", "ask": "sell"}


def as_text(document: Any) -> str:
    """Compact JSON; undefined numbers are null."""
    try:
        return json.dumps(document, separators=(",", ":"), allow_nan=False)
    except ValueError:
        return json_text(document, indent=None)  # it takes some five times as long, and undefined numbers


class Shown:
    """What has been shown of one symbol of a session: what a single view does not tell.

    Attributes:
        fills: the latest: [trader, time, price, quantity, side].
        fills_count: how many there have been since the symbol was first shown.
    """

    def __init__(self) -> None:
        self.view: SessionView | None = None
        self.accounts: SessionView | None = None
        self.open: float | None = None
        self.fills: deque[list[Any]] = deque(maxlen=FILLS)
        self.fills_count = 0
        self._seen: dict[str, int] = {}
        self._worst: dict[str, float] = {}
        self._averages: dict[str, float] = {}
        self._averaged = 0

    @property
    def time_ns(self) -> int:
        """Of the last view; -1 before the first."""
        return -1 if self.view is None else self.view.time_ns

    def glance(self, view: SessionView) -> None:
        """Note what is new in a view without accounts; the accounts stay those of the last one with them."""
        tick, mid = view.tick_size, view.market["mid"]
        self.view = view
        if mid is not None:
            self.open = mid * tick if self.open is None else self.open
            self._average(view.time_ns, mid * tick)

    def take(self, view: SessionView) -> None:
        """Note what is new in a view."""
        self.glance(view)
        self.accounts, tick = view, view.tick_size
        for number, trader in enumerate(view.traders):
            name, count = trader["name"], trader["counters"]["fills"]
            new = count - self._seen.get(name, 0)
            self._seen[name] = count
            self._worst[name] = max(self._worst.get(name, 0.0), trader["drawdown"] * tick)
            for fill in trader["fills"][-new:] if new > 0 else ():
                side = _SIDES[fill["side"]]
                self.fills.append([number, fill["time_ns"], _round(fill["price"] * tick), fill["quantity"], side])
            self.fills_count += max(new, 0)

    def _average(self, time_ns: int, mid: float) -> None:
        elapsed, self._averaged = (time_ns - self._averaged) / 1e9, time_ns
        for name, seconds in AVERAGES.items():
            old = self._averages.get(name, mid)
            self._averages[name] = old + (1.0 - math.exp(-max(elapsed, 0.0) / seconds)) * (mid - old)

    def fills_since(self, told: int) -> list[list[Any]]:
        """The fills after the first *told*, as far as they are kept."""
        new = min(self.fills_count - told, len(self.fills))
        return list(self.fills)[-new:] if new > 0 else []

    # -- pictures ------------------------------------------------------------------------------------------

    def ladder(self, levels: int) -> dict[str, Any]:
        """Book, tape and the viewer's orders."""
        view = _there(self.view)
        tick, market = view.tick_size, view.market
        human = view.traders[-1]
        orders = [
            {
                "id": o["id"],
                "side": _SIDES[o["side"]],
                "price": None if o["price"] is None else _round(o["price"] * tick),
                "quantity": o["remaining"],
                "ahead": o["ahead"],
            }
            for o in human["orders"]
            if not o["cancel_sent"]
        ]
        return {
            "symbol": view.symbol,
            "time": view.time_ns,
            **{name: _money(market[name], tick) for name in ("mid", "spread", "last", "vwap")},
            "open": self.open,
            "imbalance": market["imbalance"],
            **{
                side: [[_round(row[0] * tick), *row[1:]] for row in view.book[side][:levels]]
                for side in ("bids", "asks")
            },
            "tape": [
                [time, _round(price * tick), quantity, _SIDES[side], own]
                for time, price, quantity, side, own in reversed(view.tape[-TAPE:])
            ],
            "orders": orders,
            "position": human["position"],
        }

    def account(self, alerts: list[dict[str, Any]]) -> dict[str, Any]:
        """Every trader's account and limits, and the messages."""
        view = _there(self.accounts)
        tick = view.tick_size
        traders = []
        for trader in view.traders:
            risk = trader["risk"]
            money = {name: _money(trader[name], tick) for name in _ACCOUNT}
            limits = [
                {"limit": name, "used": use["used"] * scale, "allowed": use["limit"] * scale}
                for name, use in risk["limits"].items()
                for scale in [tick if name in _MONEY else 1]
            ]
            stopped = "" if risk["state"] == "normal" else risk["state"]
            traders.append(
                {
                    "number": trader["participant"],
                    "name": _title(trader),
                    **money,
                    "max_drawdown": _round(self._worst.get(trader["name"], 0.0)),
                    "position": trader["position"],
                    "cash": _round(trader["portfolio"] - trader["position"] * (view.market["mid"] or 0) * tick),
                    "fills": trader["counters"]["fills"],
                    "volume": trader["traded"],
                    "maker_share": trader["maker_share"],
                    "working": len(trader["orders"]),
                    "limits": limits,
                    "stopped": trader["ended"] or stopped,
                }
            )
        return {"symbol": view.symbol, "time": view.time_ns, "traders": traders, "alerts": alerts}

    def row(self) -> dict[str, float]:
        """A row of the curves; undefined is NaN."""
        view = _there(self.accounts)
        tick, (bid, ask) = view.tick_size, (view.book[side][:1] for side in ("bids", "asks"))
        row = {
            "time": float(view.time_ns),
            "mid": _number(view.market["mid"], tick),
            "bid": _number(bid[0][0] if bid else None, tick),
            "ask": _number(ask[0][0] if ask else None, tick),
            "vwap": _number(view.market["vwap"], tick),
            **{name: self._averages.get(name, math.nan) for name in AVERAGES},
        }
        for k, trader in enumerate(view.traders):
            for name, scale in (("equity", tick), ("position", 1.0), ("drawdown", tick)):
                row[f"t{k}_{name}"] = _number(trader[name], scale)
            for name, value in trader["attribution"].items():
                row[f"t{k}_by_{name}"] = _number(value, tick)
        return row


def _there(view: SessionView | None) -> SessionView:
    if view is None:
        raise RuntimeError("nothing has been taken yet")
    return view


_ACCOUNT = ("equity", "realised", "unrealised", "fees", "drawdown")
_MONEY = ("max_loss", "max_drawdown", "max_notional")


def _title(trader: Mapping[str, Any]) -> str:
    return "you" if trader["kind"] == "human" else str(trader["name"])


def _round(value: float) -> float:
    return round(value, 8)


def _money(ticks: float | None, tick: float) -> float | None:
    return None if ticks is None else _round(ticks * tick)


def _number(value: float | None, scale: float) -> float:
    # Eight digits behind the point are finer than any tick, and keep the texts short.
    return math.nan if value is None else _round(value * scale)


def settings_of(live: LiveSession, catalogue: Catalogue) -> dict[str, Any]:
    """The session's settings, as the page's forms have them; limits of money in currency."""
    config = live.config
    exchange = config.exchange
    ticks, flow = _ticks(live), exchange.flow
    tick = min(ticks)
    latency, fees = exchange.latency, exchange.fees
    strategies = []
    for i, slot in enumerate(config.strategies):
        name = "" if slot.name == NOBODY else catalogue.name_of(slot.name)
        strategies.append({"slot": i + 1, "name": name, "parameters": dict(slot.parameters)})
    limits = to_dict(exchange.risk)
    risk = {name: value * ticks[0] if name in _MONEY and value is not None else value for name, value in limits.items()}
    return {
        "seed": config.seed,
        "symbols": list(config.symbols),
        "preset": flow if isinstance(flow, str) and not config.feed else "custom",
        "strategies": strategies,
        "risk": risk,
        "costs": {
            "order_ms": latency.order_ns / 1e6,
            "market_data_ms": latency.market_data_ns / 1e6,
            "maker": fees.maker,
            "taker": fees.taker,
        },
        "tick_size": tick,
        "decimals": max(0, -int(Decimal(repr(tick)).normalize().as_tuple().exponent)),
    }


def limits_of(settings: Mapping[str, Any], live: LiveSession) -> RiskLimits:
    """The limits of a message, whose money is in currency.

    Raises:
        ConfigError: a limit of money, in books of different ticks: it would be another in each.
    """
    tick, *others = _ticks(live)
    money = [name for name in _MONEY if settings.get(name) is not None]
    if others and money:
        raise ConfigError(f"{money[0]}: the books have different ticks, so that it would be another limit in each")
    return RiskLimits(**{n: v / tick if n in _MONEY and v is not None else v for n, v in settings.items()})


def _ticks(live: LiveSession) -> list[float]:
    """The different tick sizes of a session's books, that of the first symbol first."""
    return list(dict.fromkeys(live.tick_size(symbol) for symbol in live.floors))


def with_costs(config: SessionConfig, costs: SetCosts) -> SessionConfig:
    """The configuration with other latencies and fees; cancels travel as long as orders."""
    order = round(costs.order_ms * 1e6)
    old = config.exchange.latency
    latency = LatencyConfig(order, old.order_jitter_ns, order, old.cancel_jitter_ns, round(costs.market_data_ms * 1e6))
    fees = FeeConfig(config.exchange.fees.unit, costs.maker, costs.taker)
    return replace(config, latency=latency, fees=fees)
