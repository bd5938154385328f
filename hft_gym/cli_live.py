"""``hft-gym paper``."""

from __future__ import annotations

import asyncio
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from rich.live import Live
from rich.table import Table

from hft_gym.cli_feed import is_mock
from hft_gym.errors import ConfigError
from hft_gym.extras import needing_extras
from hft_gym.market.config import FeeConfig, LatencyConfig
from hft_gym.market.limits import RiskLimits
from hft_gym.terminal import command_line, make_console, parse_options

if TYPE_CHECKING:
    from rich.console import Console

    from hft_gym.evaluation.episodes import Episodes
    from hft_gym.live import LiveSession
    from hft_gym.live.run import PaperConfig, PaperRun


@dataclass(frozen=True)
class PaperArgs:
    """Let strategies trade on a data feed, with paper money: the market's own rules for queues, latency, fees, limits.

    Ctrl-C stops with the state kept; --resume FOLDER goes on, also after a kill. At the end of --seconds or of the feed
    positions are closed. The run is added to the runs that hft-gym runs lists.

    Example: hft-gym paper --feed mock --strategy market-making:skew=2 join-touch --seconds 60 --speed 10
    """

    feed: str = "mock"
    """mock, replay:FILE, recording:FOLDER, ws://..., binance, binance://futures, coinbase."""
    strategy: tuple[str, ...] = ("market-making",)
    """Who trades, side by side: baselines (with parameters as market-making:skew=2), paths of trained agents."""
    symbols: tuple[str, ...] = ()
    """Instruments (default: all that the source has; mock: AAPL)."""
    seconds: float = 0.0
    """Session time after which positions are closed and the run ends; 0: no limit."""
    speed: float = 1.0
    """Mock, replay: seconds of market time in one of yours, 0.1 to 1000 or inf."""
    seed: int = 0
    """Mock: seed of the markets."""
    market: str = "default"
    """Mock: the market of each symbol, by the name of a preset or the TOML file of hft-gym calibrate."""
    queue_model: Literal["back", "front", "proportional"] = "back"
    """Feeds without single orders: which part of a queue decreases come from that no trade explains."""
    tick_size: float | None = None
    """Feeds: the tick in currency (default: found from the prices)."""
    lot_size: float | None = None
    """Feeds: the size of one lot (default: found from the sizes)."""
    levels: int | None = None
    """Exchanges: price levels a side that are followed (default: 50)."""
    order_size: int | None = None
    """Lots of an order (default: 1, or what an agent was trained with)."""
    max_position: int | None = None
    """Largest absolute position of a strategy in lots (default: 10, or what an agent was trained with)."""
    step_ns: int | None = None
    """Time between decisions in ns (default: 100 ms, or what an agent was trained with)."""
    latency: LatencyConfig = field(default_factory=LatencyConfig)
    """Of orders, cancels and market data, on top of what a live feed takes by itself."""
    fees: FeeConfig = field(default_factory=FeeConfig)
    """What fills cost."""
    risk: RiskLimits = field(default_factory=RiskLimits)
    """Limits of each strategy."""
    initial_cash: float = 100_000.0
    """Of each strategy, in currency."""
    out: Path | None = None
    """Folder of the state, empty or not there (default: runs/paper-DATE-TIME)."""
    resume: Path | None = None
    """Go on with the run in this folder; it is as it was set up, so that only --parts and --dashboard fit."""
    parts: Path = Path("runs/parts")
    """Store that the run is added to, as a part that hft-gym runs reads."""
    dashboard: int | None = None
    """Serve a dashboard on this port of loopback (0: any that is free): watch, and trade beside the strategies."""
    token: str = ""
    """What a server of ours asks for."""
    rest_url: str = ""
    """Binance: address of the snapshots, for a WebSocket address of your own."""
    venue: Literal["", "binance", "coinbase"] = ""
    """Whose stream a ws:// address is; default: that of hft-gym serve-feed."""


def _config(args: PaperArgs) -> PaperConfig:
    from hft_gym.config import build
    from hft_gym.feed.exchange import ExchangeFeed
    from hft_gym.live.run import PaperConfig, source_of
    from hft_gym.market.config import MarketConfig

    if not args.strategy:
        raise ConfigError("strategy: got none; allowed are names of baselines, and paths of trained agents")
    mock = is_mock(args)
    symbols = args.symbols or (("AAPL",) if mock else ())
    given: dict[str, Any] = {
        "strategies": list(args.strategy),
        "latency": args.latency,
        "fees": args.fees,
        "risk": args.risk,
        **{name: getattr(args, name) for name in ("order_size", "max_position", "step_ns", "initial_cash")},
        **{name: getattr(args, name) for name in ("queue_model", "tick_size", "lot_size")},
    }
    if mock:
        given["market"] = build(MarketConfig, args.market)
    if args.latency == LatencyConfig() and mock:
        given["latency"] = None  # a TOML file's own
    if args.fees == FeeConfig() and mock:
        given["fees"] = None
    if args.risk == RiskLimits() and mock:
        given["risk"] = None
    policy = "block" if args.speed == float("inf") else "drop_oldest"
    feed: dict[str, Any] = {
        "url": args.feed, "symbols": symbols, "speed": args.speed, "seed": args.seed, "policy": policy,
        "token": args.token, "rest_url": args.rest_url,
    }  # fmt: skip
    if args.levels is not None or issubclass(source_of(args.feed, args.venue), ExchangeFeed):
        feed["levels"] = 50 if args.levels is None else args.levels
    return build(PaperConfig, {"feed": feed, "session": given, "seconds": args.seconds, "venue": args.venue})


