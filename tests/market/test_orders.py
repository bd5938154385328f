"""Constructed scenarios: what messages do, when they arrive, and every field that the logs keep of them."""

import pytest

from hft_gym import FeeConfig, OrderStatus
from hft_gym.market import EndReason
from hft_gym.types import MAX_PRICE_TICKS
from tests.market.helpers import (
    ASK,
    BID,
    FOK,
    GTC,
    IOC,
    MS,
    POST_ONLY,
    SECOND,
    busy,
    check,
    in_flight,
    orders,
    quiet,
)

BOOK = {"bids": [(999, 5), (999, 3), (998, 10)], "asks": [(1001, 4), (1001, 6), (1002, 10)]}


def only(log):
    """The one record of a log, by column."""
    assert len(log) == 1
    return {name: int(log[name][0]) for name in log.records.dtype.names if name != "pad"}


def columns(log, *names):
    return list(zip(*(log[name].tolist() for name in names), strict=True))


# -- latency -----------------------------------------------------------------------------------------------


def test_an_order_arrives_exactly_one_latency_after_it_was_sent():
    market = quiet(**BOOK, order=1_234)
    market.run_until(10_000)
    market.submit(1, BID, 1, 1000)
    market.run_until(11_233)
    assert market.best(BID) == 999 and market.in_flight(1) == 1
    [order] = market.working_orders(1)
    assert (order.status, order.time_entry, order.volume_ahead) == (OrderStatus.NEW, None, None)
    market.run_until(11_234)
    assert market.best(BID) == 1000 and market.in_flight(1) == 0
    [order] = market.working_orders(1)
    assert (order.status, order.time_sent, order.time_entry) == (OrderStatus.RESTING, 10_000, 11_234)


def test_an_order_can_be_sent_at_a_later_time_as_if_the_data_were_delayed():
    market = quiet(**BOOK, order=100)
    market.run_until(5_000)
    market.submit(1, BID, 1, 1000, at=5_500)
    assert in_flight(market)[0]["arrival"] == 5_600
    market.run_until(5_600)
    assert market.working_orders(1)[0].time_sent == 5_500


def test_a_cancel_never_overtakes_its_order():
    market = quiet(**BOOK, order=1_000, cancel=10)
    number = market.submit(1, BID, 1, 1000)
    market.cancel(1, number)
    market.run_until(999)
    assert market.in_flight(1) == 2
    market.run_until(1_000)
    assert market.in_flight(1) == 0 and market.working_orders(1) == []
    record = only(market.orders())
    assert record["end_reason"] == EndReason.CANCELLED
    assert (record["time_entry"], record["time_end"]) == (1_000, 1_000)


def test_a_cancel_does_not_overtake_a_modification_either():
    market = quiet(**BOOK, order=0, cancel=500)
    number = market.submit(1, BID, 5, 1000)
    market.run_for(1)
    market.modify(1, number, 2, 1000)
    market.run_for(100)
    market.cancel(1, number)
    market.run_for(399)
    assert market.working_orders(1)[0].remaining == 5
    market.run_for(1)
    assert market.working_orders(1)[0].remaining == 2
    market.run_for(100)
    assert only(market.orders())["filled"] == 0 and market.working_orders(1) == []


def test_messages_of_one_instant_arrive_in_the_order_of_sending():
    market = quiet(**BOOK, order=10)
    for p in (2, 1, 2):
        market.submit(p, BID, p, 1000)
    market.run_for(10)
    assert [(o[1], o[2]) for o in orders(market, BID)][:3] == [(2, 2), (1, 1), (2, 2)]


def test_latencies_may_be_longer_than_any_step():
    market = quiet(**BOOK, order=10_000 * MS)
    market.submit(1, BID, 1)
    for _ in range(99):
        market.run_for(100 * MS)
        assert market.account(1).position == 0
    market.run_for(100 * MS)
    assert market.account(1).position == 1


def test_a_second_cancel_is_not_sent_and_a_cancelled_order_cannot_be_modified():
    market = quiet(**BOOK, cancel=100)
    number = market.submit(1, BID, 1, 1000)
    market.cancel(1, number)
    market.cancel(1, number)
    assert market.in_flight(1) == 2
    with pytest.raises(KeyError, match="a cancel of this order is on its way"):
        market.modify(1, number, 1, 1000)


def test_a_cancel_that_comes_too_late_does_nothing():
    market = quiet(**BOOK, cancel=100)
    number = market.submit(1, BID, 4, 999)
    market.run_for(1)
    market.cancel(1, number)
    market.submit(2, ASK, 12)  # sells through the queue, the order included
    market.run_for(1_000)
    assert market.account(1).position == 4
    check(market)
    fills, orders = market.fills(), market.orders()
    assert fills["cancel_sent"][fills["participant"] == 1].tolist() == [1]  # and the log says so
    assert orders["cancel_sent"][orders["participant"] == 1].tolist() == [1]
    assert not fills["cancel_sent"][fills["participant"] == 2].any()


