"""Randomness: one stream a mechanism and a participant, common random numbers, and the laws of the draws."""

import numpy as np
import pytest

from hft_gym import FlowConfig, LatencyConfig, Market, MarketConfig
from hft_gym.envs.config import EnvConfig
from hft_gym.envs.core import EnvCore
from hft_gym.flow import preset
from hft_gym.flow.config import FLOW
from hft_gym.flow.random import TABLE_SIZE
from hft_gym.flow.state import CANCEL, INFORMED, JUMP, LIMIT, MARKET
from tests.market.helpers import (
    ASK,
    BID,
    MS,
    SECOND,
    busy,
    check,
    flow_volume,
    in_flight,
    next_flow_event,
    path,
)

EXOGENOUS = (LIMIT, MARKET, JUMP, INFORMED)


def clocks(market: Market, mechanism: int, until: int) -> list[int]:
    """The times at which a mechanism acts until *until*."""
    times = []
    while (due := int(market._arrays.flow_state["due"][0, mechanism])) <= until:
        times.append(due)
        market.run_until(due)
    return times


# -- doing nothing -----------------------------------------------------------------------------------------


def test_a_silent_participant_leaves_no_trace():
    alone, watched = busy(5, participants=0), busy(5, participants=7)
    for _ in range(20):
        alone.run_for(SECOND)
        watched.run_for(SECOND)
        watched.account(3), watched.snapshot(), watched.working_orders(2), watched.mids()
        assert path(alone) == path(watched)


def test_sizes_logs_and_latencies_leave_no_trace():
    small = busy(5, participants=1, max_own_orders=2, log_capacity=0)
    large = busy(5, participants=3, levels=1024, max_orders=5000, latency=LatencyConfig(7, 7, 7, 7, 7))
    for made in (small, large):
        made.run_for(20 * SECOND)
    assert small.counters.messages == large.counters.messages
    assert all(flow_volume(small, side) == flow_volume(large, side) for side in (BID, ASK))


def test_an_order_that_never_trades_leaves_the_path_of_the_others_as_it_was():
    plain, quoted = busy(8), busy(8)
    number = quoted.submit(1, BID, 5, 5_000)
    for _ in range(10):
        plain.run_for(SECOND)
        quoted.run_for(SECOND)
        assert all(flow_volume(plain, side) == flow_volume(quoted, side) for side in (BID, ASK))
    quoted.cancel(1, number)
    plain.run_for(SECOND)
    quoted.run_for(SECOND)
    assert (plain._arrays.flow_state == quoted._arrays.flow_state).all()


# -- common random numbers ---------------------------------------------------------------------------------


@pytest.mark.parametrize("mechanism", EXOGENOUS)
def test_arrival_times_survive_own_trades(mechanism):
    plain, traded = busy(8, flow="poisson"), busy(8, flow="poisson")
    traded.submit(1, BID, 40)
    traded.submit(1, ASK, 3, traded.best(ASK))
    until = 40 * SECOND
    assert clocks(plain, mechanism, until) == clocks(traded, mechanism, until)
    assert path(plain) != path(traded)


def test_streams_stay_aligned_after_own_trades():
    plain, traded = busy(8, flow="poisson"), busy(8, flow="poisson")
    traded.submit(1, BID, 40)
    for made in (plain, traded):
        made.run_for(60 * SECOND)
    streams = [made._arrays.flow_state["streams"][0] for made in (plain, traded)]
    for mechanism in EXOGENOUS:
        assert streams[0][mechanism] == streams[1][mechanism]


def test_a_mechanism_switched_off_leaves_the_others_draws_alone():
    flow = preset("poisson")
    off = {
        "market": {"market_rate": 0.0},
        "cancel": {"cancel_rates": (0.0,)},
        "informed": {"informed_rate": 0.0, "jump_rate": 0.0},
    }
    times = {}
    for name, change in {"none": {}, **off}.items():
        changed = FlowConfig(**{**flow.__dict__, **change})
        made = Market(MarketConfig(flow=changed, max_orders=2**14, warm_up_ns=0), seed=3)
        times[name] = [clocks(made.copy(), mechanism, 5 * SECOND) for mechanism in EXOGENOUS]
    everything = times.pop("none")
    assert all(len(t) > 0 for t in everything)
    for name, found in times.items():
        for was, now in zip(everything, found, strict=True):
            assert now in (was, []), name


