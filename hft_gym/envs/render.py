"""What the agent sees, for people: a text ladder and the history that the picture draws.

Everything shown comes from observations and infos, so a frame can never know more than the agent did.
"""

from __future__ import annotations

import sys
import time as clock
from dataclasses import dataclass

import numpy as np
from gymnasium.error import ResetNeeded
from numpy.typing import NDArray

from hft_gym.envs.schema import ObservationSchema

__all__ = ["Frame", "Level", "Renderer"]

RENDER_FPS = 10
"""Frames a second: what videos assume, and the most that ``human`` mode shows on a terminal."""
_BAR = 16  # characters of the longest size bar


@dataclass(frozen=True)
class Level:
    """One row of the ladder: price in ticks, volumes in lots."""

    price: int
    bid: float = 0.0
    ask: float = 0.0
    own_bid: float = 0.0
    own_ask: float = 0.0
    ahead: float = 0.0


@dataclass(frozen=True)
class Frame:
    """One moment, as far as the agent knew it: ticks, lots, ticks·lots and seconds.

    Attributes:
        levels: rows of the ladder, highest price first.
    """

    levels: tuple[Level, ...]
    mid: float
    spread: float
    inventory: float
    net_pnl: float
    time: float
    time_left: float


class Renderer:
    """Draws one environment.

    Args:
        schema: columns of the observations that will be recorded.
        tick_size: currency per tick.
        title: name shown in each frame.
        history: whether to keep the course of the episode, which the picture needs.
    """

    # Columns of the history.
    TIME, MID, PNL, INVENTORY, BOUGHT, SOLD, OWN_BID, OWN_ASK = range(8)

    def __init__(self, schema: ObservationSchema, tick_size: float, title: str, history: bool = True) -> None:
        self.schema = schema
        self.tick_size = tick_size
        self.title = title
        self.decimals = max(0, -int(np.floor(np.log10(tick_size) + 1e-9)))
        self._observation: NDArray[np.float32] | None = None
        self._keep = history
        self._history = np.empty((1024 if history else 1, 8))
        self._length = 0
        self._lines_shown = 0
        self._shown_at = 0.0

    @property
    def history(self) -> NDArray[np.float64]:
        """The episode so far, one row a decision (a view); columns as `TIME` to `OWN_ASK` (NaN: no quote)."""
        return self._history[: self._length]

    def record(
        self, observation: NDArray[np.float32], mid: float, net_pnl: float, time: float, start: bool
    ) -> None:
        """Take in what a reset or step returned.

        Args:
            observation: the raw observation; it is kept, not copied.
            mid: the marking mid, ticks.
            net_pnl: since the start of the episode, ticks·lots.
            time: since the start of the episode, s.
            start: whether an episode starts here.
        """
        self._observation = observation
        if start or not self._keep:
            self._length = 0
        if self._length == len(self._history):
            self._history = np.concatenate([self._history, np.empty_like(self._history)])
        x, at = observation, self.schema.index
        self._history[self._length] = (
            time,
            mid,
            net_pnl,
            x[at("inventory")],
            x[at("bought")],
            x[at("sold")],
            mid + x[at("own_bid_offset")] if x[at("own_bid_size")] > 0 else np.nan,
            mid + x[at("own_ask_offset")] if x[at("own_ask_size")] > 0 else np.nan,
        )
        self._length += 1

    def frame(self) -> Frame:
        """The latest moment.

        Raises:
            ResetNeeded: nothing has been recorded.
        """
        x = self._observation
        if x is None:
            raise ResetNeeded("Cannot call `render()` before `reset()`: there is no market to show yet")
        time, mid, pnl = self._history[self._length - 1, :3].tolist()
        rows: dict[int, dict[str, float]] = {}
        for side in ("bid", "ask"):
            offsets, sizes = x[self.schema[f"{side}_offset"]], x[self.schema[f"{side}_size"]]
            for offset, size in zip(offsets.tolist(), sizes.tolist(), strict=True):
                if size > 0:
                    rows.setdefault(round(mid + offset), {})[side] = size
            for price, own, ahead in self._own_orders(x, mid, side):
                row = rows.setdefault(price, {})
                row[f"own_{side}"], row["ahead"] = own, ahead
        return Frame(
            levels=tuple(Level(price, **rows[price]) for price in sorted(rows, reverse=True)),
            mid=mid,
            spread=float(x[self.schema.index("spread")]),
            inventory=float(x[self.schema.index("inventory")]),
            net_pnl=pnl,
            time=time,
            time_left=float(x[self.schema.index("time_left")]),
        )

    def _own_orders(self, x: NDArray[np.float32], mid: float, side: str) -> list[tuple[int, float, float]]:
        """Price, lots and lots ahead of the own orders on *side*: of each level of a ladder, else of the quote."""
        at = self.schema.index
        found: dict[int, tuple[int, float, float]] = {}
        away = -1 if side == "bid" else 1
        touch, other = (round(mid + float(x[at(f"{s}_offset_1")])) for s in (side, "ask" if side == "bid" else "bid"))
        for k, offset in enumerate(self.schema.rungs, start=1):
            price = touch + away * offset
            if offset < 0:  # inside the spread, as far as it goes
                price = min(price, other - 1) if side == "bid" else max(price, other + 1)
            lots = float(x[at(f"{side}_rung_size_{k}")])
            if lots > 0 and x[at(f"{side}_size_1")] > 0:
                found[price] = (price, lots, float(x[at(f"{side}_rung_ahead_{k}")]))
        lots = float(x[at(f"own_{side}_size")])
        if not self.schema.rungs and lots > 0:
            price = round(mid + float(x[at(f"own_{side}_offset")]))
            found[price] = (price, lots, float(x[at(f"own_{side}_ahead")]))
        return list(found.values())

    def price(self, ticks: float, half: bool = False) -> str:
        """A price in currency, with the decimals of the tick (and one more for a half-tick)."""
        return f"{ticks * self.tick_size:.{self.decimals + half}f}"

    def ansi(self, colour: bool = False) -> str:
        """The ladder as text; own orders are marked. No escape codes unless ``colour``."""
        frame = self.frame()
        paint = _paint if colour else _plain
        width = max([len(self.price(row.price)) for row in frame.levels] + [7])
        largest = max([max(row.bid, row.ask) for row in frame.levels] + [1.0])
        head = (
            f"{self.title}  t {frame.time:.3f} s  mid {self.price(frame.mid, half=True)}  "
            f"spread {_ticks(frame.spread)}  inventory {frame.inventory:+g} lots  "
            f"P&L {frame.net_pnl:+.2f} ticks·lots"
        )
        lines = [paint(head, "1"), f"{'bids':>{_BAR + 8}}  {'price':^{width}}  asks"]
        split = False
        for row in frame.levels:
            if not split and row.price < frame.mid:
                lines.append(paint(f"{'':{_BAR + 8}}  {'-' * width}", "90"))
                split = True
            bid, ask = (self._bar(size, largest) for size in (row.bid, row.ask))
            left = paint(f"{bid:>{_BAR}} {_size(row.bid):>7}", "32")
            right = paint(f"{_size(row.ask):<7} {ask:<{_BAR}}", "31")
            price = paint(f"{self.price(row.price):^{width}}", "1" if row.own_bid or row.own_ask else "0")
            lines.append(f"{left}  {price}  {right}{paint(_own(row), '33')}".rstrip())
        if not frame.levels:
            lines.append("(the book is empty)")
        return "\n".join(lines) + "\n"

    @staticmethod
    def _bar(size: float, largest: float) -> str:
        return "█" * max(1, round(_BAR * size / largest)) if size > 0 else ""

    def show(self) -> None:
        """Print the ladder; on a terminal in place of the previous one, at most ten times a second."""
        terminal = sys.stdout.isatty()
        text = self.ansi(colour=terminal)
        if terminal:
            wait = self._shown_at + 1.0 / RENDER_FPS - clock.monotonic()
            if wait > 0.0:
                clock.sleep(wait)
            self._shown_at = clock.monotonic()
            if self._lines_shown:
                sys.stdout.write(f"\x1b[{self._lines_shown}F\x1b[J")
            self._lines_shown = text.count("\n")
        sys.stdout.write(text)
        sys.stdout.flush()

    def rgb(self) -> NDArray[np.uint8]:
        """A picture of ladder, price and P&L: uint8 of shape (540, 960, 3)."""
        from hft_gym.envs.picture import draw  # Pillow: only where a picture is wanted

        return draw(self)


def _size(size: float) -> str:
    return f"{size:g}" if size > 0 else ""


def _ticks(value: float) -> str:
    return f"{value:g} tick" + ("" if value == 1 else "s")


def _own(row: Level) -> str:
    """The mark of an own order: its side, size and place in the queue."""
    marks = [
        f"◄ own {side} {_size(size)} ({'in flight' if row.ahead < 0 else f'{row.ahead:g} ahead'})"
        for side, size in (("bid", row.own_bid), ("ask", row.own_ask))
        if size > 0
    ]
    return " " + " ".join(marks) if marks else ""


def _paint(text: str, code: str) -> str:
    return f"\x1b[{code}m{text}\x1b[0m"


def _plain(text: str, code: str) -> str:
    return text
