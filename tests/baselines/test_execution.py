"""The execution strategies in the market: schedules kept, orders completed, both faces, and what fits where."""

import numpy as np
import pytest

import baselines
from baselines.closed_forms import AlmgrenChriss
from baselines.closed_forms.almgren_chriss import share_held, urgency
from hft_gym import Order, OrderBook, OrderSide
from hft_gym.envs import HFTMarketVectorEnv
from hft_gym.errors import ConfigError
from hft_gym.evaluation import evaluate

NAMES = ["immediate", "twap", "vwap", "almgren-chriss", "passive-then-cross"]
CONFIG = {"task": "execution", "execution": {"quantity": 25}, "episode_steps": 200, "market": {"flow": "poisson"}}


def left(name: str, action: str = "multi_discrete", **parameters: object) -> np.ndarray:
    """(E, T+1) lots left, unsigned, before the close; ended episodes stay at 0."""
    config = {**CONFIG, "action": action}
    strategy = baselines.make(name, HFTMarketVectorEnv(1, config), **parameters)
    run = evaluate(strategy, config, range(16), num_envs=16)
    assert not run.fills["closing"].any()
    return np.abs(run.inventory)


@pytest.mark.parametrize("action", ["multi_discrete", "discrete", "continuous", "ladder"])
@pytest.mark.parametrize("name", NAMES)
def test_every_parent_order_is_completed_in_time(name: str, action: str) -> None:
    assert (left(name, action)[:, -1] == 0).all()


def test_schedules() -> None:
    time = np.arange(201) / 200
    twap = left("twap")
    assert np.abs(twap - 25 * (1 - time)).max() <= 2.0
    fast, slow = (left("almgren-chriss", risk_aversion=r) for r in (1e-2, 0.0))
    assert fast[:, 60].mean() < 5 < 15 < slow[:, 60].mean()
    assert np.abs(slow - twap).max() <= 2.0
    assert left("immediate").shape[1] <= 30 and left("immediate", "ladder").shape[1] <= 9  # over by then
    early, late = (left("passive-then-cross", patience=p).mean() for p in (0.0, 0.9))
    assert early < late


def test_vwap_follows_the_volume_it_sees() -> None:
    env = HFTMarketVectorEnv(1, CONFIG)
    strategy = baselines.make("vwap", env, participation=0.1)
    schema, steps = env.observation_schema, 12
    rows = np.zeros((steps, len(schema)), np.float32)
    rows[:, schema["bid_offset_1"]], rows[:, schema["ask_offset_1"]] = -0.5, 0.5
    rows[:, schema["bid_size_1"]] = rows[:, schema["ask_size_1"]] = 9
    rows[:, schema["time_left"]] = 1 - np.arange(steps) / 200
    rows[:, schema["buy_volume"]] = np.array([99, 4, 4, 4, 0, 0, 0, 12, 0, 0, 4, 4])
    state, owed, takes = None, 25, []
    for i, row in enumerate(rows):
        row[schema["inventory"]] = -owed
        action, state = strategy.predict(row, state, np.array([i == 0]))
        takes.append(int(action[2]))
        owed -= takes[-1]
    # 1.2 lots are due after the third step, 2.4 after the burst, 3.2 at the end; what came before the start is not.
    assert takes == [0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1]


def test_batched_equals_single_in_a_replayed_episode() -> None:
    for name in NAMES:
        strategy = baselines.make(name, HFTMarketVectorEnv(1, CONFIG))
        runs = [evaluate(strategy, CONFIG, range(6), num_envs=n) for n in (1, 6)]
        np.testing.assert_array_equal(runs[0].inventory, runs[1].inventory)


def test_the_other_face() -> None:
    book = OrderBook("HFT")
    book.add_order(Order.create_limit_order("HFT", OrderSide.BID, 9, 99.99))
    book.add_order(Order.create_limit_order("HFT", OrderSide.ASK, 9, 100.01))
    now = book.get_snapshot()
    twap = baselines.make("twap", side="sell", quantity=10, horizon_s=10.0)
    sold = 0
    for second in range(11):
        for order in twap.on_market_update(now, float(second)):
            assert order.side == OrderSide.ASK
            sold += order.volume
            twap.on_fill(order.side, order.volume)
        assert abs(sold - min(second + 1, 10)) <= 1
    assert sold == 10 and twap.position == -10
    waiting = baselines.make("passive-then-cross", side="buy", quantity=10, horizon_s=10.0, order_size=2)
    (quote,) = waiting.on_market_update(now, 0.0)
    assert (quote.side, quote.volume, quote.price) == (OrderSide.BID, 2, 99.99)
    (order,) = baselines.make("immediate", quantity=7).on_market_update(now, 0.0)
    assert (order.side, order.volume) == (OrderSide.BID, 7)


def test_what_fits_where() -> None:
    market, execution, taking = (
        HFTMarketVectorEnv(1, {"task": t}) for t in ("market-making", "execution", "liquidity-taking")
    )
    assert baselines.names(execution) == ["do-nothing", "random", *NAMES]
    assert {"do-nothing", "random", "liquidity-taking"} <= set(baselines.names(taking))
    assert "market-making" not in baselines.names(taking) and not set(NAMES) & set(baselines.names(market))
    with pytest.raises(ConfigError, match=r"market-making is for the task .*, and does not fit HFTExec.*twap"):
        baselines.make("market-making", execution)
    with pytest.raises(ConfigError, match="does not fit HFTMarket-v0, whose task is 'market-making'"):
        baselines.make("twap", market)


def test_the_shared_formula() -> None:
    """`share_held` is the discrete trajectory where kappa is that of the discrete problem, and broadcasts."""
    problem = AlmgrenChriss(1000.0, 5.0, 50, sigma=0.9, temporary=2e-3)
    for risk in (0.0, 1e-6, 1e-3, 10.0):
        kappa = problem.kappa(risk)
        np.testing.assert_allclose(
            problem.trajectory(risk), 1000 * share_held(kappa, np.linspace(0, 5, 51), 5.0), atol=1e-9
        )
    np.testing.assert_allclose(urgency(4.0), 2.0)
    np.testing.assert_allclose(share_held(np.array([0.0, 1.0, 800.0]), 1.0, 4.0), [0.75, np.sinh(3) / np.sinh(4), 0.0])
