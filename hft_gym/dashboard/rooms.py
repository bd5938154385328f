"""`Rooms`: the sessions by id. They outlive their clients, and the server where there is a folder to keep them in."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import re
import secrets
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from hft_gym.dashboard.catalogue import Catalogue
from hft_gym.dashboard.config import DashboardConfig
from hft_gym.dashboard.pace import Turns
from hft_gym.dashboard.room import Room
from hft_gym.errors import DataError, HFTGymError
from hft_gym.files import replace_file

if TYPE_CHECKING:
    from hft_gym.live import LiveSession

__all__ = ["Rooms"]

logger = logging.getLogger("hft_gym.dashboard")
_ID = re.compile(r"[0-9a-f]{32}")
ROOM = "room.json"
SAVE_EVERY_S = 20.0


class Rooms:
    """All sessions of a server.

    Args:
        config: of the dashboard.
        catalogue: what their strategies are called.
        begin: makes a new session.
        running: whether a new session runs at once.
        speed: of a new session.
    """

    def __init__(
        self,
        config: DashboardConfig,
        catalogue: Catalogue,
        begin: Callable[[], LiveSession],
        running: bool = False,
        speed: float = 1.0,
    ) -> None:
        self.config, self.catalogue, self.begin = config, catalogue, begin
        self.running, self.speed = running, speed
        self.rooms: dict[str, Room] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._making = asyncio.Lock()
        self.turns = Turns()

    def __len__(self) -> int:
        """Sessions that there are."""
        return len(self.rooms)

    @property
    def folder(self) -> Path | None:
        """Where sessions are kept."""
        return None if self.config.keep is None else self.config.keep / "sessions"

    def find(self, id: str) -> Room | None:
        """The session of an id, if there is one."""
        return self.rooms.get(id)

    async def new(self) -> Room:
        """Begin a session.

        Raises:
            DataError: there are as many as may be, and somebody watches each of them.
        """
        async with self._making:
            now = time.monotonic()
            if len(self.rooms) >= self.config.max_sessions:
                idle = [room for room in self.rooms.values() if not room.clients]
                if not idle:
                    raise DataError(f"{len(self.rooms)} sessions are being watched, as many as may be")
                await self.drop(max(idle, key=lambda room: room.unwatched(now)))
            live = await asyncio.to_thread(self.begin)
            room = self._add(secrets.token_hex(16), live)
            room.speed = self.speed
            if self.running:
                room.start()
            return room

    def _add(self, id: str, live: LiveSession) -> Room:
        return self._open(Room(id, live, self.catalogue, self.turns))

    def _open(self, room: Room) -> Room:
        self.rooms[room.id] = room
        self._tasks[room.id] = asyncio.create_task(room.show(), name=f"session {room.id[:6]}")
        return room

    async def drop(self, room: Room) -> None:
        """Forget a session, on disk too."""
        await self._stop(room.id)
        if self.folder is not None:
            await asyncio.to_thread(shutil.rmtree, self.folder / room.id, True)

    async def _stop(self, id: str) -> None:
        room = self.rooms.pop(id, None)
        if room is not None:
            await room.pause()
        task = self._tasks.pop(id, None)
        if task is not None:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    # -- over time -----------------------------------------------------------------------------------------

    async def keep_house(self) -> None:
        """Pause and forget what nobody watches, and save what has gone on, until cancelled."""
        saved: dict[str, int] = {}
        while True:
            await asyncio.sleep(min(SAVE_EVERY_S, self.config.unwatched_s / 2))
            for room in list(self.rooms.values()):
                try:
                    await self._keep(room, saved)
                except Exception:  # of one session: the others are kept all the same
                    logger.exception("session %s cannot be kept", room.id[:6])

    async def _keep(self, room: Room, saved: dict[str, int]) -> None:
        unwatched = room.unwatched(time.monotonic())
        if unwatched > self.config.forgotten_s:
            await self.drop(room)
            return
        if unwatched > self.config.unwatched_s:
            await room.sleep()
        if saved.get(room.id) != room.live.time_ns:
            await self.save(room)
            saved[room.id] = room.live.time_ns

    async def save(self, room: Room) -> None:
        """Keep a session as it is now."""
        folder = self.folder
        if folder is None:
            return
        told = {"running": room.running or room.dormant, "speed": room.speed}

        def write() -> None:
            (folder / room.id).mkdir(parents=True, exist_ok=True)
            room.live.save(folder / room.id / "session")
            replace_file(folder / room.id / ROOM, json.dumps(told))

        try:
            await room.do(write)
        except (OSError, HFTGymError) as error:
            logger.warning("session %s cannot be saved: %s", room.id[:6], error)

    async def load(self) -> None:
        """Take up the sessions that were kept."""
        folder = self.folder
        if folder is None or not folder.is_dir():
            return
        from hft_gym.live import LiveSession

        kept = [p for p in folder.iterdir() if _ID.fullmatch(p.name) and (p / ROOM).is_file()]
        kept.sort(key=lambda p: (p / ROOM).stat().st_mtime, reverse=True)
        for path in kept[: self.config.max_sessions]:
            try:
                told = json.loads((path / ROOM).read_text())
                live = await asyncio.to_thread(LiveSession.load, path / "session")
                room = self._add(path.name, live)
                room.speed = float(told["speed"])
                if told["running"] is True:
                    room.start()
            except Exception as error:
                # Whatever a kept file holds, the server starts; the file stays for who wants to look.
                logger.warning("the kept session %s cannot be restored: %s", path.name[:6], error)

    async def close(self) -> None:
        """Save and stop all sessions."""
        for room in list(self.rooms.values()):
            await self.save(room)
            await self._stop(room.id)
