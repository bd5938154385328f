"""`Dashboard`: the server as one object; `create_demo_dashboard` is one with two makers on four symbols."""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from hft_gym.config import build, to_dict
from hft_gym.dashboard.catalogue import AGENT, Catalogue
from hft_gym.dashboard.config import DEMO, LIMITS, SYMBOLS, DashboardConfig
from hft_gym.dashboard.schema import Speed
from hft_gym.errors import ConfigError, FeedError
from hft_gym.extras import needing_extras

if TYPE_CHECKING:
    import uvicorn

    from hft_gym.dashboard.rooms import Rooms
    from hft_gym.live import LiveSession, SessionConfig

__all__ = ["Dashboard", "create_demo_dashboard"]

logger = logging.getLogger("hft_gym.dashboard")
SLOTS = 2
"""Strategies side by side, at least."""
PATIENCE_S = 60.0
"""How long a server in a thread may take to start."""


class Dashboard:
    """Serves live sessions to browsers.

    ::

        Dashboard({"port": 8080}, {"symbols": ["AAPL"], "strategies": ["join-touch"]}).run()

    Args:
        config: a `DashboardConfig`, or the same as a mapping.
        session: what every new session is: a `hft_gym.live.SessionConfig`, or the same as a mapping. A strategy may be
            told as text, as on the command line: ``"market-making:skew=2"``, or the folder of a trained agent.
        running: whether a new session runs at once.
        speed: seconds of market time in one of the viewer's; 0: as fast as the machine can.

    Raises:
        ConfigError: a wrong setting or strategy.
        MissingExtraError: the extra ``dashboard`` is not installed.
    """

    def __init__(
        self,
        config: DashboardConfig | Mapping[str, Any] | None = None,
        session: SessionConfig | Mapping[str, Any] | None = None,
        *,
        running: bool = True,
        speed: float = 1.0,
    ) -> None:
        with needing_extras():
            import uvicorn  # noqa: F401
        from hft_gym.live import LiveSession, SessionConfig

        self.config = build(DashboardConfig, config)
        self.session, agents = _prepared(build(SessionConfig, session))
        self.catalogue = Catalogue(self.config.runs, agents)
        self.running, self.speed = running, build(Speed, {"value": speed}, "speed").value
        # Made now, so that what is wrong is said before anything listens; the first client gets it.
        self._spare: list[LiveSession] = [LiveSession(self.session)]
        _one_thread()
        self._server: uvicorn.Server | None = None
        self._thread: threading.Thread | None = None

    def _begin(self) -> LiveSession:
        from hft_gym.live import LiveSession

        try:
            return self._spare.pop()
        except IndexError:
            return LiveSession(self.session)

    @property
    def url(self) -> str:
        """Where it is served, once it is."""
        return address(self.config, self._server)

    def _make_server(self) -> uvicorn.Server:
        from hft_gym.dashboard.rooms import Rooms

        rooms = Rooms(self.config, self.catalogue, self._begin, self.running, self.speed)
        self._server = make_server(self.config, rooms)
        return self._server

    def run(self, host: str | None = None, port: int | None = None) -> None:
        """Serve until Ctrl-C.

        Args:
            host: instead of the configuration's; others than loopback need a token.
            port: instead of the configuration's; 0: any that is free.

        Raises:
            ConfigError: a wrong host or port.
            FeedError: the address cannot be listened on.
        """
        self._move(host, port)
        asyncio.run(self._serve())

    def _move(self, host: str | None, port: int | None) -> None:
        given = {name: value for name, value in (("host", host), ("port", port)) if value is not None}
        self.config = build(DashboardConfig, {**to_dict(self.config), **given})

    async def _serve(self) -> None:
        server = self._make_server()
        serving = asyncio.create_task(listen(server))
        await started(server, serving)
        secret = "?token=..." if self.config.token else ""
        print(f"the dashboard is at {self.url}{secret}; stop with Ctrl-C", flush=True)
        await serving

    # -- beside other work ---------------------------------------------------------------------------------

    def start(self, host: str | None = None, port: int | None = None) -> str:
        """Serve in a thread, such as beside a notebook; returns the address. `stop` ends it.

        Raises:
            FeedError: it runs already, or the address cannot be listened on.
        """
        if self._thread is not None:
            raise FeedError(f"the dashboard is served already, at {self.url}")
        self._move(host, port)
        server = self._make_server()

        def work() -> None:
            try:
                asyncio.run(listen(server))
            except FeedError as error:
                logger.error("%s", error)

        self._thread = threading.Thread(target=work, name="hft-gym dashboard", daemon=True)
        self._thread.start()
        waited = threading.Event()
        for _ in range(round(PATIENCE_S / 0.02)):
            if server.started:
                return self.url
            if not self._thread.is_alive():
                break
            waited.wait(0.02)
        self._thread = None
        raise FeedError(f"cannot listen on {self.config.host}, port {self.config.port}: is it taken?")

    def stop(self) -> None:
        """End what `start` began; sessions are saved."""
        if self._thread is not None and self._server is not None:
            self._server.should_exit = True
            self._thread.join(PATIENCE_S)
        self._thread = None

    def __enter__(self) -> Self:
        """Serve in a thread."""
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop."""
        self.stop()


def make_server(config: DashboardConfig, rooms: Rooms) -> uvicorn.Server:
    """The server of some sessions, which does not listen yet."""
    import uvicorn

    from hft_gym.dashboard.app import make_app

    settings = uvicorn.Config(
        make_app(config, rooms),
        host=config.host,
        port=config.port,
        ws="websockets-sansio",
        ws_max_size=config.max_message,
        ws_per_message_deflate=False,
        ws_ping_interval=20.0,
        ws_ping_timeout=40.0,
        # Hosts and tokens are checked by the guard; nobody stands in front whose headers we should believe.
        proxy_headers=False,
        server_header=False,
        access_log=False,
        log_level="warning",
        timeout_graceful_shutdown=2,
    )
    return uvicorn.Server(settings)


async def listen(server: uvicorn.Server) -> None:
    """Serve, to the end.

    Raises:
        FeedError: the address cannot be listened on.
    """
    try:
        await server.serve()
    except SystemExit:  # caught in the task: out of one it would end the loop at once
        host, port = server.config.host, server.config.port
        raise FeedError(f"cannot listen on {host}, port {port}: is it taken?") from None


async def started(server: uvicorn.Server, serving: asyncio.Task[None]) -> None:
    """Wait until a server listens.

    Raises:
        FeedError: it cannot.
    """
    while not server.started and not serving.done():
        await asyncio.sleep(0.02)
    if serving.done():
        await serving


def address(config: DashboardConfig, server: uvicorn.Server | None) -> str:
    """Where a server is, or will be."""
    host, port = config.host, config.port
    if server is not None and server.started:
        host, port = server.servers[0].sockets[0].getsockname()[:2]
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"


def create_demo_dashboard(
    strategies: Sequence[str] = DEMO, *, runs: str | Path = "runs", **settings: Any
) -> Dashboard:
    """A dashboard of the mock market: AAPL, GOOGL, MSFT and TSLA, two strategies side by side, and the viewer.

    ::

        from hft_gym.dashboard import create_demo_dashboard

        create_demo_dashboard().run(host="127.0.0.1", port=8080)

    Args:
        strategies: baselines by name, with parameters or without (``"market-making:skew=2"``), or folders of trained
            agents.
        runs: folder of the trained agents that may be chosen in the browser.
        **settings: further ones of `DashboardConfig`.

    Raises:
        ConfigError: a wrong strategy or setting.
    """
    from hft_gym.live import SessionConfig

    if isinstance(strategies, str):
        raise ConfigError(f"strategies is {strategies!r}; allowed are sequences of names, such as [{strategies!r}]")
    session = build(SessionConfig, {"symbols": SYMBOLS, "strategies": list(strategies), "risk": LIMITS})
    return Dashboard({"runs": Path(runs), **settings}, session)


def _prepared(session: SessionConfig) -> tuple[SessionConfig, dict[str, Path]]:
    """The session with at least two slots, and the agents that it names by their paths."""
    from hft_gym.dashboard.pictures import NOBODY
    from hft_gym.live import StrategySlot

    agents = {}
    for slot in session.strategies:
        path = Path(slot.name)
        if path.is_file() or (path / AGENT).is_file():
            agents[path.as_posix() if not path.is_absolute() else path.name] = path
    empty = (StrategySlot(NOBODY),) * max(SLOTS - len(session.strategies), 0)
    return replace(session, strategies=(*session.strategies, *empty)), agents


def _one_thread() -> None:
    """Let torch, if it is here, work on one core.

    Single decisions are too small to share; its threads waited for each other 7 times as long as the work took on a
    busy machine of two cores.
    """
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.set_num_threads(1)
