"""`Room`: one live session, the clients that watch it, and the clock that drives it."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from hft_gym.dashboard.catalogue import Catalogue
from hft_gym.dashboard.config import CHART_HZ, LADDER_HZ
from hft_gym.dashboard.history import History
from hft_gym.dashboard.hub import Client
from hft_gym.dashboard.pace import PacedClock, Turns
from hft_gym.dashboard.pictures import Shown, as_text, settings_of
from hft_gym.dashboard.recording import Frames
from hft_gym.errors import HFTGymError

if TYPE_CHECKING:
    from hft_gym.live import LiveSession

__all__ = ["LEVELS", "Room"]

logger = logging.getLogger("hft_gym.dashboard")
T = TypeVar("T")

LEVELS = 20
"""Price levels a side that are looked at; clients are sent as many of them as they ask for."""
TICK_S = 1.0 / LADDER_HZ
UNWATCHED = 4
"""One in so many looks is at a symbol that nobody watches."""
FRAME_NS = 250_000_000
"""Market time between two pictures of a recording at least."""


class Room:
    """A session that goes on whether or not anybody looks at it.

    Args:
        id: what clients know it by; unguessable.
        live: the session.
        catalogue: names its strategies.
        turns: of the server's sessions.
    """

    fixed: ClassVar[str] = ""
    """Why its time, its markets and their costs are not the viewers' to change; empty: they are."""

    def __init__(self, id: str, live: LiveSession, catalogue: Catalogue, turns: Turns) -> None:
        self.id, self.catalogue, self.turns = id, catalogue, turns
        self.dormant = False
        self.clients: set[Client] = set()
        self.failure = ""
        self.unwatched_since = time.monotonic()
        self.ticks = 0
        self.busy_s = 0.0
        self.alerts: deque[dict[str, Any]] = deque(maxlen=100)
        self.lock = asyncio.Lock()
        self._alert = 0
        self._sample_at = 0.0
        self.take(live)
        told = settings_of(live, catalogue)
        self.tell("info", self.fixed or f"A session of the market {told['preset']}, seed {told['seed']}.")

    def take(self, live: LiveSession) -> None:
        """Go on with another session, which stands still at first."""
        self.live, self.clock = live, PacedClock(live, self.turns)
        self.open()

    def open(self) -> None:
        """Begin the curves and recordings of the session as it is now."""
        symbols = self.live.config.symbols
        self.shown = {symbol: Shown() for symbol in symbols}
        self.frames = {symbol: Frames(spacing_ns=FRAME_NS) for symbol in symbols}
        self.histories: dict[str, History] = {}
        self._news = self._looks = 0
        for client in self.clients:
            client.forget()
        self.look()

    # -- the clock -----------------------------------------------------------------------------------------

    @property
    def running(self) -> bool:
        """Whether the market's time passes."""
        return self.clock.running

    @property
    def speed(self) -> float:
        """Seconds of market time in one of the viewer's; 0: as fast as the machine can."""
        return 0.0 if math.isinf(self.clock.speed) else self.clock.speed

    @speed.setter
    def speed(self, value: float) -> None:
        self.clock.speed = value or math.inf

    def start(self) -> None:
        """Let the market's time pass, also after a failure."""
        self.clock.error, self.failure = None, ""
        self.clock.start()

    async def pause(self) -> None:
        """Stand still."""
        self.dormant = False
        await self.clock.pause()

    async def sleep(self) -> None:
        """Stand still until somebody watches again."""
        if self.running:
            await self.clock.pause()
            self.dormant = True

    async def show(self) -> None:
        """Show the session to its clients, tick by tick, until cancelled."""
        due = time.monotonic()
        while True:
            began = time.monotonic()
            if not self.lock.locked():  # else somebody changes the session in a thread
                try:
                    self.tick(began)
                except Exception as error:
                    logger.exception("session %s cannot be shown", self.id[:6])
                    await self.fail(error)
            self.ticks += 1
            now = time.monotonic()
            self.busy_s += now - began
            due = max(due + TICK_S, now)  # a late tick is not made up for, and the next one keeps its time
            await asyncio.sleep(due - now)

    def tick(self, now: float) -> None:
        """Show what is due."""
        if self.clock.error is not None and not self.failure:
            self._failed(self.clock.error)
        looks = self.running and now >= self._sample_at
        if looks:
            self._sample_at = now + (0.9 / CHART_HZ if self.clients else UNWATCHED / CHART_HZ)
            self.look()
        self.publish(now, looks)

    async def swap(self, make: Callable[[], LiveSession]) -> None:
        """Go on with another session, as fast as this one.

        Raises:
            Exception: it cannot be made; nothing has changed.
        """
        live = await self.do(make)
        ran, speed = self.running, self.speed
        await self.clock.pause()
        self.take(live)
        self.speed = speed
        if ran:
            self.start()

    async def do(self, work: Callable[[], T]) -> T:
        """Do something long with the session in a thread, while its clock stands.

        Raises:
            Exception: whatever the work raises; the clock then goes on as before.
        """
        async with self.lock:
            ran = self.running
            await self.clock.pause()
            try:
                return await asyncio.to_thread(work)
            finally:
                if ran:
                    self.clock.start()

    async def fail(self, error: Exception) -> None:
        """Stand still, and say why."""
        await self.pause()
        self._failed(error)

    def _failed(self, error: Exception) -> None:
        self.failure = str(error) if isinstance(error, HFTGymError) else f"{type(error).__name__}: {error}"
        self.tell("error", self.failure)
        text = as_text(self.state())
        for client in self.clients:
            client.offer("state", text)

    def tell(self, level: str, text: str) -> None:
        """A message for everybody who watches."""
        self._alert += 1
        self.alerts.append({"number": self._alert, "time": self.live.time_ns, "level": level, "text": text[:500]})

    # -- what is shown -------------------------------------------------------------------------------------

    def look(self) -> None:
        """Take a row of the curves and a picture of the recording, of every symbol."""
        watched = {client.watch.symbol for client in self.clients}
        self._looks += 1
        for i, symbol in enumerate(self.shown):
            # What nobody watches is looked at more rarely, and not everything at once.
            if symbol not in watched and symbol in self.histories and (self._looks + i) % UNWATCHED:
                continue
            shown = self.view(symbol)
            row = shown.row()
            history = self.histories.get(symbol)
            if history is None or history.columns != tuple(row):
                history = self.histories[symbol] = History(tuple(row))
            history.add(row)
            frames, time_ns = self.frames[symbol], self.live.time_ns
            if frames.wants(time_ns):
                frames.add(time_ns, as_text({"ladder": shown.ladder(10), "account": shown.account([])}).encode())

    def view(self, symbol: str) -> Shown:
        """A symbol as it is now, its news noted."""
        view = self.live.view(symbol, LEVELS)
        self.shown[symbol].take(view)
        for number, _, level, text, where in view.alerts:
            if number > self._news:
                self._news = number
                self.tell("warning" if level == "risk" else level, f"{where}: {text}" if where else text)
        return self.shown[symbol]

    def publish(self, now: float, curves: bool = True, force: bool = False) -> None:
        """Offer the latest pictures to the clients that they are due for; with *force*, to all, and of this moment.

        Args:
            now: on the monotonic clock [s].
            curves: whether there is anything new beside the book.
            force: after a command, whose effect everybody should see.
        """
        seen: set[str] = set()
        texts: dict[tuple[Any, ...], str] = {}
        for client in self.clients:
            watch = client.watch
            if watch.symbol not in self.shown:
                continue
            shown = self.shown[watch.symbol]
            if force or (self.running and client.wants("ladder", now, watch.ladder_hz)):
                if watch.symbol not in seen:
                    seen.add(watch.symbol)
                    if force:
                        self.view(watch.symbol)
                    elif shown.time_ns != self.live.time_ns:
                        shown.glance(self.live.view(watch.symbol, LEVELS, accounts=False))
                key: tuple[Any, ...] = (watch.symbol, watch.levels)
                if key not in texts:
                    texts[key] = as_text({"type": "ladder", "made": time.time(), **shown.ladder(watch.levels)})
                client.offer("ladder", texts[key])
            if force or (curves and self.running and client.wants("chart", now, watch.chart_hz)):
                key = (watch.symbol,)
                if key not in texts:
                    texts[key] = as_text({"type": "account", **shown.account(list(self.alerts))})
                client.offer("account", texts[key])
                self._offer_chart(client, texts)

    def _offer_chart(self, client: Client, texts: dict[tuple[Any, ...], str]) -> None:
        """The rows and fills that a client has not seen; that it has seen them is noted when they go out."""
        symbol, told = client.watch.symbol, client.fills_told
        history, shown = self.histories[symbol], self.shown[symbol]
        key = (symbol, client.cursor, told)
        anew, rows, cursor = history.since(client.cursor)
        if key not in texts:
            fills = shown.fills_since(0 if anew else told)
            texts[key] = as_text({"type": "chart", "symbol": symbol, "reset": anew, "columns": rows, "fills": fills})
        count = shown.fills_count

        def sent() -> None:
            client.cursor, client.fills_told = cursor, count

        client.offer("chart", texts[key], sent)

    def state(self) -> dict[str, Any]:
        """What the controls show."""
        how = {"running": self.running, "speed": self.speed, "failure": self.failure, "fixed": self.fixed}
        return {"type": "state", **how, **settings_of(self.live, self.catalogue)}

    def recording(self) -> dict[str, Any]:
        """What has been shown so far, for `Recordings.write`."""
        symbols = {
            symbol: {
                "frames": self.frames[symbol].to_json(),
                "chart": {"columns": self.histories[symbol].to_json(), "fills": shown.fills_since(0)},
            }
            for symbol, shown in self.shown.items()
        }
        return {"state": self.state(), "symbols": symbols}

    def publish_state(self) -> None:
        """Tell every client how the controls stand, and show it the moment."""
        text = as_text(self.state())
        for client in self.clients:
            client.offer("state", text)
        self.publish(time.monotonic(), force=True)

    # -- who watches ---------------------------------------------------------------------------------------

    def enter(self, client: Client) -> None:
        """A client begins to watch."""
        client.forget()
        if client.watch.symbol not in self.shown:
            client.watch = type(client.watch)(symbol=next(iter(self.shown)))
        self.clients.add(client)
        if self.dormant:
            self.dormant = False
            self.start()
        client.offer("state", as_text(self.state()))
        self.publish(time.monotonic(), force=True)

    def leave(self, client: Client) -> None:
        """A client has gone."""
        self.clients.discard(client)
        if not self.clients:
            self.unwatched_since = time.monotonic()

    def unwatched(self, now: float) -> float:
        """Seconds since the last client has gone; 0 while one is here."""
        return 0.0 if self.clients else now - self.unwatched_since
