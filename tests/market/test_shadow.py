"""The compiled market against the readable book and plain-Python accounts, after every event."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from hft_gym import FeeConfig, Market, MarketConfig
from hft_gym.errors import OrderError
from tests.book.helpers import examples
from tests.market.helpers import BID, MS, check, latency
from tests.market.shadow import Coincidence, Shadow

PEOPLE = 3
ACTION = st.tuples(
    st.integers(1, PEOPLE),
    st.sampled_from(["limit", "limit", "limit", "market", "cancel", "modify"]),
    st.sampled_from([0, 1]),
    st.integers(-3, 4),  # ticks away from the touch
    st.integers(1, 12),
    st.integers(0, 3),
    st.integers(0, 40) | st.sampled_from([0, 200]),  # ms until the next
)
LATENCY = st.builds(
    latency,
    st.sampled_from([0, 1, MS, 30 * MS]),
    st.sampled_from([0, 1, MS, 70 * MS]),
    st.sampled_from([0, MS, 40 * MS]),
    st.sampled_from([0, MS, 40 * MS]),
)
FEES = st.builds(
    FeeConfig,
    st.sampled_from(["per_lot", "bps"]),
    st.integers(-30_000, 30_000).map(lambda x: x / 10_000),
    st.integers(-30_000, 30_000).map(lambda x: x / 10_000),
)


def act(shadow: Shadow, action: tuple) -> None:
    """Do one thing; what is refused must have changed nothing, which the next comparison sees."""
    p, what, side, offset, quantity, tif, _ = action
    market = shadow.market
    best = market.best(side)
    price = (10_000 if best is None else best) + (-offset if side == BID else offset)
    try:
        if what in ("limit", "market"):
            shadow.submit(p, side, quantity, price if what == "limit" else None, tif)
            return
        working = [o.order_id for o in market.working_orders(p)]
        if not working:
            return
        order = working[(quantity + offset) % len(working)]
        if what == "cancel":
            market.cancel(p, order)
        else:
            market.modify(p, order, quantity, price)
    except OrderError:
        pass


@given(
    seed=st.integers(0, 2**32),
    lag=LATENCY,
    fees=FEES,
    actions=st.lists(ACTION, max_size=40),
    own=st.integers(2, 6),
)
@examples(40, 5)
def test_every_event_agrees_with_the_readable_book(seed, lag, fees, actions, own):
    config = MarketConfig(
        latency=lag, fees=fees, participants=PEOPLE, warm_up_ns=300 * MS, initial_depth=3, max_own_orders=own
    )
    shadow = Shadow(Market(config, seed))
    for action in actions:
        act(shadow, action)
        try:
            shadow.run_until(shadow.market.time + action[-1] * MS)
        except Coincidence:
            assume(False)
        check(shadow.market)


@pytest.mark.parametrize("seed", range(4))
def test_a_thin_book_agrees_too(seed):
    """Few orders and large ones: sides run empty, orders sweep levels, a modification crosses."""
    import numpy as np

    random = np.random.default_rng(seed)
    flow = {
        "limit_rates": [8.0, 4.0, 2.0],
        "cancel_rates": [3.0],
        "market_rate": 4.0,
        "market_sizes": [1.0] * 20,
        "informed_rate": 2.0,
        "jump_rate": 1.0,
    }
    config = MarketConfig(flow=flow, participants=PEOPLE, warm_up_ns=0, initial_depth=1, latency=latency(MS, MS))
    shadow = Shadow(Market(config, seed))
    for _ in range(300):
        p, side = int(random.integers(1, PEOPLE + 1)), int(random.integers(2))
        what = str(random.choice(["limit", "market", "cancel", "modify"], p=[0.5, 0.1, 0.2, 0.2]))
        offset, quantity, tif = (
            int(random.integers(-4, 4)),
            int(random.integers(1, 12)),
            int(random.integers(4)),
        )
        act(shadow, (p, what, side, offset, quantity, tif, 0))
        shadow.run_until(shadow.market.time + int(random.exponential(40)) * MS)
    check(shadow.market)
    assert shadow.market.counters.trades > 100
