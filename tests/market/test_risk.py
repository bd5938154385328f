"""Risk limits: refusals before they count, what prices break, the three consequences, and a property over all of it."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hft_gym import ConfigError, HFTGymError, Market, MarketConfig, RiskError, RiskLimits
from hft_gym.market import RiskMode, RiskReason
from hft_gym.market.records import RESTING, EndReason
from tests.market.helpers import ASK, BID, FOK, GTC, IOC, MS, POST_ONLY, SECOND, quiet

BOOK = ([(999, 50), (998, 50)], [(1001, 50), (1002, 50)])


def limited(order: int = 0, cancel: int = 0, participants: int = 1, **limits: object) -> Market:
    return quiet(*BOOK, participants=participants, order=order, cancel=cancel, risk=RiskLimits(**limits))  # type: ignore[arg-type]


def refusal(market: Market, side: int, quantity: int, price: int | None = None) -> str:
    with pytest.raises(RiskError) as caught:
        market.submit(1, side, quantity, price)  # type: ignore[arg-type]
    return caught.value.reason


def test_each_limit_refuses_and_changes_nothing() -> None:
    for limits, side, quantity, price, reason in (
        ({"max_position": 4}, BID, 5, 999, "POSITION"),
        ({"max_order_size": 4}, BID, 5, 999, "ORDER_SIZE"),
        ({"max_notional": 4_999.0}, ASK, 5, 1001, "NOTIONAL"),
        ({"max_open_orders": 0}, BID, 1, 999, "OPEN_ORDERS"),
        ({"price_collar": 3}, BID, 1, 996, "PRICE_COLLAR"),
        ({"price_collar": 3}, BID, 1, 1004, "PRICE_COLLAR"),
    ):
        market = limited(**limits)
        before = market.snapshot()
        assert refusal(market, side, quantity, price) == reason
        market.run_for(SECOND)
        assert market.snapshot() == before and market.working_orders(1) == []
        assert market.risk(1).breaches == {RiskReason[reason]: 1}
        (row,) = market.orders()
        assert EndReason(row["end_reason"]).name == f"RISK_{reason}"
        assert (row["order_id"], row["quantity"], row["filled"]) == (-1, quantity, 0)
    assert len(EndReason) == 6 + len(RiskReason)  # each reason has its own end


def test_each_participant_has_limits_of_its_own() -> None:
    own = (RiskLimits(max_position=2), RiskLimits())
    market = quiet(*BOOK, participants=3, order=0, cancel=0, risk=RiskLimits(max_position=4), participant_risk=own)
    assert refusal(market, BID, 3, 999) == "POSITION"
    market.submit(2, BID, 1000, 999)  # without limits
    with pytest.raises(RiskError, match=r"participant 3.*max_position=4"):
        market.submit(3, BID, 5, 999)
    market.submit(1, BID, 2, 999)
    market.submit(3, BID, 4, 999)
    market.run_for(1)
    assert [market.risk(p).breaches.get(RiskReason.POSITION, 0) for p in (1, 2, 3)] == [1, 0, 1]
    assert [market.config.risk_of(p).max_position for p in (1, 2, 3)] == [2, None, 4]
    with pytest.raises(ConfigError, match="limits of 2 participants; participants is 1"):
        MarketConfig(participants=1, participant_risk=own)


def test_limits_of_one_participant_are_changed_alone() -> None:
    market = quiet(*BOOK, participants=2, order=0, cancel=0)  # without any limit: nothing is checked at first
    market.submit(1, BID, 5, 990)
    market.set_risk(RiskLimits(max_order_size=1, on_breach="kill-switch"), participant=2)
    market.submit(1, BID, 5, 990)
    with pytest.raises(RiskError, match="order_size"):
        market.submit(2, BID, 2, 999)
    market.run_for(SECOND)
    assert [market.risk(p).mode for p in (1, 2)] == [RiskMode.NORMAL, RiskMode.KILLED]
    assert market.copy().config.risk_of(2).max_order_size == 1 and market.config.risk_of(1) == RiskLimits()
    market.set_risk(RiskLimits(max_order_size=3))  # everybody's again
    market.release(2)
    for p in (1, 2):
        market.submit(p, BID, 3, 990)
        with pytest.raises(RiskError):
            market.submit(p, BID, 4, 990)


def test_at_the_limit_is_allowed() -> None:
    market = limited(max_position=5, max_order_size=5, max_notional=5_000.0, max_open_orders=1, price_collar=1)
    market.submit(1, BID, 5, 999)
    market.run_for(1)
    assert [o.remaining for o in market.working_orders(1)] == [5]


def test_what_is_in_flight_counts() -> None:
    market = limited(order=MS, cancel=MS, max_position=4, max_open_orders=2)
    market.submit(1, BID, 3, 999)
    assert refusal(market, BID, 2, 998) == "POSITION"
    market.submit(1, ASK, 4, 1001)  # the other side counts for itself
    assert refusal(market, BID, 1, 998) == "OPEN_ORDERS"


def test_changes_are_checked_when_sent_and_when_they_arrive() -> None:
    market = limited(order=0, cancel=MS, max_position=5)
    a = market.submit(1, BID, 1, 999)
    b = market.submit(1, BID, 1, 998)
    market.run_for(1)
    with pytest.raises(RiskError):
        market.modify(1, a, 5, 999)
    market.modify(1, a, 4, 999)  # each alone is within the limit; together they are not
    market.modify(1, b, 4, 998)
    market.run_for(2 * MS)
    assert sorted(o.remaining for o in market.working_orders(1)) == [1, 4]
    assert market.risk(1).breaches[RiskReason.POSITION] == 2


def test_rates_are_those_of_any_window() -> None:
    market = limited(max_order_rate=3, max_cancel_rate=1, rate_window_ns=10 * MS)
    ids = [market.submit(1, BID, 1, 990) for _ in range(2)]
    market.run_for(9 * MS)
    ids.append(market.submit(1, BID, 1, 990))
    assert refusal(market, BID, 1, 990) == "ORDER_RATE"
    market.run_for(MS)
    ids += [market.submit(1, BID, 1, 990) for _ in range(2)]
    assert refusal(market, BID, 1, 990) == "ORDER_RATE"
    market.run_for(1)
    market.cancel(1, ids[0])
    with pytest.raises(RiskError, match="cancel_rate"):
        market.cancel(1, ids[1])
    assert len(market.working_orders(1)) == 5


def test_a_market_order_is_held_to_the_collar() -> None:
    market = limited(price_collar=1)
    market.submit(1, BID, 80)
    market.run_for(1)
    assert market.account(1).position == 50 and market.snapshot().asks[0].price == pytest.approx(10.02)


def test_no_self_trade_looks_at_orders_in_flight() -> None:
    market = limited(order=MS, no_self_trade=True)
    market.submit(1, BID, 1, 1000)
    assert refusal(market, ASK, 1, 1000) == "SELF_TRADE"
    market.submit(1, ASK, 1, 1001)


@pytest.mark.parametrize("kind", ["max_loss", "max_drawdown"])
def test_a_price_that_moves_too_far_is_a_breach_within_one_event(kind: str) -> None:
    market = limited(participants=2, **{kind: 20.0})
    market.submit(1, BID, 10, 1001)  # 10 lots at half a tick above the mid of 1000
    market.run_for(1)
    assert market.risk(1).passed is None
    market.submit(2, ASK, 100)  # sweeps the bids at 999 and 998
    market.submit(2, BID, 1, 996)
    market.run_for(1)
    state = market.risk(1)
    assert state.passed is RiskReason["LOSS" if kind == "max_loss" else "DRAWDOWN"]
    assert refusal(market, BID, 1, 990) == state.passed.name
    market.submit(1, ASK, 10, 1002)  # what brings the position down is welcome


def test_reduce_only_and_release() -> None:
    market = limited(max_order_size=5, on_breach="reduce-only")
    market.submit(1, BID, 3, 1001)
    market.run_for(1)
    assert refusal(market, BID, 6, 990) == "ORDER_SIZE"
    assert market.risk(1).mode is RiskMode.REDUCE_ONLY
    assert refusal(market, BID, 1, 990) == "REDUCE_ONLY"
    assert refusal(market, ASK, 4, 1002) == "REDUCE_ONLY"  # would turn the position round
    market.submit(1, ASK, 2, 1002)
    assert refusal(market, ASK, 2, 1002) == "REDUCE_ONLY"  # two are on their way already
    market.release(1)
    market.submit(1, BID, 1, 990)


def test_kill_switch_withdraws_drops_and_flattens_with_the_next_event() -> None:
    market = limited(order=MS, participants=2, max_order_size=5, on_breach="kill-switch")
    market.submit(1, BID, 5, 1001)
    market.submit(1, BID, 2, 990)
    market.run_for(2 * MS)
    assert market.account(1).position == 5
    market.submit(1, BID, 1, 991)
    assert refusal(market, BID, 6, 990) == "ORDER_SIZE"
    market.submit(2, BID, 1, 980)  # the next event
    market.run_for(2 * MS)
    account = market.account(1)
    assert account.position == 0 and market.working_orders(1) == [] and market.risk(1).mode is RiskMode.KILLED
    assert refusal(market, BID, 1, 999) == "KILLED"
    ended = [EndReason(row["end_reason"]).name for row in market.orders() if row["participant"] == 1]
    assert ended.count("RISK_KILLED") == 3  # two orders withdrawn, one refused since
    assert sum(market.account(p).position for p in range(3)) == 0


def test_a_kill_waits_for_a_book_to_trade_with() -> None:
    market = limited(participants=2, max_order_size=60, on_breach="kill-switch")
    market.submit(1, BID, 5, 1001)
    market.submit(2, ASK, 50)
    market.submit(2, ASK, 50)
    market.run_for(1)
    assert refusal(market, BID, 61, 990) == "ORDER_SIZE"
    market.submit(2, ASK, 1, 1005)
    market.run_for(1)
    assert market.account(1).position == 5  # nobody bids
    market.submit(2, BID, 9, 900)
    market.run_for(1)
    assert market.account(1).position == 0


def test_limits_that_are_never_broken_leave_no_trace() -> None:
    wide = RiskLimits(
        max_position=10**6, max_order_size=10**6, max_loss=1e12, max_drawdown=1e12, price_collar=10**6,
        max_order_rate=128, max_open_orders=1000, on_breach="kill-switch",
    )
    tapes = []
    for risk in (RiskLimits(), wide):
        market = Market(MarketConfig(flow="cst2010", warm_up_ns=0, participants=1, risk=risk), seed=3)
        for _ in range(20):
            market.submit(1, BID, 1, market.best(BID))
            market.run_for(20 * SECOND)
        tapes.append((market.snapshot(), market.account(1), market.counters))
    assert tapes[0] == tapes[1]


@pytest.mark.parametrize(
    ("name", "value"),
    [("max_position", -1), ("max_loss", 0.0), ("max_order_rate", 129), ("on_breach", "kill"), ("price_collar", 0)],
)
def test_bad_limits_are_refused(name: str, value: object) -> None:
    with pytest.raises(ConfigError, match=name):
        RiskLimits(**{name: value})  # type: ignore[arg-type]


ACTION = st.tuples(
    st.sampled_from(["submit", "submit", "submit", "market", "modify", "cancel", "other", "other"]),
    st.sampled_from([BID, ASK]), st.integers(1, 7), st.integers(-5, 5), st.sampled_from([0, 0, 1, MS, 5 * MS]),
    st.sampled_from([GTC, GTC, POST_ONLY, IOC, FOK]),
)  # fmt: skip


def check_collar(market: Market, collar: int) -> None:
    """What participant 1 has taken, and where it rested, against the others' mid of that moment (logged [half-ticks]).

    The kill switch flattens at any price.
    """
    taken = [f for f in market.fills() if f["participant"] == 1 and not f["maker"] and not f["closing"]]
    for fill in taken:
        sign = 1 if fill["side"] == BID else -1
        assert sign * (2 * int(fill["price"]) - int(fill["mid2"])) <= 2 * collar
    mids = [(int(m["time"]), int(m["mid2"])) for m in market.mids() if m["participant"] == 1]
    for order in (o for o in market.orders() if o["participant"] == 1 and o["queue_ahead_entry"] >= 0):
        entry = int(order["time_entry"])
        last = max((time for time, _ in mids if time < entry), default=-1)
        then = [mid2 for time, mid2 in mids if time in (last, entry)]  # several in one nanosecond: one of them
        assert min(abs(2 * int(order["price"]) - mid2) for mid2 in then) <= 2 * collar


@settings(max_examples=150, deadline=None)
@given(
    st.lists(ACTION, min_size=10, max_size=60),
    st.integers(0, 3 * MS), st.integers(0, 3 * MS),
    st.sampled_from(["reject", "reject", "reduce-only", "kill-switch"]),
)  # fmt: skip
def test_no_sequence_exceeds_a_limit(actions: list, order: int, cancel: int, on_breach: str) -> None:
    limits = RiskLimits(
        max_position=12, max_order_size=6, max_open_orders=4, max_order_rate=5, max_cancel_rate=2,
        rate_window_ns=4 * MS, price_collar=4, max_loss=30.0, max_notional=11_990.0, no_self_trade=True,
        on_breach=on_breach,  # type: ignore[arg-type]
    )  # fmt: skip
    market = quiet(*BOOK, order=order, cancel=cancel, participant_risk=(limits, RiskLimits()))
    sent: dict[str, list[int]] = {"orders": [], "cancels": []}
    for kind, side, quantity, offset, wait, tif in actions:
        mid = 1000 if market.best(BID) is None or market.best(ASK) is None else market.best(BID)
        working = market.working_orders(1)
        try:
            if kind == "submit":
                market.submit(1, side, quantity, mid + offset, tif)
                sent["orders"].append(market.time)
            elif kind == "market":
                market.submit(1, side, quantity)
                sent["orders"].append(market.time)
            elif kind == "other":
                market.submit(2, side, 5 * quantity, mid + offset)
            elif kind == "modify" and working:
                one = working[offset % len(working)]
                market.modify(1, one.order_id, quantity, mid + offset)
                fewer = mid + offset == one.price and quantity <= one.remaining  # a cancel of some of it
                sent["cancels" if fewer else "orders"].append(market.time)
            elif kind == "cancel" and working:
                one = working[offset % len(working)]
                before = market._arrays.account["cancels_sent"][0, 1]
                market.cancel(1, one.order_id)
                if market._arrays.account["cancels_sent"][0, 1] > before:  # a second cancel of an order is not sent
                    sent["cancels"].append(market.time)
        except HFTGymError:
            pass  # a refusal, which is what is tested
        market.run_for(wait)
        row = market._arrays.account[0, 1]
        position, bid, ask = int(row["position"]), int(row["open"][BID]), int(row["open"][ASK])
        assert position + bid <= 12 and position - ask >= -12
        assert len(market.working_orders(1)) <= 4
        assert all(o.remaining <= 6 for o in market.working_orders(1))
        for times, most in ((sent["orders"], 5), (sent["cancels"], 2)):
            assert all(later - earlier >= 4 * MS for earlier, later in zip(times, times[most:], strict=False))
        # What a price alone can pass is known with the event that moved it.
        exposure, account = max(position + bid, ask - position), market.account(1)
        heavy = exposure * abs(account.mid2) / 2 > 11_990
        passed = RiskReason.LOSS if account.equity <= -30.0 else RiskReason.NOTIONAL if heavy else None
        assert market.risk(1).passed is passed or market.risk(1).mode is RiskMode.KILLED  # then it is flat already
        own = market._rows(1)
        assert not ((own["state"] == RESTING) & (own["remaining"] <= 0)).any()
    prices = {s: [o.price for o in market.working_orders(1) if o.side == s] for s in (BID, ASK)}
    if prices[BID] and prices[ASK]:
        assert max(prices[BID]) < min(prices[ASK])
    assert sum(market.account(p).position for p in range(3)) == 0
    market.withdraw(1)  # what rests ends, and so is logged
    check_collar(market, 4)
