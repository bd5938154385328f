"""Shared by the tests of the market: markets without flow, a market's orders in priority, every invariant."""

from __future__ import annotations

import hashlib
from dataclasses import fields
from typing import Any

import numpy as np

from hft_gym import FeeConfig, FlowConfig, LatencyConfig, Market, MarketConfig, OrderSide, TimeInForce
from hft_gym.book.inspection import check_book
from hft_gym.market.records import CANCEL, IN_FLIGHT, MODIFY, NEW, RESTING

BID, ASK = OrderSide.BID, OrderSide.ASK
GTC, IOC, FOK, POST_ONLY = TimeInForce
SILENT = FlowConfig(limit_rates=(0.0,), cancel_rates=(0.0,), market_rate=0.0)
MS, SECOND = 1_000_000, 1_000_000_000


def latency(order: int = 0, cancel: int = 0, order_jitter: int = 0, cancel_jitter: int = 0) -> LatencyConfig:
    """Latencies without market data, which is the caller's in a `Market`."""
    return LatencyConfig(order, order_jitter, cancel, cancel_jitter, 0)


def quiet(
    bids: Any = (), asks: Any = (), participants: int = 2, order: int = 0, cancel: int = 0, **settings: Any
) -> Market:
    """A market in which nothing happens by itself, with the given orders of the flow, constant latencies."""
    fees = settings.pop("fees", FeeConfig())
    capacity = settings.pop("log_capacity", 1_000)
    config = MarketConfig(
        flow=SILENT,
        latency=latency(order, cancel),
        fees=fees,
        initial_price=1_000,
        initial_depth=0,
        warm_up_ns=0,
        participants=participants,
        **settings,
    )
    market = Market(config, seed=1, log_capacity=capacity)
    market.set_book(bids, asks)
    return market


def busy(seed: int = 0, participants: int = 2, **settings: Any) -> Market:
    """A market with the default flow, warmed up for a second."""
    capacity = settings.pop("log_capacity", 16_384)
    return Market(MarketConfig(participants=participants, warm_up_ns=SECOND, **settings), seed, log_capacity=capacity)


def orders(market: Market, side: int) -> list[tuple[int, int, int, int]]:
    """The orders of a side by priority: (price, quantity, participant, id)."""
    head, node, order = (a[0] for a in market._arrays.as_tuple()[9:12])
    levels, first = int(head["levels"]), int(head["first"])
    following, quantity = node["next"].tolist(), node["quantity"].tolist()
    start = side * (levels + 1)
    found = []
    for level in np.flatnonzero(node["next"][start : start + levels + 1] != np.arange(start, start + levels + 1)):
        slot = following[start + int(level)]
        while slot >= first:
            row = order[slot - first]
            found.append((int(row["price"]), quantity[slot], int(row["participant"]), int(row["id"])))
            slot = following[slot]
    return sorted(found, key=lambda o: -o[0] if side == BID else o[0])  # stable: parked orders come last


def next_event(market: Market) -> int:
    """When something happens next [ns]."""
    due = int(market._arrays.flow_state["due"].min())
    return min(due, int(market._arrays.state["next_arrival"][0]))


def next_flow_event(market: Market) -> int:
    """When the flow does something next [ns]."""
    return int(market._arrays.flow_state["due"].min())


def in_flight(market: Market) -> list[dict[str, int]]:
    """The messages on their way, in the order in which they will arrive."""
    rows = market._arrays.message[0, : int(market._arrays.state["n_messages"][0])]
    names = ("arrival", "sequence", "order_id", "price", "quantity", "participant", "own", "kind")
    found = [{name: int(row[name]) for name in names} for row in rows]
    assert all(m["kind"] in (NEW, CANCEL, MODIFY) for m in found)
    return sorted(found, key=lambda m: (m["arrival"], m["sequence"]))


def digest(market: Market) -> str:
    """A hash of the whole state (not of unused parts of logs and of scratch space)."""
    found = hashlib.sha256()
    for name, array in sorted(market.__getstate__()["values"].items()):
        found.update(name.encode() + np.ascontiguousarray(array).tobytes())
    return found.hexdigest()


