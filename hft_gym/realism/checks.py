"""The realism checks: what a realistic market must show, with the ranges found in real ones.

`D_checks` takes a simulated market through all of them; each is a range for one figure of the facts or of the
experiment on metaorders. Each has a market that it must refuse: tests/verify/test_realism.py, docs/flow.md.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hft_gym.config import build
from hft_gym.errors import ConfigError
from hft_gym.market.config import MarketConfig
from hft_gym.market.market import Market
from hft_gym.market.tape import TAPE, Tape, TapeKind
from hft_gym.realism.facts import Measured, Sample, measure
from hft_gym.realism.impact import Impact, metaorder_impact
from hft_gym.types import OrderSide

__all__ = ["LIMITS", "Check", "D_checks", "check_facts", "sampled_quotes"]

LIMITS: dict[str, tuple[str, str, str, float, float]] = {
    "D1 exponent": ("impact", "exponent", "impact ~ (Q/V)^delta", 0.4, 0.7),
    "D1 fit": ("impact", "r2", "R2 of that law over 1.8 decades", 0.9, 1.0),
    "D1 relaxation": ("impact", "relaxed", "impact left after 5 durations / at the end", 0.5, 0.8),
    "D2 exponent": ("acf_signs", "exponent", "trade signs' autocorrelation ~ lag^-gamma", 0.4, 0.8),
    "D2 reach": ("acf_signs", "lag1000", "the same at lags around 1000", 5e-4, 1.0),
    "D3": ("acf_returns", "lag1_60s", "autocorrelation of 1 min returns at lag 1", -0.05, 0.05),
    "D4 fat": ("kurtosis", "k1", "excess kurtosis of 1 s returns", 3.0, math.inf),
    "D4 falling": ("kurtosis", "falling", "it falls from 1 s to 10 s to 1 min (1: yes)", 1.0, 1.0),
    "D4 normal": ("kurtosis", "k600", "excess kurtosis of 10 min returns", -2.0, 2.0),
    "D5": ("acf_volatility", "exponent", "|1 s returns|: autocorrelation ~ lag^-b", 0.2, 0.4),
    "D6": ("signature", "flatness", "variance per second from 1 to 10 min: max / min - 1", 0.0, 0.2),
    "D7 R2": ("ofi", "r2", "R2 of 10 s mid changes on order flow imbalance", 0.4, 0.8),
    "D7 depth": ("ofi", "depth_exponent", "its slope ~ depth^-lambda", 0.7, 1.3),
    "D7 trades": ("ofi", "trade_share", "R2 of signed volume / R2 of order flow imbalance", 0.0, 1.0),
    "D8 AUC": ("imbalance", "auc", "area under the curve: imbalance, next mid move", 0.6, 0.8),
    "D8 monotone": ("imbalance", "monotone", "rank correlation of imbalance and P(up)", 0.9, 1.0),
    "D9": ("response", "growth", "response to a trade at large lags / at lag 1", 1.3, 3.0),
    "D10 cancels": ("events", "cancel_per_limit", "cancellations / limit orders", 0.9, 1.0),
    "D10 limit tail": ("limit_sizes", "tail_index", "tail index of limit orders' sizes", 1.0, 4.0),
    "D10 market tail": ("market_sizes", "tail_index", "tail index of trades' sizes", 1.0, 4.0),
    "D11": ("spread_recovery", "exponent", "excess spread ~ tau^-x after it opened", 0.3, 0.6),
    "D12": ("spread_impact", "ratio", "spread / (2 R(1) / (1 - C(1)))", 0.75, 1.25),
    "D13 micro-price": ("micro_price", "ratio", "bias of the micro-price / of the mid", 0.0, 0.5),
}
"""Check -> fact, figure, what it is, lowest and highest value that passes. Signs that are independent have a mean
autocorrelation of 0 +- 0.00015 at the 438 lags around 1000 over the checks' four tapes: half of them would be above 0,
none is above the lowest that passes D2."""

EXECUTIONS, MESSAGES = 50_000, 2_000_000
"""What each tape of the checks should hold, and about what it must not exceed."""
LONGEST = 360_000_000_000_000
"""Longest tape [ns], where hardly anything happens."""
LONG = ("acf_returns", "kurtosis", "acf_volatility", "signature")
"""Facts that need many hours, of which mids on the seconds suffice."""


@dataclass(frozen=True)
class Check:
    """One check: whether *value* lies in [low, high]."""

    name: str
    what: str
    value: float
    low: float
    high: float

    @property
    def passed(self) -> bool:
        """True if the value is known and in the range."""
        return self.low <= self.value <= self.high


def sampled_quotes(market: Market, seconds: int) -> Tape:
    """The best quotes of *seconds* further seconds of a market, one record a second: a tape for facts of the price.

    Seconds at which a side is empty keep the quotes of the one before.
    """
    table = np.zeros((seconds + 1, 3), np.int64)
    bid = ask = None
    for k in range(seconds + 1):
        if k:
            market.run_for(10**9)
        bid = market.best(OrderSide.BID) or bid
        ask = market.best(OrderSide.ASK) or ask
        table[k] = market.time, bid or 0, ask or 0
    records = np.zeros(seconds, TAPE)
    records["kind"], records["time"] = TapeKind.LIMIT, table[1:, 0]
    records["bid"], records["ask"] = table[1:, 1], table[1:, 2]
    records["bid_volume"] = records["ask_volume"] = 1
    opening = np.array([[table[0, 2], 1, table[0, 1], 1]], np.int64)
    empty = np.zeros((seconds, 0, 4), np.int64)
    return Tape(records, empty, opening, int(table[0, 0]), int(table[-1, 0]), market.config.tick_size, market.symbol)


def check_facts(facts: Mapping[str, Measured], impact: Impact | None = None) -> list[Check]:
    """The checks whose facts are there, in the order of :data:`LIMITS`."""
    values = {name: dict(found.values) for name, found in facts.items()}
    if "kurtosis" in values:
        k = values["kurtosis"]
        k["falling"] = float(k["k1"] > k["k10"] > k["k60"])
    if "ofi" in values:
        values["ofi"]["trade_share"] = values["ofi"]["trade_r2"] / values["ofi"]["r2"]
    if impact is not None:
        law = impact.law
        values["impact"] = {"exponent": law.exponent, "r2": law.r2, "relaxed": float(impact.relaxed[-1])}
    return [
        Check(name, what, values[fact][figure], low, high)
        for name, (fact, figure, what, low, high) in LIMITS.items()
        if fact in values
    ]


def _length(market: Market) -> int:
    """How long a tape of the market should be [ns]."""
    ahead = market.copy()
    before = now = ahead.counters
    while (
        now.trades - before.trades < EXECUTIONS
        and now.messages - before.messages < MESSAGES
        and ahead.time - market.time < LONGEST
    ):
        ahead.run_for(600_000_000_000)
        now = ahead.counters
    return ahead.time - market.time


def _mean(found: Sequence[Measured]) -> Measured:
    """The figures of a fact, averaged over tapes; the curve is the first one's."""
    values = {figure: float(np.mean([each.values[figure] for each in found])) for figure in found[0].values}
    return Measured(values, found[0].curve)


