"""The comparison as one PNG, drawn with Pillow alone: price with the fills, P&L of each policy, mean equity
with bands.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from hft_gym.report.curves import Curves
from hft_gym.report.table import number

__all__ = ["SIZE", "draw", "png"]

SIZE = (1280, 900)
BACKGROUND, PLOT, GRID, TEXT, FAINT = "#0d1117", "#161b22", "#2b323b", "#e6edf3", "#8b949e"
BUY, SELL = "#3fb950", "#ff7b72"
LEFT, RIGHT, LEGEND = 88, 1000, 1024
SCALE = 2  # drawn larger and shrunk: Pillow's lines have no smoothing of their own

Floats = npt.NDArray[np.float64]


class _Plot:
    """One axes box: maps data to pixels and draws the frame, clipped lines and bands."""

    def __init__(
        self,
        image: Image.Image,
        box: tuple[int, int, int, int],
        x: tuple[float, float],
        y: tuple[float, float],
    ) -> None:
        self.image, self.box, self.x, self.y = image, box, x, y
        self.draw = ImageDraw.Draw(image)

    def pixels(self, xs: Floats, ys: Floats) -> Floats:
        left, top, right, bottom = self.box
        px = left + (xs - self.x[0]) / max(self.x[1] - self.x[0], 1e-12) * (right - left)
        py = bottom - (ys - self.y[0]) / max(self.y[1] - self.y[0], 1e-12) * (bottom - top)
        return np.stack([px, py], axis=-1)

    def frame(self, title: str, unit: str) -> None:
        left, top, right, bottom = self.box
        draw = self.draw
        draw.rectangle(_scaled(self.box), fill=PLOT)
        for tick in _ticks(*self.y, 5):
            y = self.pixels(np.array(0.0), np.array(tick))[1]
            draw.line(_scaled((left, y, right, y)), fill=GRID, width=SCALE)
            _text(draw, (left - 8, y), f"{tick:,.6g}", FAINT, 13, "rm")
        for tick in _ticks(*self.x, 8):
            x = self.pixels(np.array(tick), np.array(0.0))[0]
            draw.line(_scaled((x, top, x, bottom)), fill=GRID, width=SCALE)
            _text(draw, (x, bottom + 7), f"{tick:g}", FAINT, 13, "mt")
        _text(draw, (left, top - 9), title, TEXT, 15, "ls")
        _text(draw, (right, top - 9), unit, FAINT, 13, "rs")

    def line(self, xs: Floats, ys: Floats, colour: str, width: float = 1.6) -> None:
        def paint(draw: ImageDraw.ImageDraw) -> None:
            points = self.pixels(xs, ys)
            points = points[np.isfinite(points).all(axis=-1)]
            points[:, 1] = np.clip(points[:, 1], -1e4, 1e4)
            if len(points) > 1:
                draw.line(
                    [(float(a) * SCALE, float(b) * SCALE) for a, b in points],
                    fill=colour,
                    width=round(width * SCALE),
                    joint="curve",
                )

        self._clipped(paint)

    def band(self, xs: Floats, low: Floats, high: Floats, colour: str) -> None:
        if not np.isfinite(low).all():
            return

        def paint(draw: ImageDraw.ImageDraw) -> None:
            points = np.concatenate([self.pixels(xs, low), self.pixels(xs, high)[::-1]])
            points[:, 1] = np.clip(points[:, 1], -1e4, 1e4)
            draw.polygon([(float(a) * SCALE, float(b) * SCALE) for a, b in points], fill=colour + "38")

        self._clipped(paint)

    def marks(self, points: Floats, colour: str, up: bool) -> None:
        def paint(draw: ImageDraw.ImageDraw) -> None:
            for x, y in self.pixels(points[:, 0], points[:, 1]):
                draw.polygon(_triangle(float(x), float(y), up), fill=colour)

        if len(points):
            self._clipped(paint)

    def _clipped(self, paint: Callable[[ImageDraw.ImageDraw], None]) -> None:
        """Let ``paint`` draw, and keep of it what falls inside the box."""
        left, top, right, bottom = _scaled(self.box)
        layer = Image.new("RGBA", self.image.size, (0, 0, 0, 0))
        paint(ImageDraw.Draw(layer))
        part = layer.crop((left, top, right, bottom))
        self.image.alpha_composite(part, (left, top))


def draw(curves: Curves) -> Image.Image:
    """The picture as an RGB image of `SIZE`."""
    image = Image.new("RGBA", (SIZE[0] * SCALE, SIZE[1] * SCALE), BACKGROUND)
    pen = ImageDraw.Draw(image)
    _text(pen, (LEFT, 22), "hft_gym: one market, every policy", TEXT, 20, "lm")
    end = float(max(curves.seconds[-1], 1e-9))
    _price_plot(image, curves, end)
    paths = _Plot(image, (LEFT, 372, RIGHT, 590), (0.0, end), curves.limits("path"))
    paths.frame(f"P&L of each policy, seed {curves.seed}", "ticks·lots")
    means = _Plot(image, (LEFT, 648, RIGHT, 856), (0.0, end), curves.limits("mean"))
    means.frame(f"mean P&L over {curves.episodes} episodes, {curves.level:.0%} bootstrap band", "ticks·lots")
    for curve in reversed(curves.curves):
        paths.line(curves.seconds, curve.path, curve.colour)
        means.band(curves.seconds, curve.low, curve.high, curve.colour)
    for curve in reversed(curves.curves):
        means.line(curves.seconds, curve.mean, curve.colour)
    _text(pen, ((LEFT + RIGHT) / 2, 892), "seconds", FAINT, 13, "ms")
    _legend(pen, curves, 372, "P&L, this seed", [float(c.path[-1]) for c in curves.curves])
    _legend(pen, curves, 648, "mean P&L", [float(c.mean[-1]) for c in curves.curves])
    return image.convert("RGB").resize(SIZE, Image.Resampling.LANCZOS)


def png(curves: Curves) -> bytes:
    """The picture as a PNG file's bytes."""
    buffer = io.BytesIO()
    draw(curves).save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def _price_plot(image: Image.Image, curves: Curves, end: float) -> None:
    shown = np.concatenate([curves.price, curves.buys[:, 1], curves.sells[:, 1]])
    low, high = float(np.nanmin(shown)), float(np.nanmax(shown))
    margin = 0.06 * (high - low) + 0.5
    plot = _Plot(image, (LEFT, 74, RIGHT, 314), (0.0, end), (low - margin, high + margin))
    plot.frame(f"mid price, seed {curves.seed}, in the market of {curves.market}", "ticks")
    plot.line(np.repeat(curves.price_s, 2)[1:], np.repeat(curves.price, 2)[:-1], TEXT, 1.2)
    plot.marks(curves.buys, BUY, up=True)
    plot.marks(curves.sells, SELL, up=False)
    pen = ImageDraw.Draw(image)
    _text(pen, (LEGEND, 84), f"fills of {curves.market}", FAINT, 13, "lm")
    for y, words, colour, up in (
        (106, f"{len(curves.buys)} buys", BUY, True),
        (128, f"{len(curves.sells)} sells", SELL, False),
    ):
        pen.polygon(_triangle(LEGEND + 7, y, up), fill=colour)
        _text(pen, (LEGEND + 22, y), words, TEXT, 14, "lm")


