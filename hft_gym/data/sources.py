"""What the readers have in common: bytes of plain and compressed files in blocks, and the stream of message chunks."""

from __future__ import annotations

import difflib
import zlib
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hft_gym.data.issues import IssueLog
from hft_gym.data.messages import FEED_DTYPE, FeedMeta
from hft_gym.errors import ConfigError, DataError
from hft_gym.extras import optional

__all__ = ["BLOCK", "ByteBlocks", "Chunk", "Source", "require_file"]

BLOCK = 1 << 22
"""Bytes read at a time."""
_GZIP, _ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"


ACCEPTED = (
    "a LOBSTER message file, NASDAQ ITCH 5.0, Databento MBO, a Binance or Coinbase capture, or a .parquet file that "
    "`hft-gym data convert` made"
)


def require_file(path: Path) -> None:
    """Make sure that *path* is a file.

    Raises:
        DataError: it is not; the message says what is there instead.
    """
    if path.is_file():
        return
    folder = path if path.is_dir() else path.parent
    names = sorted(p.name for p in folder.iterdir()) if folder.is_dir() else []
    shown = ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")
    if not path.is_dir():
        close = difflib.get_close_matches(path.name, names, n=3, cutoff=0.6)
        hint = f"; did you mean {' or '.join(close)}?" if close else f"; its folder holds {shown}" if shown else ""
        raise DataError(f"there is no such file{hint}", path, value=str(path))
    if path.suffix == ".partial":
        raise DataError("is what an interrupted `hft-gym data convert` left; the same command goes on from it", path)
    raise DataError(f"is a folder; needed is one file: {ACCEPTED}. It holds {shown or 'nothing'}", path)


class Chunk(NamedTuple):
    """Some messages: ``(n,)`` of FEED_DTYPE, and ``(n,)`` int64, the row of the file that each came from.

    Of LOBSTER also ``(n, levels, 4)`` int64, the rows of the orderbook file in its units (ask price, ask size, bid
    price, bid size).
    """

    records: NDArray[Any]
    rows: NDArray[np.int64]
    book: NDArray[np.int64] | None = None

    def take(self, keep: NDArray[Any]) -> Chunk:
        """Some of the messages."""
        return Chunk(self.records[keep], self.rows[keep], None if self.book is None else self.book[keep])


class ByteBlocks:
    """The (decompressed) bytes of a file, a block at a time; gzip and zstd are known by their first bytes.

    Attributes:
        offset: decompressed bytes handed out so far.
        cut: why the compressed data end early, "" if they do not.

    Raises:
        DataError: there is no such file, or it is empty.
    """

    def __init__(self, path: Path, block: int = BLOCK) -> None:
        require_file(path)
        self.path, self.block = path, block
        self.size = path.stat().st_size
        if self.size == 0:
            raise DataError("the file is empty", path, row=0)
        self.offset = 0
        self.cut = ""
        self._file: IO[bytes] = path.open("rb")
        magic = self._file.read(4)
        self._file.seek(0)
        self._kind = "gzip" if magic[:2] == _GZIP else "zstd" if magic == _ZSTD else "plain"
        self._blocks = self._open()

    @property
    def position(self) -> int:
        """Bytes of the file on disk that were read: for progress."""
        return self.size if self._file.closed else self._file.tell()

    def _open(self) -> Iterator[bytes]:
        return {"gzip": self._gzip, "zstd": self._zstd, "plain": self._plain}[self._kind]()

    def _plain(self) -> Iterator[bytes]:
        while data := self._file.read(self.block):
            yield data

    def _gzip(self) -> Iterator[bytes]:
        member = zlib.decompressobj(wbits=31)
        while True:
            data = self._file.read(1 << 18)
            if not data:
                if not member.eof:
                    self.cut = "the gzip data end early"
                return
            while data:
                if member.eof:
                    member = zlib.decompressobj(wbits=31)
                try:
                    out = member.decompress(data, self.block)
                    while True:
                        if out:
                            yield out
                        if not member.unconsumed_tail:
                            break
                        out = member.decompress(member.unconsumed_tail, self.block)
                except zlib.error as error:
                    self.cut = f"the gzip data are damaged ({error})"
                    return
                data = member.unused_data.lstrip(b"\0") if member.eof else b""

    def _zstd(self) -> Iterator[bytes]:
        pa = optional("pyarrow")
        self._file.close()
        raw = pa.OSFile(str(self.path), "rb")
        self._file = raw
        stream = pa.CompressedInputStream(raw, "zstd")
        try:
            while data := stream.read(1 << 16):  # a damaged stream loses at most what one call would give
                yield data
        except OSError as error:
            self.cut = f"the zstd data are damaged or end early ({error})"
        finally:
            stream.close()

    def __iter__(self) -> Iterator[bytes]:
        parts: list[bytes] = []
        size = 0
        for data in self._blocks:
            parts.append(data)
            size += len(data)
            if size >= self.block:
                self.offset += size
                yield parts[0] if len(parts) == 1 else b"".join(parts)
                parts, size = [], 0
        if parts:
            self.offset += size
            yield b"".join(parts)

    def skip_to(self, offset: int) -> bytes:
        """Go to a decompressed offset; return what is left of the block it lies in.

        Raises:
            DataError: the file ends before it.
        """
        if self._kind == "plain":
            self._file.seek(offset)
            self.offset = offset
            return b""
        while self.offset < offset:
            data = next(self._blocks, None)
            if data is None:
                raise DataError("ends before the place where the conversion was interrupted: start anew", self.path)
            self.offset += len(data)
            if self.offset >= offset:
                return data[len(data) - (self.offset - offset) :]
        return b""

    def close(self) -> None:
        """Close the file."""
        if not self._file.closed:
            self._file.close()


