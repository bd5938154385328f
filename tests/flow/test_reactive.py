"""Flows whose rates change: each mechanism does what its documentation says, and a wrong setting is named."""

from dataclasses import replace

import numpy as np
import pytest

from hft_gym import LatencyConfig, Market, MarketConfig, OrderSide
from hft_gym.config import build, to_dict
from hft_gym.errors import ConfigError
from hft_gym.flow import (
    FlowConfig,
    HaltConfig,
    HawkesConfig,
    IcebergConfig,
    LearningConfig,
    MetaorderConfig,
    QueueReactiveConfig,
    ReplenishmentConfig,
    SessionConfig,
    VolatilityConfig,
    preset,
)
from hft_gym.market.arrays import allocate
from hft_gym.market.entries import ADVANCE, OPEN, SEND, Markets

SECOND = 10**9
BASE = preset("poisson")
UNIFORM = tuple(tuple(0.25 * r / BASE.rates().sum() for _ in range(6)) for r in BASE.rates())
EVERYTHING = replace(
    BASE,
    hawkes=HawkesConfig(branching=(UNIFORM,), decays=(5.0,)),
    metaorders=MetaorderConfig(rate=2.0, reach=0, limit_share=0.3),
    replenishment=ReplenishmentConfig(offsets=(0.5, 0.5)),
    icebergs=IcebergConfig(share=0.2),
    session=SessionConfig(length_s=60.0, shape=(2.0, 0.5, 1.0)),
    halts=HaltConfig(rate=0.05, length_s=2.0, move_ticks=8),
    volatility=VolatilityConfig(components=3, depth=0.2),
    informed_quotes=0.1,
    value_volatility=0.5,
    value_reversion=0.01,
    market_reach=0,
)


def markets(flow, n=32, participants=0, **settings):
    made = Markets(allocate(MarketConfig(flow=flow, warm_up_ns=0, participants=participants, **settings), n))
    made.arrays.state["key"] = np.arange(n)
    made.run(OPEN, -1)
    return made


def test_a_flow_of_everything_is_written_and_read_back():
    assert build(FlowConfig, to_dict(EVERYTHING)) == EVERYTHING


def test_one_seed_is_one_path_and_a_silent_participant_leaves_no_trace():
    def run(participants):
        market = Market(MarketConfig(flow=EVERYTHING, participants=participants), seed=3)
        for _ in range(20):
            market.run_for(SECOND)
        return market.counters, market.snapshot(0) if participants else None, market._arrays.flow_state.copy()

    first, second, other = run(0), run(0), run(4)
    assert first[0] == second[0] and (first[2] == second[2]).all()
    assert first[0] == other[0] and (first[2] == other[2]).all()


@pytest.mark.parametrize(
    "name", ["volatility", "hawkes", "metaorders", "replenishment", "icebergs", "session", "halts", "market_reach"]
)
def test_every_mechanism_changes_the_path(name):
    def run(flow):
        made = markets(flow, 8)
        made.run(ADVANCE, 60 * SECOND, 0)
        assert not made.arrays.flow_state["rejected"].any()
        return made.arrays.state["messages"].copy()

    assert (run(EVERYTHING) != run(replace(EVERYTHING, **{name: None}))).any()


def test_thinning_changes_no_law():
    """A flow that is reactive only in name has the statistics of the plain one: an excitation of next to nothing."""
    none = HawkesConfig(branching=(tuple((1e-9,) * 6 for _ in range(6)),))

    def run(flow):
        made = markets(flow, 64)
        made.run(ADVANCE, 100 * SECOND, 0)
        state = made.arrays.state
        return np.array([[state["messages"], state["trades"], made.arrays.flow_state["n_live"]]]).reshape(3, -1)

    plain, thinned = run(BASE), run(replace(BASE, hawkes=none))
    error = np.sqrt((plain.var(axis=1) + thinned.var(axis=1)) / 64)
    assert (np.abs(plain.mean(axis=1) - thinned.mean(axis=1)) < 3.5 * error).all()


def test_mean_activity_is_one_unless_a_background_is_given():
    made = markets(replace(BASE, hawkes=HawkesConfig(branching=(UNIFORM,), decays=(5.0,))), 128)
    made.run(ADVANCE, 100 * SECOND, 0)
    # About one: fewer orders are cancelled than enter, and informed traders excite too.
    plain = markets(BASE, 128)
    plain.run(ADVANCE, 100 * SECOND, 0)
    ratio = made.arrays.state["messages"].mean() / plain.arrays.state["messages"].mean()
    assert 0.9 < ratio < 1.05


