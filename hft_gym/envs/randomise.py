"""Domain randomisation: every episode in a market of its own, drawn from presets and ranges.

The markets are drawn up once, when the environment is made, and an episode's key says which of them it plays: so the
compiled step looks up a record instead of drawing, and one seed is one episode, single or batched. What is drawn from
is Tobin et al. 2017 (arXiv:1703.06907), uniform draws here being stratified (McKay, Beckman and Conover 1979).
"""

from __future__ import annotations

from dataclasses import dataclass, fields, is_dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np

from hft_gym.config import did_you_mean, setting, validate
from hft_gym.errors import ConfigError
from hft_gym.flow import preset
from hft_gym.flow.presets import preset_settings
from hft_gym.market.config import MarketConfig

__all__ = ["RandomisationConfig", "Variant", "draw_variants"]

PARTS = ("flow", "latency", "fees")
"""Parts of a market's configuration that an episode can draw; the others are sizes of arrays, or say what a tick is."""
_FEE_DECIMALS = 4
_LARGEST = ("levels", "max_orders")
"""Sizes of arrays: those of a mixture of presets hold every one of them."""


@dataclass(frozen=True)
class RandomisationConfig:
    """What each episode draws: one of several order flows, values from ranges, factors from ranges.

    A range is ``(name, low, high)``, its name a setting of the market: ``"flow.market_rate"``, ``"latency.order_ns"``,
    ``"fees.taker"``. Values of ``ranges`` are uniform, those of ``factors`` log-uniform; a factor multiplies what is
    configured, each element if that is a tuple.
    """

    flows: tuple[str, ...] = setting(
        (), doc="presets, one of which an episode's order flow is, each as often; none: market.flow"
    )
    ranges: tuple[tuple[str, float, float], ...] = setting(
        (), doc="(setting, low, high): settings of the market drawn uniformly"
    )
    factors: tuple[tuple[str, float, float], ...] = setting(
        (), doc="(setting, low, high): factors drawn log-uniformly that settings are multiplied by"
    )
    variants: int = setting(32, low=1, high=4096, doc="markets drawn up, of which each episode plays one")
    seed: int = setting(0, low=0, high=2**63 - 1, doc="what the markets are drawn up from")

    def __post_init__(self) -> None:
        validate(self)
        for name in self.flows:
            preset(name)
        if self.variants < len(self.flows):
            raise ConfigError(f"variants is {self.variants}; there are {len(self.flows)} flows to play")
        named = [name for name, _, _ in (*self.ranges, *self.factors)]
        for kind, drawn in (("ranges", self.ranges), ("factors", self.factors)):
            for name, low, high in drawn:
                if low > high:
                    raise ConfigError(f"{kind}: {name} lies between {low} and {high}; the first is the lower bound")
                if kind == "factors" and low <= 0.0:
                    raise ConfigError(f"{kind}: {name} has a factor of {low}; factors are above 0")
                if named.count(name) > 1:
                    raise ConfigError(f"{kind}: {name} is drawn twice")

    @property
    def changes_flow(self) -> bool:
        """Whether the order flow is among what is drawn."""
        return bool(self.flows) or any(name.startswith("flow") for name, _, _ in (*self.ranges, *self.factors))

    @property
    def active(self) -> bool:
        """Whether there is anything to draw."""
        return bool(self.flows or self.ranges or self.factors)


@dataclass(frozen=True)
class Variant:
    """One of the markets that episodes play.

    Attributes:
        market: its configuration.
        drawn: what was drawn, by name: the preset under ``"flow"``, settings of ranges as they are, factors.
    """

    market: MarketConfig
    drawn: dict[str, str | float]