# -- fills and their log ------------------------------------------------------------------------------------


def test_every_column_of_a_passive_fill():
    market = quiet(**BOOK, order=100, fees=FeeConfig("per_lot", -0.25, 0.5))
    market.run_until(1_000)
    number = market.submit(1, BID, 7, 999)
    market.run_until(1_100)
    [order] = market.working_orders(1)
    assert (order.queue_ahead_entry, order.volume_ahead, order.orders_ahead) == (8, 8, 2)
    market.submit(2, ASK, 6)
    market.run_until(2_000)
    [order] = market.working_orders(1)
    assert (order.queue_ahead_entry, order.volume_ahead, order.orders_ahead) == (8, 2, 1)
    market.submit(2, ASK, 5)
    market.run_until(5_000)
    mine = market.fills().records
    mine = mine[mine["participant"] == 1]
    assert len(mine) == 1
    found = {name: int(mine[name][0]) for name in mine.dtype.names}
    assert found == {
        "env": 0,
        "episode": 0,
        "participant": 1,
        "side": BID,
        "maker": 1,
        "closing": 0,
        "cancel_sent": 0,
        "order_id": number,
        "time": 2_100,
        "price": 999,
        "quantity": 3,
        "mid2": 999 + 1001,
        "queue_ahead_entry": 8,
        "queue_ahead_fill": 2,
        "order_age": 1_100,
        "fee": -7_500,
    }
    account = market.account(1)
    assert (account.position, account.bought, account.sold, account.maker_volume) == (3, 3, 0, 3)
    assert account.cash_units == -3 * 999 * 10_000 + 7_500 and account.fees_units == -7_500


def test_a_taker_that_sweeps_levels_has_one_fill_for_each_resting_order():
    market = quiet(**BOOK, fees=FeeConfig("per_lot", 0.0, 0.5))
    number = market.submit(1, BID, 12)
    market.run_for(0)
    log = market.fills()
    assert columns(log, "price", "quantity", "maker", "mid2", "queue_ahead_fill", "fee") == [
        (1001, 4, 0, 2000, -1, 20_000),
        (1001, 6, 0, 2000, -1, 30_000),
        (1002, 2, 0, 2000, -1, 10_000),
    ]
    record = only(market.orders())
    assert record["order_id"] == number and record["end_reason"] == EndReason.FILLED
    assert (record["quantity"], record["filled"], record["price"]) == (12, 12, MAX_PRICE_TICKS)
    assert record["queue_ahead_entry"] == -1


def test_the_mid_of_a_fill_is_the_others_and_of_just_before():
    market = quiet([(999, 1)], [(1003, 5)])
    market.submit(1, BID, 1, 1001)  # improves: for everybody else the mid is now 1002
    market.run_for(1)
    market.submit(2, ASK, 1)
    market.run_for(1)
    assert dict(columns(market.fills(), "participant", "mid2")) == {1: 999 + 1003, 2: 1001 + 1003}


def test_the_marking_mid_leaves_own_orders_out_and_the_log_says_when_it_moved():
    market = quiet([(999, 1)], [(1003, 5)])
    market.mids()
    market.run_until(50)
    number = market.submit(1, BID, 1, 1001)
    market.run_until(60)
    assert market.account(1).mid == 1001.0 and market.account(2).mid == 1002.0
    assert columns(market.mids(), "participant", "time", "mid2") == [(2, 50, 2004)]
    market.cancel(1, number)
    market.run_until(70)
    assert columns(market.mids(), "participant", "time", "mid2") == [(2, 60, 2002)]


@pytest.mark.parametrize(
    ("rate", "price", "quantity", "fee"),
    [
        (0.5, 1001, 1, 501),  # 0.5 bp of 1001 ticks is 500.5 sub-units
        (-0.5, 1001, 1, -501),
        (0.5, 1003, 1, 502),  # 501.5
        (1.0, 1001, 3, 3_003),
        (0.0001, 1001, 1, 0),  # 0.1001
        (0.0005, 1001, 1, 1),  # 0.5005
        (-0.0005, 1000, 1, -1),  # -0.5, away from zero
    ],
)
def test_fees_in_basis_points_round_half_away_from_zero(rate, price, quantity, fee):
    market = quiet([(900, 1)], [(price, quantity)], fees=FeeConfig("bps", 0.0, rate))
    market.submit(1, BID, quantity)
    market.run_for(1)
    assert only(market.fills())["fee"] == market.account(1).fees_units == fee
    assert market.counters.fees_units == fee


