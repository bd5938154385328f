"""The tape: a market's recorded changes, against hand-made markets, against the book itself, and without a trace."""

from collections import Counter

import numpy as np
import pytest

from hft_gym import ConfigError, LatencyConfig, MarketConfig, OrderSide
from hft_gym.market import Market, TapeKind
from hft_gym.market import base as market_base
from tests.market.helpers import ASK, BID, GTC, IOC, SECOND, busy, digest, quiet

LIMIT, REDUCE, CANCEL, EXECUTE, HIDDEN = TapeKind


def rows(tape):
    names = ("kind", "side", "price", "quantity", "bid", "bid_volume", "ask", "ask_volume")
    return [tuple(int(r[name]) for name in names) for r in tape.records]


def trading(seed, **settings):
    """A busy market with two participants whose orders rest, trade and are changed."""
    market = busy(seed, **settings)
    for i in range(6):
        for p in (1, 2):
            side = OrderSide((i + p) % 2)
            near = market.best(OrderSide(1 - side))
            market.submit(p, side, 3 + i, near + (-1 if side == BID else 1) * (i % 3), at=market.time + i * SECOND // 8)
    return market


REACTIVE = {
    "flow": {
        "limit_rates": [4.0, 6.0, 4.0, 2.0],
        "cancel_rates": [0.3],
        "market_rate": 1.0,
        "limit_sizes": [1.0, 2.0, 1.0],
        "market_sizes": [1.0, 1.0, 1.0, 2.0],
        "hawkes": {"kinds": ["market_buy", "market_sell"], "decays": [5.0], "branching": [[[0.4, 0.1], [0.1, 0.4]]]},
        "metaorders": {"rate": 1.0, "sizes": [1.0, 1.0]},
        "replenishment": {},
        "icebergs": {"share": 0.5},
    }
}
QUEUES = {
    "flow": {
        "limit_rates": [0.0],
        "cancel_rates": [0.0],
        "market_rate": 0.0,
        "queue_reactive": {
            "limit": [[[9.0, 6.0, 4.0, 2.0]]] * 2,
            "cancel": [[[0.0, 1.0, 2.0, 3.0]]] * 2,
            "market": [[[0.0, 4.0, 3.0, 2.0]]] * 2,
            "theta": 0.8,
            "theta_reinit": 0.9,
        },
    }
}
"""Flows in which one event may do many things to the book: parts of icebergs, a book drawn anew."""


@pytest.mark.parametrize("settings", [REACTIVE, QUEUES], ids=["reactive", "queues"])
def test_recording_flows_that_do_much_at_once(settings):
    plain, recorded = trading(4, **settings), trading(4, **settings)
    volume = recorded._arrays.state["volume"][0].copy()
    plain.run_for(20 * SECOND)
    tape = recorded.record(20 * SECOND, levels=200)
    assert digest(plain) == digest(recorded) and len(tape) > 300
    assert_consistent(tape)
    executed = tape.records[tape["kind"] == EXECUTE]
    for side in OrderSide:
        lots = executed["quantity"][executed["side"] == 1 - side].sum()
        assert lots == recorded._arrays.state["volume"][0, side] - volume[side]


@pytest.mark.parametrize("seed", [1, 2])
def test_recording_leaves_no_trace(seed):
    """The market recorded, in any number of parts, is bit for bit the market that was not."""
    plain, recorded, in_parts = trading(seed), trading(seed), trading(seed)
    plain.run_for(3 * SECOND)
    whole = recorded.record(3 * SECOND, levels=3)
    parts = [in_parts.record(SECOND) for _ in range(3)]
    assert digest(plain) == digest(recorded)
    assert len(whole) > 100
    columns = [n for n in whole.records.dtype.names if n != "order_id"]
    joined = np.concatenate([p.records for p in parts])
    assert (joined[columns] == whole.records[columns]).all()
    for market in (plain, recorded, in_parts):
        market.run_for(SECOND)  # what happened in the last run is part of the state
    assert digest(plain) == digest(recorded) == digest(in_parts)


def replayed(tape):
    """Books that follow from the opening one and the records' (side, price, quantity) alone."""
    book = [{}, {}]
    for ask, ask_volume, bid, bid_volume in tape.opening.tolist():
        if bid_volume:
            book[BID][bid] = bid_volume
        if ask_volume:
            book[ASK][ask] = ask_volume
    for r in tape.records:
        if r["kind"] != HIDDEN:
            level, price = book[r["side"]], int(r["price"])
            level[price] = level.get(price, 0) + int(r["quantity"]) * (1 if r["kind"] == LIMIT else -1)
            assert level[price] >= 0
            if level[price] == 0:
                del level[price]
        yield book


def assert_consistent(tape):
    """Quotes and depth of each record are what the changes so far make of the opening book."""
    levels = tape.levels
    for i, book in enumerate(replayed(tape)):
        bids, asks = sorted(book[BID].items(), reverse=True), sorted(book[ASK].items())
        wanted = np.zeros((levels, 4), np.int64)
        for k, (price, volume) in enumerate(asks[:levels]):
            wanted[k, :2] = price, volume
        for k, (price, volume) in enumerate(bids[:levels]):
            wanted[k, 2:] = price, volume
        assert (tape.book[i] == wanted).all()
        row = tape.records[i]
        assert tuple(wanted[0]) == tuple(int(row[n]) for n in ("ask", "ask_volume", "bid", "bid_volume"))


@pytest.mark.parametrize("settings", [{}, {"levels": 64, "flow": "cst2010"}], ids=["default", "parked orders"])
def test_the_records_make_the_book(settings):
    """Applied to the opening book, the records give every quote, and in the end the market's own book."""
    market = trading(5, **settings)
    duration = 120 * SECOND if settings else 2 * SECOND
    before = market._arrays.state["volume"][0].copy()
    tape = market.record(duration, levels=400)
    assert len(tape) > 100
    assert_consistent(tape)
    for side, columns in ((ASK, [0, 1]), (BID, [2, 3])):
        last = tape.book[-1][:, columns]
        assert [tuple(level) for level in last[last[:, 1] > 0].tolist()] == market.depth(side, 400)
    executed = tape.records[tape["kind"] == EXECUTE]
    for side in OrderSide:
        lots = market._arrays.state["volume"][0, side] - before[side]
        assert executed["quantity"][executed["side"] == 1 - side].sum() == lots > 0
    assert not (tape["kind"] == HIDDEN).any()
    assert (np.diff(tape["time"]) >= 0).all() and tape["time"][0] > tape.start and tape["time"][-1] <= tape.end


def test_the_life_of_an_order_has_one_id():
    market = trading(3)
    tape = market.record(4 * SECOND)
    entered, left = Counter(), Counter()
    ended = set()
    for r in tape.records:
        key, lots = int(r["order_id"]), int(r["quantity"])
        assert key not in ended
        if r["kind"] == LIMIT:
            assert not entered[key] and key > 0
            entered[key] = lots
        else:
            left[key] += lots
            if entered[key] and left[key] == entered[key]:
                ended.add(key)
    assert all(left[k] <= entered[k] for k in entered)
    assert len(ended) > 50 and {1, 2} & set(tape["participant"].tolist())


def test_a_hand_made_market():
    """Prices, kinds and quotes as they must be, the book changing between the records of one order."""
    market = quiet([(100, 5), (100, 2), (99, 4)], [(103, 6)], order=0)
    market.submit(1, BID, 3, 101)
    market.submit(1, ASK, 8, 100, GTC, at=market.time + 10)
    tape = market.record(100)
    assert rows(tape) == [
        (LIMIT, BID, 101, 3, 101, 3, 103, 6),
        (EXECUTE, BID, 100, 5, 101, 3, 103, 6),
        (EXECUTE, BID, 100, 2, 101, 3, 103, 6),
        # The participant's own bid gave way to its sell order: withdrawn, not executed.
        (CANCEL, BID, 101, 3, 99, 4, 103, 6),
        (LIMIT, ASK, 100, 1, 99, 4, 100, 1),
    ]
    assert tape["participant"].tolist() == [1, 0, 0, 1, 1]
    assert tape.opening.tolist() == [[103, 6, 100, 7]]
    assert tape.before("bid_volume").tolist() == [7, 3, 3, 3, 4]


def test_changes_of_an_order():
    market = quiet([(99, 4)], [(103, 6)])
    order = market.submit(1, BID, 5, 100)
    first = market.record(10)
    market.modify(1, order, 2, 100)
    shrunk = market.record(10)
    market.modify(1, order, 6, 100)
    grown = market.record(10)
    market.modify(1, order, 6, 98)
    moved = market.record(10)
    market.cancel(1, order)
    gone = market.record(10)
    assert rows(first) == [(LIMIT, BID, 100, 5, 100, 5, 103, 6)]
    assert rows(shrunk) == [(REDUCE, BID, 100, 3, 100, 2, 103, 6)]
    assert rows(grown) == [(CANCEL, BID, 100, 2, 99, 4, 103, 6), (LIMIT, BID, 100, 6, 100, 6, 103, 6)]
    assert rows(moved) == [(CANCEL, BID, 100, 6, 99, 4, 103, 6), (LIMIT, BID, 98, 6, 99, 4, 103, 6)]
    assert rows(gone) == [(CANCEL, BID, 98, 6, 99, 4, 103, 6)]


def test_an_emptied_side_and_a_quiet_time():
    market = quiet([(99, 4)], [(103, 6)])
    assert len(market.record(50, levels=2)) == 0
    market.submit(1, BID, 9, time_in_force=IOC)
    tape = market.record(0, levels=2)
    assert rows(tape) == [(EXECUTE, ASK, 103, 6, 99, 4, 0, 0)]
    assert tape.book[0].tolist() == [[0, 0, 99, 4], [0, 0, 0, 0]]


def test_a_full_buffer_loses_nothing(monkeypatch):
    market = busy(9, max_orders=512)
    monkeypatch.setattr(market_base, "_CHUNK", 1)
    twin = market.copy()
    tape = market.record(60 * SECOND)
    monkeypatch.undo()
    other = twin.record(60 * SECOND)
    assert len(tape) > 4 * 512 + 2
    assert (tape.records == other.records).all() and digest(market) == digest(twin)


def test_parts_of_a_tape():
    market = busy(9)
    tape = market.record(2 * SECOND, levels=2)
    part = tape.between(tape.start + SECOND // 2, tape.start + SECOND)
    assert 0 < len(part) < len(tape) and part.seconds == 0.5
    cut = int(np.searchsorted(tape["time"], part.start, side="right"))
    assert (part.records == tape.records[cut : cut + len(part)]).all()
    assert (part.opening == tape.book[cut - 1]).all()
    assert part.before("ask")[0] == tape["ask"][cut - 1]


def test_bad_arguments():
    market = Market(MarketConfig(latency=LatencyConfig()))
    with pytest.raises(ConfigError, match="duration is -1"):
        market.record(-1)
    with pytest.raises(ConfigError, match="levels is -2"):
        market.record(1, levels=-2)
