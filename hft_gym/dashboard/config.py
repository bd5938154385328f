"""`DashboardConfig`: where the dashboard listens, what it keeps, and how much a client may ask for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hft_gym.config import setting, validate
from hft_gym.errors import ConfigError
from hft_gym.feed.server import check_access

__all__ = ["CHART_HZ", "CHART_POINTS", "DEMO", "LADDER_HZ", "LIMITS", "SYMBOLS", "DashboardConfig"]

SYMBOLS = ("AAPL", "GOOGL", "MSFT", "TSLA")
DEMO = ("microprice-maker", "inventory-skew")
"""The strategies of a session that is told none."""
LIMITS: dict[str, Any] = {"max_position": 25, "max_order_size": 20, "max_open_orders": 20, "max_drawdown": 5_000.0}
"""Risk limits of a session that is told none, so that there is something to see: lots, and ticks·lots."""
LADDER_HZ = 20.0
"""Book pictures a second that a client gets at most."""
CHART_HZ = 4.0
"""Updates of the curves a second that a client gets at most."""
CHART_POINTS = 1000
"""Points of a curve at most."""


@dataclass(frozen=True)
class DashboardConfig:
    """Settings of the server. Beyond loopback it demands a token."""

    host: str = setting("127.0.0.1", min_length=1, doc="address to listen on; others than loopback need a token")
    port: int = setting(8080, low=0, high=65_535, doc="port to listen on; 0: any that is free")
    token: str = setting("", doc="what clients must show, 16 characters or more; empty: nothing (loopback only)")
    allowed_hosts: tuple[str, ...] = setting((), doc="further names that browsers may reach it by")
    runs: Path = setting(Path("runs"), doc="folder of the trained agents that may be chosen")
    keep: Path | None = setting(Path("runs/dashboard"), doc="folder of sessions and recordings; None: none kept")
    max_clients: int = setting(256, low=1, high=10_000, doc="browsers at one time")
    max_sessions: int = setting(16, low=1, high=1000, doc="sessions at one time; the longest unwatched makes room")
    max_message: int = setting(16_384, low=256, high=1 << 20, doc="size of a client's message at most [bytes]")
    messages_per_second: float = setting(20.0, above=0.0, high=1e4, doc="of one client; whoever sends more is cut off")
    unwatched_s: float = setting(60.0, above=0.0, high=1e6, doc="a session nobody watches so long stands still [s]")
    forgotten_s: float = setting(43_200.0, above=0.0, high=1e7, doc="and forgotten after so long [s]")

    def __post_init__(self) -> None:
        validate(self)
        check_access(self.host, self.token)
        if self.keep is not None and self.keep.exists() and not self.keep.is_dir():
            raise ConfigError(f"keep is {self.keep}, which is a file; allowed are folders, there or not")
