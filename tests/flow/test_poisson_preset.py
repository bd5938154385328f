"""The Poisson preset is what its documentation says: a liquid stock in which only good quoting earns."""

import numpy as np
import pytest

from hft_gym.envs.config import EnvConfig
from hft_gym.envs.core import EnvCore
from hft_gym.market.config import MarketConfig

EPISODES, STEPS = 160, 1000
JOIN, NOTHING = 2, 0
POISSON = MarketConfig(flow="poisson")


@pytest.fixture(scope="module")
def quiet() -> tuple[EnvCore, np.ndarray, np.ndarray]:
    """The market without an agent's orders, the spreads seen and the messages sent in 20 s."""
    core = EnvCore(EnvConfig(market=POISSON), 64)
    core.reset(np.arange(64, dtype=np.uint64))
    before = core.arrays.state["messages"].copy()
    spreads = []
    for _ in range(200):
        core.step(np.zeros((64, 3), np.int64))
        spreads.append(core.obs[:, 40].copy())
    return core, np.concatenate(spreads), core.arrays.state["messages"] - before


def quote(option: int, max_position: int) -> tuple[np.ndarray, np.ndarray]:
    """Net P&L and lots traded in each episode of an agent that always quotes both sides at *option*."""
    config = EnvConfig(market=POISSON, max_position=max_position, episode_steps=STEPS)
    core = EnvCore(config, EPISODES, log_capacity=8192)
    core.reset(np.arange(EPISODES, dtype=np.uint64) + 10_000)
    for _ in range(STEPS):
        core.step(np.tile([option, option, 0], (EPISODES, 1)))
    fills = core.drain().fills
    quoted = fills[fills["closing"] == 0]
    return core.info[2].copy(), np.bincount(quoted["env"], weights=quoted["quantity"], minlength=EPISODES)


def test_about_a_hundred_messages_a_second(quiet: tuple[EnvCore, np.ndarray, np.ndarray]) -> None:
    assert 85 < quiet[2].mean() / 20.0 < 115


def test_the_spread_is_mostly_one_or_two_ticks(quiet: tuple[EnvCore, np.ndarray, np.ndarray]) -> None:
    spreads = quiet[1]
    assert 0.6 < (spreads == 1).mean() < 0.9
    assert ((spreads == 1) | (spreads == 2)).mean() > 0.98


def test_nothing_is_refused_or_parked(quiet: tuple[EnvCore, np.ndarray, np.ndarray]) -> None:
    arrays = quiet[0].arrays
    assert arrays.flow_state["rejected"].sum() == 0
    assert arrays.head["parked"].sum() == 0


def test_naive_quoting_at_the_touch_roughly_breaks_even() -> None:
    """|P&L per touch fill| <= 0.1 ticks before fees (there are none)."""
    pnl, lots = quote(JOIN, max_position=10)
    assert abs(pnl.sum() / lots.sum()) <= 0.1


def test_quoting_with_a_tight_inventory_earns() -> None:
    pnl, _ = quote(JOIN, max_position=3)
    assert pnl.mean() > 4 * pnl.std() / np.sqrt(EPISODES)
