"""`Floor`: one symbol's market and those who trade in it, run from decision to decision."""

from __future__ import annotations

from collections import Counter, deque
from typing import Any

import numpy as np

from hft_gym.config import did_you_mean
from hft_gym.errors import ConfigError
from hft_gym.live.policies import Player
from hft_gym.live.tenure import Tenure
from hft_gym.live.trader import Trader
from hft_gym.live.view import Alerts, Point, Print
from hft_gym.market import Market, TapeKind
from hft_gym.market.records import EndReason
from hft_gym.types import OrderSide

__all__ = ["Floor"]

_TRADES = (int(TapeKind.EXECUTE), int(TapeKind.HIDDEN))
_RISK = int(EndReason.RISK_POSITION)
TAPE_LENGTH, POINTS = 500, 1_000


class Floor:
    """One market of a session.

    Args:
        market: it, before its warm-up; its last participant is the person.
        players: the strategies, in the order of their slots.
        interval: time between points of the price [ns].
        alerts: where news goes.
    """

    def __init__(self, market: Market, players: list[Player], interval: int, alerts: Alerts) -> None:
        self.market, self.interval, self.alerts = market, interval, alerts
        self.traders = [Trader(market, i + 1, player, interval) for i, player in enumerate(players)]
        self.human = Trader(market, len(players) + 1, None, interval)
        self.past: list[Tenure] = []
        self.tape: deque[Print] = deque(maxlen=TAPE_LENGTH)
        self.points: deque[Point] = deque(maxlen=POINTS)
        self.shown = -1
        """Time of the last point that a view has shown [ns]."""
        self.traded = self.turnover = 0
        self.anchor = 0
        """Market time of the opening, from which points and decisions are counted [ns]."""
        self.opened = self.suspended = False
        self.last_price: int | None = None

    @property
    def everybody(self) -> list[Trader]:
        """The strategies, then the person."""
        return [*self.traders, self.human]

    @property
    def sent_at(self) -> int:
        """When a message is sent that answers to what is seen now [ns]."""
        return self.market.time + self.market.config.latency.market_data_ns

    def trader(self, who: str | int) -> Trader:
        """A trader by name or number.

        Raises:
            ConfigError: there is none.
        """
        for trader in self.everybody:
            if who in (trader.name, trader.participant):
                return trader
        raise ConfigError(f"trader: there is no {who!r}{did_you_mean(str(who), [t.name for t in self.everybody])}")

    # -- running -------------------------------------------------------------------------------------------

    def prepare(self, opening: int) -> None:
        """Until *opening* [ns] the market warms up, as seen from each seat; then everybody begins.

        Raises:
            ConfigError: a strategy's parameter is wrong.
        """
        self.anchor = opening
        for trader in self.traders:
            if trader.player is not None and trader.seat is not None:
                trader.player.policy(trader.seat)

    def _warm_up(self, end: int) -> None:
        """Run towards the opening, at most to *end* [ns], in slices of each seat's own decisions."""
        market = self.market
        while market.time < min(end, self.anchor):
            slices = [t.warm + t.interval for t in self.traders if t.warm + t.interval > market.time]
            market.run_until(min(end, self.anchor, *slices))
            for trader in self.traders:
                if market.time in (trader.warm + trader.interval, self.anchor) and trader.seat is not None:
                    trader.seat.warm(market.time - trader.warm)
                    trader.warm = market.time
            self._forget_logs()
        if market.time >= self.anchor:
            self.opened = True
            self._forget_logs()
            for trader in self.everybody:
                trader.begin()
                self._first_mid(trader)
            self._point()

    def _forget_logs(self) -> None:
        for log in (self.market.fills, self.market.orders, self.market.mids):
            log()

    def _first_mid(self, trader: Trader) -> None:
        """The mid that a tenure starts with, as the first row of its log."""
        account = self.market.account(trader.participant)
        first = np.zeros(1, self.market.mids().records.dtype)
        first["participant"], first["time"], first["mid2"] = trader.participant, self.market.time, account.mid2
        trader.tenure.add("mids", first)

    def run_until(self, end: int) -> None:
        """Run to *end* [ns], with every decision on the way."""
        if not self.opened:
            self._warm_up(end)
        if self.opened and not self.suspended:
            self._decide()
        while self.market.time < end:
            if self.suspended:
                self._run(end)
                break
            grid = self.market.time + self.interval - (self.market.time - self.anchor) % self.interval
            due = [t.due for t in self.everybody if t.due > self.market.time]
            self._run(min(end, grid, *due))
            self._decide()

    def _run(self, until: int) -> None:
        market = self.market
        tape = market.record(until - market.time)
        records = tape.records
        trades = records[(records["kind"] == _TRADES[0]) | (records["kind"] == _TRADES[1])]
        self.traded += int(trades["quantity"].sum())
        self.turnover += int((trades["quantity"] * trades["price"]).sum())
        fills = self.collect()
        if len(trades):
            self.last_price = int(trades["price"][-1])
            takers = {(int(f["time"]), int(f["price"])) for f in fills if not f["maker"]}
            for trade in trades[-TAPE_LENGTH:]:
                time, price = int(trade["time"]), int(trade["price"])
                own = int(trade["participant"]) > 0 or (time, price) in takers
                side = OrderSide(int(trade["side"])).opposite
                self.tape.append(Print(time, price, int(trade["quantity"]), side.name.lower(), own))
        if (until - self.anchor) % self.interval == 0:
            self._point()

    def collect(self) -> Any:
        """Hand the market's logs to those they are about; returns the new fills."""
        market = self.market
        fills, orders, mids = market.fills().records, market.orders().records, market.mids().records
        for trader in self.everybody:
            p = trader.participant
            if len(fills) and (mine := fills[fills["participant"] == p]).size:
                trader.take_fills(mine)
            if len(orders) and (mine := orders[orders["participant"] == p]).size:
                trader.tenure.add("orders", mine)
                self._breaches(trader, mine)
            if trader.due >= 0 and len(mids) and (mine := mids[mids["participant"] == p]).size:
                trader.tenure.add("mids", mine)
        return fills

    def _breaches(self, trader: Trader, orders: Any) -> None:
        found = Counter(int(reason) for reason in orders["end_reason"] if reason >= _RISK)
        for reason, count in found.items():
            limit = EndReason(reason).name.removeprefix("RISK_").lower().replace("_", " ")
            often = f", {count} times" if count > 1 else ""
            self._tell("risk", f"{trader.name}: {limit} limit{often}", (trader.name, self.market.symbol, reason))

    def _tell(self, level: str, text: str, key: Any = None) -> None:
        self.alerts.add(self.market.time - self.anchor, level, text, symbol=self.market.symbol, key=key)

    def _decide(self) -> None:
        for trader in self.everybody:
            if trader.due == self.market.time and not trader.decide():
                why = "parent order done" if trader.env and trader.env.task == "execution" else "capital lost"
                self.close(trader, why)
                self._tell("warning", f"{trader.name}: {why}")

    def _point(self) -> None:
        bid, ask = (self.market.best(side) for side in OrderSide)
        mid = None if bid is None or ask is None else (bid + ask) / 2
        vwap = self.turnover / self.traded if self.traded else None
        self.points.append(Point(self.market.time, mid, bid, ask, vwap))

    # -- losses of the feed --------------------------------------------------------------------------------

    def suspend(self, why: str) -> None:
        """Nobody decides any more; their orders are gone already."""
        if not self.suspended:
            self.suspended = True
            self.collect()
            self._tell("error", f"{self.market.symbol}: {why}; orders are withdrawn, positions kept")

    def catch_up(self) -> None:
        """Let happen what is due at this very moment."""
        self._run(self.market.time)

    def resume(self) -> None:
        """Everybody decides again, from now on."""
        if self.suspended:
            self.suspended = False
            for trader in self.everybody:
                if trader.due >= 0:
                    trader.due = self.market.time
            self._tell("info", f"{self.market.symbol}: the feed is back")

    # -- coming and going ----------------------------------------------------------------------------------

    def close(self, trader: Trader, why: str) -> None:
        """End a trader's time here: its orders are withdrawn, its position is traded away at book prices. As in the
        environments, the last mid of its path and log is the one before that trade.
        """
        if trader.due < 0:
            return
        mid, mids = self.market.account(trader.participant).mid, len(trader.tenure.log("mids"))
        self.market.close_position(trader.participant)
        self.collect()
        trader.tenure.cut("mids", mids)
        trader.end(why, mid)

    def check(self, slot: int, player: Player) -> None:
        """Try whether a strategy could take a slot.

        Raises:
            ConfigError: a wrong parameter; or a parent order, and the slot has traded before.
        """
        trader = self.traders[slot]
        if player.env.task == "execution" and self.market.account(trader.participant).cash_units:
            raise ConfigError(
                f"{player.name} carries out a parent order, and slot {slot} has traded already; reset the session first"
            )
        if player.env.market.max_own_orders > self.market.config.max_own_orders:
            raise ConfigError(f"{player.name} needs room for more orders than this session has; reset it first")
        made = Trader(self.market, trader.participant, player, self.interval)
        assert made.seat is not None
        player.policy(made.seat)

    def replace(self, slot: int, player: Player) -> None:
        """Close the trader of a slot, and let another one begin."""
        old = self.traders[slot]
        self.close(old, "replaced")
        self.past.append(old.tenure)
        new = self.traders[slot] = Trader(self.market, old.participant, player, self.interval)
        new.begin()
        self._first_mid(new)

    def cancel_all(self, trader: Trader) -> int:
        """Send a cancel for every working order of a trader; returns how many."""
        orders = [o for o in self.market.working_orders(trader.participant) if not o.cancel_sent]
        for order in orders:
            self.market.cancel(trader.participant, order.order_id, at=self.sent_at)
        return len(orders)
