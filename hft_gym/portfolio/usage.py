"""How much of each risk limit is used: of a participant now, and of episodes at most.

A collar and the ban on trading with oneself are of single messages and have no share; their breaches are counted.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from hft_gym.config import build
from hft_gym.evaluation.episodes import Episodes
from hft_gym.market import Market, RiskLimits
from hft_gym.market.limits import ON_BREACH
from hft_gym.market.records import EndReason, RiskMode, RiskReason
from hft_gym.types import OrderSide

__all__ = ["Use", "uses_of_episodes", "uses_of_market"]


class Use(NamedTuple):
    """One limit and how much of it is used."""

    limit: str
    """Name of the setting of `RiskLimits`."""
    used: float
    allowed: float

    @property
    def share(self) -> float:
        """Used of allowed; 1 or more for a limit at which the market refuses or acts."""
        return self.used / self.allowed if self.allowed else (np.inf if self.used else 0.0)


def uses_of_market(market: Market, participant: int) -> tuple[tuple[Use, ...], int]:
    """The limits of a participant now, everything in flight counted, and the largest position that its working orders
    can lead to [lots]."""
    account, orders, risk = market.account(participant), market.working_orders(participant), market.risk(participant)
    bids, asks = (sum(o.remaining for o in orders if o.side == side) for side in (OrderSide.BID, OrderSide.ASK))
    reachable = max(abs(account.position), account.position + bids, asks - account.position)
    used = {
        "max_position": reachable,
        "max_order_size": max((o.remaining for o in orders), default=0),
        "max_notional": reachable * abs(account.mid),
        "max_open_orders": len(orders),
        "max_order_rate": risk.orders_in_window,
        "max_cancel_rate": risk.cancels_in_window,
        "max_loss": max(-account.equity, 0.0),
        "max_drawdown": risk.drawdown,
    }
    return _uses(market.config.risk_of(participant), used), reachable


def uses_of_episodes(episodes: Episodes) -> tuple[tuple[Use, ...], RiskMode | None, dict[RiskReason, int]]:
    """The most that any episode used of each limit, the strictest mode that one came to, and all breaches.

    From paths and logs: positions and money are those after each decision, working orders are not counted with the
    position, and the rates are those of the orders and cancels whose times were logged (changes were not; a cancel's
    time is taken as the order's end).
    """
    limits = build(RiskLimits, episodes.config.get("market", {}).get("risk"))
    if not limits.active:
        return (), None, {}
    rows = episodes.orders
    sent = rows[rows["order_id"] >= 0]
    cancelled = sent[sent["cancel_sent"]]
    window = limits.rate_window_ns
    peak = np.maximum.accumulate(np.maximum(episodes.equity, 0.0), axis=1)
    used = {
        "max_position": _most(np.abs(episodes.inventory)),
        "max_order_size": _most(sent["quantity"]),
        "max_notional": _most(np.abs(episodes.inventory) * np.abs(episodes.mid)),
        "max_open_orders": _most_at_once(sent),
        "max_order_rate": _most_within(sent["episode"], sent["time_sent"], window),
        "max_cancel_rate": _most_within(cancelled["episode"], cancelled["time_end"], window),
        "max_loss": _most(-episodes.equity),
        "max_drawdown": _most(peak - episodes.equity),
    }
    reasons = rows["end_reason"].astype(np.int64) - int(EndReason.RISK_POSITION)
    breaches = {reason: int((reasons == reason).sum()) for reason in RiskReason if (reasons == reason).any()}
    broken = any(reason < RiskReason.REDUCE_ONLY for reason in breaches)
    mode = ON_BREACH[limits.on_breach] if broken else RiskMode.NORMAL
    return _uses(limits, used), mode, breaches


def _uses(limits: RiskLimits, used: dict[str, float]) -> tuple[Use, ...]:
    given = {name: getattr(limits, name) for name in used}
    return tuple(Use(name, float(used[name]), float(value)) for name, value in given.items() if value is not None)


def _most(values: npt.NDArray[Any]) -> float:
    return float(max(values.max(initial=0), 0))


def _most_at_once(orders: npt.NDArray[Any]) -> int:
    """The most orders of one episode between their sending and their end at one time; an end comes before a sending."""
    most = 0
    for episode in np.unique(orders["episode"]):
        mine = orders[orders["episode"] == episode]
        times = np.concatenate([mine["time_sent"], mine["time_end"]])
        change = np.repeat([1, -1], len(mine))
        most = max(most, int(np.cumsum(change[np.lexsort((change, times))]).max()))
    return most


def _most_within(episode: npt.NDArray[Any], time: npt.NDArray[Any], window: int) -> int:
    """The most messages of one episode within a window that excludes one of its ends."""
    most = 0
    for e in np.unique(episode):
        times = np.sort(time[episode == e])
        first = np.searchsorted(times, times - window, side="right")
        most = max(most, int((np.arange(len(times)) - first).max()) + 1)
    return most
