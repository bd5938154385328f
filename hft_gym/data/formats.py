"""Which reader a file needs: by its first bytes, not its name."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from hft_gym.config import did_you_mean
from hft_gym.data.archive import ArchiveSource
from hft_gym.data.binance import BinanceSource
from hft_gym.data.coinbase import CoinbaseFullSource, CoinbaseSource
from hft_gym.data.dbn import DbnCsvSource, DbnSource
from hft_gym.data.issues import IssueLog
from hft_gym.data.itch import ITCH_MESSAGES, ItchSource
from hft_gym.data.lobster_stream import LobsterSource
from hft_gym.data.sources import ByteBlocks, Source, require_file
from hft_gym.errors import ConfigError, DataError

__all__ = ["FORMATS", "detect", "open_source"]

FORMATS: dict[str, tuple[type[Source], str]] = {
    "lobster": (LobsterSource, "LOBSTER message file, with its orderbook file beside it (CSV)"),
    "itch": (ItchSource, "NASDAQ TotalView-ITCH 5.0 (binary)"),
    "dbn": (DbnSource, "Databento MBO (DBN)"),
    "dbn-csv": (DbnCsvSource, "Databento MBO (CSV)"),
    "binance": (BinanceSource, "Binance capture: depth, bookTicker, trade (a time stamp and JSON a line)"),
    "coinbase": (
        CoinbaseSource,
        "Coinbase Advanced Trade capture: l2_data, market_trades, ticker (cryptofeed JSON lines)",
    ),
    "coinbase-full": (CoinbaseFullSource, "Coinbase full channel, every order (JSON lines)"),
    "archive": (ArchiveSource, "a Parquet file that `hft-gym data convert` made"),
}
"""Name -> (reader, what it reads). All but the archive may be compressed by gzip or zstd."""

_LOBSTER = re.compile(rb"^\d+(\.\d*)?(,-?\d+){4},-?1\s")
_BINANCE = re.compile(rb"^\d{16,20} \{")


def detect(path: Path) -> str:
    """The name of a file's format.

    Raises:
        DataError: no such file, or a format that is not known.
    """
    require_file(path)
    with path.open("rb") as file:
        if file.read(4) == b"PAR1":
            return "archive"
    blocks = ByteBlocks(path, 1 << 16)
    head = next(iter(blocks), b"")
    blocks.close()
    if not head and blocks.cut:
        raise DataError(f"{blocks.cut}: nothing of it can be read; fetch it again", path)
    line = head.lstrip()[:2000].split(b"\n")[0] + b"\n"
    if head[:3] == b"DBN":
        return "dbn"
    if b"ts_event" in line and b"action" in line and b"order_id" in line and b"bid_px" not in line:
        return "dbn-csv"
    layout = ITCH_MESSAGES.get(chr(head[2])) if len(head) > 3 else None
    if layout is not None and int.from_bytes(head[:2], "big") == layout.itemsize:
        return "itch"
    if _LOBSTER.match(line) or ("message" in path.name.lower() and line.count(b",") == 5):
        return "lobster"
    if _BINANCE.match(line):
        return "binance"
    if line.startswith(b"{") and b'"t"' in line[:40]:
        return "coinbase"
    if line.startswith(b"{") and b'"product_id"' in line:
        return "coinbase-full"
    shown = ", ".join(f"{name}: {what}" for name, (_, what) in FORMATS.items())
    raise DataError(f"is in no format that is known here ({shown}); name it with --format if it is", path)


def open_source(path: Path, log: IssueLog, symbols: Sequence[str] = (), format: str | None = None) -> Source:
    """The reader of a file.

    Raises:
        ConfigError: no such format, or no such symbol.
        DataError: the file cannot be read.
    """
    name = format or detect(path)
    if name not in FORMATS:
        raise ConfigError(f"format is {name!r}{did_you_mean(name, list(FORMATS))}")
    return FORMATS[name][0](path, log, symbols)
