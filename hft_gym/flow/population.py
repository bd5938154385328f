"""A population of trading agents after ABIDES' reference configuration RMSC04 (Byrd, Hybinette and Balch 2020;
Amrouni et al. 2021, arXiv:2110.14771): noise, value and momentum traders and adaptive market makers.

What differs from ABIDES: agents act at once, without latency or computation delay; the market makers do not shift their
quotes with the flow (``price_skew``); the mega-shocks of the fundamental, once in 15,000 days, are left out.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hft_gym._jit import I64, U, kernel
from hft_gym.book.ladder import ASK, BID, Book, best_price, is_empty
from hft_gym.config import setting, validate
from hft_gym.errors import ConfigError
from hft_gym.flow.informed import diffuse
from hft_gym.flow.random import decay, draw, exponential, low_unit, normal, unit
from hft_gym.flow.state import NEVER, POPULATION

NOISE, VALUE, MOMENTUM, MAKER = range(4)
MAX_ORDERS, MEMORY, SHORT = 32, 50, 20
_ONE = np.uint64(1)

AGENT = np.dtype(
    [
        ("due", "i8"),
        ("kind", "i8"),
        ("left", "i8"),
        ("last", "i8"),
        ("estimate", "f8"),
        ("variance", "f8"),
        ("spread", "f8"),
        ("volume", "i8"),
        ("n_mids", "i8"),
        ("n_orders", "i8"),
        ("n_planned", "i8"),
        ("mids", "f8", (MEMORY,)),
        ("slot", "i8", (MAX_ORDERS,)),
        ("id", "i8", (MAX_ORDERS,)),
        ("side", "i8", (MAX_ORDERS,)),
        ("price", "i8", (MAX_ORDERS,)),
        ("quantity", "i8", (MAX_ORDERS,)),
    ],
    align=True,
)
"""Next waking [ns]; kind; orders left to send (noise: all its traders are one agent); last waking; estimate of the
value and its variance; smoothed spread; volume traded up to the last waking; mids seen, a ring of the last 50; resting
orders by slot and id; orders about to be sent, from the last to the first."""

AGENTS = np.dtype(
    [
        ("noise", "i8"),
        ("value", "i8"),
        ("momentum", "i8"),
        ("makers", "i8"),
        ("close", "i8"),
        ("noise_from", "i8"),
        ("value_mean", "f8"),
        ("momentum_mean", "f8"),
        ("maker_mean", "f8"),
        ("reversion", "f8"),
        ("observation_variance", "f8"),
        ("shock_variance", "f8"),
        ("aggressive", "f8"),
        ("depth_spread", "f8"),
        ("pov", "f8"),
        ("levels", "i8"),
        ("spacing", "f8"),
        ("spread_alpha", "f8"),
    ],
    align=True,
)
"""The parameters of :class:`PopulationConfig` as the kernels read them, times in ns."""

SIZE_SPIKES = np.cumsum([0.7, 0.06, 0.004, 0.0329, 0.001, 0.0006, 0.0004, 0.0005, 0.0003, 0.0003])
"""Distribution function of the sizes 100, 200, ... 1000; the rest is lognormal(2.9, 1.2) (ABIDES' OrderSizeModel)."""


@dataclass(frozen=True)
class PopulationConfig:
    """Agents of four kinds; the defaults are RMSC04's, with one cent to the tick.

    The fundamental value is the flow's (``value_volatility``, ``value_reversion``); its mean is the opening price.
    """

    noise: int = setting(
        1000, low=0, high=10**6, doc="noise traders: one order each, at a uniform time until the close"
    )
    value: int = setting(
        102, low=0, high=1000, doc="value traders, who estimate the fundamental from noisy looks at it"
    )
    momentum: int = setting(12, low=0, high=1000, doc="momentum traders: the mean of 20 mids against that of 50")
    market_makers: int = setting(2, low=0, high=100, doc="adaptive market makers: a ladder of orders on each side")
    close_s: float = setting(23_400.0, above=0.0, high=1e7, doc="the close: horizon of value and of noise traders [s]")
    noise_from_s: float = setting(
        -1800.0, low=-1e6, high=1e6, doc="start of the noise traders' window; who wakes earlier is lost [s]"
    )
    value_rate: float = setting(5.7e-3, above=0.0, high=1e3, doc="wakings of a value trader per second")
    value_reversion: float = setting(
        1.67e-6, low=0.0, high=1e3, doc="mean reversion that value traders believe in [1/s]"
    )
    observation_variance: float = setting(1000.0, above=0.0, high=1e12, doc="variance of a look at the value [ticks^2]")
    shock_variance: float = setting(
        1e14, low=0.0, high=1e30, doc="variance of the value that they believe in [ticks^2/s]"
    )
    aggressive: float = setting(
        0.1, low=0.0, high=1.0, doc="share of value traders' orders that take the opposite best"
    )
    depth_spread: float = setting(
        2.0, low=0.0, high=100.0, doc="spreads up to which the others stay behind the opposite best"
    )
    momentum_wake_s: float = setting(
        37.0, above=0.0, high=1e6, doc="mean time between wakings of a momentum trader [s]"
    )
    maker_wake_s: float = setting(60.0, above=0.0, high=1e6, doc="mean time between wakings of a market maker [s]")
    pov: float = setting(
        0.025, above=0.0, high=1.0, doc="a market maker's order in shares of the volume since its last waking"
    )
    levels: int = setting(10, low=1, high=MAX_ORDERS // 2, doc="levels a side of a market maker")
    spacing: float = setting(5.0, above=0.0, high=1e3, doc="distance of its levels in smoothed spreads")
    spread_alpha: float = setting(0.75, low=0.0, high=1.0, doc="weight of the present spread in the smoothed one")

    def __post_init__(self) -> None:
        validate(self)
        if self.noise + self.agents == 0:
            raise ConfigError("noise: there is no agent at all; give some of noise, value, momentum or market_makers")

    @property
    def agents(self) -> int:
        """Agents with a memory of their own."""
        return self.value + self.momentum + self.market_makers

    def fill(self, record: Any) -> None:
        """Write the compiled form to *record*."""
        record["noise"], record["value"] = self.noise, self.value
        record["momentum"], record["makers"] = self.momentum, self.market_makers
        record["close"], record["noise_from"] = round(self.close_s * 1e9), round(self.noise_from_s * 1e9)
        record["value_mean"] = 1e9 / self.value_rate
        record["momentum_mean"], record["maker_mean"] = 1e9 * self.momentum_wake_s, 1e9 * self.maker_wake_s
        record["reversion"] = self.value_reversion * 1e-9
        record["observation_variance"], record["shock_variance"] = self.observation_variance, self.shock_variance * 1e-9
        record["aggressive"], record["depth_spread"] = self.aggressive, self.depth_spread
        record["pov"], record["levels"] = self.pov, self.levels
        record["spacing"], record["spread_alpha"] = self.spacing, self.spread_alpha


def allocate_agents(config: PopulationConfig | None, n: int) -> NDArray[Any]:
    """The agents of *n* markets, ``(n, agents)``; none without a population."""
    return np.zeros((n, 0 if config is None else config.agents + 1), AGENT)


@kernel
def start_agents(state: Any, flow: Any, agents: Any, now: int) -> None:
    """Let every agent begin without orders, and draw its first waking."""
    law = flow["population"]
    state["agent"] = -1
    for a in range(agents.shape[0]):
        agent = agents[U(a)]
        kind = NOISE
        if a > 0:
            kind = VALUE if a <= law["value"] else (MOMENTUM if a <= law["value"] + law["momentum"] else MAKER)
        agent["kind"] = kind
        agent["left"] = 0
        agent["last"] = now
        agent["estimate"] = state["fundamental_mean"]
        agent["variance"] = 0.0
        agent["spread"] = 2.0
        agent["volume"] = 0
        agent["n_mids"] = 0
        agent["n_orders"] = 0
        agent["n_planned"] = 0
        if kind == NOISE:
            # How many of the window's uniform times lie before the opening.
            share = max(np.float64(now - law["noise_from"]) / np.float64(law["close"] - law["noise_from"]), 0.0)
            for _ in range(law["noise"]):
                if unit(draw(state["streams"], POPULATION)) >= share:
                    agent["left"] += 1
        set_waking(state, law, agent, now)
    set_population_due(state, agents)


@kernel
def set_waking(state: Any, law: Any, agent: Any, now: int) -> None:
    """Draw the next waking of *agent* after *now*."""
    wait = exponential(draw(state["streams"], POPULATION))
    kind = agent["kind"]
    if kind == NOISE:
        # The first of the remaining uniform times: 1 - U^(1 / n) of what is left of the window.
        agent["due"] = NEVER
        if agent["left"] > 0 and now < law["close"]:
            agent["due"] = now + 1 + I64((1.0 - decay(wait / agent["left"])) * np.float64(law["close"] - now))
        return
    mean = law["value_mean"] if kind == VALUE else (law["momentum_mean"] if kind == MOMENTUM else law["maker_mean"])
    agent["due"] = now + 1 + I64(wait * mean)


@kernel
def set_population_due(state: Any, agents: Any) -> None:
    """Bring the due time of the population up to date."""
    earliest = NEVER
    for a in range(agents.shape[0]):
        earliest = min(earliest, agents[U(a)]["due"])
    state["due"][POPULATION] = earliest


@kernel
def next_agent(agents: Any) -> int:
    """The agent that wakes first."""
    first = 0
    for a in range(1, agents.shape[0]):
        if agents[U(a)]["due"] < agents[U(first)]["due"]:
            first = a
    return first


@kernel
def order_size(state: Any) -> int:
    """A size from ABIDES' mixture; two draws."""
    choice, word = draw(state["streams"], POPULATION), draw(state["streams"], POPULATION)
    mark = unit(choice)
    for k in range(10):
        if mark < SIZE_SPIKES[k]:
            return I64(math.floor(100.0 * (k + 1) + 0.15 * normal(word) + 0.5))
    power = 2.9 + 1.2 * normal(word)
    size = 1.0 / decay(power) if power >= 0.0 else decay(-power)
    return max(I64(size + 0.5), 1)


@kernel
def plan(agent: Any, side: int, price: int, quantity: int) -> None:
    """Add an order to those that *agent* is about to send."""
    n = agent["n_planned"]
    agent["side"][U(n)] = side
    agent["price"][U(n)] = price
    agent["quantity"][U(n)] = quantity
    agent["n_planned"] = n + 1


@kernel
def estimate_value(state: Any, flow: Any, agent: Any, now: int) -> float:
    """A value trader's forecast of the value at the close, after a noisy look at the value."""
    law = flow["population"]
    diffuse(state, flow, now)
    mean, noise = state["fundamental_mean"], law["observation_variance"]
    seen = state["fundamental"] + math.sqrt(noise) * normal(draw(state["streams"], POPULATION))
    speed = law["reversion"]
    elapsed = np.float64(now - agent["last"])
    share = decay(speed * elapsed)
    before = (1.0 - share) * mean + share * agent["estimate"]
    grown = elapsed if speed * elapsed < 1e-8 else (1.0 - share * share) / (2.0 * speed)
    variance = share * share * agent["variance"] + grown * law["shock_variance"]
    agent["estimate"] = (noise * before + variance * seen) / (noise + variance)
    agent["variance"] = noise * variance / (noise + variance)
    rest = decay(speed * np.float64(max(law["close"] - now, 0)))
    return (1.0 - rest) * mean + rest * agent["estimate"]


@kernel
def wake(book: Book, state: Any, flow: Any, agent: Any, volume: int, now: int) -> None:
    """Let *agent*, whose resting orders were withdrawn if its kind does that, plan its orders; draw its next waking.

    *volume* is what the market has traded since it opened [lots].
    """
    law = flow["population"]
    kind = agent["kind"]
    both = not is_empty(book, BID) and not is_empty(book, ASK)
    bid, ask = 0, 0
    if both:
        bid, ask = best_price(book, BID), best_price(book, ASK)
    coin = draw(state["streams"], POPULATION)
    size = order_size(state)
    if kind == NOISE:
        agent["left"] -= 1
        if both:
            plan(agent, BID if (coin & _ONE) == _ONE else ASK, ask if (coin & _ONE) == _ONE else bid, size)
    elif kind == VALUE:
        forecast = estimate_value(state, flow, agent, now)
        adjust = 0
        if unit(coin) >= law["aggressive"]:
            adjust = I64(low_unit(coin) * law["depth_spread"] * (ask - bid))
        if not both:
            plan(agent, BID if (coin & _ONE) == _ONE else ASK, I64(math.floor(forecast)), size)
        elif 2.0 * forecast < bid + ask:
            plan(agent, ASK, bid + adjust, size)
        else:
            plan(agent, BID, ask - adjust, size)
    elif kind == MOMENTUM:
        if both:
            agent["mids"][U(agent["n_mids"] % MEMORY)] = 0.5 * (bid + ask)
            agent["n_mids"] += 1
            if agent["n_mids"] >= MEMORY:
                plan(agent, BID if rising(agent) else ASK, ask if rising(agent) else bid, size)
    else:
        if both:
            agent["spread"] = law["spread_alpha"] * (ask - bid) + (1.0 - law["spread_alpha"]) * agent["spread"]
        middle = 0.5 * (bid + ask) if both else state["fundamental_mean"]
        lots = max(I64(law["pov"] * (volume - agent["volume"]) + 0.5), 1)
        gap = max(I64(law["spacing"] * agent["spread"] + 0.5), 1)
        top = I64(math.floor(middle - 0.5 * agent["spread"]))
        bottom = top + max(I64(agent["spread"] + 0.5), 1)
        for i in range(law["levels"] - 1, -1, -1):
            plan(agent, BID, top - i * gap, lots)
            plan(agent, ASK, bottom + i * gap, lots)
        agent["volume"] = volume
    agent["last"] = now
    set_waking(state, law, agent, now)


@kernel
def rising(agent: Any) -> bool:
    """Whether the mean of an agent's last 20 mids is at least that of its last 50."""
    short, long = 0.0, 0.0
    n = agent["n_mids"]
    for k in range(MEMORY):
        x = agent["mids"][U((n - 1 - k) % MEMORY)]
        long += x
        if k < SHORT:
            short += x
    return bool(short * MEMORY >= long * SHORT)