def test_nothing_happens_in_a_halt_and_messages_wait_for_its_end():
    flow = replace(BASE, halts=HaltConfig(rate=0.2, length_s=5.0))
    market = Market(MarketConfig(flow=flow, participants=1), seed=1)
    while market._arrays.flow_state["halted_until"][0] <= market.time:
        market.run_for(SECOND // 10)
    end = int(market._arrays.flow_state["halted_until"][0])
    before = market.counters
    far = market.best(0) - 30
    number = market.submit(1, 0, 1, far)
    market.run_until(end - 1)
    assert market.counters.messages == before.messages
    assert market.counters.trades == before.trades
    market.run_until(end)
    resting = {o.order_id: o for o in market.working_orders(1)}[number]
    assert resting.time_entry == end


def test_a_move_beyond_the_limit_halts():
    flow = replace(BASE, halts=HaltConfig(move_ticks=4, length_s=5.0))
    made = markets(flow, 32)
    made.run(ADVANCE, 60 * SECOND, 0)
    assert (made.arrays.flow_state["halted_until"] > 0).mean() > 0.5


def test_activity_follows_the_time_of_day_and_ends_with_the_session():
    flow = replace(BASE, session=SessionConfig(length_s=40.0, shape=(2.0, 0.5), closes=True))
    made = markets(flow, 32)
    counts = []
    for until in (20, 40, 60):
        made.run(ADVANCE, until * SECOND, 0)
        counts.append(made.arrays.state["messages"].mean())
    first, second, closed = counts[0], counts[1] - counts[0], counts[2] - counts[1]
    assert 3.3 < first / second < 4.7
    assert closed == 0


def test_liquidity_comes_back_after_a_trade_at_the_rate_it_should():
    """One trade of 40 lots, share 0.5, unit orders: 20 new ones on the side that was hit, exponential delays."""
    flow = FlowConfig(
        limit_rates=(0.0,), cancel_rates=(0.0,), market_rate=0.0,
        replenishment=ReplenishmentConfig(share=0.5, decay=2.0, offsets=(1.0, 1.0)),
    )  # fmt: skip
    n = 400
    made = markets(flow, n, participants=1, initial_depth=40, max_orders=512)
    before = made.arrays.flow_state["n_live"].copy()
    made.run(SEND, 1, 0, 2**30, 40, 1, 0)
    counts = []
    for until in (0.5, 1.0, 20.0):
        made.run(ADVANCE, int(until * SECOND) + 2_000_000, 0)
        counts.append((made.arrays.flow_state["n_live"] - before + 40).mean())
    expected = [20 * (1 - np.exp(-2.0 * t)) for t in (0.5, 1.0, 20.0)]
    assert np.abs(np.array(counts) - expected).max() < 4 * np.sqrt(20 / n)
    assert (made.arrays.account["position"][:, 1] == 40).all()


def test_an_iceberg_shows_its_next_part_at_the_back_of_the_queue():
    """Every order hides two further parts: taking the one at the front brings the next one, behind the others."""
    flow = FlowConfig(
        limit_rates=(1.0,), cancel_rates=(0.0,), market_rate=0.0, icebergs=IcebergConfig(share=1.0, parts=(0.0, 1.0))
    )
    made = markets(flow, 1, participants=1, initial_depth=1, latency=LatencyConfig(0, 0, 0, 0, 0))
    made.run(ADVANCE, 60 * SECOND, 0)
    arrays = made.arrays

    def queue():
        """Ids at the best ask, oldest first."""
        head, node = arrays.head[0], arrays.node[0]
        level = head["levels"] + 1 + head["best"][1]
        slot, found = node["next"][level], []
        while slot != level:
            found.append(int(arrays.order["id"][0][slot - head["first"]]))
            slot = node["next"][slot]
        return found

    made.run(SEND, 1, 0, 2**30, 2, 1, 0)  # the two orders that the book was opened with hide nothing
    made.run(ADVANCE, 60 * SECOND, 0)
    seen = queue()
    assert len(seen) > 3 and [(i >> 40) & 1023 for i in seen] == [2] * len(seen)
    for parts in (1, 0):
        for _ in range(len(seen)):
            before = queue()
            made.run(SEND, 1, 0, 2**30, 1, 1, int(arrays.state["time"][0]))
            made.run(ADVANCE, int(arrays.state["time"][0]), 0)
            after = queue()
            assert after[: len(before) - 1] == before[1:]
            assert (after[len(before) - 1] >> 40) & 1023 == parts


TRADES = ("market_buy", "market_sell")
OFTEN = tuple((0.15,) * 6 for _ in range(6))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: HawkesConfig(branching=(((0.6, 0.6), (0.6, 0.6)),), kinds=TRADES), "radius is 1.2"),
        (lambda: HawkesConfig(branching=(((0.5,),),), kinds=("market_by",)), "did you mean 'market_buy'"),
        (lambda: HawkesConfig(branching=(((0.5,),),)), "1 matrices"),
        (lambda: replace(BASE, hawkes=HawkesConfig(branching=(OFTEN,))).compiled(), "market_buy would happen"),
        (lambda: MetaorderConfig(rate=0.0), "rate: must be at most"),
        (lambda: HaltConfig(), "there would be no halt"),
        (lambda: SessionConfig(length_s=10.0, start_s=10.0), "below length_s"),
        (lambda: QueueReactiveConfig(cancel=(((0.5, 1.0),),)), "must be 0, got 0.5"),
        (lambda: QueueReactiveConfig(limit=(((1.0,), (1.0,)),)), "classes"),
    ],
)  # fmt: skip
def test_wrong_settings_are_named(make, message):
    with pytest.raises(ConfigError, match=message):
        make()


