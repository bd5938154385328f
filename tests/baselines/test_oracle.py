"""The oracle: what hindsight finds on prices made by hand, that it is the best, and that it needs to be shown."""

import itertools

import numpy as np
import pytest

import baselines
from baselines.oracle import best_positions
from hft_gym.envs.vector import HFTMarketVectorEnv
from hft_gym.errors import ConfigError
from hft_gym.evaluation import evaluate, held_out_seeds
from hft_gym.report import Bootstrap
from tests.baselines.fakes import FakeEnv, observation
from train.compare import compare_policies

CONFIG = {"episode_steps": 300, "market": {"flow": "poisson"}}
NO_LATENCY = {"order_ns": 0, "order_jitter_ns": 0, "market_data_ns": 0}


def earned(takes, mids, costs):
    """What a sequence of takes earns, counted trade by trade."""
    held, cash = 0, 0.0
    for t, take in enumerate(takes):
        cash -= take * mids[t] + (costs[t, 0] if take > 0 else costs[t, 1] if take < 0 else 0.0)
        held += take
    return cash + held * mids[-1] - abs(held) * costs[-1, 1 if held > 0 else 0]


def test_no_sequence_of_takes_earns_more():
    """Against all 3^6 of them, on random walks with costs that change."""
    rng = np.random.default_rng(0)
    mids = np.cumsum(rng.integers(-3, 4, (20, 7)) / 2, axis=1)
    costs = rng.integers(1, 4, (20, 7, 2)) / 2
    plan, value = best_positions(mids, costs, 2)
    for n in range(20):
        best = max(
            earned(takes, mids[n], costs[n])
            for takes in itertools.product((-1, 0, 1), repeat=6)
            if np.abs(np.cumsum(takes)).max() <= 2
        )
        assert value[n] == pytest.approx(best)
        held, takes = 0, []
        for t in range(6):
            takes.append(int(plan[t, n, held + 2]))
            held += takes[-1]
        assert earned(takes, mids[n], costs[n]) == pytest.approx(best)
    assert best_positions(np.zeros((1, 5)), np.ones((1, 5, 2)), 3)[1] == 0.0


def test_it_earns_nearly_its_bound_and_no_taker_more():
    seeds = held_out_seeds(6)
    config = {**CONFIG, "market": {"flow": "poisson", "latency": NO_LATENCY}}
    env = HFTMarketVectorEnv(1, config)
    oracle = baselines.make("oracle", env).foresee(config, seeds, num_envs=4)
    played = evaluate(oracle, config, seeds, num_envs=3)
    assert oracle.bounds.shape == (6,) and (oracle.bounds >= 0).all() and oracle.bounds.mean() > 1
    assert played.net_pnl.mean() > 0.5 * oracle.bounds.mean()
    for name in ("momentum", "queue-imbalance", "microprice-taker", "buy-and-hold"):
        other = evaluate(baselines.make(name, env), config, seeds)
        assert (other.net_pnl <= oracle.bounds + 5.0).all()  # own impact moves the prices a little
        assert other.net_pnl.mean() < played.net_pnl.mean()


def test_it_must_be_shown_the_episodes():
    env = FakeEnv()
    oracle = baselines.make("oracle", env)
    assert oracle.cheats and "oracle" not in baselines.names()
    with pytest.raises(ConfigError, match="call foresee"):
        oracle.predict(observation(env.observation_schema))
    seeds = held_out_seeds(2)
    real = baselines.make("oracle", HFTMarketVectorEnv(1, CONFIG)).foresee(CONFIG, seeds[:1])
    with pytest.raises(ConfigError, match="has not seen this episode"):
        evaluate(real, CONFIG, seeds)


def test_a_comparison_labels_it_and_measures_nobody_by_it():
    comparison = compare_policies(
        ["do-nothing", "oracle", "market-making"], CONFIG, episodes=4, bootstrap=Bootstrap(50)
    )
    row = comparison["oracle (hindsight)"]
    assert row.kind == "hindsight" and row.metrics["net_pnl"].value > 0
    assert row.flags[0].name == "hindsight" and "is no bound" in row.flags[0].text
    assert not any(f.name == "hindsight" for r in comparison.rows for f in r.flags if r is not row)
    assert comparison.best_baseline == "market-making" == comparison.best
    assert comparison["do-nothing"].kind == "baseline"
