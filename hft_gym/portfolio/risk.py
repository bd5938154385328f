"""`RiskManager`: how much is at risk, live in a market or a portfolio, or after the fact in episodes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import ceil
from statistics import NormalDist
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from hft_gym.config import build, setting, validate
from hft_gym.errors import ConfigError
from hft_gym.evaluation.episodes import Episodes
from hft_gym.market import Market
from hft_gym.market.records import RiskMode, RiskReason
from hft_gym.portfolio.ledger import Portfolio
from hft_gym.portfolio.sources import NAN, Floats, OfSeries, Path, watch
from hft_gym.portfolio.usage import Use

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["RiskManager", "RiskReport"]


@dataclass(frozen=True)
class _Settings:
    """How value at risk is counted."""

    horizon_ns: int = setting(1_000_000_000, low=1, high=10**18, doc="over which a loss is looked at [ns]")
    confidence: float = setting(0.95, above=0.0, below=1.0, doc="share of the losses that stay below")
    method: Literal["historical", "parametric"] = setting("historical", doc="how the quantile is found")

    def __post_init__(self) -> None:
        validate(self)


@dataclass(frozen=True)
class RiskReport:
    """The state at one moment, or of all episodes at their end.

    Money is in the source's unit: ticks·lots of a market or of episodes, currency of a portfolio. What cannot be said
    is NaN, with the reason in ``reasons``.
    """

    unit: str
    time: int | None
    """Of the last look [ns]; None for several episodes."""
    equity: float
    """Net profit of a market's participant or (their mean) of episodes; of a portfolio with its initial cash."""
    net_exposure: float
    """Value of what is held, short positions negative; of episodes the largest on either side, with its sign."""
    gross_exposure: float
    """Sum of the absolute values of what is held; of episodes the largest."""
    notional: float
    """As gross exposure, if every working order that adds were filled."""
    drawdown: float
    """Fall of the equity from its highest so far; of episodes the mean at their ends. A market with a limit on money
    counts it after every event, else it is that of the looks."""
    max_drawdown: float
    """The deepest fall so far; of episodes the deepest of all."""
    value_at_risk: float
    """Loss over the horizon that what is held now does not exceed with the given confidence."""
    pnl_at_risk: float
    """The same quantile of the equity's own changes in the past, whatever was held."""
    observations: int
    """Changes over the horizon that the last two are counted from."""
    limits: tuple[Use, ...]
    """Share of each limit that is used; of episodes the largest that was."""
    mode: RiskMode | None
    """Of a market's participant; of episodes the strictest that any came to; None where nothing is limited."""
    breaches: Mapping[RiskReason, int]
    reasons: Mapping[str, str] = field(default_factory=dict)
    """Field -> why it is NaN."""


