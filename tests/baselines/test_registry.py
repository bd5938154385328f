import textwrap

import pytest

import baselines
from baselines.ranges import Choice, Range
from hft_gym.errors import ConfigError
from tests.baselines.fakes import MARKET_NAMES, FakeEnv, observation


def test_names():
    assert baselines.names()[:3] == ["do-nothing", "random", "buy-and-hold"]
    makers = {"market-making", "inventory-skew", "join-touch", "avellaneda-stoikov", "glft", "cartea-jaimungal"}
    takers = {"liquidity-taking", "momentum", "order-flow-imbalance", "queue-imbalance", "microprice-taker"}
    assert makers | takers | {"microprice-maker"} <= set(baselines.names())
    for name in baselines.names():
        assert baselines.get(name).name == name and baselines.get(name).__doc__


def test_defaults_follow_the_market():
    coarse = FakeEnv(price=500, tick=0.5, max_position=40, order_size=3)
    maker = baselines.make("market-making", coarse)
    assert (maker.spread_target, maker.max_position, maker.order_size, maker.tick_size) == (0.75, 40, 3, 0.5)
    fine, rough = (baselines.make("liquidity-taking", e).signal_threshold for e in (FakeEnv(), coarse))
    assert rough == pytest.approx(20 * fine)
    assert baselines.make("market-making", coarse, spread_target=7.0).spread_target == 7.0


@pytest.mark.parametrize("name", MARKET_NAMES)
def test_search_spaces_hold_valid_values_only(name):
    """Both ends of every range are accepted, whatever the market's scale; the references have nothing to tune."""
    for env in (FakeEnv(), FakeEnv(price=500, tick=0.5, max_position=2)):
        space = baselines.get(name).search_space(env)
        assert bool(space) == (name not in ("do-nothing", "random", "buy-and-hold"))
        for parameter, values in space.items():
            for value in values.ends():
                assert getattr(baselines.make(name, env, **{parameter: value}), parameter) == value


def test_ranges():
    assert Range(1, 4, whole=True).ends() == (1, 4) and Choice([3, 10]).ends() == (3, 10)
    with pytest.raises(ConfigError, match="low must be below high"):
        Range(2.0, 1.0)
    with pytest.raises(ConfigError, match="must be above 0"):
        Range(0.0, 1.0, log=True)
    with pytest.raises(ConfigError, match="not whole"):
        Range(0.5, 2, whole=True)
    with pytest.raises(ConfigError, match="no values"):
        Choice([])


def test_wrong_names_and_parameters():
    env = FakeEnv()
    with pytest.raises(ConfigError, match="did you mean 'market-making'"):
        baselines.make("market-makin", env)
    with pytest.raises(ConfigError, match="did you mean 'spread_target'"):
        baselines.make("market-making", env, spred_target=0.1)
    with pytest.raises(ConfigError, match=r"market-making: spread_target: must be above 0"):
        baselines.make("market-making", env, spread_target=-1)
    with pytest.raises(ConfigError, match="whole number"):
        baselines.make("market-making", env, max_position=1.5)
    with pytest.raises(ConfigError, match="at most 1"):
        baselines.make("liquidity-taking", env, imbalance_threshold=2)
    with pytest.raises(ConfigError, match="number"):
        baselines.make("market-making", env, spread_target="wide")


@pytest.fixture
def module(tmp_path, monkeypatch):
    (tmp_path / "my_strategies.py").write_text(
        textwrap.dedent(
            '''
            import numpy as np
            from baselines import Strategy, no_quotes

            class AlwaysBuy(Strategy):
                """Buys."""
                name = "always-buy"
                def __init__(self, symbol="HFT", lots=1):
                    self.lots = lots
                def decide(self, view, memory):
                    return no_quotes(np.full(len(view), float(self.lots))), memory

            class Needy(AlwaysBuy):
                def __init__(self, secret):
                    pass

            class NoStrategy:
                pass
            '''
        )
    )
    monkeypatch.syspath_prepend(tmp_path)


def test_a_strategy_of_ones_own(module):
    env = FakeEnv()
    mine = baselines.make("my_strategies:AlwaysBuy", env, lots=2)
    action, _ = mine.predict(observation(env.observation_schema))
    assert action.tolist() == [0, 0, 1]
    with pytest.raises(ConfigError, match="did you mean 'lots'"):
        baselines.make("my_strategies:AlwaysBuy", env, lot=2)
    with pytest.raises(ConfigError, match="did you mean 'AlwaysBuy'"):
        baselines.make("my_strategies:AlwaysBye", env)
    with pytest.raises(ConfigError, match="not a subclass"):
        baselines.make("my_strategies:NoStrategy", env)
    with pytest.raises(ConfigError, match="'secret' has no default"):
        baselines.make("my_strategies:Needy", env)
    with pytest.raises(ConfigError, match="no module 'my_strategiez'"):
        baselines.make("my_strategiez:AlwaysBuy", env)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("random", ("random", {})),
        ("market-making:spread_target=0.02,skew=2", ("market-making", {"spread_target": 0.02, "skew": 2})),
        ("my_module:My", ("my_module:My", {})),
        ("my_module:My:mode=fast", ("my_module:My", {"mode": "fast"})),
        ("x:a=True, b = [1]", ("x", {"a": True, "b": [1]})),
    ],
)
def test_parse(text, expected):
    assert baselines.parse(text) == expected


@pytest.mark.parametrize("text", ["x:", "x:a=1,b", "x:=3", "x:a="])
def test_parse_refuses(text):
    with pytest.raises(ConfigError):
        baselines.parse(text)