@lru_cache(maxsize=8)
def draw_variants(market: MarketConfig, randomise: RandomisationConfig) -> tuple[Variant, ...]:
    """The markets that episodes are drawn from; *market* alone where nothing is.

    :raises ConfigError: a name that is no setting, or a value that the setting does not allow.
    """
    if not randomise.active:
        return (Variant(market, {}),)
    sizes = {name: getattr(market, name) for name in _LARGEST}
    for flow in randomise.flows:
        wanted = preset_settings(flow)
        sizes = {name: max(size, wanted.get(name, size)) for name, size in sizes.items()}
    market = replace(market, **sizes)
    random = np.random.default_rng(randomise.seed)
    n, parts = randomise.variants, len(randomise.ranges) + len(randomise.factors)
    strata = np.array([random.permutation(n) for _ in range(parts)]).reshape(parts, n)
    places = (strata + random.random((parts, n))) / n
    variants = []
    for k in range(n):
        drawn: dict[str, str | float] = {}
        made = market
        if randomise.flows:
            drawn["flow"] = randomise.flows[k % len(randomise.flows)]
            made = replace(made, flow=str(drawn["flow"]))
        at = iter(places[:, k])
        for name, low, high in randomise.ranges:
            made = _with(made, name, float(low + (high - low) * next(at)), False)
            drawn[name] = _value(made, name)
        for name, low, high in randomise.factors:
            factor = float(low * (high / low) ** next(at))
            made = _with(made, name, factor, True)
            drawn[name] = factor
        variants.append(Variant(made, drawn))
    _check_populations(variants)
    return tuple(variants)


def _check_populations(variants: list[Variant]) -> None:
    """A population's agents are laid out once for all episodes."""
    kinds = {v.market.order_flow.population for v in variants}
    if len(kinds) > 1:
        raise ConfigError(
            "randomise: flows with different populations of agents, or with and without one, cannot be mixed"
        )


def _value(market: MarketConfig, name: str) -> Any:
    """What setting *name* is in *market*: whole where it is a whole number."""
    found: Any = market
    for part in name.split("."):
        found = getattr(found, part)
    return found


def _with(market: MarketConfig, name: str, value: float, factor: bool) -> MarketConfig:
    """*market* with setting *name* replaced by *value*, or multiplied by it."""
    path = name.split(".")
    if path[0] not in PARTS or len(path) < 2:
        raise ConfigError(
            f"randomise: {name!r} is not a setting that an episode can draw; names begin with "
            f"{', '.join(f'{p}.' for p in PARTS)} as in 'flow.market_rate'"
        )
    if path[0] == "flow":
        market = replace(market, flow=market.order_flow)
    return _replaced(market, path, value, factor, name)


def _replaced(config: Any, path: list[str], value: float, factor: bool, name: str) -> Any:
    known = [f.name for f in fields(config)]
    if path[0] not in known:
        raise ConfigError(f"randomise: unknown setting {name!r}{did_you_mean(path[0], known)}")
    old = getattr(config, path[0])
    if len(path) > 1:
        if old is None:
            raise ConfigError(f"randomise: {name!r} has nothing to change: {path[0]} is not set in this market")
        if not is_dataclass(old):
            raise ConfigError(f"randomise: {name!r} is not a setting; {path[0]} has no parts")
        new: Any = _replaced(old, path[1:], value, factor, name)
    else:
        new = _changed(old, value, factor, name)
    try:
        return replace(config, **{path[0]: new})
    except ConfigError as error:
        raise ConfigError(f"randomise: {name}: {error}") from None


def _changed(old: Any, value: float, factor: bool, name: str) -> Any:
    if isinstance(old, tuple) and factor:
        return tuple(_changed(part, value, True, name) for part in old)
    if not isinstance(old, (int, float)) or isinstance(old, bool):
        what = "a number or a tuple of numbers" if factor else "a number"
        raise ConfigError(f"randomise: {name} is {old!r}, and only {what} can be drawn")
    new = old * value if factor else value
    if isinstance(old, int):
        return round(new)
    return round(new, _FEE_DECIMALS) if name.startswith("fees.") else new