def test_every_participant_has_latencies_of_its_own():
    jitter = LatencyConfig(MS, MS, MS, MS, 0)

    def arrivals(others: int) -> list[int]:
        made = busy(4, participants=3, latency=jitter)
        for _ in range(others):
            made.submit(2, BID, 1, 9_000)
        for _ in range(5):
            made.submit(3, BID, 1, 9_000)
        return [m["arrival"] for m in sorted(in_flight(made), key=lambda m: m["order_id"]) if m["participant"] == 3]

    assert arrivals(0) == arrivals(4)
    assert len(set(arrivals(0))) == 5


def test_no_two_streams_are_the_same():
    made = busy(4, participants=3, latency=LatencyConfig(MS, MS, MS, MS, 0))
    for p in (1, 2, 3):
        made.submit(p, BID, 1, 9_000)
    assert len({m["arrival"] for m in in_flight(made)}) == 3
    flow = {"limit_rates": [1.0], "cancel_rates": [0.0], "market_rate": 1.0, "jump_rate": 2.0, "informed_rate": 2.0}
    fresh = Market({"flow": flow, "warm_up_ns": 0, "participants": 3}, 4)
    assert len({clocks(fresh.copy(), mechanism, 20 * SECOND)[0] for mechanism in EXOGENOUS}) == 4
    streams = [*fresh._arrays.flow_state["streams"][0].tolist(), *fresh._arrays.account["stream"][0, :, 0].tolist()]
    assert len(set(streams)) == len(streams)


def test_limit_orders_stand_at_their_distance_from_the_opposite_touch():
    flow = FlowConfig(limit_rates=(0.0, 0.0, 9.0), cancel_rates=(0.0,), market_rate=0.0, limit_sizes=(0.0, 1.0))
    made = Market(MarketConfig(flow=flow, initial_depth=0, warm_up_ns=0), seed=1)
    made.set_book([(999, 1)], [(1_001, 1)])
    made.run_for(5 * SECOND)
    (touch, at_bid), (_, at_ask) = made.depth(BID), made.depth(ASK)
    assert touch == (999, 1)
    assert (at_bid[0], at_ask[0]) == (998, 1_002)
    assert at_bid[1] % 2 == at_ask[1] % 2 == 0 and 20 < at_bid[1] / 2 < 70 and 20 < at_ask[1] / 2 < 70


def test_latency_is_the_constant_plus_an_exponential_part():
    jitter = LatencyConfig(3 * MS, 2 * MS, MS, 5 * MS, 0)
    made = busy(4, participants=1, latency=jitter, max_own_orders=4096)
    for _ in range(4000):
        made.submit(1, BID, 1, 9_000)
    travel = np.array([m["arrival"] for m in in_flight(made)]) - made.time - 3 * MS
    assert travel.min() >= 0
    assert travel.mean() == pytest.approx(2 * MS, rel=0.05)
    assert np.quantile(travel, 0.95) == pytest.approx(2 * MS * np.log(20), rel=0.05)


# -- laws --------------------------------------------------------------------------------------------------


def test_the_alias_tables_hold_the_laws_exactly_to_their_resolution():
    flow = preset("poisson")
    record = flow.compiled()[0]
    laws = {"distance": flow.limit_rates, "limit_size": flow.limit_sizes, "market_size": flow.market_sizes}
    laws["jump_size"] = flow.jump_sizes
    for name, weights in laws.items():
        table = record[name]
        law = np.zeros(TABLE_SIZE)
        for column in range(TABLE_SIZE):
            share = int(table["threshold"][column]) / 2**26
            law[column] += share
            law[int(table["alias"][column]) - 1] += 1 - share
        expected = np.zeros(TABLE_SIZE)
        expected[: len(weights)] = np.array(weights) / sum(weights)
        assert np.abs(law / TABLE_SIZE - expected).max() < 1e-7
        assert (law[len(weights) :] == 0).all(), "a value of no weight can be drawn"