def D_checks(
    preset: MarketConfig | Mapping[str, Any] | str,
    *,
    hours: float | None = None,
    tapes: int = 4,
    long_hours: float = 100.0,
    repeats: int = 200,
    seed: int = 0,
) -> list[Check]:
    """All checks of a simulated market; minutes.

    What needs more trades than a tape can hold (the response a thousand trades later) is averaged over several.

    Args:
        preset: the market.
        hours: length of a tape for the facts of flow and book; None: long enough for 50,000 executions, but not for
            more than about two million messages.
        tapes: how many of them, one after the other, the figures are averaged over.
        long_hours: length of the series of mids for the facts of the price (at least 2, for 10 min returns).
        repeats: metaorders of the experiment on impact.
        seed: of the market.

    Raises:
        ConfigError: not a market's configuration, no tapes, or nothing trades in it.
    """
    if tapes < 1:
        raise ConfigError(f"tapes is {tapes}; it must be at least 1")
    config = build(MarketConfig, preset)
    market = Market(config, seed, log_capacity=0)
    names = sorted({fact for fact, *_ in LIMITS.values()} - set(LONG) - {"impact"})
    several = [
        measure(market.record(_length(market) if hours is None else round(hours * 3.6e12)), names) for _ in range(tapes)
    ]
    facts = {name: _mean([found[name] for found in several]) for name in names}
    quotes = sampled_quotes(Market(config, seed + 1, log_capacity=0), round(long_hours * 3_600))
    facts |= measure(Sample(quotes), LONG)
    return check_facts(facts, metaorder_impact(config, repeats=repeats, seed=seed + 2))
