"""A recorded day in the market: the file's rows, and the rules when participants trade (docs/replay.md)."""

import pickle

import numpy as np
import pytest

from hft_gym import CheckpointError, ConfigError, Market, MarketConfig, OrderError
from hft_gym.data import ReplayFeed
from hft_gym.market import MarketEvent
from tests.book.helpers import FEW
from tests.data.synthetic import write_day
from tests.data_files import shared_lobster
from tests.market.helpers import ASK, BID, MS, check, digest, latency, orders
from tests.market.replay_twin import Twin, flow_view

ROWS = 300 if FEW else 1_500


def config(**settings):
    return MarketConfig(**{"participants": 2, "latency": latency(3 * MS, 2 * MS), "max_orders": 4096, **settings})


@pytest.fixture(scope="module", params=[(5, 12, 0), (2, 3, 1), (10, 40, 2)], ids=["usual", "thin", "deep"])
def feed(request, tmp_path_factory):
    levels, depth, seed = request.param
    path = write_day(tmp_path_factory.mktemp("day"), rows=ROWS, levels=levels, depth=depth, seed=seed)
    return ReplayFeed.from_lobster(path, checkpoint_rows=256)


def last_rows(feed):
    """The last row of each time stamp."""
    return np.flatnonzero(np.diff(feed.times, append=feed.times[-1] + 1) > 0)


# -- nobody trades -----------------------------------------------------------------------------------------


def test_every_row_of_the_file_is_in_the_book(feed):
    market = Market(config(), feed=feed)
    for row in last_rows(feed):
        market.run_until(int(feed.times[row]))
        assert flow_view(market, feed.levels) == feed.book[row].tolist(), row
    check(market)
    assert market.counters.displaced == market.counters.rejected == 0


def test_a_replay_can_start_anywhere(feed):
    for row in last_rows(feed)[:: 97 if not FEW else 211]:
        market = Market(config(), feed=feed, start=int(feed.times[row]))
        assert market.time == feed.times[row]
        assert flow_view(market, feed.levels) == feed.book[row].tolist()
        check(market)
    for start in (int(feed.times[0]) - 1, int(feed.times[-1]) + 1):
        with pytest.raises(ConfigError, match="start is"):
            Market(config(), feed=feed, start=start)


def test_it_ends_with_the_file_and_stands_still(feed):
    market = Market(config(), feed=feed, start=int(feed.times[-20]))
    before = market.time
    assert MarketEvent.END in market.run_until_event(MarketEvent.END, 10**15)
    assert market.time >= before
    state = [orders(market, side) for side in (BID, ASK)]
    market.run_for(10**9)
    assert [orders(market, side) for side in (BID, ASK)] == state
    assert market.feed is feed and "replay of TOY" in repr(market) and market.snapshot().symbol == "TOY"


