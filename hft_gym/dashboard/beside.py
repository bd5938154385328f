"""The dashboard of a run of paper trading: whoever opens it watches that run, and trades beside its strategies."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, ClassVar, TypeVar

from hft_gym.dashboard.catalogue import Catalogue
from hft_gym.dashboard.config import DashboardConfig
from hft_gym.dashboard.pace import PacedClock
from hft_gym.dashboard.room import Room
from hft_gym.dashboard.rooms import Rooms
from hft_gym.dashboard.run import address, listen, make_server, started
from hft_gym.errors import DataError

if TYPE_CHECKING:
    from hft_gym.evaluation.episodes import Episodes
    from hft_gym.live import LiveSession
    from hft_gym.live.run import PaperRun

__all__ = ["run_with_dashboard"]

T = TypeVar("T")


class _Passing(PacedClock):
    """The clock of a session that somebody else drives: it always runs, and is never asked to."""

    running = True

    def start(self) -> None:
        """It does."""

    async def pause(self) -> None:
        """Not possible, and only asked for around work on the session."""


class PaperRoom(Room):
    """A run's session. Its own task moves it between two turns of the event loop, so all work on it is done in one."""

    fixed: ClassVar[str] = "Paper trading: time and market are the feed's."

    def take(self, live: LiveSession) -> None:
        """Show the run's session."""
        self.live, self.clock = live, _Passing(live, self.turns)
        self.open()

    async def do(self, work: Callable[[], T]) -> T:
        """Do something with the session, at once.

        Raises:
            Exception: whatever the work raises.
        """
        async with self.lock:
            return work()


class PaperRooms(Rooms):
    """One room for everybody, as soon as the run's markets have opened. The run keeps its state itself."""

    def __init__(self, config: DashboardConfig, catalogue: Catalogue, run: PaperRun) -> None:
        super().__init__(config, catalogue, self._session)
        self.run = run

    def _session(self) -> LiveSession:
        session = self.run.session
        if session is None or not all(floor.opened for floor in session.floors.values()):
            raise DataError("the markets have not opened yet")
        return session

    def find(self, id: str) -> Room | None:
        """The room, whatever session a browser remembers."""
        return next(iter(self.rooms.values()), None)

    async def new(self) -> Room:
        """The room, made for the first one who comes.

        Raises:
            DataError: the markets have not opened yet.
        """
        room = self.find("")
        if room is None:
            room = self._open(PaperRoom(secrets.token_hex(16), self._session(), self.catalogue, self.turns))
            if self.run.config.kind != "live":
                room.speed = self.run.config.feed.speed
        return room

    async def keep_house(self) -> None:
        """Nothing is to be kept."""

    async def load(self) -> None:
        """Nothing was kept."""

    async def save(self, room: Room) -> None:
        """The run does so."""


async def run_with_dashboard(
    run: PaperRun, config: DashboardConfig, tell: Callable[[str], None] = lambda url: None
) -> list[Episodes]:
    """`PaperRun.run`, with a dashboard that is served meanwhile.

    Args:
        run: what is shown.
        config: of the dashboard.
        tell: called with the address, once it is served.

    Raises:
        FeedError: the address cannot be listened on; or as `PaperRun.run`.
    """
    server = make_server(config, PaperRooms(config, Catalogue(config.runs), run))
    server.capture_signals = _no_signals  # Ctrl-C ends the run, and that the server
    serving = asyncio.create_task(listen(server))
    await started(server, serving)
    tell(address(config, server))
    try:
        return await run.run()
    finally:
        server.should_exit = True
        await serving


@contextlib.contextmanager
def _no_signals() -> Iterator[None]:
    yield
