"""Markets by name: presets with the sizes they were made for, and files of settings."""

import gymnasium
import pytest

import hft_gym  # noqa: F401
from hft_gym.config import build, to_dict
from hft_gym.errors import ConfigError
from hft_gym.flow import PRESETS, preset
from hft_gym.flow.presets import preset_settings
from hft_gym.market import Market, MarketConfig
from hft_gym.market.config import SIZES


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_a_preset_brings_its_sizes(name):
    made = MarketConfig(flow=name)
    assert preset_settings(name).keys() <= SIZES.keys()
    wanted = SIZES | preset_settings(name)
    assert {size: getattr(made, size) for size in wanted} == wanted
    assert build(MarketConfig, name) == build(MarketConfig, {"flow": name}) == made
    assert build(MarketConfig, to_dict(made)) == made
    assert made.order_flow == preset(name)


def test_what_is_set_wins_over_the_preset():
    made = MarketConfig(flow="rmsc04", levels=512)
    assert (made.levels, made.initial_price, made.max_orders) == (512, 100_000, 4096)
    # A flow given in full says nothing of sizes.
    assert MarketConfig(flow=preset("rmsc04")).initial_price == SIZES["initial_price"]


def test_rmsc04_has_room_and_trades_in_an_environment():
    env = gymnasium.make("HFTMarket-v0", market="rmsc04", episode_steps=50).unwrapped
    env.reset(seed=1)
    flow_state = env._core.arrays.flow_state[0]
    assert env.reference_price == 100_000
    assert env._core.arrays.state["trades"][0] > 5 and not flow_state["rejected"]


def test_a_file_of_settings(tmp_path):
    path = tmp_path / "market.toml"
    path.write_text("levels = 512\n[flow]\nmarket_rate = 0.5\n")
    for name in (path, str(path)):
        made = build(MarketConfig, name)
        assert (made.levels, made.order_flow.market_rate) == (512, 0.5)
        assert Market(name).config == gymnasium.make("HFTMarket-v0", market=name).unwrapped.config.market == made
    assert gymnasium.make_vec("HFTMarket-v0", num_envs=2, market=str(path)).unwrapped.config.market == made


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("levels = \n", "is no TOML file"),
        ("levles = 512\n", "did you mean 'levels'"),
        ("[flow]\nmarket_rate = -1\n", "flow.market_rate: must be at least 0"),
    ],
)
def test_a_wrong_file_is_named(tmp_path, text, words):
    path = tmp_path / "market.toml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=f"market .*{path.name}.*{words}"):
        gymnasium.make("HFTMarket-v0", market=str(path))


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("none.toml", "market 'none.toml' cannot be read"),
        (".", "market '.' cannot be read"),
        ("defualt", "unknown market 'defualt'; did you mean 'default'.*TOML file"),
    ],
)
def test_a_name_of_nothing_is_refused(tmp_path, monkeypatch, name, words):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=f"market: {words}"):
        gymnasium.make("HFTMarket-v0", market=name)
