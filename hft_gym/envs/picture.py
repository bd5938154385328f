"""The ``rgb_array`` frame: ladder on the left, price and P&L of the episode on the right."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

if TYPE_CHECKING:
    from hft_gym.envs.render import Frame, Level, Renderer

__all__ = ["HEIGHT", "WIDTH", "draw"]

WIDTH, HEIGHT = 960, 540  # even, as video encoders want it
_Box = tuple[int, int, int, int]

_LADDER: _Box = (16, 56, 336, 524)
_PRICE: _Box = (420, 76, 944, 318)
_PNL: _Box = (420, 360, 944, 508)

_BACKGROUND = (13, 17, 23)
_PANEL = (22, 27, 34)
_GRID = (36, 42, 51)
_TEXT = (230, 237, 243)
_FAINT = (125, 133, 144)
_BID, _BID_BAR = (63, 185, 120), (24, 66, 48)
_ASK, _ASK_BAR = (240, 98, 98), (82, 34, 38)
_OWN = (245, 189, 66)
_LINE = (121, 170, 255)


@lru_cache(maxsize=8)
def _font(size: int) -> Any:
    return ImageFont.load_default(size)


@lru_cache(maxsize=1)
def _canvas() -> Image.Image:
    """The parts that never change; each frame starts from a copy."""
    image = Image.new("RGB", (WIDTH, HEIGHT), _BACKGROUND)
    pen = ImageDraw.Draw(image)
    for box, title in ((_LADDER, ""), (_PRICE, "mid price and own quotes"), (_PNL, "net P&L, ticks x lots")):
        x0, y0, x1, y1 = box
        left = x0 - 68 if title else x0
        pen.rounded_rectangle((left, y0 - (26 if title else 0), x1, y1 + 10 if title else y1), 6, fill=_PANEL)
        if title:
            pen.text((x0 - 58, y0 - 21), title, font=_font(12), fill=_FAINT)
    return image


def draw(renderer: Renderer) -> NDArray[np.uint8]:
    """One frame, uint8 of shape (540, 960, 3)."""
    frame = renderer.frame()
    image = _canvas().copy()
    pen = ImageDraw.Draw(image)
    _header(pen, renderer, frame)
    _ladder(pen, renderer, frame)
    _price_plot(image, pen, renderer, frame)
    _pnl_plot(image, pen, renderer, frame)
    return np.array(image)


def _header(pen: Any, renderer: Renderer, frame: Frame) -> None:
    pen.text((16, 17), renderer.title, font=_font(18), fill=_TEXT)
    facts = (
        ("time", f"{frame.time:.1f} s", _TEXT),
        ("mid", renderer.price(frame.mid, half=True), _TEXT),
        ("spread", f"{frame.spread:g}", _TEXT),
        ("inventory", f"{frame.inventory:+g}", _OWN if frame.inventory else _TEXT),
        ("net P&L", f"{frame.net_pnl:+.1f}", _BID if frame.net_pnl >= 0 else _ASK),
    )
    for i, (name, value, colour) in enumerate(facts):
        x = 352 + 122 * i
        pen.text((x, 8), name, font=_font(11), fill=_FAINT)
        pen.text((x, 22), value, font=_font(16), fill=colour)


def _visible(frame: Frame, rows: int) -> list[Level]:
    """As many rows around the mid as fit; own orders are always among them."""
    above = [r for r in frame.levels if r.price > frame.mid]
    below = [r for r in frame.levels if r.price <= frame.mid]
    half = rows // 2
    keep_above = above[-max(half, rows - len(below)) :]
    keep_below = below[: max(rows - half, rows - len(above))]
    for own in (r for r in above if r.own_ask or r.own_bid):
        if own not in keep_above:
            keep_above[0] = own
    for own in (r for r in below if r.own_ask or r.own_bid):
        if own not in keep_below:
            keep_below[-1] = own
    return keep_above + keep_below


def _ladder(pen: Any, renderer: Renderer, frame: Frame) -> None:
    x0, y0, x1, y1 = _LADDER
    rows = _visible(frame, 22)
    middle = (x0 + x1) // 2
    if not rows:
        pen.text((middle, (y0 + y1) // 2), "the book is empty", font=_font(13), fill=_FAINT, anchor="mm")
        return
    largest = max(max(r.bid, r.ask) for r in rows) or 1.0
    height, reach = 20, middle - x0 - 46
    gap = 10  # between asks and bids
    top = (y0 + y1 - height * len(rows) - gap) // 2
    small = _font(12)
    crossed = False
    for i, row in enumerate(rows):
        if not crossed and row.price <= frame.mid:
            crossed = True
            y = top + i * height + gap // 2
            pen.line((x0 + 12, y, x1 - 12, y), fill=_GRID)
        y = top + i * height + (gap if crossed else 0)
        own = row.own_bid or row.own_ask
        if own:
            pen.rounded_rectangle((x0 + 4, y, x1 - 4, y + height - 2), 3, outline=_OWN)
        if row.bid:
            pen.rectangle(
                (middle - 42 - reach * row.bid / largest, y + 2, middle - 42, y + height - 4), fill=_BID_BAR
            )
            pen.text((middle - 47, y + 9), f"{row.bid:g}", font=small, fill=_BID, anchor="rm")
        if row.ask:
            pen.rectangle(
                (middle + 42, y + 2, middle + 42 + reach * row.ask / largest, y + height - 4), fill=_ASK_BAR
            )
            pen.text((middle + 47, y + 9), f"{row.ask:g}", font=small, fill=_ASK, anchor="lm")
        pen.text(
            (middle, y + 9), renderer.price(row.price), font=small, fill=_OWN if own else _TEXT, anchor="mm"
        )
        if own:
            ahead = "sent" if row.ahead < 0 else f"{row.ahead:g} ahead"
            # On the side that the row's volume does not take.
            x, anchor = (x1 - 12, "rm") if row.own_bid else (x0 + 12, "lm")
            pen.text((x, y + 9), f"own {own:g}, {ahead}", font=_font(11), fill=_OWN, anchor=anchor)


class _Axes:
    """Maps an episode's time and a range of values into a box."""

    def __init__(self, box: _Box, renderer: Renderer, frame: Frame, low: float, high: float) -> None:
        self.box = box
        x0, y0, x1, y1 = box
        elapsed = max(frame.time, 1e-9)
        # time_left is a share: from it the length of the whole episode, so that the curve grows rightwards.
        whole = elapsed / max(1.0 - frame.time_left, 1e-6) if frame.time_left > 0 else elapsed
        self.x_scale = (x1 - x0 - 4) / whole
        margin = 0.08 * (high - low)
        self.low, self.high = low - margin, high + margin
        self.y_scale = (y1 - y0) / (self.high - self.low)

    def x(self, time: Any) -> Any:
        return self.box[0] + time * self.x_scale

    def y(self, value: Any) -> Any:
        return self.box[3] - (value - self.low) * self.y_scale

    def ticks(self) -> list[float]:
        """Three to five round values inside the range."""
        step = 10.0 ** np.floor(np.log10((self.high - self.low) / 3.0))
        for factor in (5.0, 2.0):
            if (self.high - self.low) / (step * factor) >= 2.5:
                step *= factor
                break
        first = np.ceil(self.low / step) * step
        return np.arange(first, self.high, step).tolist()

    def grid(self, pen: Any, label: Any) -> None:
        x0, _, x1, _ = self.box
        for value in self.ticks():
            y = self.y(value)
            pen.line((x0, y, x1, y), fill=_GRID)
            pen.text((x0 - 6, y), label(value), font=_font(11), fill=_FAINT, anchor="rm")

    def curve(
        self, image: Image.Image, times: Any, values: Any, colour: Any, width: int, fill_to: Any = None
    ) -> None:
        """A line (and the area down to ``fill_to``), drawn at twice the size and reduced: smooth edges."""
        x0, y0, x1, y1 = self.box
        size = (2 * (x1 - x0), 2 * (y1 - y0))
        xs, ys = 2.0 * (self.x(times) - x0), 2.0 * (self.y(values) - y0)
        points = np.stack([xs, ys], axis=1)
        mask = Image.new("L", size, 0)
        pen = ImageDraw.Draw(mask)
        if fill_to is not None and len(points) > 1:
            base = 2.0 * (self.y(fill_to) - y0)
            pen.polygon([*map(tuple, points.tolist()), (xs[-1], base), (xs[0], base)], fill=42)
        if len(points) > 1:
            pen.line(points.ravel().tolist(), fill=255, width=width)
        if np.isfinite(points[-1]).all():
            x, y = points[-1]
            pen.ellipse((x - 6, y - 6, x + 6, y + 6), fill=255)
        image.paste(colour, (x0, y0), mask.reduce(2))


