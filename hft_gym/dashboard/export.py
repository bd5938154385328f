"""The running session as files: fills, orders and paths of every trader, and the report."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from hft_gym.errors import DataError
from hft_gym.evaluation.episodes import Episodes

if TYPE_CHECKING:
    import pandas as pd

    from hft_gym.dashboard.room import Room

__all__ = ["EXPORTS", "export", "table"]

CSV, PARQUET, HTML = "text/csv; charset=utf-8", "application/vnd.apache.parquet", "text/html; charset=utf-8"
EXPORTS = {
    **{f"{what}.csv": CSV for what in ("fills", "orders", "path")},
    **{f"{what}.parquet": PARQUET for what in ("fills", "orders", "path")},
    "report.html": HTML,
}
"""Name of the file -> its type."""


async def export(room: Room, what: str) -> bytes:
    """One of `EXPORTS`, of a session as it is now.

    Raises:
        DataError: nobody has traded yet.
        MissingExtraError: what the file takes is not installed.
    """
    symbols = room.live.config.symbols
    runs = await room.do(room.live.episodes)
    if not runs:
        raise DataError("nobody trades in this session: there is nothing to export")
    name, _, kind = what.partition(".")
    make: Callable[[], bytes]
    if kind == "html":
        make = lambda: _report(runs, room.catalogue.agents())  # noqa: E731
    elif kind == "csv":
        make = lambda: table(runs, symbols, name).to_csv(index=False).encode()  # noqa: E731
    else:
        make = lambda: _parquet(table(runs, symbols, name))  # noqa: E731
    return await asyncio.to_thread(make)


def table(runs: list[Episodes], symbols: tuple[str, ...], what: str) -> pd.DataFrame:
    """Every trader's fills, orders or path: columns as in `Episodes`, with the trader and the symbol before them.

    Prices are in ticks, sizes in lots, money in ticks·lots, times in ns since the trader began.
    """
    import numpy as np
    import pandas as pd

    frames = []
    for run in runs:
        if what == "path":
            for episode, symbol in enumerate(symbols):
                rows = int(run.steps[episode]) + 1
                columns: dict[str, Any] = {
                    "trader": run.name,
                    "symbol": symbol,
                    **{name: getattr(run, name)[episode, :rows] for name in ("time", "mid", "equity", "inventory")},
                }
                frames.append(pd.DataFrame(columns))
            continue
        frame = (run.fills_frame() if what == "fills" else run.orders_frame()).drop(columns="seed")
        frame["episode"] = np.asarray(symbols, object)[frame["episode"]]
        frame = frame.rename(columns={"episode": "symbol"})
        frame.insert(0, "trader", run.name)
        frames.append(frame)
    return pd.concat(frames, ignore_index=True)


def _parquet(frame: pd.DataFrame) -> bytes:
    from hft_gym.extras import optional

    optional("pyarrow")
    buffer = io.BytesIO()
    frame.to_parquet(buffer, index=False)
    return buffer.getvalue()


def _report(runs: list[Episodes], agents: Iterable[str]) -> bytes:
    from hft_gym.report.comparison import compare
    from hft_gym.report.curves import make_curves
    from hft_gym.report.page import figures, html

    folders = {name.rpartition("/")[2] for name in agents}
    learned = [run.name for run in runs if run.name.partition(" ")[0] in folders]
    comparison = compare(runs, learned, meta={"command": "hft-gym dashboard"}, live=True)
    return html(comparison, figures(comparison, make_curves(comparison))).encode()
