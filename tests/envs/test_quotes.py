"""What actions do, seen through observations alone: quotes, queue positions, takes, limits."""

from typing import Any

import numpy as np
import pytest

from hft_gym.envs import HFTMarketEnv

INSTANT = {
    "market": {"latency": {"order_ns": 1, "order_jitter_ns": 0, "cancel_ns": 1, "cancel_jitter_ns": 0}}
}
BEHIND = {"join": 0, "behind_1": 1, "behind_2": 2, "behind_3": 3, "behind_5": 5, "behind_10": 10}


class Run:
    """An environment whose observations are read by name."""

    def __init__(self, seed: int = 6, **settings: Any) -> None:
        self.env = HFTMarketEnv(**settings)
        self.schema = self.env.observation_schema
        self.x, self.info = self.env.reset(seed=seed)

    def __getitem__(self, name: str) -> Any:
        value = self.x[self.schema[name]]
        return value if isinstance(value, np.ndarray) else float(value)

    def step(self, **action: str) -> None:
        self.x, _, self.ended, _, self.info = self.env.step(self.env.action_schema.encode(**action))

    def best(self, side: str) -> float:
        return float(self.info["mid"] + self[f"{side}_offset"][0])


@pytest.mark.parametrize("side", ["bid", "ask"])
@pytest.mark.parametrize("option", [*BEHIND, "improve"])
def test_quotes_count_from_the_others_best_price_as_observed(side: str, option: str) -> None:
    run = Run(**INSTANT)
    away = -1 if side == "bid" else 1
    sent = 0
    for _ in range(60):
        best, spread = run.best(side), run["spread"]
        resting = run[f"own_{side}_size"] > 0
        price_before = run.info["mid"] + run[f"own_{side}_offset"]
        run.step(**{side: option})
        if run[f"own_{side}_size"] == 0:
            continue  # filled at once
        sent += 1
        price = run.info["mid"] + run[f"own_{side}_offset"]
        if option == "improve":
            expected = best - away if spread > 1 else best
        else:
            expected = best + away * BEHIND[option]
        assert price == expected
        if resting and price_before == expected:
            assert run["in_flight"] == 0  # kept: no message was sent
    assert sent > 20


def test_a_kept_order_keeps_its_place_and_only_moves_forward() -> None:
    run = Run(**INSTANT)
    last_price, last_ahead, kept, moved = None, np.inf, 0, 0
    for _ in range(400):
        run.step(bid="behind_1")
        price = run.info["mid"] + run["own_bid_offset"] if run["own_bid_size"] > 0 else None
        ahead = run["own_bid_ahead"]
        if price is not None:
            # no more ahead than the others have at that price
            level = np.flatnonzero(run["bid_offset"] == run["own_bid_offset"])
            volume = run["bid_size"][level].sum()
            assert 0 <= ahead <= volume
            if price == last_price:
                kept += 1
                moved += ahead < last_ahead
                assert ahead <= last_ahead
        last_price, last_ahead = price, ahead
    assert kept > 50 and moved > 5


def test_a_partial_fill_is_not_topped_up() -> None:
    partial = 0
    for seed in range(4):
        run = Run(seed, order_size=8, max_position=1000, **INSTANT)
        price = size = None
        for _ in range(300):
            run.step(bid="join")
            now = run.info["mid"] + run["own_bid_offset"] if run["own_bid_size"] > 0 else None
            if (
                now is not None
                and now == price
                and size is not None
                and run["bought"] == size - run["own_bid_size"]
            ):
                partial += 0 < run["own_bid_size"] < size
                assert run["own_bid_size"] <= size
            price, size = now, run["own_bid_size"]
    assert partial > 3


def test_resting_far_away_changes_nothing_of_the_others_book() -> None:
    """Own orders are not in the book columns, and the flow does not react to an order that it never meets."""
    idle, deep = Run(), Run()
    columns = (
        "book",
        "spread",
        "imbalance",
        "mid_change",
        "buy_volume",
        "sell_volume",
        "trades",
        "volatility",
    )
    for _ in range(100):
        idle.step()
        deep.step(bid="behind_10", ask="behind_10")
        assert deep["bought"] == deep["sold"] == 0
        for name in columns:
            np.testing.assert_array_equal(idle[name], deep[name], err_msg=name)
        assert idle.info["mid"] == deep.info["mid"]
    assert deep["own_bid_size"] == deep["own_ask_size"] == 1


def test_takes_trade_at_once_and_pay_the_spread() -> None:
    run = Run(**INSTANT, order_size=2)
    for take, sign in (("buy", 1), ("sell", -1), ("sell", -1)):
        before, pnl = run.info["inventory"], run.info["net_pnl"]
        run.step(take=take)
        assert run.info["inventory"] == before + 2 * sign
        assert (run["bought"], run["sold"]) == ((2, 0) if sign > 0 else (0, 2))
        assert run.info["net_pnl"] != pnl
    assert run["own_bid_size"] == run["own_ask_size"] == 0


def test_own_takes_are_not_in_the_flow_columns() -> None:
    idle, taker = Run(**INSTANT), Run(**INSTANT)
    idle.step()
    taker.step(take="buy")
    assert taker["bought"] == 1
    assert taker["buy_volume"] <= idle["buy_volume"]


@pytest.mark.parametrize("limit", [2, 3])
def test_the_position_limit_holds(limit: int) -> None:
    run = Run(max_position=limit, order_size=2, episode_steps=300)
    rng = np.random.default_rng(0)
    reached = 0
    for _ in range(300):
        take = "buy" if rng.random() < 0.6 else "sell"
        run.step(bid="join", ask="join", take=take)
        reached += abs(run.info["inventory"]) == limit
        assert abs(run.info["inventory"]) <= limit
    assert reached > 5


@pytest.mark.parametrize("setting", ["loss_limit", "capital"])
def test_losses_end_the_episode(setting: str) -> None:
    run = Run(**{setting: 5.0}, episode_steps=100_000)
    for step in range(2000):
        run.step(take="buy" if step % 2 else "sell")
        if run.ended:
            break
    assert run.ended and run.info["net_pnl"] < -4
    assert run.info["inventory"] == 0 and run["time_left"] > 0


def test_none_withdraws_the_quote() -> None:
    run = Run(**INSTANT)
    run.step(bid="behind_5", ask="behind_5")
    assert run["own_bid_size"] == run["own_ask_size"] == 1
    run.step(bid="behind_5")
    assert run["own_ask_size"] == 0 == run["own_ask_offset"]
    run.step()
    assert run["own_bid_size"] == 0 and run["in_flight"] == 0
