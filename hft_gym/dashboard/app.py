"""The Starlette application: the page, its WebSocket, exports, recordings, ``/health`` and ``/metrics``."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.websockets import WebSocket, WebSocketDisconnect

from hft_gym._version import __version__
from hft_gym.dashboard.commands import obey
from hft_gym.dashboard.config import CHART_HZ, CHART_POINTS, LADDER_HZ, DashboardConfig
from hft_gym.dashboard.export import EXPORTS, export
from hft_gym.dashboard.hub import Client, Counts
from hft_gym.dashboard.pictures import as_text
from hft_gym.dashboard.prometheus import exposition
from hft_gym.dashboard.recording import Recordings
from hft_gym.dashboard.room import Room
from hft_gym.dashboard.rooms import Rooms
from hft_gym.dashboard.schema import VERSION, Attach, Watch, parse
from hft_gym.dashboard.security import Guard
from hft_gym.errors import DataError, HFTGymError
from hft_gym.feed.server import Allowance

__all__ = ["Server", "make_app"]

logger = logging.getLogger("hft_gym.dashboard")
STATIC = Path(__file__).parent / "static"
FIRST_MESSAGE_S = 10.0
"""A connection that says nothing for so long is closed."""


class Server:
    """What the routes share.

    Args:
        config: of the dashboard.
        rooms: the sessions.
    """

    def __init__(self, config: DashboardConfig, rooms: Rooms) -> None:
        self.config, self.rooms = config, rooms
        self.counts = Counts()
        self.recordings = Recordings(None if config.keep is None else config.keep / "recordings")
        self.clients: set[Client] = set()
        self.started = time.time()
        self.index = page_text()

    # -- the WebSocket -------------------------------------------------------------------------------------

    async def socket(self, ws: WebSocket) -> None:
        """One client, from its first message to its last."""
        if len(self.clients) >= self.config.max_clients:
            self.counts.refused += 1
            await _close(ws, 1013, f"{len(self.clients)} clients are here, as many as may be")
            return
        await ws.accept()
        self.counts.connections += 1
        client = Client(self.counts, Watch(symbol="-"))
        self.clients.add(client)
        pump = asyncio.create_task(self._pump(client, ws))
        room: Room | None = None
        try:
            allowance = Allowance(self.config.messages_per_second, time.monotonic())
            while True:
                async with asyncio.timeout(FIRST_MESSAGE_S if room is None else None):
                    got = await ws.receive()
                if got["type"] == "websocket.disconnect":
                    return
                self.counts.received += 1
                if not allowance.spend(time.monotonic()):
                    client.answer(_error(None, f"more than {allowance.rate:g} messages a second"))
                    await _flush(client)
                    await _close(ws, 1008, "too many messages")
                    return
                room = await self._hear(client, room, got)
        except TimeoutError:
            await _close(ws, 1008, "no attach came")
        except DataError as error:
            await _close(ws, 1008, str(error)[:100])
        finally:
            pump.cancel()
            await asyncio.gather(pump, return_exceptions=True)
            self.clients.discard(client)
            for left in self.rooms.rooms.values():
                if client in left.clients:
                    left.leave(client)

    async def _pump(self, client: Client, ws: WebSocket) -> None:
        """Send what waits for a client, until it is gone."""

        async def send(text: str) -> None:
            try:
                await ws.send_text(text)
            except RuntimeError as error:  # Starlette and uvicorn say so of a connection that has been closed
                raise WebSocketDisconnect(1006, str(error)) from error

        try:
            await client.pump(send)
        except WebSocketDisconnect as error:
            logger.info("a client is gone: %s", error.reason or error.code)
        except Exception:
            self.counts.failures += 1
            logger.exception("a client could not be shown its session")
            await _close(ws, 1011, "the server has failed at this; its log says why")

    async def _hear(self, client: Client, room: Room | None, got: Any) -> Room | None:
        """Answer one message; returns the session that the client is now in."""
        number: int | None = None
        try:
            text = got.get("text")
            if text is None:
                raise DataError("expected text, got bytes")
            number, message = parse(text, self.config.max_message)
            if isinstance(message, Attach):
                return await self._attach(client, room, message, number)
            if room is None:
                raise DataError("the first message is attach")
            told = await obey(message, room, client, self.recordings)
        except HFTGymError as error:
            self.counts.rejected += 1
            client.answer(_error(number, str(error)))
        except Exception:
            self.counts.failures += 1
            logger.exception("a message could not be answered")
            client.answer(_error(number, "the server has failed at this; its log says why"))
        else:
            client.answer(as_text({"type": "done", "id": number, **told}))
        return room

    async def _attach(self, client: Client, room: Room | None, message: Attach, number: int | None) -> Room:
        found = None if message.fresh else self.rooms.find(message.session)
        if found is None:
            found = await self.rooms.new()
        if room is not None:
            room.leave(client)
        told = {"session": found.id, "found": found.id == message.session, "version": __version__}
        lists = await asyncio.to_thread(self.rooms.catalogue.to_json)
        limits = {"ladder_hz": LADDER_HZ, "chart_hz": CHART_HZ, "points": CHART_POINTS, "schema": VERSION}
        client.answer(as_text({"type": "attached", "id": number, **told, "limits": limits, "catalogue": lists}))
        found.enter(client)
        return found

    # -- HTTP ----------------------------------------------------------------------------------------------

    async def page(self, request: Request) -> Response:
        """The page."""
        return HTMLResponse(self.index)

    async def plotly(self, request: Request) -> Response:
        """The library of the price chart, from the installed package."""
        return FileResponse(plotly_file(), media_type="text/javascript", headers={"cache-control": "max-age=86400"})

    async def health(self, request: Request) -> Response:
        """Whether it runs."""
        return JSONResponse({"status": "ok"})

    async def metrics(self, request: Request) -> Response:
        """Figures for Prometheus."""
        return PlainTextResponse(exposition(self), media_type="text/plain; version=0.0.4")

    async def list_recordings(self, request: Request) -> Response:
        """The names of the recordings."""
        return JSONResponse({"recordings": await asyncio.to_thread(self.recordings.names)})

    async def recording(self, request: Request) -> Response:
        """One recording."""
        try:
            data = await asyncio.to_thread(self.recordings.read, request.path_params["name"])
        except DataError as error:
            return JSONResponse({"error": str(error)}, 404)
        return Response(data, media_type="application/json", headers={"content-encoding": "gzip"})

    async def export(self, request: Request) -> Response:
        """The running session as a file."""
        what = request.path_params["what"]
        room = self.rooms.find(request.query_params.get("session", ""))
        if what not in EXPORTS or room is None:
            return JSONResponse({"error": f"no such session, or no such file; files: {', '.join(EXPORTS)}"}, 404)
        try:
            data = await export(room, what)
        except HFTGymError as error:
            return JSONResponse({"error": str(error)}, 409)
        headers = {"content-disposition": f'attachment; filename="hft-gym-{what}"'}
        return Response(data, media_type=EXPORTS[what], headers=headers)


def plotly_file() -> Path:
    """``plotly.min.js`` of the installed package."""
    import importlib.util

    spec = importlib.util.find_spec("plotly")
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError("plotly", name="plotly")
    return Path(spec.submodule_search_locations[0]) / "package_data" / "plotly.min.js"


def page_text() -> str:
    """The page.

    plotly.js puts style sheets of its map library into every page, which the content security policy forbids, unless
    an element of the sheet's id is there already. The ids change from version to version, so they are looked up.
    """
    ids = sorted(set(re.findall(r'getElementById\("([0-9a-f]{64})"\)', plotly_file().read_text())))
    there = "\n".join(f'<meta id="{one}" name="plotly-style" content="left out">' for one in ids)
    return (STATIC / "index.html").read_text().replace("<!-- plotly -->", there)


def make_app(config: DashboardConfig, rooms: Rooms) -> Guard:
    """The application behind its guard; ``.app.state.server`` is the `Server`."""
    server = Server(config, rooms)

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        await rooms.load()
        house = asyncio.create_task(rooms.keep_house())
        try:
            yield
        finally:
            house.cancel()
            await asyncio.gather(house, return_exceptions=True)
            await rooms.close()

    routes = [
        Route("/", server.page),
        Route("/health", server.health),
        Route("/metrics", server.metrics),
        Route("/plotly.js", server.plotly),
        Route("/recordings", server.list_recordings),
        Route("/recordings/{name}", server.recording),
        Route("/export/{what}", server.export),
        WebSocketRoute("/ws", server.socket),
        Mount("/static", StaticFiles(directory=STATIC)),
    ]
    app = Starlette(routes=routes, lifespan=lifespan)
    app.state.server = server
    return Guard(app, config)


def _error(number: int | None, text: str) -> str:
    return as_text({"type": "error", "id": number, "error": text[:1000]})


async def _close(ws: WebSocket, code: int, reason: str) -> None:
    """Close a connection that its other end may be closing, too."""
    with contextlib.suppress(RuntimeError, WebSocketDisconnect):
        await ws.close(code, reason)


async def _flush(client: Client) -> None:
    """Give what waits a moment to go out."""
    for _ in range(20):
        if not client.waiting:
            return
        await asyncio.sleep(0.01)
