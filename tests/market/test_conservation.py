"""Shares, cash and fees are conserved over all accounts, in integers, whatever the participants do."""

from hypothesis import given
from hypothesis import strategies as st

from hft_gym import FeeConfig, Market, MarketConfig
from hft_gym.errors import OrderError
from tests.book.helpers import examples
from tests.market.helpers import BID, MS, check, latency, orders

PEOPLE = 4
ACTION = st.tuples(
    st.integers(1, PEOPLE),
    st.sampled_from(["limit", "limit", "market", "cancel", "modify", "close"]),
    st.sampled_from([0, 1]),
    st.integers(-5, 400),
    st.sampled_from([1, 2, 7, 60, 2_000]),
    st.integers(0, 3),
    st.sampled_from([0, 0, 1, 20, 300]),
)
FLOWS = st.sampled_from(
    [
        "default",
        "poisson",
        "cst2010",
        {"limit_rates": [20.0, 10.0], "cancel_rates": [4.0], "market_rate": 8.0, "market_sizes": [1.0] * 60},
        {"limit_rates": [0.0], "cancel_rates": [5.0], "market_rate": 5.0},
    ]
)


def act(market: Market, action: tuple) -> None:
    p, what, side, offset, quantity, tif, _ = action
    best = market.best(side)
    price = (10_000 if best is None else best) + (-offset if side == BID else offset)
    working = [o.order_id for o in market.working_orders(p)]
    try:
        if what in ("limit", "market"):
            market.submit(p, side, quantity, price if what == "limit" else None, tif)
        elif what == "close":
            market.close_position(p)
        elif working and what == "cancel":
            market.cancel(p, working[quantity % len(working)])
        elif working:
            market.modify(p, working[quantity % len(working)], quantity, price)
    except OrderError:
        pass


@given(
    st.integers(0, 2**64 - 1),
    FLOWS,
    st.builds(latency, *(st.sampled_from([0, MS, 100 * MS]) for _ in range(4))),
    st.sampled_from(["per_lot", "bps"]),
    st.tuples(*(st.integers(-(10**8), 10**8) for _ in range(2))),
    st.lists(ACTION, max_size=60),
)
@examples(60, 5)
def test_conservation(seed, flow, lag, unit, rates, actions):
    market = Market(
        MarketConfig(
            flow=flow,
            latency=lag,
            fees=FeeConfig(unit, *(r / 10_000 for r in rates)),
            participants=PEOPLE,
            max_own_orders=3,
            max_orders=128,
            levels=64,
            warm_up_ns=100 * MS,
        ),
        seed,
    )
    for action in actions:
        act(market, action)
        market.run_for(action[-1] * MS)
        check(market)
    for p in range(1, PEOPLE + 1):
        market.close_position(p)
        check(market)
        account = market.account(p)
        assert account.position == account.cost_units == market.in_flight(p) == 0
        assert account.equity_units == account.cash_units == account.realised_units - account.fees_units
    assert all(o[2] == 0 for side in (0, 1) for o in orders(market, side))
    assert market.account(0).position == 0
    market.run_for(500 * MS)
    check(market)