_DONE = ("orders", "fills")


async def _served(run: PaperRun, port: int, console: Console) -> list[Episodes]:
    with needing_extras():
        from hft_gym.dashboard.beside import run_with_dashboard
    from hft_gym.dashboard.config import DashboardConfig

    def tell(url: str) -> None:
        console.print(f"the dashboard is at {url}", soft_wrap=True, markup=False)

    return await run_with_dashboard(run, DashboardConfig(port=port), tell)


def _table(session: LiveSession) -> Table:
    table = Table("symbol", "trader", "position", "equity", "fees", "drawdown", "orders", "fills", "", box=None)
    for symbol, floor in session.floors.items():
        if not floor.opened:
            table.add_row(symbol, "warming up")
            continue
        for trader in session.view(symbol, 1, since_ns=0).traders:
            if trader["kind"] == "human" and not trader["orders"] and not any(trader["counters"][n] for n in _DONE):
                continue
            cells = (f"{trader[name]:,.2f}" for name in ("equity", "fees", "drawdown"))
            state = trader["ended"] or ("feed lost" if floor.suspended else "")
            counts = (str(len(trader["orders"])), str(trader["counters"]["fills"]))
            table.add_row(symbol, trader["name"], str(trader["position"]), *cells, *counts, state)
    return table


def paper() -> int:
    """Entry of ``hft-gym paper``."""
    from hft_gym.live.run import PaperRun
    from hft_gym.report import compare, print_comparison
    from hft_gym.report.parts import write_part

    args: PaperArgs = parse_options(PaperArgs)
    console = make_console(120)
    if args.resume is not None:
        plain = asdict(PaperArgs())
        other = [n for n, v in asdict(args).items() if n not in ("resume", "parts", "dashboard") and v != plain[n]]
        if other:
            raise ConfigError(f"{', '.join(sorted(other))}: a run that is resumed goes on as it was set up")
        folder, config = args.resume, None
    else:
        folder, config = args.out or Path("runs") / time.strftime("paper-%Y%m%d-%H%M%S"), _config(args)
        store, inside = args.parts.resolve(), folder.resolve()
        if store in (inside, *inside.parents):
            raise ConfigError(f"out is {folder}, in the store of runs {args.parts}; allowed is a folder beside it")
    shown: dict[str, Any] = {}
    with Live(console=console, get_renderable=lambda: shown.get("table", ""), refresh_per_second=2, transient=True):

        def show(session: LiveSession) -> None:
            if console.is_terminal and time.monotonic() - shown.get("at", 0.0) > 0.4:
                shown.update(table=_table(session), at=time.monotonic())

        run = PaperRun(folder, config, on_turn=show)
        if args.dashboard is None:
            episodes = asyncio.run(run.run())
        else:
            episodes = asyncio.run(_served(run, args.dashboard, console))
    session = run.session
    if session is None or not episodes:
        console.print("stopped before the first decision; nothing was traded", highlight=False)
        return 0
    agents = [player.name for player in session.players if player.kind == "agent"]
    meta = run.meta(command_line("paper", None))
    found = []
    for tick in dict.fromkeys(e.tick_size for e in episodes):  # money of different ticks is in no table together
        alike = [e for e in episodes if e.tick_size == tick]
        comparison = compare(alike, [e.name for e in alike if e.name in agents], meta=meta, live=True)
        # Stored first: whoever reads the output may go away before its end.
        found.append((alike[0].symbol, comparison, write_part(comparison, args.parts)))
    run.reported([part.id for _, _, part in found])
    console.print(_table(session))
    for symbols, comparison, part in found:
        if len(found) > 1:
            console.print(f"\n{symbols}", markup=False)
        print_comparison(comparison, console)
        console.print(f"stored as {part.id} in {args.parts}", soft_wrap=True, markup=False)
    if not run.finished:
        how = f"hft-gym paper --resume {folder}"
        console.print(f"stopped, positions kept; go on with: {how}", soft_wrap=True, markup=False)
    return 0
