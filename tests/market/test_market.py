"""The face of the market: construction, clock, book, refusals, counters, logs."""

import doctest
import time

import numpy as np
import pytest

import hft_gym
from hft_gym import (
    BookFullError,
    BookSnapshot,
    ConfigError,
    FlowConfig,
    LogOverflowError,
    Market,
    MarketConfig,
    OrderError,
    PriceError,
    QuantityError,
    SideError,
    UnknownOrderError,
)
from hft_gym._jit import JIT_DISABLED
from hft_gym.market import MarketEvent, entries, market
from tests.market.helpers import (
    ASK,
    BID,
    IOC,
    MS,
    POST_ONLY,
    SECOND,
    busy,
    check,
    digest,
    orders,
    path,
    quiet,
)

# -- construction ------------------------------------------------------------------------------------------


def test_it_is_public():
    assert hft_gym.Market is Market and "Market" in hft_gym.__all__


def test_the_docstring_runs():
    assert doctest.testmod(market).failed == 0


@pytest.mark.parametrize(
    "config",
    [
        None,
        "default",
        {"flow": "default"},
        MarketConfig(),
        {"participants": 1, "latency": {"order_ns": 1_000_000}},
    ],
)
def test_ways_to_say_the_default(config):
    assert path(Market(config, 3)) == path(Market(MarketConfig(), 3))


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"partcipants": 1}, "did you mean 'participants'"),
        ({"latency": {"order": 1}}, "did you mean 'order_ns'"),
        ({"order_ns": 1}, "did you mean 'latency.order_ns'"),
        ("cst201", "did you mean 'cst2010'"),
        ({"participants": -1}, "participants"),
        ({"levels": 100}, "levels is 100; allowed are multiples of 64"),
        ({"fees": {"maker": 0.00001}}, "fees are multiples of 0.0001"),
        ({"flow": {"limit_rates": [-1.0]}}, "limit_rates"),
        (7, "expected a mapping"),
    ],
)
def test_a_wrong_configuration_is_refused(config, message):
    with pytest.raises(ConfigError, match=message):
        Market(config)


@pytest.mark.parametrize(
    "arguments", [{"seed": -1}, {"seed": 2**64}, {"seed": 0.5}, {"log_capacity": -1}, {"start": 5}]
)
def test_wrong_arguments_are_refused(arguments):
    with pytest.raises(ConfigError, match=next(iter(arguments))):
        Market(**arguments)


def test_seeds_make_markets_and_the_same_seed_the_same():
    assert digest(Market(seed=5)) == digest(Market(seed=5))
    assert len({path(Market(seed=s)) for s in (0, 1, 2, 2**64 - 1)}) == 4


def test_the_market_opens_after_its_warm_up():
    assert Market({"warm_up_ns": 7}).time == 7
    assert Market().time == MarketConfig().warm_up_ns


@pytest.mark.skipif(JIT_DISABLED, reason="nothing is compiled")
def test_a_new_size_compiles_nothing():
    before = len(entries.run_markets.signatures)
    assert before == 1
    begin = time.perf_counter()
    for levels, max_orders, people, own, capacity in (
        (64, 64, 0, 2, 0),
        (512, 3_000, 5, 40, 9),
        (128, 100, 1, 3, 1),
    ):
        made = Market(
            {"levels": levels, "max_orders": max_orders, "participants": people, "max_own_orders": own},
            log_capacity=capacity,
        )
        made.run_for(SECOND)
    assert len(entries.run_markets.signatures) == 1
    assert time.perf_counter() - begin < 3.0


def test_a_thousand_participants_of_many_orders():
    made = quiet([(10, 1)], [(20, 1)], participants=1024, max_own_orders=80)
    made.submit(1024, BID, 3, 11)
    made.submit(900, BID, 2, 11)
    made.run_for(1)
    assert [o[:3] for o in orders(made, BID)] == [(11, 3, 1024), (11, 2, 900), (10, 1, 0)]
    made.cancel(1024, 1)
    made.run_for(1)
    assert made.depth(BID) == [(11, 2), (10, 1)]
    check(made)


# -- the clock ---------------------------------------------------------------------------------------------


def test_the_clock_goes_where_it_is_sent_and_never_back():
    made = busy()
    assert made.time == SECOND
    made.run_for(0)
    made.run_until(SECOND + 5)
    assert made.time == SECOND + 5
    with pytest.raises(ConfigError, match="time is 5"):
        made.run_until(5)
    with pytest.raises(ConfigError, match="duration is -1"):
        made.run_for(-1)
    with pytest.raises(ConfigError, match=r"duration is 0\.5"):
        made.run_for(0.5)
    assert made.time == SECOND + 5