def test_profit_is_realised_at_average_cost():
    market = quiet([(990, 10)], [(1000, 1), (1003, 1), (1004, 1), (1100, 9)])
    market.submit(1, BID, 3)
    market.run_for(1)
    market.submit(1, ASK, 1)
    market.run_for(1)
    account = market.account(1)
    cost = (1000 + 1003 + 1004) * 10_000
    assert account.cost_units == cost - cost // 3
    assert account.realised_units == 990 * 10_000 - cost // 3
    assert account.equity_units == account.realised_units + account.unrealised_units - account.fees_units
    market.submit(1, ASK, 5)  # through zero: now short 3 at 990
    market.run_for(1)
    account = market.account(1)
    assert (account.position, account.cost_units) == (-3, -3 * 990 * 10_000)
    assert account.realised_units == (3 * 990 - 3007) * 10_000
    assert account.realised == 3 * 990 - 3007
    assert account.equity == account.realised + account.unrealised - account.fees


# -- how orders end ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "reason", "filled", "entered"),
    [
        ((BID, 4, 1001, GTC), EndReason.FILLED, 4, True),
        ((BID, 12, 1001, IOC), EndReason.EXPIRED, 10, True),
        ((BID, 1, 1000, IOC), EndReason.EXPIRED, 0, True),
        ((BID, 11, 1001, FOK), EndReason.EXPIRED, 0, False),
        ((BID, 10, 1001, FOK), EndReason.FILLED, 10, True),
        ((BID, 1, 1001, POST_ONLY), EndReason.REJECTED, 0, False),
        ((BID, 50, None, GTC), EndReason.EXPIRED, 20, True),
        ((BID, 50, None, FOK), EndReason.EXPIRED, 0, False),
    ],
)
def test_end_reasons_at_entry(arguments, reason, filled, entered):
    market = quiet(**BOOK, order=7)
    market.run_until(100)
    side, quantity, price, tif = arguments
    market.submit(1, side, quantity, price, tif)
    market.run_until(200)
    record = only(market.orders())
    assert record["end_reason"] == reason and record["filled"] == filled
    assert record["time_sent"] == 100 and record["time_end"] == 107
    assert record["time_entry"] == (107 if entered else -1)
    assert market.working_orders(1) == []
    check(market)


def test_the_resting_order_gives_way_to_the_same_participants():
    market = quiet(**BOOK)
    first = market.submit(1, BID, 2, 1000)
    market.run_until(10)
    market.submit(1, ASK, 6, 999)
    market.run_until(20)
    ended = market.orders()
    assert columns(ended, "order_id", "end_reason", "filled", "time_end") == [
        (first, EndReason.SELF_TRADE, 0, 10),
        (first + 1, EndReason.FILLED, 6, 10),
    ]
    assert columns(market.fills(), "order_id", "price", "quantity") == [(2, 999, 5), (2, 999, 1)]
    assert market.account(1).position == -6
    check(market)


def test_two_participants_trade_with_each_other():
    market = quiet(**BOOK, fees=FeeConfig("per_lot", -0.1, 0.3))
    market.submit(1, BID, 2, 1000)
    market.submit(2, ASK, 3, 1000)
    market.run_for(1)
    names = ("participant", "side", "maker", "price", "quantity", "fee")
    assert columns(market.fills(), *names) == [
        (1, BID, 1, 1000, 2, -2_000),
        (2, ASK, 0, 1000, 2, 6_000),
    ]
    assert market.account(0).position == 0 and market.account(0).cash_units == 0
    assert [o.remaining for o in market.working_orders(2)] == [1]
    assert market.working_orders(2)[0].status == OrderStatus.PARTIALLY_FILLED
    check(market)


# -- modifications -----------------------------------------------------------------------------------------


def test_a_reduction_keeps_the_place_and_what_was_logged_of_the_entry():
    market = quiet(**BOOK)
    number = market.submit(1, BID, 5, 999)
    market.run_until(10)
    market.submit(2, BID, 1, 999)
    market.run_until(20)
    market.modify(1, number, 2, 999)
    market.run_until(30)
    [order] = market.working_orders(1)
    assert (order.remaining, order.quantity, order.volume_ahead, order.time_entry) == (2, 2, 8, 0)
    assert [o[1:3] for o in orders(market, BID)] == [(5, 0), (3, 0), (2, 1), (1, 2), (10, 0)]
    market.cancel(1, number)
    market.run_until(40)
    record = only(market.orders())
    assert (record["time_entry"], record["queue_ahead_entry"], record["quantity"]) == (0, 8, 2)


