"""``hft-gym dashboard``."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from hft_gym.terminal import parse_options


@dataclass(frozen=True)
class DashboardArgs:
    """Serve the dashboard: live markets in a browser, with strategies, a ticket of your own, and risk limits.

    Beyond loopback a token is demanded (--token, or the environment's HFT_GYM_DASHBOARD_TOKEN); there is no TLS: put a
    proxy in front.

    Example: hft-gym dashboard --strategy runs/ppo-20260102-1530 --strategy microprice-maker
    """

    strategy: Annotated[tuple[str, ...], tyro.conf.UseAppendAction] = ()
    """Who trades, side by side (give it again for each): a baseline, with parameters or without (market-making:skew=2),
    or the folder of a trained agent. Default: microprice-maker and inventory-skew."""
    symbols: tuple[str, ...] = ("AAPL", "GOOGL", "MSFT", "TSLA")
    """Instruments, one market each."""
    market: str = "default"
    """The market, by the name of a preset or the TOML file of `hft-gym calibrate`."""
    seed: int = 0
    """Seed of the markets."""
    speed: float = 1.0
    """Seconds of market time in one of yours; 0: as fast as the machine can."""
    paused: bool = False
    """Wait for the start button."""
    host: str = "127.0.0.1"
    """Address to listen on."""
    port: int = 8080
    """Port to listen on; 0: any that is free."""
    token: str = ""
    """What browsers must show, once, as ?token=...: 16 to 256 letters, digits, hyphens and underscores."""
    allow_host: Annotated[tuple[str, ...], tyro.conf.UseAppendAction] = ()
    """Further names that browsers may reach it by."""
    runs: Path = Path("runs")
    """Folder of the trained agents that may be chosen."""
    keep: Path = Path("runs/dashboard")
    """Folder of kept sessions and recordings."""
    max_clients: int = 256
    """Browsers at one time."""


def main() -> int:
    """Entry of ``hft-gym dashboard``."""
    from hft_gym.config import build
    from hft_gym.dashboard import Dashboard
    from hft_gym.dashboard.config import DEMO, LIMITS
    from hft_gym.live import SessionConfig
    from hft_gym.market import MarketConfig

    args: DashboardArgs = parse_options(DashboardArgs)
    session = build(
        SessionConfig,
        {
            "symbols": args.symbols,
            "market": MarketConfig.named(args.market),
            "seed": args.seed,
            "strategies": args.strategy or DEMO,
            "risk": LIMITS,
        },
    )
    config = {
        "host": args.host,
        "port": args.port,
        "token": args.token or os.environ.get("HFT_GYM_DASHBOARD_TOKEN", ""),
        "allowed_hosts": args.allow_host,
        "runs": args.runs,
        "keep": args.keep,
        "max_clients": args.max_clients,
    }
    Dashboard(config, session, running=not args.paused, speed=args.speed).run()
    return 0
