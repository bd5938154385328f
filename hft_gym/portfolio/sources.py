"""What a `RiskManager` can watch, each as paths of equity, prices and positions."""

from __future__ import annotations

from dataclasses import dataclass
from functools import singledispatch
from typing import Any

import numpy as np
import numpy.typing as npt

from hft_gym.errors import ConfigError
from hft_gym.evaluation.episodes import Episodes
from hft_gym.market import Market
from hft_gym.portfolio.ledger import Portfolio
from hft_gym.portfolio.usage import uses_of_episodes, uses_of_market

__all__ = ["OfSeries", "Path", "Watched", "watch"]

Floats = npt.NDArray[np.float64]
NAN = float("nan")


@dataclass(frozen=True)
class Path:
    """(N,) times and equity; (N, S) prices and positions; the equity before the first look."""

    time: npt.NDArray[np.int64]
    equity: Floats
    price: Floats
    position: Floats
    start: float = -np.inf

    @property
    def peak(self) -> Floats:
        """(N,) highest equity so far."""
        return np.maximum.accumulate(np.maximum(self.equity, self.start))


class Watched:
    """A source: what it is counted in, what it went through, what is held and limited now."""

    unit = "ticks·lots"
    symbols: tuple[str, ...] = ()

    def look(self) -> None:
        """Remember the present."""

    def paths(self) -> list[Path]:
        raise NotImplementedError

    def held(self) -> Floats | None:
        """(S,) what is held now; None if that is not known."""
        raise NotImplementedError

    def fall(self) -> float:
        """A drawdown that the source itself has counted, between the looks too."""
        return 0.0

    def facts(self) -> dict[str, Any]:
        """The fields of `RiskReport` that need no past."""
        raise NotImplementedError


class OfMarket(Watched):
    def __init__(self, market: Market, participant: int) -> None:
        market.account(participant)  # refuses who is not there
        self.market, self.participant, self.symbols = market, participant, (market.symbol,)
        self.rows: list[tuple[int, float, float, float]] = []

    def look(self) -> None:
        account, now = self.market.account(self.participant), self.market.time
        if self.rows and self.rows[-1][0] == now:
            self.rows.pop()
        self.rows.append((now, account.equity, account.mid, float(account.position)))

    def paths(self) -> list[Path]:
        rows = np.array(self.rows, np.float64)
        time = np.array([row[0] for row in self.rows], np.int64)
        return [Path(time, rows[:, 1], rows[:, 2:3], rows[:, 3:4], 0.0)]

    def held(self) -> Floats:
        return np.array([self.rows[-1][3]])

    def facts(self) -> dict[str, Any]:
        market, p = self.market, self.participant
        account, risk = market.account(p), market.risk(p)
        uses, reachable = uses_of_market(market, p)
        value = account.position * account.mid
        return {
            "time": market.time,
            "equity": account.equity,
            "net_exposure": value,
            "gross_exposure": abs(value),
            "notional": reachable * abs(account.mid),
            "limits": uses,
            "mode": risk.mode if market.config.risk_of(p).active else None,
            "breaches": risk.breaches,
        }

    def fall(self) -> float:
        return self.market.risk(self.participant).drawdown


class OfPortfolio(Watched):
    unit = "currency"

    def __init__(self, portfolio: Portfolio) -> None:
        self.portfolio = portfolio

    @property
    def symbols(self) -> tuple[str, ...]:  # type: ignore[override]
        return self.portfolio.symbols

    def paths(self) -> list[Path]:
        frame = self.portfolio.history()
        table = np.zeros((2, len(frame), len(self.symbols)))
        for i, symbol in enumerate(self.symbols):
            mine = frame["symbol"] == symbol
            # A symbol's price before it was first seen is its first: it has not moved yet.
            table[0, :, i] = frame["price"].where(mine).ffill().bfill()
            table[1, :, i] = frame["position"].where(mine).ffill().fillna(0)
        equity = frame["equity"].to_numpy(np.float64)
        return [Path(frame.index.to_numpy(np.int64), equity, table[0], table[1], self.portfolio.initial_cash)]

    def held(self) -> Floats:
        return np.array([float(self.portfolio.position(s).quantity) for s in self.symbols])

    def facts(self) -> dict[str, Any]:
        book = self.portfolio
        gross = book.gross_exposure
        found = {"time": book.time, "equity": book.equity, "net_exposure": book.net_exposure, "gross_exposure": gross}
        return {**found, "notional": gross, "limits": (), "mode": None, "breaches": {}}


class OfEpisodes(Watched):
    def __init__(self, episodes: Episodes) -> None:
        self.episodes, self.symbols = episodes, (episodes.symbol,)

    def paths(self) -> list[Path]:
        e = self.episodes
        ends = (e.steps + 1).tolist() if e.equity.shape[1] else [0] * len(e)
        return [
            Path(e.time[i, :n], e.equity[i, :n], e.mid[i, :n, None], e.inventory[i, :n, None].astype(np.float64), 0.0)
            for i, n in enumerate(ends)
        ]

    def held(self) -> None:
        return None  # episodes end flat

    def facts(self) -> dict[str, Any]:
        e = self.episodes
        value = (e.inventory * e.mid).ravel()
        largest = float(value[np.abs(value).argmax()]) if len(value) else NAN
        uses, mode, breaches = uses_of_episodes(e)
        return {
            "time": None,
            "equity": float(e.net_pnl.mean()) if len(e) else NAN,
            "net_exposure": largest,
            "gross_exposure": abs(largest),
            "notional": NAN,
            "limits": uses,
            "mode": mode,
            "breaches": breaches,
        }


class OfSeries(Watched):
    """An equity alone."""

    def __init__(self, time: npt.NDArray[np.int64], equity: Floats, unit: str) -> None:
        none = np.zeros((len(time), 0))
        self.path, self.unit = Path(time, equity, none, none), unit

    def paths(self) -> list[Path]:
        return [self.path]

    def held(self) -> None:
        return None

    def facts(self) -> dict[str, Any]:
        path, exposures = self.path, ("net_exposure", "gross_exposure", "notional")
        last = (int(path.time[-1]), float(path.equity[-1])) if len(path.time) else (None, NAN)
        return {"time": last[0], "equity": last[1], **dict.fromkeys(exposures, NAN), **_NO_LIMITS}


_NO_LIMITS: dict[str, Any] = {"limits": (), "mode": None, "breaches": {}}


@singledispatch
def watch(source: Any, participant: int) -> Watched:
    """What watches *source* (and a market's *participant*), or a ConfigError."""
    raise ConfigError(f"source is a {type(source).__name__}; allowed are Market, Portfolio, Episodes")


@watch.register
def _(source: Market, participant: int) -> Watched:
    return OfMarket(source, participant)


@watch.register
def _(source: Portfolio, participant: int) -> Watched:
    return OfPortfolio(source)


@watch.register
def _(source: Episodes, participant: int) -> Watched:
    return OfEpisodes(source)