class Source(ABC):
    """A recorded file as a stream of chunks. Iterate :meth:`chunks` once; :attr:`meta` is final after the last.

    Attributes:
        format: name of the format.
        files: what is read, the first being the main file.
        log: where issues go.
        row: rows (messages, lines) read so far.
    """

    format: ClassVar[str]

    def __init__(self, path: Path, log: IssueLog, symbols: Sequence[str] = ()) -> None:
        self.path = path
        self.files: tuple[Path, ...] = (path,)
        self.log = log
        self.symbols = tuple(symbols)
        self.row = 0
        self.bytes = ByteBlocks(path)
        self._rest = b""
        """Bytes read but not yet decoded."""

    @property
    @abstractmethod
    def meta(self) -> FeedMeta:
        """What is true of the whole stream, as far as it is known by now."""

    @abstractmethod
    def _decode(self, data: bytes, last: bool) -> tuple[Chunk, bytes]:
        """Messages of *data* and the incomplete rest. With *last* the rest is a truncated message, to be logged."""

    def chunks(self) -> Iterator[Chunk]:
        """All messages in order."""
        for block in self.bytes:
            chunk, self._rest = self._decode(self._rest + block if self._rest else block, False)
            if len(chunk.records):
                yield chunk
        if self.bytes.cut:
            self.log.add("truncated", self.path, self.row, len(self._rest), self.bytes.cut)
        chunk, rest = self._decode(self._rest, True)
        if rest and not self.bytes.cut:
            text = f"the last {len(rest)} bytes are no complete message: the file was cut off; fetch it again"
            self.log.add("truncated", self.path, self.row, len(rest), text)
        self._rest = b""
        if len(chunk.records):
            yield chunk
        self.bytes.close()

    @property
    def progress(self) -> tuple[int, int]:
        """Bytes read, bytes in all."""
        return self.bytes.position, self.bytes.size

    def state(self) -> dict[str, Any]:
        """Where the stream stands between two chunks; JSON-able. Subclasses add what they remember."""
        return {"offset": self.bytes.offset - len(self._rest), "row": self.row}

    def restore(self, state: dict[str, Any]) -> None:
        """Continue a fresh source from a :meth:`state`.

        Raises:
            DataError: the file is shorter than it was.
        """
        self.row = int(state["row"])
        self._rest = self.bytes.skip_to(int(state["offset"]))

    def wanted(self, symbol: str) -> bool:
        """Whether a symbol was asked for."""
        return not self.symbols or symbol in self.symbols


def empty_chunk() -> Chunk:
    """A chunk of nothing."""
    return Chunk(np.zeros(0, FEED_DTYPE), np.zeros(0, np.int64))


def split_lines(data: bytes, last: bool) -> tuple[bytes, bytes]:
    """Whole lines, and the incomplete one behind them (none if *last*: a last line needs no line break)."""
    if last:
        return data, b""
    end = data.rfind(b"\n") + 1
    return data[:end], data[end:]


def need_symbol(symbols: Sequence[str], known: dict[int, str], path: Path) -> None:
    """Say it if symbols were asked for that the file does not have.

    Raises:
        ConfigError: a symbol is missing.
    """
    missing = sorted(set(symbols) - set(known.values()))
    if missing:
        shown = ", ".join(sorted(known.values())[:8])
        raise ConfigError(f"{path}: no instrument {', '.join(missing)}; it has {shown or 'none that were asked for'}")