def test_how_the_way_is_cut_makes_no_difference():
    whole, cut = busy(4), busy(4)
    whole.run_for(3 * SECOND)
    while cut.time < whole.time:
        cut.run_for(min(37 * MS, whole.time - cut.time))
    assert path(whole) == path(cut)


def test_running_to_an_event():
    made = busy(1)
    trades, touch = made.counters.trades, (made.best(BID), made.best(ASK))
    happened = made.run_until_event(MarketEvent.TRADE, 100 * SECOND)
    assert MarketEvent.TRADE in happened and made.counters.trades > trades
    made = busy(1)
    happened = made.run_until_event(MarketEvent.TOUCH, 100 * SECOND)
    assert MarketEvent.TOUCH in happened and (made.best(BID), made.best(ASK)) != touch


def test_running_to_an_event_ends_at_the_time_out():
    made = quiet([(9, 1)], [(11, 1)])
    assert made.run_until_event(MarketEvent.TRADE | MarketEvent.TOUCH, 500) == MarketEvent(0)
    assert made.time == 500
    made.submit(1, BID, 1, at=700)
    assert made.run_until_event(MarketEvent.FILL, 500) & MarketEvent.FILL
    assert made.time == 700
    with pytest.raises(ConfigError, match="events is"):
        made.run_until_event(MarketEvent(0), 500)
    with pytest.raises(ConfigError, match="timeout is -1"):
        made.run_until_event(MarketEvent.FILL, -1)


# -- the book ----------------------------------------------------------------------------------------------


def test_a_snapshot_is_in_currency():
    made = quiet([(999, 5), (998, 10)], [(1001, 4), (1001, 6), (1004, 1)])
    found = made.snapshot(1)
    assert isinstance(found, BookSnapshot)
    assert (found.symbol, found.best_bid, found.best_ask, found.mid_price) == ("SIM", 9.99, 10.01, 10.0)
    assert (found.bids, found.asks) == (((9.99, 5),), ((10.01, 10),))
    assert (found.total_bid_volume, found.total_ask_volume) == (15, 11)
    assert made.depth(ASK) == [(1001, 10), (1004, 1)]
    assert made.to_ticks(9.99) == 999 and made.to_price(999) == 9.99


def test_own_orders_can_be_left_out():
    made = quiet([(999, 5)], [(1001, 4)])
    made.submit(1, BID, 2, 1000)
    made.submit(1, BID, 2, 999)
    made.submit(2, BID, 7, 999)
    made.run_for(1)
    assert made.depth(BID) == [(1000, 2), (999, 14)]
    assert made.depth(BID, without=1) == [(999, 12)]
    assert made.depth(BID, without=2) == [(1000, 2), (999, 7)]
    assert made.snapshot(without=1).total_bid_volume == 12
    assert made.best(BID) == 1000 and made.best(BID, without=1) == 999
    assert made.snapshot(0, without=1).best_bid == 9.99


def test_an_empty_book_has_no_prices():
    made = quiet()
    found = made.snapshot()
    assert (found.best_bid, found.mid_price, found.bids) == (None, None, ())
    assert made.best(ASK) is None
    made.submit(1, BID, 3)
    made.run_for(5)
    assert made.account(1).position == 0 and len(made.orders()) == 1


def test_prices_beyond_the_ladder_are_parked_and_shown():
    made = quiet([(999, 5)], [(1001, 4)], levels=64)
    for quantity, price in ((1, 5_000), (2, 3_000), (3, 5_000), (4, 2**40)):
        made.submit(1, ASK, quantity, price)
    made.submit(2, ASK, 9, 3_000)
    made.submit(2, BID, 6, -(2**40))
    made.run_for(1)
    assert made.counters.parked == 6
    assert made.depth(ASK) == [(1001, 4), (3_000, 11), (5_000, 4), (2**40, 4)]
    assert made.depth(ASK, without=1) == [(1001, 4), (3_000, 9)]
    assert made.depth(ASK, 2) == [(1001, 4), (3_000, 11)]
    assert made.depth(BID) == [(999, 5), (-(2**40), 6)]
    assert made.snapshot().total_ask_volume == 23
    assert made.snapshot(without=2).total_ask_volume == 14
    assert [o.volume_ahead for o in made.working_orders(1)] == [0, 0, 1, 0]
    check(made)


def test_parked_orders_trade_when_their_turn_comes():
    made = quiet([(999, 5)], [(1001, 4)], levels=64)
    made.submit(1, ASK, 2, 3_000)
    made.run_for(1)
    made.submit(2, BID, 5)
    made.run_for(1)
    assert made.account(1).position == -1 and made.account(1).cash == 3_000.0
    assert made.depth(ASK) == [(3_000, 1)]
    check(made)