def test_an_increase_or_another_price_loses_the_place():
    market = quiet(**BOOK)
    number = market.submit(1, BID, 5, 999)
    market.submit(2, BID, 1, 999)
    market.run_until(10)
    market.modify(1, number, 6, 999)
    market.run_until(20)
    [order] = market.working_orders(1)
    assert (order.remaining, order.volume_ahead, order.queue_ahead_entry, order.time_entry) == (6, 9, 9, 10)
    market.modify(1, number, 6, 998)
    market.run_until(30)
    [order] = market.working_orders(1)
    assert (order.price, order.volume_ahead, order.queue_ahead_entry, order.time_entry) == (998, 10, 10, 20)
    check(market)


def test_a_modification_that_crosses_trades_as_a_taker():
    market = quiet(**BOOK)
    number = market.submit(1, BID, 5, 999)
    market.run_until(10)
    market.modify(1, number, 12, 1001)
    market.run_until(20)
    assert columns(market.fills(), "maker", "price", "quantity", "queue_ahead_entry", "order_age") == [
        (0, 1001, 4, 8, 10),
        (0, 1001, 6, 8, 10),
    ]
    [order] = market.working_orders(1)
    assert (order.remaining, order.quantity, order.price) == (2, 12, 1001)
    assert market.account(1).position == 10
    check(market)


def test_a_modification_that_fills_ends_the_order():
    market = quiet(**BOOK)
    number = market.submit(1, BID, 5, 999)
    market.run_until(10)
    market.modify(1, number, 3, 1001)
    market.run_until(20)
    record = only(market.orders())
    assert (record["end_reason"], record["filled"], record["quantity"]) == (EndReason.FILLED, 3, 3)
    assert market.working_orders(1) == []
    check(market)


def test_a_modification_the_book_has_no_room_for_is_counted_and_changes_nothing():
    most = 2**31 - 1
    market = quiet([(1, most), (1, most)], [])
    number = market.submit(1, BID, 5, 2)
    market.run_for(1)
    market.modify(1, number, 5, 1)
    market.run_for(1)
    assert market.counters.refused == 1
    assert market.working_orders(1)[0].price == 2
    check(market)


# -- the end of trading ------------------------------------------------------------------------------------


def test_close_position_withdraws_everything_and_trades_the_position_away():
    market = quiet(**BOOK, order=0, fees=FeeConfig("per_lot", 0.0, 0.5))
    market.submit(1, BID, 4)
    resting = market.submit(1, BID, 2, 990)
    market.run_until(10)
    market.submit(1, BID, 3, 1000, at=20)
    market.fills(), market.orders()
    market.close_position(1)
    assert sorted(columns(market.orders(), "order_id", "end_reason")) == [
        (resting, EndReason.EPISODE_END),
        (resting + 1, EndReason.EPISODE_END),
    ]
    names = ("order_id", "closing", "maker", "side", "price", "quantity", "order_age", "queue_ahead_entry")
    assert columns(market.fills(), *names) == [(-1, 1, 0, ASK, 999, 4, 0, -1)]
    account = market.account(1)
    assert account.position == 0 and account.cost_units == 0
    assert account.equity_units == account.cash_units == (4 * 999 - 4 * 1001) * 10_000 - 8 * 5_000
    assert market.in_flight(1) == 0
    market.run_until(100)
    assert market.best(BID) == 999
    check(market)


def test_what_an_emptied_book_cannot_take_is_settled_at_the_last_mid():
    market = quiet([(999, 2)], [(1000, 6)])
    market.submit(1, BID, 5)
    market.run_for(1)
    market.close_position(1)
    assert columns(market.fills(), "price", "quantity", "closing") == [(1000, 5, 0), (999, 2, 1), (999, 3, 1)]
    assert market.account(1).position == 0
    assert market._arrays.account["unclosed"][0, 1] == 3
    check(market)


def test_a_closed_participant_can_go_on():
    market = quiet(**BOOK)
    market.submit(1, ASK, 2)
    market.run_for(1)
    market.close_position(1)
    market.submit(1, BID, 1, 1000)
    market.run_for(1)
    assert market.best(BID) == 1000
    check(market)


def test_the_mid_of_every_fill_is_the_last_one_logged_before_its_message():
    """In one long run, so that nothing but the fill's own message can have brought the mid up to date."""
    market = busy(12, participants=3, max_own_orders=80, max_orders=2048)
    for i in range(60):
        for p in (1, 2, 3):
            market.submit(p, i % 2, 1 + i % 3, market.best(i % 2) + (3 - i // 2 if i % 2 == 0 else i // 2 - 3))
    market.run_for(60 * SECOND)
    fills, mids = market.fills(), market.mids()
    assert (fills["maker"] == 1).sum() > 20 and len(set(fills["mid2"].tolist())) > 5
    for fill in fills:
        before = mids.records[(mids["participant"] == fill["participant"]) & (mids["time"] < fill["time"])]
        assert fill["mid2"] == before["mid2"][-1]
