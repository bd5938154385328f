"""The stylised facts: a table of measures, each a function of a tape with its formula and its source.

The measures themselves stand in :mod:`~hft_gym.realism.facts_book`, :mod:`~hft_gym.realism.facts_price` and
:mod:`~hft_gym.realism.facts_flow`; `measure` runs them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hft_gym.config import did_you_mean
from hft_gym.errors import ConfigError
from hft_gym.market.tape import Tape
from hft_gym.realism import series

__all__ = ["FACTS", "Curve", "Fact", "Measured", "Sample", "fact", "measure"]

Floats = NDArray[np.float64]


class Curve(NamedTuple):
    """What a fact looks like: *y* against *x*."""

    x: NDArray[Any]
    y: NDArray[Any]


NO_CURVE = Curve(np.zeros(0), np.zeros(0))
"""Of a tape that is too short."""


class Measured(NamedTuple):
    """The figures of one fact by name, and its curve."""

    values: dict[str, float]
    curve: Curve


class Sample:
    """A tape with the series that many measures share, each computed once.

    Args:
        tape: what to measure.
    """

    def __init__(self, tape: Tape) -> None:
        self.tape = tape
        self._mids: dict[float, Floats] = {}

    @cached_property
    def quotes(self) -> series.Quotes:
        """The best quotes over time."""
        return series.quotes(self.tape)

    @cached_property
    def trades(self) -> series.Trades:
        """The trades."""
        return series.trades(self.tape)

    def mids(self, step: float) -> Floats:
        """The mid [ticks] each *step* seconds."""
        if step not in self._mids:
            self._mids[step] = series.mids_on_grid(self.tape, step, self.quotes)
        return self._mids[step]


@dataclass(frozen=True)
class Fact:
    """One stylised fact.

    Attributes:
        name: its key. title: for people. formula, source: how it is computed, and after whom.
        x, y: what the curve's axes are. log_x, log_y: whether they are logarithmic.
        values: name -> unit of its figures.
        function: computes it of a sample.
    """

    name: str
    title: str
    formula: str
    source: str
    x: str
    y: str
    log_x: bool
    log_y: bool
    values: Mapping[str, str]
    function: Callable[[Sample], Measured]


FACTS: dict[str, Fact] = {}
"""The facts by name, in the order of the tables."""


def fact(
    name: str,
    title: str,
    *,
    formula: str,
    source: str,
    x: str,
    y: str,
    values: Mapping[str, str],
    log: str = "",
) -> Callable[[Callable[[Sample], Measured]], Callable[[Sample], Measured]]:
    """Register a measure; *log* names the logarithmic axes ("x", "y" or "xy")."""

    def register(function: Callable[[Sample], Measured]) -> Callable[[Sample], Measured]:
        FACTS[name] = Fact(name, title, formula, source, x, y, "x" in log, "y" in log, values, function)
        return function

    return register


def measure(tape: Tape | Sample, only: Iterable[str] | None = None) -> dict[str, Measured]:
    """The facts of a tape by name.

    What a tape is too short or too quiet for is NaN.

    Args:
        tape: what to measure.
        only: names of facts; None: all.

    Raises:
        ConfigError: no such fact, or the tape holds no quotes of both sides.
    """
    from hft_gym.realism import facts_book, facts_flow, facts_price  # they fill the table

    del facts_book, facts_flow, facts_price
    names = list(FACTS) if only is None else list(only)
    for name in names:
        if name not in FACTS:
            raise ConfigError(f"unknown fact {name!r}{did_you_mean(name, list(FACTS))}")
    sample = tape if isinstance(tape, Sample) else Sample(tape)
    if len(sample.quotes.time) < 2:
        raise ConfigError(f"the tape has {len(sample.tape)} records and never quotes on both sides; nothing to measure")
    return {name: FACTS[name].function(sample) for name in names}


def ccdf(x: Any, points: int = 60) -> Curve:
    """P(X >= x) at up to *points* of the sample's values, about equally far apart in logarithm."""
    values = np.sort(np.asarray(x, float))
    values = values[values > 0]
    if len(values) < 2:
        return NO_CURVE
    at = np.unique(np.searchsorted(values, np.geomspace(values[0], values[-1], points)))
    at = np.minimum(at, len(values) - 1)
    chosen = np.unique(values[at])
    return Curve(chosen, 1.0 - np.searchsorted(values, chosen, side="left") / len(values))


def quantiles(x: Any, shares: Iterable[float], prefix: str) -> dict[str, float]:
    """Sample quantiles as ``prefix_q05`` and so on; NaN of an empty sample."""
    values = np.asarray(x, float)
    found = {}
    for q in shares:
        found[f"{prefix}_q{round(100 * q):02d}"] = float(np.quantile(values, q)) if len(values) else float("nan")
    return found