def path(market: Market) -> str:
    """A hash of the book, the flow and the clock, leaving the participants out."""
    found = hashlib.sha256()
    state = market._arrays.state[0]
    for name in ("time", "messages", "trades", "volume"):
        found.update(state[name].tobytes())
    found.update(repr([orders(market, side) for side in (BID, ASK)]).encode())
    found.update(market._arrays.flow_state.tobytes())
    return found.hexdigest()


def flow_volume(market: Market, side: int) -> dict[int, int]:
    """Volume of the flow's orders by price."""
    found: dict[int, int] = {}
    for price, quantity, participant, _ in orders(market, side):
        if participant == 0:
            found[price] = found.get(price, 0) + quantity
    return found


def check(market: Market) -> None:
    """Assert every invariant of the market: book, tables, queues of messages, conservation."""
    arrays = market._arrays
    check_book((arrays.head, arrays.node, arrays.order, arrays.words))
    _check_flow_orders(market)
    _check_tables(market)
    account, state = arrays.account[0], arrays.state[0]
    assert account["position"].sum() == 0, "shares are not conserved"
    assert account["cash"].sum() + state["fees"] == 0, "cash is not conserved"
    assert account["fees"].sum() == state["fees"], "fees are not conserved"
    assert (account["bought"] - account["sold"] == account["position"]).all()
    assert account["fees"][0] == 0
    assert (np.sign(account["cost"]) * np.sign(account["position"]) >= 0).all()
    assert (account["cost"][account["position"] == 0] == 0).all()


def _check_flow_orders(market: Market) -> None:
    arrays = market._arrays
    first = int(arrays.head["first"][0])
    count = sum(o[2] == 0 for side in (BID, ASK) for o in orders(market, side))
    order, flow = arrays.order[0], arrays.flow_state[0]
    if flow["replaying"]:
        slots = arrays.live[0][arrays.live[0] > 0]
    else:
        assert flow["n_live"] == count
        slots = arrays.live[0, :count]
        assert (order["tag"][slots - first] == np.arange(count)).all()
    assert len(set(slots.tolist())) == len(slots) == count
    assert (order["participant"][slots - first] == 0).all()


def _check_tables(market: Market) -> None:
    arrays = market._arrays
    first = int(arrays.head["first"][0])
    own, account, state = arrays.own[0], arrays.account[0], arrays.state[0]
    messages = in_flight(market)
    per = market.config.max_own_orders
    assert state["next_arrival"] == min((m["arrival"] for m in messages), default=2**62)
    for p in range(1, market.config.participants + 1):
        rows = own[(p - 1) * per : p * per]
        working = rows["state"] != 0
        assert account["n_open"][p] == working.sum()
        assert account["n_resting"][p] == (rows["state"] == RESTING).sum()
        assert account["in_flight"][p] == sum(m["participant"] == p for m in messages)
        for side in (BID, ASK):
            volume = rows["remaining"][working & (rows["side"] == side)].sum()
            assert account["open"][p, side] == volume
    assert state["own_resting"] == (own["state"] == RESTING).sum()
    assert not (own["remaining"][own["state"] == 0]).any()
    for o in np.flatnonzero(own["state"] == RESTING):
        slot = int(own["slot"][o])
        record = arrays.order[0, slot - first]
        assert record["tag"] == o and record["participant"] == o // per + 1
        assert record["id"] == own["id"][o] and record["price"] == own["price"][o]
        assert arrays.node["quantity"][0, slot] == own["remaining"][o] > 0
    for o in np.flatnonzero(own["state"] == IN_FLIGHT):
        assert any(m["own"] == o and m["kind"] == NEW and m["order_id"] == own["id"][o] for m in messages)


def array_names() -> list[str]:
    """Names of a market's arrays."""
    from hft_gym.market.arrays import MarketArrays

    return [f.name for f in fields(MarketArrays)]
