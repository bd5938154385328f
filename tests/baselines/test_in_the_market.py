"""The strategies in the real market."""

import gymnasium
import numpy as np
import pytest

import baselines
import hft_gym  # noqa: F401  (registers the environments)
from hft_gym.envs.vector import HFTMarketVectorEnv
from hft_gym.evaluation import evaluate, training_seeds
from hft_gym.report import evaluate_metrics
from tests.baselines.fakes import MARKET_NAMES

IDLE = ("do-nothing", "random")
SCRIPTED = tuple(name for name in baselines.names() if name not in IDLE)
FLOW = {"market": {"flow": "default"}}


@pytest.fixture(scope="module")
def env():
    return HFTMarketVectorEnv(1, FLOW)


@pytest.mark.parametrize("name", ["market-making", "liquidity-taking"])
def test_defaults_trade_in_at_least_95_per_cent_of_default_episodes(name, env):
    played = evaluate(baselines.make(name, env), FLOW, training_seeds(60), num_envs=60)
    assert evaluate_metrics(played, ["traded"])["traded"].mean() >= 0.95


@pytest.mark.parametrize("name", MARKET_NAMES)
def test_position_stays_within_the_strategys_own_limit(name, env):
    parameters = {"max_position": 3} if name in SCRIPTED else {}
    played = evaluate(baselines.make(name, env, **parameters), {**FLOW, "episode_steps": 200}, training_seeds(8))
    limit = 3 if parameters else env.config.max_position
    assert evaluate_metrics(played, ["max_abs_inventory"])["max_abs_inventory"].max() <= limit


@pytest.mark.parametrize("kind", ["multi_discrete", "discrete", "continuous"])
def test_through_gymnasium_in_every_encoding(kind):
    env = gymnasium.make("HFTMarket-v0", action=kind, episode_steps=20)
    for name in MARKET_NAMES:
        strategy = baselines.make(name, env)
        observation, _ = env.reset(seed=1)
        state, start, done = None, True, False
        while not done:
            action, state = strategy.predict(observation, state, start, deterministic=True)
            observation, _, terminated, truncated, _ = env.step(action)
            start, done = False, terminated or truncated


def test_encodings_give_the_same_episode():
    runs = []
    for kind in ("multi_discrete", "discrete", "continuous"):
        env = HFTMarketVectorEnv(1, action=kind)
        maker = baselines.make("market-making", env)
        runs.append(evaluate(maker, {"action": kind, "episode_steps": 100}, training_seeds(4)))
    for other in runs[1:]:
        np.testing.assert_array_equal(other.equity, runs[0].equity)


def test_a_third_partys_strategy(tmp_path, monkeypatch, env):
    (tmp_path / "third_party.py").write_text(
        "import numpy as np\n"
        "from baselines import Strategy, Wish\n"
        "class Joiner(Strategy):\n"
        "    def decide(self, view, memory):\n"
        "        lots = np.full(len(view), float(view.lot))\n"
        "        return Wish(view.bid, view.ask, lots, lots, np.zeros(len(view))), memory\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    played = evaluate(baselines.make("third_party:Joiner", env), {"episode_steps": 300}, training_seeds(4))
    assert len(played.fills) and played.fills["maker"][~played.fills["closing"]].all()