def test_the_seed_does_not_matter(feed):
    one, other = (Market(config(), seed, feed=feed) for seed in (1, 2))
    for market in (one, other):
        market.run_until(int(feed.times[ROWS // 2]))
    assert [orders(one, s) for s in (BID, ASK)] == [orders(other, s) for s in (BID, ASK)]


# -- participants trade ------------------------------------------------------------------------------------


def trade(twin, seed, steps, span):
    """Random orders of two participants over *span* ns."""
    random = np.random.default_rng(seed)
    market = twin.market
    for _ in range(steps):
        p, side = int(random.integers(1, 3)), int(random.integers(2))
        best = market.best(side, without=p)
        u = random.random()
        working = [o for o in market.working_orders(p) if not o.cancel_sent and o.time_entry is not None]
        if best is not None and u < 0.6 and len(market.working_orders(p)) < 10:
            away = int(random.integers(-2, 3))
            price = best + (-away if side == BID else away)
            twin.submit(p, side, int(random.choice([1, 50, 400])), price)
        elif u < 0.75:
            twin.submit(p, side, int(random.choice([1, 30, 900])), None)
        elif working:
            twin.cancel(p, working[0].order_id)
        twin.run_until(market.time + int(random.exponential(span / steps)))


@pytest.mark.parametrize("seed", range(2))
def test_own_orders_follow_the_rules_and_take_only_what_they_took(feed, seed):
    twin = Twin(Market(config(), feed=feed))
    span = int(feed.times[-1] - feed.times[0])
    trade(twin, seed, 100 if FEW else 400, span)
    market = twin.market
    check(market)
    assert twin.taken > 0 and (twin.displaced > 0 or FEW)
    # The book without own orders lacks, against the file, at most what they took.
    row = feed.row_at(market.time)
    shown, truth = flow_view(market, feed.levels + 50), feed.book[row].tolist()
    for column in (0, 2):
        have = {level[column]: level[column + 1] for level in shown if level[column + 1]}
        want = {level[column]: level[column + 1] for level in truth if level[column + 1]}
        assert set(have) <= set(want)
        lacking = sum(volume - have.get(price, 0) for price, volume in want.items())
        assert all(have.get(price, 0) <= volume for price, volume in want.items())
        assert lacking <= twin.taken


def test_orders_out_of_reach_leave_every_row_as_it_was(feed):
    market = Market(config(), feed=feed)
    market.submit(1, BID, 100, 5)
    market.submit(2, ASK, 100, 10**6)
    for row in last_rows(feed)[:200]:
        market.run_until(int(feed.times[row]))
        assert flow_view(market, feed.levels) == feed.book[row].tolist()
    assert len(market.fills()) == 0


def test_the_book_of_a_replay_cannot_be_set(feed):
    with pytest.raises(OrderError, match="replays a recorded day"):
        Market(config(), feed=feed).set_book([], [])


def test_a_saved_replay_needs_its_day(feed, tmp_path):
    market = Market(config(), feed=feed)
    market.submit(1, BID, 10)
    market.run_until(int(feed.times[100]))
    market.save(tmp_path / "m.npz")
    again = Market.load(tmp_path / "m.npz", feed=feed)
    copied = market.copy()
    assert copied.feed is feed
    for made in (market, again, copied):
        made.submit(1, ASK, 5)
        made.run_until(int(feed.times[200]))
    assert digest(market) == digest(again) == digest(copied)
    with pytest.raises(CheckpointError, match="needs the recorded day"):
        Market.load(tmp_path / "m.npz")
    Market(config(), seed=1).save(tmp_path / "other.npz")
    with pytest.raises(CheckpointError, match="needs no recorded day"):
        Market.load(tmp_path / "other.npz", feed=feed)


WAYS = {
    "copy": lambda market, _: market.copy(),
    "pickle": lambda market, _: pickle.loads(pickle.dumps(market)),
    "file": lambda market, path: market.save(path) or Market.load(path, feed=market.feed),
}


@pytest.mark.parametrize("way", WAYS)
def test_it_continues_bit_for_bit_with_orders_several_ticks_away(way, feed, tmp_path):
    """Own orders rest near the touch, behind the file's levels and out of the ladder; the twin is cut at every step."""
    market = Market(config(), feed=feed)
    twin = market.copy()
    rows = last_rows(feed)[20::40]
    for row in rows:
        for made in (market, twin):
            made.run_until(int(feed.times[row]))
            for side in (BID, ASK):
                best = made.best(side)
                for away in (0, 2, 5, 9, 30, 3_000):
                    if best is not None and len(made.working_orders(1)) < 16:
                        made.submit(1, side, 400, best + (-away if side == BID else away))
            if (resting := made.working_orders(1)) and row % 3 == 0:
                made.cancel(1, resting[0].order_id)
        twin = WAYS[way](twin, tmp_path / "m.npz")
    for made in (market, twin):
        made.run_until(int(feed.times[-1]))
    assert digest(twin) == digest(market)
    fills = market.fills().records
    assert (twin.fills().records == fills).all() and len(rows) > 3 and (len(fills) > 3 or FEW)


# -- real days ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("symbol", "levels"), [("AMZN", 5), ("GOOG", 10)])
def test_real_days(symbol, levels):
    if FEW:
        pytest.skip("reading a day takes too long in this mode")
    feed = ReplayFeed.from_lobster(shared_lobster(symbol, levels))
    market = Market(config(), feed=feed)
    assert feed.max_handles < market.config.max_orders
    wrong = 0
    for row in last_rows(feed)[::50]:
        market.run_until(int(feed.times[row]))
        wrong += flow_view(market, feed.levels) != feed.book[row].tolist()
    assert wrong == market.counters.rejected == 0
    check(market)
    twin = Twin(Market(config(), feed=feed, start=int(feed.times[20_000])))
    trade(twin, 7, 300, 300 * 10**9)
    check(twin.market)
    assert twin.taken > 0