def test_a_book_can_be_set():
    made = busy(3)
    made.set_book([(95, 1), (96, 2), (96, 3)], [(99, 7)], fundamental=97.5)
    assert [o[:2] for o in orders(made, BID)] == [(96, 2), (96, 3), (95, 1)]
    assert made.depth(ASK) == [(99, 7)] and made.fundamental == 97.5
    assert made.account(1).mid == 97.5
    check(made)
    made.run_for(5 * SECOND)
    check(made)
    made.set_book([], [])
    made.run_for(SECOND)
    check(made)


@pytest.mark.parametrize(
    ("bids", "asks", "error"),
    [
        ([(10, 1)], [(10, 1)], OrderError),
        ([(10, 0)], [], QuantityError),
        ([(0.5, 1)], [], PriceError),
        ([(2**41, 1)], [], PriceError),
        ([(10, 1)] * 1025, [], BookFullError),
        ([(10, 2**31 - 1)] * 3, [], BookFullError),
    ],
)
def test_a_book_that_cannot_be_is_refused(bids, asks, error):
    made = busy(3)
    before = digest(made)
    with pytest.raises(error):
        made.set_book(bids, asks)
    assert digest(made) == before


def test_a_book_is_not_set_over_orders_of_participants():
    made = quiet([(9, 1)], [(11, 1)])
    made.submit(1, BID, 1, 8)
    made.run_for(1)
    with pytest.raises(OrderError, match="1 orders of participants"):
        made.set_book([], [])


# -- refusals ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((0, BID, 1, 10), OrderError, "participant is 0; this market has 1 to 2"),
        ((3, BID, 1, 10), OrderError, "participant is 3"),
        (("1", BID, 1, 10), OrderError, "participant is '1'"),
        ((1, 2, 1, 10), SideError, "side is 2"),
        ((1, "bid", 1, 10), SideError, "side is 'bid'"),
        ((1, BID, 0, 10), QuantityError, "quantity is 0"),
        ((1, BID, -1, 10), QuantityError, "quantity is -1"),
        ((1, BID, 2**31, 10), QuantityError, "quantity is"),
        ((1, BID, 1.5, 10), QuantityError, "quantity is 1.5"),
        ((1, BID, float("nan"), 10), QuantityError, "quantity is nan"),
        ((1, BID, True, 10), QuantityError, "quantity is True"),
        ((1, BID, 1, 10.5), PriceError, r"price is 10\.5; allowed are whole ticks"),
        ((1, BID, 1, float("nan")), PriceError, "price is nan"),
        ((1, BID, 1, float("inf")), PriceError, "price is inf"),
        ((1, BID, 1, 2**40 + 1), PriceError, "price is"),
        ((1, BID, 2**31 - 1, 2**40), QuantityError, "may be worth at most"),
        ((1, BID, 1, 10, 4), OrderError, "time_in_force is 4"),
        ((1, BID, 1, None, POST_ONLY), OrderError, "POST_ONLY"),
    ],
)
def test_a_bad_order_is_refused_and_nothing_has_happened(arguments, error, message):
    made = busy()
    before = digest(made)
    with pytest.raises(error, match=message):
        made.submit(*arguments)
    assert digest(made) == before


def test_whole_floats_and_numpy_numbers_are_numbers():
    made = quiet([(9, 1)], [(11, 1)])
    assert made.submit(np.int64(1), np.uint8(0), 2.0, np.float64(10.0), np.int8(0)) == 1
    made.run_for(np.int64(1))
    assert made.depth(BID)[0] == (10, 2)


def test_unknown_orders_are_refused():
    made = busy()
    number = made.submit(1, BID, 1, 9_000)
    before = digest(made)
    for call in (
        lambda: made.cancel(1, number + 1),
        lambda: made.cancel(2, number),
        lambda: made.cancel(1, "x"),
        lambda: made.modify(2, number, 1, 9_000),
    ):
        with pytest.raises(UnknownOrderError, match="has no such working order"):
            call()
    for call in (
        lambda: made.modify(1, number, 0, 9_000),
        lambda: made.modify(1, number, 1, 0.5),
        lambda: made.cancel(1, number, at=made.time - 1),
        lambda: made.submit(1, BID, 1, 9_000, at=2.5),
    ):
        with pytest.raises(OrderError):
            call()
    assert digest(made) == before


def test_tables_that_are_full_refuse_and_nothing_has_happened():
    made = quiet([(9, 1)], [(11, 1)], participants=1, max_own_orders=2, order=5, cancel=5)
    first, _ = made.submit(1, BID, 1, 8), made.submit(1, BID, 1, 8)
    before = digest(made)
    with pytest.raises(BookFullError, match="participant 1 has 2 working orders"):
        made.submit(1, BID, 1, 8)
    assert digest(made) == before
    for quantity in range(4):
        made.modify(1, first, quantity + 1, 8)
    before = digest(made)
    with pytest.raises(BookFullError, match="6 messages are in flight"):
        made.modify(1, first, 9, 8)
    with pytest.raises(BookFullError, match="6 messages are in flight"):
        made.cancel(1, first)
    assert digest(made) == before
    made.run_for(10)
    made.cancel(1, first)
    made.run_for(10)
    made.submit(1, BID, 1, 8)
    check(made)


