"""A short run with every kind of message, for comparing modes: prints the digest of all state and logs."""

import hashlib
import sys

import numpy as np

from hft_gym import FeeConfig, LatencyConfig, Market, MarketConfig
from hft_gym.errors import OrderError

MS = 1_000_000


def run(steps: int, seed: int = 11) -> Market:
    """Three participants at random in the default flow, with jitter, fees and a small ladder."""
    random = np.random.default_rng(seed)
    config = MarketConfig(
        participants=3,
        latency=LatencyConfig(MS, MS, 2 * MS, MS, 0),
        fees=FeeConfig("bps", -0.2, 0.3),
        levels=64,
        max_orders=256,
        max_own_orders=4,
        initial_depth=4,
        warm_up_ns=100 * MS,
    )
    market = Market(config, seed, log_capacity=2_000)
    for _ in range(steps):
        p, side, what = int(random.integers(1, 4)), int(random.integers(2)), int(random.integers(6))
        best = market.best(side)
        away = int(random.integers(-2, 100 if what == 0 else 3))
        price = (10_000 if best is None else best) + (-away if side == 0 else away)
        working = [o.order_id for o in market.working_orders(p)]
        try:
            if what <= 2:
                market.submit(p, side, int(random.integers(1, 9)), price, int(random.integers(4)))
            elif what == 3:
                market.submit(p, side, int(random.integers(1, 30)))
            elif working and what == 4:
                market.cancel(p, working[0])
            elif working:
                market.modify(p, working[-1], int(random.integers(1, 9)), price)
        except OrderError:
            pass
        market.run_for(int(random.integers(0, 30)) * MS)
    market.close_position(2)
    market.run_for(5 * MS)
    return market


def digest(market: Market) -> str:
    """A hash of the whole state, logs included."""
    found = hashlib.sha256()
    for name, array in sorted(market.__getstate__()["values"].items()):
        found.update(name.encode() + np.ascontiguousarray(array).tobytes())
    return found.hexdigest()


if __name__ == "__main__":
    print(digest(run(int(sys.argv[1]))))
