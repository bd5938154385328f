"""Configuration: what is accepted, what is refused and how the refusal reads."""

import dataclasses
import json
import math
from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest

from hft_gym.config import build, did_you_mean, field_doc, setting, to_dict, validate
from hft_gym.errors import ConfigError


class Colour(IntEnum):
    RED = 0
    BLUE = 1


@dataclass(frozen=True)
class Latency:
    order_ns: int = setting(200, low=0, doc="constant part, ns")
    jitter: float = setting(0.5, low=0.0, below=1.0)

    def __post_init__(self) -> None:
        validate(self)


@dataclass(frozen=True)
class Market:
    latency: Latency = setting(factory=Latency)
    rates: tuple[float, ...] = setting((1.0, 2.0), above=0, min_length=1, max_length=3)
    window: tuple[float, float] = (0.0, 1.0)
    mode: Literal["fast", "slow", 3] = "fast"
    seed: int | None = setting(None, low=0)
    flow: Latency | str = "default"
    colour: Colour = Colour.RED
    enabled: bool = True
    folder: Path | None = None
    weights: dict[str, float] = field(default_factory=dict)
    cap: float = setting(math.inf, infinite=True)
    name: str = setting("x", min_length=1)
    anything: Any = None

    def __post_init__(self) -> None:
        validate(self)


@dataclass(frozen=True)
class Needed:
    size: int


def test_defaults_and_instances():
    assert build(Market, None) == build(Market, {}) == Market()
    market = Market()
    assert build(Market, market) is market


def test_nested_values_and_conversions():
    market = build(
        Market,
        {
            "latency": {"order_ns": 1e6},
            "rates": [1, 2, np.float32(0.5)],
            "window": np.array([0.25, 0.75]),
            "seed": np.int64(7),
            "flow": {"order_ns": 3},
            "colour": "BLUE",
            "enabled": np.True_,
            "folder": "a/b",
            "weights": {"pnl": 1},
            "cap": 3,
        },
    )
    assert market.latency == Latency(order_ns=1_000_000)
    assert type(market.latency.order_ns) is int and type(market.seed) is int
    assert market.rates == (1.0, 2.0, 0.5) and all(type(rate) is float for rate in market.rates)
    assert market.window == (0.25, 0.75)
    assert market.flow == Latency(order_ns=3)
    assert (market.colour, market.enabled, market.folder) == (Colour.BLUE, True, Path("a/b"))
    assert (market.weights, market.cap) == ({"pnl": 1.0}, 3.0)


def test_direct_construction_is_checked_and_normalised_too():
    assert Market(rates=[3]).rates == (3.0,)
    assert Market(latency={"order_ns": 5}).latency == Latency(5)
    with pytest.raises(ConfigError, match="order_ns: must be at least 0, got -1"):
        Latency(-1)
    with pytest.raises(ConfigError, match="order_ns: must be at least 0, got -1"):
        dataclasses.replace(Latency(), order_ns=-1)


def test_json_and_back():
    market = build(Market, {"seed": 3, "flow": {"jitter": 0.25}, "folder": "x", "colour": 1, "cap": 2.0})
    text = json.dumps(to_dict(market), allow_nan=False)
    assert build(Market, json.loads(text)) == market
    assert json.loads(text)["colour"] == "BLUE" and json.loads(text)["rates"] == [1.0, 2.0]