def _thin(history: NDArray[np.float64], most: int = 600) -> NDArray[np.float64]:
    """At most about ``most`` rows, the last one included: more than a point a pixel only costs time."""
    stride = max(1, len(history) // most)
    return history[::-1][::stride][::-1]


def _price_plot(image: Image.Image, pen: Any, renderer: Renderer, frame: Frame) -> None:
    history = renderer.history
    mid, bids, asks = history[:, renderer.MID], history[:, renderer.OWN_BID], history[:, renderer.OWN_ASK]
    values = np.concatenate([mid, bids, asks])
    values = values[np.isfinite(values)]
    low, high = float(values.min()), float(values.max())
    if high - low < 4.0:  # a still market is a flat line, not noise blown up
        low, high = (low + high) / 2 - 2.0, (low + high) / 2 + 2.0
    axes = _Axes(_PRICE, renderer, frame, low, high)
    axes.grid(pen, lambda v: renderer.price(v, half=axes.high - axes.low < 8))
    times = history[:, renderer.TIME]
    for quotes, colour in ((bids, _BID), (asks, _ASK)):
        there = np.flatnonzero(np.isfinite(quotes))
        there = there[:: max(1, len(there) // 300)]
        dots = np.stack([axes.x(times[there]), axes.y(quotes[there])], axis=1)
        pen.point(dots.ravel().tolist(), fill=colour)
    thin = _thin(history)
    axes.curve(image, thin[:, renderer.TIME], thin[:, renderer.MID], _LINE, width=3)
    for filled, up, colour in ((renderer.BOUGHT, 1, _BID), (renderer.SOLD, -1, _ASK)):
        at = np.flatnonzero(history[:, filled] > 0)[-150:]
        for x, y in zip(axes.x(times[at]).tolist(), axes.y(mid[at]).tolist(), strict=True):
            y += up * 9
            pen.polygon(((x - 4, y + up * 5), (x + 4, y + up * 5), (x, y - up * 2)), fill=colour)


def _pnl_plot(image: Image.Image, pen: Any, renderer: Renderer, frame: Frame) -> None:
    history = renderer.history
    pnl = history[:, renderer.PNL]
    low, high = min(0.0, float(pnl.min())), max(0.0, float(pnl.max()))
    if high - low < 1.0:
        low, high = low - 0.5, high + 0.5
    axes = _Axes(_PNL, renderer, frame, low, high)
    axes.grid(pen, lambda v: f"{v:g}")
    zero = axes.y(0.0)
    pen.line((_PNL[0], zero, _PNL[2], zero), fill=_FAINT)
    thin = _thin(history)
    colour = _BID if frame.net_pnl >= 0 else _ASK
    axes.curve(image, thin[:, renderer.TIME], thin[:, renderer.PNL], colour, width=3, fill_to=0.0)