def _legend(pen: ImageDraw.ImageDraw, curves: Curves, top: int, title: str, values: list[float]) -> None:
    _text(pen, (LEGEND, top + 10), title, FAINT, 13, "lm")
    for i, (curve, value) in enumerate(zip(curves.curves, values, strict=True)):
        y = top + 34 + 22 * i
        if y > top + 205:
            _text(pen, (LEGEND, y), f"and {len(curves.curves) - i} more", FAINT, 13, "lm")
            return
        pen.line(_scaled((LEGEND, y, LEGEND + 14, y)), fill=curve.colour, width=3 * SCALE)
        label = curve.name if len(curve.name) <= 20 else curve.name[:19] + "…"
        _text(pen, (LEGEND + 22, y), label, TEXT, 14, "lm")
        _text(pen, (SIZE[0] - 14, y), number(value) + (" *" if curve.off_scale else ""), TEXT, 14, "rm")
    if any(c.off_scale for c in curves.curves):
        _text(pen, (LEGEND, top + 34 + 22 * len(curves.curves)), "* off the scale", FAINT, 13, "lm")


def _triangle(x: float, y: float, up: bool) -> list[tuple[float, float]]:
    """Corners of a small triangle around a point, pointing up or down."""
    tip = -4 if up else 4
    corners = ((x, y + tip), (x - 3.5, y - tip), (x + 3.5, y - tip))
    return [(a * SCALE, b * SCALE) for a, b in corners]


def _text(
    pen: ImageDraw.ImageDraw, at: tuple[float, float], text: str, colour: str, size: int, anchor: str
) -> None:
    font: Any = ImageFont.load_default(size * SCALE)
    pen.text((at[0] * SCALE, at[1] * SCALE), text, fill=colour, font=font, anchor=anchor)


def _scaled(box: tuple[float, float, float, float]) -> tuple[int, int, int, int]:
    a, b, c, d = (round(float(v) * SCALE) for v in box)
    return a, b, c, d


def _ticks(low: float, high: float, most: int) -> list[float]:
    """Round numbers in [low, high], at most about ``most``."""
    raw = (high - low) / most
    if not raw > 0:
        return [low]
    size = 10.0 ** np.floor(np.log10(raw))
    step = float(size * min((m for m in (1, 2, 5, 10) if m * size >= raw), default=10))
    first = int(np.ceil(low / step))
    return [i * step for i in range(first, int(np.floor(high / step)) + 1)]
