"""A market that follows a feed: its book is the feed's, and own orders are filled by what the feed says was traded."""

from __future__ import annotations

import random
from dataclasses import replace
from itertools import islice

import pytest

from hft_gym.data.formats import detect, open_source
from hft_gym.data.issues import IssueLog
from hft_gym.data.replay import ReplayFeed
from hft_gym.errors import CheckpointError, ConfigError, DataError
from hft_gym.feed import DataKind, MarketDataMessage
from hft_gym.feed.levels import LevelBook
from hft_gym.live.feed_market import FeedMarket, steps_of
from hft_gym.market import Market
from hft_gym.market.config import MarketConfig
from hft_gym.types import OrderSide
from tests.data.feeds import binance_lines
from tests.data_files import shared_data

MS = 1_000_000
PROMPT = {"order_ns": 0, "order_jitter_ns": 0, "cancel_ns": 0, "cancel_jitter_ns": 0, "market_data_ns": 0}
CONFIG = MarketConfig(latency=PROMPT, participants=2)
BIDS, ASKS = {100.0: 1.0, 99.5: 2.0, 99.0: 0.5}, {100.5: 1.5, 101.0: 1.0, 102.0: 4.0}


def message(bids, asks, number=1, *, trade=None, kind=None, snapshot=False):
    """A message that shows these books; *trade* is (price, size, aggressor)."""
    bids = tuple(sorted(bids.items(), reverse=True))
    asks = tuple(sorted(asks.items()))
    price, volume, side = trade or (None, 0.0, None)
    found = kind or (DataKind.TRADE if trade else DataKind.DEPTH)
    best = [side_[0] if side_ else (None, 0.0) for side_ in (bids, asks)]
    return MarketDataMessage(
        "XY", 10**18, price, best[0][0], best[1][0], best[0][1], best[1][1], volume, number, found, side, bids, asks,
        snapshot,
    )  # fmt: skip


def opened(model="back", **more):
    return FeedMarket(message(BIDS, ASKS, snapshot=True), 10 * MS, CONFIG, queue_model=model, **more)


def shown(market, side):
    sign = 1 if side else -1
    levels = market.depth(side, 100)
    assert levels == sorted(levels, key=lambda level: sign * level[0])
    return {market.to_price(p): v * market.lot_size for p, v in levels}


def test_tick_and_lot_are_found_from_the_first_book() -> None:
    market = opened()
    assert (market.config.tick_size, market.lot_size) == (0.5, 0.5)
    assert shown(market, OrderSide.BID) == BIDS and shown(market, OrderSide.ASK) == ASKS
    assert steps_of([0.1, 0.3, 7.25]) == 5_000_000
    fine = opened(tick_size=0.1, lot_size=0.25)
    assert fine.config.tick_size == 0.1 and shown(fine, OrderSide.BID) == BIDS


@pytest.mark.parametrize("model", ["back", "front", "proportional"])
def test_the_book_is_the_feed_s_through_any_changes(model: str) -> None:
    draw = random.Random(3)
    market = opened(model)
    bids, asks = dict(BIDS), dict(ASKS)
    for number in range(2, 600):
        middle = 100.0 + 0.5 * draw.randint(-4, 4)
        for side, sign in ((bids, -1), (asks, 1)):
            for _ in range(draw.randint(0, 3)):
                price = middle + sign * 0.5 * draw.randint(1, 6)
                size = 0.5 * draw.randint(0, 8)
                side.pop(price, None)
                if size:
                    side[price] = size
        for price in [p for p in bids if asks and p >= min(asks)]:
            del bids[price]
        trade = None
        if bids and draw.random() < 0.3:  # the book that a message shows is the one after its trade
            best = max(bids)
            size = min(bids[best], 0.5 * draw.randint(1, 3))
            bids[best] -= size
            bids = {price: left for price, left in bids.items() if left}
            trade = (best, size, OrderSide.ASK)
        best = dict(sorted(bids.items(), reverse=True)[:3]), dict(sorted(asks.items())[:3])
        market.tell(message(*best, number, trade=trade), market.time)
        market.run_for(draw.randint(0, 3) * MS)
        for side in OrderSide if trade is None else ():
            assert list(shown(market, side).items())[:3] == list(best[side].items())
    assert market.counters.rejected == 0 and market.issues.total == 0
    assert len(market._ops) < 100  # what is done is forgotten


