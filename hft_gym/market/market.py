""":class:`Market`: the simulated exchange for Python. All that happens in it happens in compiled code."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from os import PathLike
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hft_gym.book import refusals
from hft_gym.book.base import build_snapshot
from hft_gym.config import build
from hft_gym.data.replay import ReplayFeed
from hft_gym.errors import BookFullError, ConfigError, OrderError, QuantityError, RiskError, UnknownOrderError
from hft_gym.market import checks, entries
from hft_gym.market.base import MarketState, as_feed
from hft_gym.market.config import MarketConfig
from hft_gym.market.limits import LIMITS, RiskLimits
from hft_gym.market.messages import REFUSED
from hft_gym.market.records import CANCEL, MODIFY, RESTING, SUBUNITS, RiskReason
from hft_gym.market.views import Account, MarketCounters, MarketEvent, RiskState, WorkingOrder
from hft_gym.types import MAX_PRICE_TICKS, MAX_QUANTITY, BookSnapshot, OrderSide, TimeInForce

__all__ = ["Market", "warm_up"]


class Market(MarketState):
    """A limit-order-book market: an exchange, its order flow, and participants who send messages.

    Time is an integer count of nanoseconds since the market opened (in a replay: since midnight), prices are
    integer ticks, quantities lots; only snapshots are in currency. The market stands still between calls of
    ``run_...``.

    >>> from hft_gym import Market, OrderSide
    >>> market = Market({"participants": 2}, seed=7)
    >>> order = market.submit(1, OrderSide.BID, 5, price=market.best(OrderSide.BID))
    >>> market.run_for(2_000_000)
    >>> [(o.order_id, o.remaining) for o in market.working_orders(1)]
    [(1, 5)]

    **Latency.** What a participant sends arrives after the configured entry latency; messages about one order
    never overtake each other. What this object shows is the present. For a participant whose market data is d
    nanoseconds old: run to t - d, look, decide, and send with ``at=t``. The environments do the same.

    **Participants** are numbered from 1. Number 0 is the anonymous flow; its account takes the other side of
    the participants' trades, so that positions sum to zero over all accounts, and so does cash with the fees.

    **Randomness** is a function of the seed. Each mechanism of the flow and each participant's latency has a
    stream of its own: a participant who does nothing leaves no trace, and two runs that differ by an order
    still see the same draws.

    Args:
        config: a `MarketConfig`, the same as nested mappings, or the name of a flow preset; None: defaults.
        seed: 0 to 2**64 - 1. An environment's episode with this key runs through the same market.
        feed: replay this recorded day (a `ReplayFeed`, or the path of a recorded file) instead of
            simulating a flow.
        start: when in the recorded day to open [ns since midnight]; None: at its first row.
        log_capacity: how many fills, ended orders and mid changes each log holds between two drains; 0: no
            logs.
        symbol: the name that snapshots bear; None: the feed's, else "SIM".

    Raises:
        ConfigError: an unknown setting, a value out of range.
        DataError: the recorded day cannot be read.
    """

    def __init__(
        self,
        config: MarketConfig | Mapping[str, Any] | str | None = None,
        seed: int = 0,
        *,
        feed: ReplayFeed | str | PathLike[str] | None = None,
        start: int | None = None,
        log_capacity: int = 16_384,
        symbol: str | None = None,
    ) -> None:
        self.config = build(MarketConfig, config)
        self.seed = checks.whole("seed", seed, 0, 2**64 - 1)
        self.log_capacity = checks.whole("log_capacity", log_capacity, 0, 2**28)
        self.feed = as_feed(feed, self.config)
        self.symbol = symbol or (self.feed.symbol if self.feed is not None else "") or "SIM"
        begin = -1
        if self.feed is not None:
            first, last = int(self.feed.times[0]), int(self.feed.times[-1])
            begin = first if start is None else checks.whole("start", start, first, last)
        elif start is not None:
            raise ConfigError(f"start is {start!r}; only a replay starts at a time of day")
        self._allocate()
        self._arrays.state["key"] = self.seed
        self._run(entries.ADVANCE, self._run(entries.OPEN, begin), 0)
        self._run(entries.BEGIN)

    # -- the clock -----------------------------------------------------------------------------------------

    @property
    def time(self) -> int:
        """The clock [ns]."""
        return int(self._arrays.state["time"][0])

    def run_until(self, time: int) -> None:
        """Run to *time* [ns], everything due at it included.

        Raises:
            ConfigError: *time* has passed.
        """
        self._run(entries.ADVANCE, checks.whole("time", time, self.time, 2**61), 0)

    def run_for(self, duration: int) -> None:
        """Run for *duration* [ns].

        Raises:
            ConfigError: a negative duration.
        """
        self.run_until(self.time + checks.whole("duration", duration, 0, 2**60))

    def run_until_event(self, events: MarketEvent, timeout: int) -> MarketEvent:
        """Run to the first of *events* (combine them with ``|``), at most for *timeout* [ns].

        Returns:
            All that happened on the way; if none of *events* is in it, the time ran out.

        Raises:
            ConfigError: no such event, or a negative time-out.
        """
        wanted = checks.whole("events", events, 1, sum(MarketEvent))
        until = self.time + checks.whole("timeout", timeout, 0, 2**60)
        return MarketEvent(self._run(entries.ADVANCE, until, wanted))

    # -- messages ------------------------------------------------------------------------------------------

    def submit(
        self,
        participant: int,
        side: OrderSide,
        quantity: int,
        price: int | None = None,
        time_in_force: TimeInForce = TimeInForce.GTC,
        *,
        at: int | None = None,
    ) -> int:
        """Send a new order; it arrives after the entry latency.

        Args:
            participant: 1 to the configuration's ``participants``.
            side: buy (BID) or sell (ASK).
            quantity: lots.
            price: ticks; None: a market order, of which what finds no counterpart expires.
            time_in_force: as of the book; a market order may be FOK.
            at: when it is sent [ns], not before `time`; None: now.

        Returns:
            The order's id: 1, 2, 3, ... for each participant.

        Raises:
            PriceError, QuantityError, SideError: a value that is not allowed.
            BookFullError: as many orders are working, or messages in flight, as there is room for.
            RiskError: the participant's limits forbid it; a breach is counted.
            OrderError: another argument not allowed. In each case nothing has happened.
        """
        p = self._participant(participant)
        tif = checks.time_in_force(time_in_force)
        toward = checks.side(side)
        lots = self._quantity(quantity, price)
        if price is None:
            if tif == TimeInForce.POST_ONLY:
                raise refusals.bad_market_time_in_force()
            limit = MAX_PRICE_TICKS if toward == OrderSide.BID else -MAX_PRICE_TICKS
            tif = tif if tif == TimeInForce.FOK else TimeInForce.IOC
        else:
            limit = checks.ticks(price)
        sent = self._sending_time(at)
        rows = self._rows(p)
        if (rows["state"] != 0).all():
            found = f"participant {p} has {len(rows)} working orders"
            raise BookFullError(f"{found}; max_own_orders allows no more")
        self._check_in_flight()
        entry = self._run(entries.SEND, p, int(toward), limit, lots, int(tif), sent)
        if entry == REFUSED:
            raise self._risk_error(p)
        return int(self._arrays.own["id"][0, entry])

    def modify(self, participant: int, order_id: int, quantity: int, price: int, *, at: int | None = None) -> None:
        """Send a change of a working order: new remaining *quantity* [lots] and *price* [ticks] (rule R8).

        It arrives after the cancel latency, never before the order's earlier messages. If the order has ended
        by then, or the exchange has no room for the change (``counters.refused``), nothing changes.

        Raises:
            UnknownOrderError: the participant has no such working order, or its cancel is on its way.
            PriceError, QuantityError, BookFullError, RiskError, OrderError: as in `submit`.
        """
        entry = self._entry(self._participant(participant), order_id)
        lots, limit = self._quantity(quantity, price), checks.ticks(price)
        if self._arrays.own["cancel_sent"][0, entry]:
            raise UnknownOrderError(f"order_id is {order_id}: a cancel of this order is on its way")
        sent = self._sending_time(at)
        self._check_in_flight()
        if self._run(entries.CHANGE, MODIFY, entry, limit, lots, sent) == REFUSED:
            raise self._risk_error(participant)

    def cancel(self, participant: int, order_id: int, *, at: int | None = None) -> None:
        """Send a cancel of a working order; a second one is not sent.

        It arrives after the cancel latency, never before the order's earlier messages. If the order has ended
        by then, nothing happens.

        Raises:
            UnknownOrderError: the participant has no such working order.
            BookFullError: no room for another message in flight.
            RiskError: more cancels than the participant's limits allow.
            OrderError: another argument not allowed.
        """
        entry = self._entry(self._participant(participant), order_id)
        sent = self._sending_time(at)
        self._check_in_flight()
        if self._run(entries.CHANGE, CANCEL, entry, 0, 0, sent) == REFUSED:
            raise self._risk_error(participant)

    def withdraw(self, participant: int) -> None:
        """End a participant's orders now, without latency, and drop its messages in flight, as an exchange does when a
        connection is lost; its position stays.
        """
        self._run(entries.WITHDRAW, self._participant(participant))

    def close_position(self, participant: int) -> None:
        """End a participant's trading now, without latency: withdraw every order and message, and trade the
        position away at book prices.

        What an emptied book cannot take is settled at the last mid, rounded against the participant.
        """
        self._run(entries.CLOSE, self._participant(participant))

    # -- the book ------------------------------------------------------------------------------------------

    def snapshot(self, levels: int = 10, *, without: int = 0) -> BookSnapshot:
        """The book as it is now, in currency, with the best *levels* prices of each side.

        Args:
            levels: how many prices to list.
            without: leave this participant's orders out; 0: show all.
        """
        count = checks.whole("levels", levels, 0, 2**31)
        depths = [self.depth(side, max(count, 1), without=without) for side in OrderSide]
        totals = [self._total(side, without) for side in OrderSide]
        return build_snapshot(self.symbol, self._grid, depths, totals, count)

    def depth(self, side: OrderSide, levels: int = 10, *, without: int = 0) -> list[tuple[int, int]]:
        """The best *levels* prices of a side as (price [ticks], volume [lots]), best first.

        Args:
            side: which side.
            levels: how many prices.
            without: leave this participant's orders out; 0: show all.
        """
        p = checks.participant(without, 0, self.config.participants)
        count = min(checks.whole("levels", levels, 0, 2**31), len(self._table))
        n = self._run(entries.DEPTH, int(checks.side(side)), p, count)
        return [(price, volume) for price, volume in self._table[:n, :2].tolist()]

    def best(self, side: OrderSide, *, without: int = 0) -> int | None:
        """The best price of a side [ticks], *without* a participant's orders; None if there is none."""
        found = self.depth(side, 1, without=without)
        return found[0][0] if found else None

    def to_ticks(self, price: float) -> int:
        """A price in currency as ticks.

        Raises:
            PriceError: off the tick.
        """
        return self._grid.to_ticks(price)

    def to_price(self, ticks: int) -> float:
        """A price in ticks as currency."""
        return self._grid.to_price(ticks)

    @property
    def fundamental(self) -> float:
        """The latent value that informed orders trade on [ticks]. No participant can see it."""
        return float(self._arrays.flow_state["fundamental"][0])

    def set_book(
        self,
        bids: Iterable[tuple[int, int]],
        asks: Iterable[tuple[int, int]],
        *,
        fundamental: float | None = None,
    ) -> None:
        """Replace the flow's orders, for experiments that start from a given book.

        Args:
            bids: (price [ticks], quantity [lots]) of each order; those of one price in order of priority.
            asks: the same.
            fundamental: set the latent value too [ticks].

        Raises:
            OrderError: the book would be crossed, participants have orders in it, or the market is a replay.
            PriceError, QuantityError: a value that is not allowed.
            BookFullError: more than ``max_orders`` orders, or too much volume at one price. In each case
                nothing has happened.
        """
        if self.feed is not None:
            raise OrderError("this market replays a recorded day; its book cannot be set")
        resting = int(self._arrays.state["own_resting"][0])
        if resting:
            raise OrderError(f"{resting} orders of participants are in the book; allowed are none")
        sides = ((OrderSide.BID, bids), (OrderSide.ASK, asks))
        rows = [(s, checks.ticks(p), self._quantity(q, p)) for s, orders in sides for p, q in orders]
        if len(rows) > self.config.max_orders:
            raise refusals.book_full(self.config.max_orders)
        volume: dict[tuple[int, int], int] = {}
        for s, p, q in rows:
            volume[s, p] = volume.get((s, p), 0) + q
            if volume[s, p] > refusals.MAX_LEVEL_VOLUME:
                raise refusals.level_full(p, q)
        bid = max((p for s, p, _ in rows if s == OrderSide.BID), default=None)
        ask = min((p for s, p, _ in rows if s == OrderSide.ASK), default=None)
        if bid is not None and ask is not None and bid >= ask:
            raise OrderError(f"the best bid is {bid}, the best ask {ask}; a book may not be crossed")
        if fundamental is not None:
            self._arrays.flow_state["fundamental"] = float(fundamental)
        table = np.array(rows, np.int64).reshape(-1, entries.TABLE_COLUMNS)
        self._markets.run(entries.SET_BOOK, table=table)

    # -- participants --------------------------------------------------------------------------------------

    def account(self, participant: int) -> Account:
        """A participant's account, marked at the others' mid; 0 is the anonymous flow's."""
        p = checks.participant(participant, 0, self.config.participants)
        return Account.of(p, self._arrays.account[0, p], self._run(entries.MID, p))

    def risk(self, participant: int) -> RiskState:
        """Where a participant stands with its risk limits."""
        p = self._participant(participant)
        account = self._arrays.account[0, p]
        equity2 = 2 * int(account["cash"]) + int(account["position"]) * self._run(entries.MID, p) * SUBUNITS
        return RiskState.of(p, account["risk"], equity2, self.time)

    def set_risk(self, limits: RiskLimits, participant: int | None = None) -> None:
        """Change the limits from now on; what was broken so far stays counted, and modes stay.

        Args:
            limits: the new ones.
            participant: whose; None: everybody's, whatever limits of its own one had.
        """
        if participant is None:
            self.config = replace(self.config, risk=limits, participant_risk=())
        else:
            chosen, people = self._participant(participant), range(1, self.config.participants + 1)
            each = tuple(limits if p == chosen else self.config.risk_of(p) for p in people)
            self.config = replace(self.config, participant_risk=each)
        self._arrays.param["risk"] = self.config.compiled()["risk"]
        fresh, risk = limits.compiled(), self._arrays.account["risk"]
        whose = slice(None) if participant is None else chosen
        for name in LIMITS:
            risk[name][:, whose] = fresh[name]

    def release(self, participant: int) -> None:
        """Let a participant trade again after a breach; its drawdown counts anew from here."""
        self._run(entries.RELEASE, self._participant(participant))

    def working_orders(self, participant: int) -> list[WorkingOrder]:
        """A participant's orders that have not ended, oldest first, with their places in the queues."""
        p = self._participant(participant)
        self._run(entries.QUEUES, p)
        rows = self._rows(p)
        found = [WorkingOrder.of(rows[i], *self._table[i, :2].tolist()) for i in np.flatnonzero(rows["state"])]
        return sorted(found, key=lambda order: order.order_id)

    def in_flight(self, participant: int) -> int:
        """Messages of a participant on their way to the exchange."""
        return int(self._arrays.account["in_flight"][0, self._participant(participant)])

    @property
    def kernel_arrays(self) -> tuple[NDArray[Any], ...]:
        """The market's arrays as compiled code takes them, in place: for kernels that see or move a participant."""
        return self._markets.tail

    @property
    def counters(self) -> MarketCounters:
        """What has happened since the market opened."""
        return MarketCounters.of(self._arrays)

    def __repr__(self) -> str:
        what = self.config.flow if isinstance(self.config.flow, str) else "own flow"
        if self.feed is not None:
            what = f"replay of {self.feed.symbol or 'a recorded day'}"
        touch = " / ".join(str(self.best(side)) for side in OrderSide)
        return f"<Market {self.symbol} ({what}), seed {self.seed}, {self.time / 1e9:.6f} s, {touch} ticks>"

    # -- checks --------------------------------------------------------------------------------------------

    def _participant(self, value: Any) -> int:
        return checks.participant(value, 1, self.config.participants)

    def _quantity(self, value: Any, price: Any) -> int:
        """Lots, such that the order's value stays within what an account can count."""
        number = refusals.whole_number(value)
        if number is None or not 1 <= number <= MAX_QUANTITY:
            raise refusals.bad_quantity(value)
        at = int(self._arrays.account["mid2"][0, 0]) // 2 if price is None else checks.ticks(price)
        param = self._arrays.param[0]
        rates = (abs(int(param[f])) for f in ("maker_fee", "taker_fee") if param["fee_in_bps"])
        most = 2**62 // max(SUBUNITS, *rates, 0)
        if number * max(abs(at), 1) > most:
            allowed = f"an order may be worth at most {most} ticks·lots"
            raise QuantityError(f"quantity is {number} lots at {at} ticks; {allowed}")
        return number

    def _sending_time(self, at: Any) -> int:
        if at is None:
            return self.time
        number = refusals.whole_number(at)
        if number is None or not self.time <= number <= 2**61:
            raise OrderError(f"at is {at!r}; messages are sent at or after the market's time, {self.time} ns")
        return number

    def _check_in_flight(self) -> None:
        room = self._arrays.message.shape[1]
        if self._arrays.state["n_messages"][0] >= room:
            raise BookFullError(f"{room} messages are in flight, all that there is room for; run the market")

    def _rows(self, p: int) -> NDArray[Any]:
        """Participant *p*'s part of the order table."""
        per = self.config.max_own_orders
        rows: NDArray[Any] = self._arrays.own[0, (p - 1) * per : p * per]
        return rows

    def _entry(self, p: int, order_id: Any) -> int:
        number = refusals.whole_number(order_id)
        rows = self._rows(p)
        found = np.flatnonzero((rows["state"] != 0) & (rows["id"] == (-1 if number is None else number)))
        if len(found) == 0:
            raise UnknownOrderError(f"order_id is {order_id!r}: participant {p} has no such working order")
        return (p - 1) * self.config.max_own_orders + int(found[0])

    def _risk_error(self, participant: int) -> RiskError:
        """What to say of the message that was just refused."""
        reason = RiskReason(int(self._arrays.account["risk"]["last"][0, participant]))
        return RiskError(
            f"participant {participant}: risk limit {reason.name.lower()} would be exceeded "
            f"(limits: {self.config.risk_of(participant)})", reason.name
        )

    def _total(self, side: OrderSide, without: int) -> int:
        """Volume of a side [lots]."""
        if self._arrays.head["parked"][0, side]:
            return sum(volume for _, volume in self.depth(side, len(self._table), without=without))
        start, levels = int(side) * (self.config.levels + 1), self.config.levels
        total = int(self._arrays.node["quantity"][0, start : start + levels].sum(dtype=np.int64))
        if without:
            rows = self._rows(without)
            total -= int(rows["remaining"][(rows["state"] == RESTING) & (rows["side"] == side)].sum())
        return total


def warm_up() -> None:
    """Compile what a `Market` runs, or load it from the cache."""
    Market({"warm_up_ns": 0, "initial_depth": 0}, log_capacity=0)
