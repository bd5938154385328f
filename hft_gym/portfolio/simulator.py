"""`ExecutionSimulator`: a strategy, a market or a recorded day in; fills, portfolio, metrics and risk out.

There is one market and one set of rules; this is the way into them for a strategy of either face. `predict` plays in
the environments (`hft_gym.evaluation.evaluate`), `on_market_update` in a `hft_gym.Market` on the same clock: a rule
that wants the same orders through both gets the same fills, bit for bit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from os import PathLike, fspath
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from hft_gym.config import build, to_dict
from hft_gym.errors import ConfigError
from hft_gym.evaluation import evaluate
from hft_gym.evaluation.episodes import Episodes
from hft_gym.evaluation.seeds import whole_seeds
from hft_gym.market.records import SUBUNITS
from hft_gym.portfolio.ledger import Portfolio
from hft_gym.report import PerformanceMetrics
from hft_gym.types import OrderSide

if TYPE_CHECKING:
    import pandas as pd

    from hft_gym.envs.config import EnvConfig
    from hft_gym.feed import DataFeed, DataFeedConfig
    from hft_gym.portfolio.risk import RiskManager

__all__ = ["ExecutionSimulator", "Simulation", "portfolio_of"]

Face = Literal["auto", "predict", "snapshots"]


@dataclass(frozen=True)
class Simulation:
    """What a run left.

    Attributes:
        episodes: paths and logs, one episode a seed; everything in `hft_gym.report` takes them.
        initial_cash: of each portfolio [currency].
    """

    episodes: Episodes
    initial_cash: float

    @cached_property
    def metrics(self) -> PerformanceMetrics:
        """Every metric over all episodes, by name."""
        return PerformanceMetrics(self.episodes)

    @cached_property
    def portfolio(self) -> Portfolio:
        """The portfolio of the first episode [currency]."""
        return self.portfolio_of(0)

    def portfolio_of(self, episode: int) -> Portfolio:
        """The portfolio of one episode: its fills, marked at the others' mid after each decision.

        Args:
            episode: its place in the run, from 0 on; not its seed (``episodes.seeds`` has the seed of each).

        Raises:
            ConfigError: no such episode.
        """
        return portfolio_of(self.episodes, episode, self.initial_cash)

    @cached_property
    def risk(self) -> RiskManager:
        """Exposure, value at risk, drawdown and limits used, over all episodes."""
        from hft_gym.portfolio.risk import RiskManager

        return RiskManager(self.episodes)

    def fills(self) -> pd.DataFrame:
        """One row per own fill; see `Episodes.fills_frame`."""
        return self.episodes.fills_frame()


class ExecutionSimulator:
    """Runs strategies over a market, a feed or a recorded file.

    Args:
        config: the environment: market, clock, position limit, decisions (`EnvConfig`); single ``settings`` win.
        feed: what to trade in; what it says wins over ``config``: a message file of any kind that the readers know
            (docs/data.md), an address ("replay:PATH", "mock://..."), a `DataFeedConfig`, or a mock or replay
            `DataFeed`, of which the settings are taken; it need not be connected. A recorded file is cut into episodes
            as in the environments.
        initial_cash: of the portfolios [currency].
        log_capacity: fills, orders and mid changes that can be logged between two decisions.
        **settings: fields of `EnvConfig`.

    Raises:
        ConfigError: a wrong setting, or a feed without a book of orders to trade in.
    """

    def __init__(
        self,
        config: EnvConfig | Mapping[str, Any] | None = None,
        *,
        feed: str | PathLike[str] | DataFeedConfig | DataFeed | None = None,
        initial_cash: float = 100_000.0,
        log_capacity: int = 4096,
        **settings: Any,
    ) -> None:
        from hft_gym.envs.common import make_config
        from hft_gym.envs.config import EnvConfig

        Portfolio(initial_cash)  # refuses what is no amount of money
        of_feed = {} if feed is None else _settings_of(feed)
        self.config = make_config(make_config(config, of_feed, EnvConfig), settings, EnvConfig)
        self.initial_cash, self.log_capacity = initial_cash, log_capacity

    def run(
        self,
        strategy: Any,
        seeds: Sequence[int] | npt.NDArray[np.integer[Any]] = (0,),
        *,
        face: Face = "auto",
        starts: Sequence[int] | None = None,
        deterministic: bool = True,
    ) -> Simulation:
        """One episode a seed.

        Args:
            strategy: with ``predict`` (a baseline, a Stable-Baselines3 model) or ``on_market_update``.
            seeds: of the episodes; one seed is one market, whatever trades in it.
            face: which of the two to use; auto: ``predict`` where there is one.
            starts: of a recorded file, where each episode starts [ns since midnight]; None: drawn from its seed.
            deterministic: passed to ``predict``.

        Raises:
            ConfigError: a strategy without the face, no seeds, one that is no whole number, or a wrong start.
            LogOverflowError: a log was full; raise ``log_capacity``.
        """
        faces = {"predict": "predict", "snapshots": "on_market_update"}
        if face not in ("auto", *faces):
            raise ConfigError(f"face is {face!r}; allowed are auto, {', '.join(faces)}")
        has = [name for name, method in faces.items() if callable(getattr(strategy, method, None))]
        if (face != "auto" and face not in has) or not has:
            wanted = " or ".join(faces.values()) if face == "auto" else faces[face]
            raise ConfigError(f"strategy {type(strategy).__name__} has no method {wanted}")
        chosen = has[0] if face == "auto" else face
        if chosen == "snapshots":
            episodes = self._on_snapshots(strategy, seeds, starts)
        else:
            episodes = evaluate(
                strategy, self.config, seeds, starts=starts, deterministic=deterministic, log_capacity=self.log_capacity
            )
        return Simulation(episodes, self.initial_cash)

    def _on_snapshots(self, strategy: Any, seeds: Any, starts: Sequence[int] | None) -> Episodes:
        from gymnasium.utils import seeding

        from hft_gym.envs.common import draw_key
        from hft_gym.envs.core import EnvCore
        from hft_gym.market import Market
        from hft_gym.portfolio.snapshots import check_tick, play

        config = self.config
        wanted = whole_seeds(seeds)
        if config.task == "execution" or len(config.variants) > 1:
            raise ConfigError(
                "a parent order, and markets drawn by randomise, are of the environments: run this strategy by predict"
            )
        if starts is not None and len(starts) != len(wanted):
            raise ConfigError(f"starts: expected one for each of {len(wanted)} seeds, got {len(starts)}")
        check_tick(strategy, config.market.tick_size)
        core = EnvCore(config, 1, log_capacity=0)  # reads the file, sizes the market, draws the starts
        symbol = None if core.feed is not None and core.feed.symbol else getattr(strategy, "symbol", "HFT")
        traces = []
        for i, seed in enumerate(wanted.tolist()):
            key = draw_key(seeding.np_random(seed)[0])
            start = None
            if core.feed is not None:
                asked = None if starts is None else np.array([starts[i]], np.int64)
                core.reset(np.array([key], np.uint64), None, asked)
                start = int(core.env["start_time"][0]) - config.market.latency.market_data_ns
            elif starts is not None:
                raise ConfigError("starts: this market is simulated; only a recorded file starts at a time of day")
            market = Market(
                core.market, key, feed=core.feed, start=start, log_capacity=self.log_capacity, symbol=symbol
            )
            traces.append(play(strategy, market, config))
            symbol = market.symbol
        longest = max(len(t.rows) for t in traces)

        def path(column: int) -> npt.NDArray[np.float64]:
            found = [t.column(column) for t in traces]
            return np.stack([np.pad(values, (0, longest - len(values)), mode="edge") for values in found])

        def log(name: str) -> npt.NDArray[Any]:
            parts = [t.log(name) for t in traces]
            for i, part in enumerate(parts):
                part["episode"] = i
            return np.concatenate(parts)

        name = getattr(strategy, "name", None)
        return Episodes(
            name=name if isinstance(name, str) and name else type(strategy).__name__,
            seeds=wanted,
            steps=np.array([len(t.rows) - 1 for t in traces], np.int64),
            time=path(0).astype(np.int64),
            equity=path(1),
            inventory=path(2).astype(np.int64),
            mid=path(3),
            rewards=np.diff(path(1), axis=1),
            terminated=np.array([t.terminated for t in traces]),
            truncated=np.zeros(len(traces), np.bool_),
            fills=log("fills"),
            orders=log("orders"),
            mids=log("mids"),
            spread=path(4),
            imbalance=path(5),
            symbol=symbol or "HFT",
            tick_size=config.market.tick_size,
            capital=config.capital,
            config=to_dict(config),
        )


def portfolio_of(episodes: Episodes, episode: int = 0, initial_cash: float = 100_000.0) -> Portfolio:
    """One episode as a portfolio in currency: its fills in time, marked at the others' mid after each decision.

    A position at the start (the parent order of an execution) is a fill at the arrival's mid, as in the accounts. The
    average cost is rounded as there: ``equity - initial_cash`` is the net P&L times the tick size.

    Args:
        episodes: of a run.
        episode: its place among them, from 0 on; not its seed.
        initial_cash: of the portfolio [currency].

    Raises:
        ConfigError: no such episode.
    """
    if not 0 <= episode < len(episodes):
        raise ConfigError(f"episode is {episode}; allowed are 0 to {len(episodes) - 1}")
    tick, symbol = Fraction(repr(episodes.tick_size)), episodes.symbol
    unit = tick / SUBUNITS
    book = Portfolio(initial_cash, money_unit=unit)
    steps = int(episodes.steps[episode])
    times, mids = episodes.time[episode, : steps + 1].tolist(), episodes.mid[episode, : steps + 1].tolist()
    held = int(episodes.inventory[episode, 0])
    if held:
        side = OrderSide.BID if held > 0 else OrderSide.ASK
        book.apply_fill(symbol, side, abs(held), tick * Fraction(mids[0]), 0, times[0])
    fills = iter(episodes.fills[episodes.fills["episode"] == episode])
    fill = next(fills, None)
    for time, mid in zip(times, mids, strict=True):
        while fill is not None and fill["time"] <= time:
            side, price = OrderSide(int(fill["side"])), int(fill["price"]) * tick
            book.apply_fill(symbol, side, int(fill["quantity"]), price, int(fill["fee"]) * unit, int(fill["time"]))
            fill = next(fills, None)
        book.mark(symbol, tick * Fraction(mid), time)
    return book


def _settings_of(feed: Any) -> dict[str, Any]:
    """What of a feed is a setting of the environment."""
    from hft_gym.feed import DataFeed, DataFeedConfig, MockDataFeed, ReplayDataFeed
    from hft_gym.market import MarketConfig

    if isinstance(feed, DataFeed) and not isinstance(feed, (MockDataFeed, ReplayDataFeed)):
        raise ConfigError(f"feed is a {type(feed).__name__}; {_NO_BOOK}")
    given = feed.config if isinstance(feed, DataFeed) else feed
    if isinstance(given, (str, PathLike)):
        given = {"url": fspath(given)}
    settings = build(DataFeedConfig, given)
    scheme, _, rest = settings.url.partition(":")
    if scheme in ("ws", "wss", "binance", "coinbase", "recording"):
        raise ConfigError(f"feed is {settings.url!r}; {_NO_BOOK}")
    market = {} if settings.market == MarketConfig() else to_dict(settings.market)
    if scheme == "mock":
        return {"market": market}
    if len(settings.symbols) > 1:
        raise ConfigError(f"symbols of the feed are {', '.join(settings.symbols)}; one run trades one of them")
    if settings.tick_size:
        market["tick_size"] = settings.tick_size
    part: dict[str, Any] = {"symbol": settings.symbols[0]} if settings.symbols else {}
    if settings.start >= 0:
        part["start"] = settings.start / 1e9
    return {"feed": rest if scheme == "replay" else settings.url, "market": market, "replay": part}


_NO_BOOK = "it tells of a market but holds no orders to trade with; allowed are mock feeds, replays and message files"