def test_an_own_order_is_filled_when_its_queue_is_through() -> None:
    market = opened()
    order = market.submit(1, OrderSide.BID, 3, market.to_ticks(100.0))
    market.run_for(MS)
    assert market.working_orders(1)[0].volume_ahead == 2  # 1.0 in lots of 0.5
    market.tell(message(BIDS, ASKS, 2, trade=(101.0, 0.5, OrderSide.BID)), market.time)  # elsewhere
    market.tell(message({**BIDS, 100.0: 0.5}, ASKS, 2, trade=(100.0, 0.5, OrderSide.ASK)), market.time)
    market.run_for(MS)
    assert market.working_orders(1)[0].volume_ahead == 1 and market.account(1).position == 0
    market.tell(message({99.5: 2.0, 99.0: 0.5}, ASKS, 3, trade=(100.0, 1.5, OrderSide.ASK)), market.time)
    market.run_for(MS)
    assert market.account(1).position == 2  # 3 lots were sold: one was ahead, two are ours
    (left,) = market.working_orders(1)
    assert (left.order_id, left.remaining, left.volume_ahead) == (order, 1, 0)
    (fill,) = market.fills()
    assert fill["maker"] and fill["price"] == market.to_ticks(100.0)


@pytest.mark.parametrize(("model", "ahead"), [("back", 2), ("front", 0), ("proportional", 1)])
def test_decreases_that_no_trade_explains_follow_the_queue_model(model: str, ahead: int) -> None:
    market = opened(model)
    market.submit(1, OrderSide.BID, 1, market.to_ticks(100.0))
    market.run_for(MS)
    market.tell(message({**BIDS, 100.0: 2.0}, ASKS, 2), market.time)  # as much again, behind
    market.run_for(MS)
    market.tell(message({**BIDS, 100.0: 1.0}, ASKS, 3), market.time)
    market.run_for(MS)
    assert market.working_orders(1)[0].volume_ahead == ahead


def test_a_level_out_of_sight_is_remembered_and_one_that_must_be_seen_goes() -> None:
    market = opened()
    lower = {98.5: 1.0, 98.0: 1.0, 97.5: 3.0}, {99.0: 1.0, 99.5: 1.0, 100.0: 1.0}  # three levels are shown
    market.tell(message(*lower, 2), market.time)
    market.run_for(MS)
    assert shown(market, OrderSide.BID) == lower[0] and shown(market, OrderSide.ASK) == {**lower[1], **ASKS}
    market.tell(message(lower[0], {99.0: 1.0, 99.5: 1.0}, 3), market.time)  # the whole side
    market.run_for(MS)
    assert shown(market, OrderSide.ASK) == {99.0: 1.0, 99.5: 1.0}


def test_a_loss_withdraws_orders_keeps_positions_and_waits_for_a_picture() -> None:
    market = opened()
    market.submit(1, OrderSide.ASK, 1)
    market.run_for(MS)
    market.submit(1, OrderSide.BID, 3, market.to_ticks(99.5))
    market.submit(2, OrderSide.BID, 1, at=market.time + 5 * MS)  # on its way when the feed is lost
    market.run_for(MS)
    assert market.account(1).position == -1
    market.tell(message({}, {}, 2, kind=DataKind.LOST), market.time)
    market.run_for(20 * MS)
    assert market.lost and not market.working_orders(1) and not market.working_orders(2)
    assert market.account(1).position == -1 and market.account(2).position == 0
    market.tell(message({90.0: 1.0}, {91.0: 1.0}, 3), market.time)  # no picture: not believed
    market.run_for(MS)
    assert market.lost and market.best(OrderSide.BID) == market.to_ticks(100.0)
    market.tell(message({90.0: 1.0}, {91.0: 1.0}, 4, snapshot=True), market.time)
    market.run_for(MS)
    assert not market.lost and market.best(OrderSide.BID) == market.to_ticks(90.0)
    assert market.account(1).mid == 181.0


def test_a_picture_while_the_book_is_believed_tells_of_a_loss() -> None:
    market = opened()
    market.submit(1, OrderSide.BID, 3, market.to_ticks(99.5))
    market.run_for(MS)
    assert not market.tell(message({**BIDS, 99.0: 2.0}, ASKS, 2), market.time) and len(market.working_orders(1)) == 1
    assert market.tell(message({90.0: 1.0}, {91.0: 1.0}, 9, snapshot=True), market.time)
    market.run_for(MS)
    assert not market.lost and not market.working_orders(1) and market.account(1).position == 0
    assert market.best(OrderSide.BID) == market.to_ticks(90.0)


def test_accounts_go_on_another_day(tmp_path) -> None:
    market = opened()
    market.submit(1, OrderSide.ASK, 2)
    market.submit(1, OrderSide.BID, 1, market.to_ticks(99.0))
    market.run_for(MS)
    before = market.account(1)
    market.save(tmp_path / "accounts.npz")
    other = opened()
    other.restore_accounts(tmp_path / "accounts.npz")
    assert replace(other.account(1), mid2=before.mid2) == before and not other.working_orders(1)
    assert sum(other.account(p).position for p in range(3)) == 0
    other.submit(1, OrderSide.BID, 1, other.to_ticks(99.0))  # nothing that was working stands in the way
    other.run_for(MS)
    assert len(other.working_orders(1)) == 1
    (tmp_path / "accounts.npz").write_bytes(b"no")
    with pytest.raises(CheckpointError):
        other.restore_accounts(tmp_path / "accounts.npz")