def test_flow_rates_and_sizes():
    """Limit orders, market orders and sizes over 200 s, in a book so deep that no market order sweeps it."""
    flow = FlowConfig(
        limit_rates=(6.0, 3.0, 1.0),
        cancel_rates=(0.0,),
        market_rate=2.0,
        limit_sizes=(1.0, 0.0, 1.0),
        market_sizes=(0.0, 1.0),
    )
    made = Market(MarketConfig(flow=flow, max_orders=2**13, initial_depth=64, warm_up_ns=0), seed=2)
    seconds = 200
    made.run_for(seconds * SECOND)
    taken = made.counters
    for volume in (taken.volume_bought, taken.volume_sold):
        assert volume == pytest.approx(2.0 * 2 * seconds, rel=0.15)
    check(made)
    times = clocks(Market(MarketConfig(flow=flow, max_orders=2**13, warm_up_ns=0), 2), LIMIT, seconds * SECOND)
    gaps = np.diff(times) / 1e9
    assert len(times) == pytest.approx(20.0 * seconds, rel=0.05)
    assert gaps.std() == pytest.approx(gaps.mean(), rel=0.06)


def test_cancellations_follow_their_distance():
    """500 orders at each of three distances: after t seconds the share exp(-theta t) is left."""
    theta = (0.5, 0.2, 0.05)
    flow = FlowConfig(limit_rates=(0.0,), cancel_rates=theta, market_rate=0.0)
    made = Market(MarketConfig(flow=flow, max_orders=4096, initial_depth=0, warm_up_ns=0), seed=6)
    # Distances count from the opposite touch: the bid at 999 is one tick from the asks at 1,000.
    made.set_book([(p, 1) for p in (999, 998, 997) for _ in range(500)], [(1_000, 1)] * 500)
    made.run_for(2 * SECOND)
    left = dict(made.depth(BID))
    for price, rate in zip((999, 998, 997), theta, strict=True):
        expected = np.exp(-2 * rate)
        deviation = (left[price] / 500 - expected) / np.sqrt(expected * (1 - expected) / 500)
        assert abs(deviation) < 4, (price, left[price])
    check(made)


def test_jumps_move_the_value_and_informed_orders_follow_it():
    flow = FlowConfig(
        limit_rates=(30.0, 10.0),
        cancel_rates=(1.0,),
        market_rate=0.0,
        jump_rate=1.0,
        jump_sizes=(0.0, 0.0, 1.0),
        informed_rate=50.0,
    )
    made = Market(MarketConfig(flow=flow), seed=1)
    for _ in range(30):
        made.run_for(SECOND)
        assert (made.fundamental - 10_000) % 3 == 0
    assert made.counters.trades > 50
    assert abs(made.account(1).mid - made.fundamental) < 10


def test_rates_near_zero_do_not_overflow_the_clock():
    flow = FlowConfig(limit_rates=(1e-200,), cancel_rates=(1e-300,), market_rate=1e-12, jump_rate=1e-30)
    made = Market({"flow": flow, "warm_up_ns": 10**13})
    assert made.time == 10**13 and made.counters.trades == 0
    assert next_flow_event(made) > made.time
    means = [name for name in FLOW.names if name.endswith("_mean")]
    assert len(means) == 5 and all(flow.compiled()[name][0] <= 1e17 for name in means)


def test_cancel_clock_is_one_of_the_mechanisms():
    made = busy(3)
    times = clocks(made, CANCEL, 3 * SECOND)
    assert len(times) > 20 and times == sorted(times)


def test_an_environment_with_the_same_key_runs_the_same_market():
    market = MarketConfig(latency=LatencyConfig(MS, 0, MS, 0, 5 * MS))
    core = EnvCore(EnvConfig(market=market, step_ns=100 * MS), 3)
    core.reset(np.array([5, 6, 7], np.uint64))
    nothing = np.zeros((3, 3), np.int64)
    twins = [Market(market, seed) for seed in (5, 6, 7)]
    for _ in range(50):
        core.step(nothing)
        for row, twin in enumerate(twins):
            twin.run_until(int(core.arrays.state["time"][row]))
            assert core.arrays.flow_state[row] == twin._arrays.flow_state[0]
            assert core.arrays.state["messages"][row] == twin.counters.messages
    assert twins[0].counters.trades > 10
