"""What each message of a client does to its session."""

from __future__ import annotations

import asyncio
import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from hft_gym.config import did_you_mean
from hft_gym.dashboard import schema
from hft_gym.dashboard.hub import Client
from hft_gym.dashboard.pictures import NOBODY, limits_of, with_costs
from hft_gym.errors import DataError, PriceError

if TYPE_CHECKING:
    from hft_gym.dashboard.recording import Recordings
    from hft_gym.dashboard.room import Room

__all__ = ["obey"]


DRIVING = (
    schema.Start, schema.Pause, schema.Step, schema.Speed, schema.Reset, schema.SetMarket, schema.SetCosts
)  # fmt: skip
"""Messages that move a session's clock, or begin it anew."""


async def obey(message: schema.Message, room: Room, client: Client, recordings: Recordings) -> dict[str, Any]:
    """Carry out a message; returns what the answer says.

    Raises:
        HFTGymError: it cannot be carried out; nothing has changed.
    """
    if hasattr(message, "symbol") and message.symbol not in room.shown:
        raise DataError(f"symbol: got {message.symbol!r}; allowed are {', '.join(room.shown)}")
    if room.fixed and isinstance(message, DRIVING):
        raise DataError(f"{type(message).__name__.lower()}: {room.fixed}")
    told: dict[str, Any] = {}
    match message:
        case schema.Watch():
            client.watch = message
            client.forget()
            room.publish(time.monotonic(), force=True)
            return {}
        case schema.Start():
            room.start()
        case schema.Pause():
            await room.pause()
        case schema.Speed():
            room.speed = message.value
        case schema.Step():
            if room.running:
                raise DataError("step: the session runs; pause it first")
            await room.do(lambda: room.live.advance(message.count * room.live.config.interval))
            room.look()
        case schema.Reset():
            await room.do(lambda: room.live.reset(message.seed))
            _anew(room, f"Begun anew with seed {message.seed}.")
        case schema.SetMarket():
            presets = list(room.catalogue.presets)
            if message.preset not in presets:
                raise DataError(f"preset: got {message.preset!r}{did_you_mean(message.preset, presets)}")
            await room.do(lambda: room.live.set_market(message.preset))
            _anew(room, f"Begun anew on the market {message.preset}.")
        case schema.SetCosts():
            from hft_gym.live import LiveSession

            await room.swap(lambda: LiveSession(with_costs(room.live.config, message)))
            _anew(room, "Begun anew with other fees and latency.")
        case schema.SetStrategy():
            name = room.catalogue.resolve(message.name, message.parameters) if message.name else NOBODY
            parameters = message.parameters if message.name else {}
            await room.do(lambda: room.live.set_strategy(message.slot - 1, name, parameters))
        case schema.Record():
            told["recording"] = await asyncio.to_thread(recordings.write, room.recording())
        case _:
            async with room.lock:
                told.update(_trade(message, room))
    room.publish_state()
    return told


def _trade(message: schema.Message, room: Room) -> dict[str, Any]:
    """What takes no time: the viewer's orders, and limits."""
    live = room.live
    match message:
        case schema.PlaceOrder():
            price = None if message.price is None else _ticks(message.price, live.tick_size(message.symbol))
            number = live.place(message.symbol, message.side, message.quantity, price, message.time_in_force)
            return {"order": number}
        case schema.ModifyOrder():
            price = _ticks(message.price, live.tick_size(message.symbol))
            live.modify(message.symbol, message.order, message.quantity, price)
        case schema.CancelOrder():
            live.cancel(message.symbol, message.order)
        case schema.CancelAll():
            live.cancel_all(message.symbol)
        case schema.SetRisk():
            live.set_risk(limits_of(asdict(message), live))
        case schema.Release():
            live.release(message.trader)
        case _:
            raise DataError(f"{type(message).__name__} cannot be said now")
    return {}


def _anew(room: Room, what: str) -> None:
    room.failure = ""
    room.open()
    room.tell("info", what)


def _ticks(price: float, tick: float) -> int:
    """A price in ticks.

    Raises:
        PriceError: it is not a multiple of the tick.
    """
    ticks = round(price / tick)
    if abs(ticks * tick - price) > 1e-6 * tick:
        raise PriceError(f"price is {price:g}; allowed are multiples of {tick:g}")
    return ticks