def test_an_order_the_full_book_cannot_take_is_rejected_and_logged():
    made = quiet([(9, 1)] * 15, [(11, 1)], max_orders=16)
    made.submit(1, BID, 1, 8)
    made.submit(1, BID, 1, 11, IOC)
    made.run_for(1)
    log = made.orders().to_frame()
    assert log["end_reason"].tolist() == ["REJECTED", "FILLED"]
    check(made)


def test_orders_of_the_flow_that_find_the_pool_full_are_counted():
    flow = FlowConfig(limit_rates=(50.0,), cancel_rates=(0.0,), market_rate=0.0)
    made = Market({"flow": flow, "max_orders": 16, "initial_depth": 2, "warm_up_ns": SECOND})
    assert made.counters.resting == 16 and made.counters.rejected > 50
    check(made)


# -- counters and logs -------------------------------------------------------------------------------------


def test_counters_count_what_the_book_did():
    made = quiet([(9, 4)], [(11, 5)])
    start = made.counters.messages
    made.submit(1, BID, 3)
    made.submit(1, ASK, 2)
    made.run_for(1)
    number = made.submit(1, BID, 2, 8)
    made.run_for(1)
    made.modify(1, number, 1, 8)
    made.cancel(1, number)
    made.run_for(1)
    found = made.counters
    assert found.messages - start == 5
    assert (found.trades, found.volume_bought, found.volume_sold) == (2, 3, 2)
    assert (found.resting, found.parked, found.rejected, found.refused, found.lost) == (2, 0, 0, 0, 0)


def test_a_full_log_is_said_once_and_keeps_what_it_had():
    made = quiet([(9, 100)], [(11, 100)], log_capacity=3)
    for _ in range(5):
        made.submit(1, BID, 1)
        made.run_for(1)
    assert made.counters.lost == 5  # four and one mid
    with pytest.raises(LogOverflowError, match="5 log records were lost: log_capacity is 3"):
        made.fills()
    assert len(made.fills()) == 3 and len(made.orders()) == 3
    made.submit(1, BID, 1)
    made.run_for(1)
    assert len(made.fills()) == 1 and len(made.fills()) == 0


def test_without_logs_nothing_is_logged_lost_or_different():
    plain, logged = busy(9, log_capacity=0), busy(9)
    for made in (plain, logged):
        made.submit(1, BID, 3)
        made.run_for(SECOND)
    assert len(plain.fills()) == len(plain.orders()) == len(plain.mids()) == 0
    assert plain.counters == logged.counters and plain.account(1) == logged.account(1)
    assert path(plain) == path(logged)
    assert len(logged.fills()) > 0


def test_the_first_mid_is_logged_at_the_opening():
    made = busy(2, participants=3)
    log = made.mids()
    assert log["participant"].tolist() == [1, 2, 3] and set(log["time"].tolist()) == {SECOND}
    assert set(log["mid2"].tolist()) == {made.account(1).mid2}


def test_logs_are_tables():
    made = busy(2)
    made.submit(1, BID, 50)
    made.submit(1, ASK, 2, made.best(ASK) + 30)
    made.run_for(10 * MS)
    log = made.fills()
    frame = log.to_frame()
    assert list(frame.columns[:4]) == ["participant", "side", "maker", "closing"]
    assert frame["side"].unique().tolist() == ["BID"] and frame["maker"].dtype == bool
    assert len(log) == len(frame) == len(np.asarray(log)) == len(list(log)) and "price" in repr(log)
    assert made.orders().to_frame()["time_in_force"].tolist() == ["IOC"]
    assert {"time", "mid2"} <= set(made.mids().to_frame().columns)


def test_drained_logs_and_accounts_are_values():
    made = busy(2)
    made.submit(1, BID, 5)
    made.run_for(10 * MS)
    log, account = made.fills(), made.account(1)
    before = log.records.copy()
    made.submit(1, ASK, 5)
    made.run_for(10 * MS)
    assert (log.records == before).all() and made.account(1) != account


def test_looking_changes_nothing():
    made = busy(6)
    made.submit(1, BID, 2, made.best(BID))
    made.run_for(10 * MS)
    before = digest(made)
    made.snapshot(), made.depth(BID), made.account(1), made.working_orders(1), made.counters, repr(made)
    assert digest(made) == before