class RiskManager:
    """Watches one source.

    >>> from hft_gym import Market, OrderSide, RiskManager
    >>> market = Market({"risk": {"max_position": 10, "max_loss": 500.0}}, seed=1)
    >>> watch = RiskManager(market)
    >>> order = market.submit(1, OrderSide.BID, 4)
    >>> for _ in range(100):
    ...     market.run_for(1_000_000_000)
    ...     watch.observe()
    >>> state = watch.state()
    >>> state.net_exposure == 4 * market.account(1).mid, [(u.limit, u.share) for u in state.limits][0]
    (True, ('max_position', 0.4))
    >>> state.value_at_risk > 0, state.mode.name, state.breaches
    (True, 'NORMAL', {})

    **Live**: a `Market` (one participant) or a `Portfolio`. `observe` looks at the present; equity and prices between
    two looks are not seen, except that a portfolio remembers all its marks. **After the fact**: `Episodes`, or any
    equity by `of_series`.

    **Value at risk** by historical simulation: what is held now is valued through the past changes of its prices over
    the horizon, and the loss is minus the (1 - confidence) quantile of the results (linear between order statistics, as
    ``numpy.quantile``): Jorion (2006), Value at Risk, 3rd ed. Changes are absolute, of stretches that do not overlap,
    each from one look to the first at least one horizon later: looks further apart than the horizon make it larger.
    Fewer changes than 1 / (1 - confidence) make no such quantile: NaN. ``method="parametric"`` takes the normal
    distribution with the sample's mean and standard deviation instead (the delta-normal method of the same book).

    Args:
        source: what is watched.
        participant: of a market.
        horizon_ns: [ns].
        confidence: between 0 and 1.
        method: ``historical`` or ``parametric``.

    Raises:
        ConfigError: another source, or a setting out of range.
        OrderError: a participant that the market does not have.
    """

    def __init__(
        self,
        source: Market | Portfolio | Episodes,
        participant: int = 1,
        *,
        horizon_ns: int = 1_000_000_000,
        confidence: float = 0.95,
        method: Literal["historical", "parametric"] = "historical",
    ) -> None:
        self.settings = _Settings(horizon_ns, confidence, method)
        self._watched = watch(source, participant)
        self._watched.look()

    @classmethod
    def of_series(
        cls,
        time: Sequence[int] | npt.NDArray[np.int64],
        equity: Sequence[float] | Floats,
        unit: str = "",
        **settings: Any,
    ) -> RiskManager:
        """Of an equity alone: (N,) times [ns], not descending, and (N,) values.

        Raises:
            ConfigError: two different lengths, times that descend, or an equity that is not finite.
        """
        times, values = np.asarray(time, np.int64), np.asarray(equity, np.float64)
        if times.ndim != 1 or times.shape != values.shape or np.any(np.diff(times) < 0):
            found = f"time and equity have shapes {times.shape} and {values.shape}"
            raise ConfigError(f"{found}; allowed are two of (N,), times not descending")
        if not np.isfinite(values).all():
            raise ConfigError(f"equity: {values[~np.isfinite(values)][0]}; allowed are finite numbers")
        manager = cls.__new__(cls)
        manager.settings = build(_Settings, settings)
        manager._watched = OfSeries(times, values, unit)
        return manager

    def observe(self) -> None:
        """Look at a live source now; of what is over nothing changes."""
        self._watched.look()

    def state(self) -> RiskReport:
        """Where things stand now (a live source is looked at first)."""
        self.observe()
        watched, settings = self._watched, self.settings
        paths = watched.paths()
        reasons: dict[str, str] = {}
        changes = [_changes(path, settings.horizon_ns) for path in paths]
        own = np.concatenate([equity for equity, _ in changes]) if changes else np.zeros(0)
        falls = [path.peak - path.equity for path in paths if len(path.equity)]
        counted, held = watched.fall(), watched.held()
        at_risk = NAN
        if held is None:
            reasons["value_at_risk"] = "it is not known what is held, or at which prices"
        else:
            moves = np.concatenate([prices for _, prices in changes]) @ held
            at_risk = self._quantile("value_at_risk", moves, reasons)
        facts = watched.facts()
        if not falls:
            reasons["drawdown"] = reasons["max_drawdown"] = "nothing was seen yet"
        for name, value in facts.items():
            if isinstance(value, float) and np.isnan(value):
                reasons[name] = "not known of this source"
        return RiskReport(
            unit=watched.unit,
            **facts,
            drawdown=max(float(np.mean([fall[-1] for fall in falls])), counted) if falls else NAN,
            max_drawdown=max(float(max(fall.max() for fall in falls)), counted) if falls else NAN,
            value_at_risk=at_risk,
            pnl_at_risk=self._quantile("pnl_at_risk", own, reasons),
            observations=len(own),
            reasons=reasons,
        )

    def _quantile(self, name: str, changes: Floats, reasons: dict[str, str]) -> float:
        """The loss that *changes* stay below with the confidence asked for."""
        confidence = self.settings.confidence
        need = max(ceil(1 / (1 - confidence) - 1e-9), 2)
        if len(changes) < need:
            reasons[name] = f"{len(changes)} changes over the horizon, fewer than the {need} that {confidence} takes"
            return NAN
        if self.settings.method == "parametric":
            return float(-(changes.mean() + changes.std(ddof=1) * NormalDist().inv_cdf(1 - confidence)))
        return float(-np.quantile(changes, 1 - confidence))

    def to_frame(self) -> pd.DataFrame:
        """One row for each look: episode, time [ns], equity, peak, drawdown, and of each symbol price and position (NaN
        where they are not known)."""
        import pandas as pd

        frames = []
        for episode, path in enumerate(self._watched.paths()):
            columns: dict[str, Any] = {"episode": episode, "time": path.time, "equity": path.equity, "peak": path.peak}
            columns["drawdown"] = path.peak - path.equity
            for i, symbol in enumerate(self._watched.symbols):
                columns[f"price {symbol}"] = path.price[:, i]
                columns[f"position {symbol}"] = path.position[:, i]
            frames.append(pd.DataFrame(columns))
        return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()

    def report(self) -> str:
        """The state in words and numbers, one line each."""
        state, settings = self.state(), self.settings
        over = f"{settings.horizon_ns / 1e9:g} s, {settings.confidence:.0%}, {settings.method}"
        names = {
            "equity": "equity",
            "net_exposure": "net exposure",
            "gross_exposure": "gross exposure",
            "notional": "notional with orders",
            "drawdown": "drawdown",
            "max_drawdown": "deepest drawdown",
            "value_at_risk": f"value at risk ({over})",
            "pnl_at_risk": f"P&L at risk ({over})",
        }
        lines = []
        for name, label in names.items():
            value = getattr(state, name)
            shown = f"- ({state.reasons.get(name, 'not known')})" if np.isnan(value) else f"{value:,.2f} {state.unit}"
            lines.append(f"{label:<48} {shown}".rstrip())
        for use in state.limits:
            lines.append(f"{use.limit:<48} {use.used:,.6g} of {use.allowed:,.6g} ({use.share:.0%})")
        lines.append(f"{'mode':<48} {'no limits' if state.mode is None else state.mode.name}")
        for reason, count in state.breaches.items():
            lines.append(f"{'breaches of ' + reason.name:<48} {count}")
        return "\n".join(lines)


def _changes(path: Path, horizon: int) -> tuple[Floats, Floats]:
    """(K,) changes of the equity and (K, S) of the prices, over stretches of at least *horizon* that do not overlap.

    Rows of one time are one look, and the last of them says what was seen.
    """
    time, looks = path.time, []
    next_time = time[0] if len(time) else 0
    while len(time) and next_time <= time[-1]:
        first = np.searchsorted(time, next_time, side="left")
        looks.append(int(np.searchsorted(time, time[first], side="right")) - 1)
        next_time = time[first] + horizon
    return np.diff(path.equity[looks]), np.diff(path.price[looks], axis=0)