BAD = [
    ({"ratse": [1]}, "unknown setting 'ratse' of Market; did you mean 'rates'? Allowed: latency, rates,"),
    ({"order_ns": 3}, "unknown setting 'order_ns' of Market; did you mean 'latency.order_ns'?"),
    ({"zzz": 3}, "unknown setting 'zzz' of Market. Allowed: latency"),
    (
        {"latency": {"order_ms": 1}},
        "latency: unknown setting 'order_ms' of Latency; did you mean 'order_ns'?",
    ),
    ({"latency": {"order_ns": -1}}, "latency.order_ns: must be at least 0, got -1"),
    ({"latency": {"jitter": 1.0}}, "latency.jitter: must be at least 0.0 and below 1.0, got 1.0"),
    ({"latency": {"order_ns": 1.5}}, "latency.order_ns: expected a whole number, got 1.5 (float)"),
    ({"latency": {"order_ns": True}}, "latency.order_ns: expected a whole number, got True (bool)"),
    ({"latency": {"order_ns": "5"}}, "latency.order_ns: expected a whole number, got '5' (str)"),
    ({"latency": {"jitter": "5"}}, "latency.jitter: expected a number, got '5' (str)"),
    ({"latency": {"jitter": math.nan}}, "latency.jitter: expected a finite number, got nan"),
    ({"latency": {"jitter": math.inf}}, "latency.jitter: expected a finite number, got inf"),
    ({"latency": 3}, "latency: expected a mapping of settings or a Latency, got 3 (int)"),
    ({"rates": 1.0}, "rates: expected a sequence, got 1.0 (float)"),
    ({"rates": "12"}, "rates: expected a sequence, got '12' (str)"),
    ({"rates": []}, "rates: must have between 1 and 3 elements, got 0"),
    ({"rates": [1, 2, 3, 4]}, "rates: must have between 1 and 3 elements, got 4"),
    ({"rates": [1, 0]}, "rates[1]: must be above 0, got 0.0"),
    ({"rates": [1, None]}, "rates[1]: expected a number, got None (NoneType)"),
    ({"window": [1]}, "window: expected 2 values, got 1"),
    ({"mode": "fats"}, "mode: got 'fats' (str); did you mean 'fast'? Allowed: fast, slow, 3"),
    ({"mode": 4}, "mode: got 4 (int). Allowed: fast, slow, 3"),
    ({"seed": -1}, "seed: must be at least 0, got -1"),
    ({"flow": 3}, "flow: expected a mapping of settings or a Latency, got 3 (int) / flow: expected a string"),
    ({"flow": {"x": 1}}, "flow: unknown setting 'x' of Latency"),
    ({"colour": "RDE"}, "colour: got 'RDE' (str); did you mean 'RED'? Allowed: RED, BLUE"),
    ({"enabled": 1}, "enabled: expected true or false, got 1 (int)"),
    ({"folder": 3}, "folder: expected Path, got 3 (int)"),
    ({"weights": [1]}, "weights: expected a mapping, got [1] (list)"),
    ({"weights": {"pnl": "x"}}, "weights.pnl: expected a number, got 'x' (str)"),
    ({"cap": math.nan}, "cap: expected a number or inf, got nan"),
    ({"name": ""}, "name: must have between 1 and inf elements, got 0"),
    ({"name": 3}, "name: expected a string, got 3 (int)"),
    ("fast", "Market: expected a mapping of settings or a Market, got 'fast' (str)"),
]


@pytest.mark.parametrize(("settings", "text"), BAD, ids=[str(settings) for settings, _ in BAD])
def test_refusals_say_what_and_where(settings, text):
    with pytest.raises(ConfigError) as caught:
        build(Market, settings)
    assert str(caught.value).startswith(text)


def test_the_path_of_a_nested_mapping_is_named():
    with pytest.raises(ConfigError, match=r"^env\.market\.latency\.order_ns: must be"):
        build(Market, {"latency": {"order_ns": -1}}, "env.market")
    with pytest.raises(ConfigError, match=r"^env: unknown setting"):
        build(Market, {"x": 1}, "env")


def test_a_setting_without_default_must_be_given():
    with pytest.raises(ConfigError, match="size: this setting has no default"):
        build(Needed, {})
    assert build(Needed, {"size": 3}) == Needed(3)


def test_a_long_value_is_cut_short():
    with pytest.raises(ConfigError) as caught:
        build(Market, {"seed": "x" * 1_000})
    assert len(str(caught.value)) < 200


def test_docs_and_suggestions():
    assert field_doc(Latency, "order_ns") == "constant part, ns"
    assert field_doc(Latency, "jitter") == ""
    assert did_you_mean("levles", ["levels", "seed"]) == "; did you mean 'levels'? Allowed: levels, seed"
    assert did_you_mean("q", []) == ". Allowed: none"


def test_what_json_cannot_hold_is_refused():
    with pytest.raises(ConfigError, match="cannot be written as JSON"):
        to_dict(Market(anything=object()))