def test_a_redrawn_book_leaves_a_participants_orders_where_they_are():
    """Queue-reactive book, redrawn at each move of the mid: own orders keep their price, place in the table and
    size."""
    flow = preset("queue-reactive")
    flow = replace(flow, queue_reactive=replace(flow.queue_reactive, theta=1.0, theta_reinit=1.0))
    market = Market(MarketConfig(flow=flow, participants=1), seed=5)
    number = market.submit(1, OrderSide.BID, 7, market.best(OrderSide.BID) - 60)
    for _ in range(30):
        before = market._arrays.flow_state["reference"][0]
        market.run_for(SECOND)
        order = {o.order_id: o for o in market.working_orders(1)}[number]
        assert order.remaining == 7
    assert market._arrays.flow_state["reference"][0] != before or market.counters.trades > 20
    bid, ask = market.best(OrderSide.BID), market.best(OrderSide.ASK)
    assert bid < ask


def test_trading_begins_at_the_opening_with_the_messages_that_came_before():
    flow = replace(BASE, session=SessionConfig(opens_s=30.0))
    market = Market(MarketConfig(flow=flow, participants=1, warm_up_ns=0), seed=1)
    ask = market.best(OrderSide.ASK)
    market.submit(1, OrderSide.BID, 1, ask)
    quiet = market.counters.messages
    market.run_until(30 * SECOND - 1)
    assert market.counters.messages == quiet and market.account(1).position == 0
    market.run_until(30 * SECOND)
    assert market.account(1).position == 1
    market.run_for(10 * SECOND)
    assert market.counters.messages > quiet + 500


def test_the_value_moves_by_the_surprise_of_a_trade():
    """Two buys of 4 lots and a sell of 1: v += impact (x - w m), m += (x - m) / tau, x = signed lots^0.5, by hand."""
    flow = FlowConfig(
        limit_rates=(0.0,), cancel_rates=(0.0,), limit_sizes=(0.0,) * 63 + (1.0,), market_rate=0.0,
        learning=LearningConfig(impact=0.5, exponent=0.5, memories=(4.0, 10.0), weights=(0.4, 0.3)),
    )  # fmt: skip
    made = markets(flow, 1, participants=1, latency=LatencyConfig(0, 0, 0, 0, 0))
    value, averages = made.arrays.flow_state["fundamental"][0], np.zeros(2)
    for i, (side, lots) in enumerate(((0, 4), (0, 4), (1, 1)), 1):
        made.run(SEND, 1, side, 2**30 if side == 0 else -(2**30), lots, 1, i * SECOND)
        made.run(ADVANCE, i * SECOND, 0)
        x = (1 if side == 0 else -1) * np.sqrt(lots)
        value += 0.5 * (x - averages @ (0.4, 0.3))
        averages += (x - averages) / (4.0, 10.0)
        assert made.arrays.flow_state["fundamental"][0] == pytest.approx(value)