def test_wrong_openings_are_refused() -> None:
    with pytest.raises(DataError, match="empty side"):
        FeedMarket(message(BIDS, {}), 0, CONFIG)
    with pytest.raises(ConfigError, match="queue_model"):
        opened("middle")
    with pytest.raises(ConfigError, match="tick_size"):
        opened(tick_size=1e-9)
    with pytest.raises(DataError, match="off the tick"):
        opened(tick_size=7.0)


# -- against the same data read as a file -----------------------------------------------------------------------------


def capture(tmp_path, seed):
    lines, _ = binance_lines(seed, n=900)
    path = tmp_path / "binance_capture.txt"
    path.write_text("\n".join(lines) + "\n")
    return path


def told(path, levels):
    """(time, message) of a capture, as a live feed would have told it."""
    book = LevelBook("TESTUSDT", levels)
    for chunk in open_source(path, IssueLog(), (), detect(path)).chunks():
        for record in chunk.records.tolist():
            found = book.apply(record)
            if found is not None:
                yield record[0], found


def side_by_side(path, model, levels, messages):
    """The same trading in a market told live and in one read from the file: what was seen, and the fills, of each."""
    day = ReplayFeed.from_file(path, queue_model=model)
    file = Market(replace(CONFIG, tick_size=day.tick_size, levels=4096, max_orders=65_536), feed=day)
    stream = told(path, levels)
    first, opening = next((t, m) for t, m in stream if m.bids and m.asks)
    offset = first - int(day.times[0])
    live = FeedMarket(
        opening, first - offset, CONFIG, queue_model=model, tick_size=day.tick_size, lot_size=day.lot_size
    )
    waiting = list(islice(stream, messages))[::-1]

    def advance(duration):
        end = live.time + duration
        while waiting and waiting[-1][0] - offset <= end:
            time, message = waiting.pop()
            live.run_until(time - offset)
            live.tell(message, time - offset)
        live.run_until(end)

    return trade(live, advance), trade(file, file.run_for)


def trade(market, advance):
    """Join both sides every half second, and see what comes of it: positions, places in the queues, fills."""
    seen = []
    for _ in range(60):
        for order in market.working_orders(1):
            market.cancel(1, order.order_id)
        for side in OrderSide:
            market.submit(1, side, 3, market.best(side, without=1))
        for _ in range(5):
            advance(100 * MS)
            orders = [(o.side, o.price, o.remaining, o.volume_ahead) for o in market.working_orders(1)]
            seen.append((market.account(1).position, orders, market.depth(OrderSide.BID, 5), market.depth(1, 5)))
    return seen, [tuple(fill[n].item() for n in ("price", "quantity", "side", "maker")) for fill in market.fills()]


@pytest.mark.parametrize("model", ["back", "front", "proportional"])
def test_live_and_from_a_file_orders_fare_the_same(tmp_path, model: str) -> None:
    """The follower, the queue model and the fills are those of a recorded level-2 file."""
    (mine, fills), (theirs, expected) = side_by_side(capture(tmp_path, 8), model, 1000, 10_000)
    assert len(expected) > 20 and fills == expected
    assert mine == theirs


@pytest.mark.verify
def test_live_and_from_a_file_on_real_data() -> None:
    """Half a minute of BTCUSDT: fills, positions and books are equal; places in queues but for the moments between a
    trade and the news of the book that it left behind."""
    path = shared_data("crypto/binance_usdm_btcusdt_20240808.gz")
    (mine, fills), (theirs, expected) = side_by_side(path, "back", 1000, 4000)
    assert len(expected) >= 20 and fills == expected
    assert [(p, bids, asks) for p, _, bids, asks in mine] == [(p, bids, asks) for p, _, bids, asks in theirs]
    assert sum(one == other for one, other in zip(mine, theirs, strict=True)) >= 0.99 * len(mine)


def test_another_queue_model_is_another_result(tmp_path) -> None:
    """The comparison above can fail."""
    path = capture(tmp_path, 8)
    found = []
    for model in ("back", "front"):
        day = ReplayFeed.from_file(path, queue_model=model)
        market = Market(replace(CONFIG, tick_size=day.tick_size, levels=4096, max_orders=4096), feed=day)
        found.append(trade(market, market.run_for))
    assert found[0] != found[1]
