"""Recorded files of any length for the data benchmark: one made-up stream of orders, written in several formats.

Orders come in waves: each order of a wave is added, then reduced, then executed in part, then deleted, so that a book
of any file length stays small. Prices never cross and every message is sound.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hft_gym.data.dbn import MBO_DTYPE
from hft_gym.data.itch import ITCH_MESSAGES
from hft_gym.data.messages import FEED_DTYPE, FeedFlag, FeedKind

__all__ = ["make_tape", "write_dbn", "write_itch", "write_lobster"]

WAVE = 256
"""Orders of a wave; each has four messages."""
START = 34_200 * 10**9
STEP = 2_000
"""Time between two messages [ns]."""


def make_tape(messages: int, seed: int = 1) -> NDArray[Any]:
    """About *messages* sound records of one instrument (FEED_DTYPE, prices in 1/10,000)."""
    rng = np.random.default_rng(seed)
    waves = max(messages // (4 * WAVE), 1)
    orders = waves * WAVE
    side = rng.integers(0, 2, orders)
    distance = rng.geometric(0.2, orders)
    price = 1_000_000 + 100 * np.where(side == 1, distance, -distance)
    quantity = rng.integers(4, 500, orders)
    identity = np.arange(1, orders + 1)
    tape = np.zeros((waves, 4, WAVE), FEED_DTYPE)
    kinds = (FeedKind.ADD, FeedKind.CANCEL, FeedKind.EXECUTE, FeedKind.DELETE)
    parts = (quantity, np.ones(orders, np.int64), np.full(orders, 2), quantity - 3)
    for i, (kind, part) in enumerate(zip(kinds, parts, strict=True)):
        tape[:, i]["kind"] = kind
        tape[:, i]["quantity"] = part.reshape(waves, WAVE)
        for name, values in (("side", side), ("price", price), ("order_id", identity)):
            tape[:, i][name] = values.reshape(waves, WAVE)
    flat = tape.reshape(-1)
    flat["time"] = START + STEP * np.arange(len(flat)) % (23_000 * 10**9)
    flat["flags"] = int(FeedFlag.LAST)
    flat["sequence"] = np.arange(1, len(flat) + 1)
    return flat


def write_itch(path: Path, tape: NDArray[Any]) -> None:
    """As ITCH 5.0, after one directory message."""
    codes = {FeedKind.ADD: "A", FeedKind.CANCEL: "X", FeedKind.EXECUTE: "E", FeedKind.DELETE: "D"}
    sizes = np.zeros(16, np.int64)
    for kind, code in codes.items():
        sizes[kind] = ITCH_MESSAGES[code].itemsize + 2
    lengths = sizes[tape["kind"]]
    starts = np.concatenate([[0], np.cumsum(lengths)])
    data = np.zeros(starts[-1], np.uint8)
    for kind, code in codes.items():
        of = tape["kind"] == kind
        layout = ITCH_MESSAGES[code]
        made = np.zeros(int(of.sum()), layout)
        made["type"], made["locate"] = code.encode(), 1
        time = tape["time"][of]
        for byte in range(6):
            made["time"][:, byte] = (time >> (8 * (5 - byte))) & 0xFF
        made["order"] = tape["order_id"][of]
        if code in "AXE":
            made["shares"] = tape["quantity"][of]
        if code == "A":
            made["side"] = np.where(tape["side"][of] == 0, b"B", b"S")
            made["stock"], made["price"] = b"TAPE    ", tape["price"][of]
        at = starts[:-1][of]
        data[at + 1] = layout.itemsize
        data[at[:, None] + 2 + np.arange(layout.itemsize)] = made.view(np.uint8).reshape(len(made), -1)
    directory = np.zeros(1, ITCH_MESSAGES["R"])
    directory["type"], directory["locate"], directory["stock"] = b"R", 1, b"TAPE    "
    path.write_bytes(b"\0" + bytes([directory.itemsize]) + directory.tobytes() + data.tobytes())


def write_dbn(path: Path, tape: NDArray[Any]) -> None:
    """As DBN with MBO records: an execution is a fill and a cancel."""
    import databento_dbn as dbn

    metadata = dbn.Metadata(
        dataset="XNAS.ITCH", start=0, end=1, stype_in=dbn.SType.RAW_SYMBOL, stype_out=dbn.SType.INSTRUMENT_ID,
        schema=dbn.Schema.MBO, symbols=["TAPE"], partial=[], not_found=[], mappings=[], limit=None,
    )  # fmt: skip
    filled = tape["kind"] == FeedKind.EXECUTE
    order = np.argsort(np.concatenate([np.arange(len(tape)), np.flatnonzero(filled) - 0.5]), kind="stable")
    action = np.full(len(tape), ord("C"), np.uint8)
    action[tape["kind"] == FeedKind.ADD] = ord("A")
    mbo = np.zeros(len(tape), MBO_DTYPE)
    mbo["length"], mbo["rtype"], mbo["publisher_id"], mbo["instrument_id"] = 14, 160, 2, 1
    mbo["ts_event"] = mbo["ts_recv"] = tape["time"]
    mbo["order_id"], mbo["price"], mbo["size"] = tape["order_id"], tape["price"] * 100_000, tape["quantity"]
    mbo["flags"], mbo["action"], mbo["sequence"] = 128, action, tape["sequence"] % 2**32
    mbo["side"] = np.where(tape["side"] == 0, ord("B"), ord("A"))
    fills = mbo[filled].copy()
    fills["action"], fills["flags"] = ord("F"), 0
    path.write_bytes(bytes(metadata.encode()) + np.concatenate([mbo, fills])[order].tobytes())


def write_lobster(path: Path, tape: NDArray[Any]) -> None:
    """As a LOBSTER message file (without an orderbook file)."""
    import pyarrow as pa
    from pyarrow import csv

    seconds, rest = tape["time"] // 10**9, tape["time"] % 10**9
    text = np.char.add(np.char.add(seconds.astype("U6"), "."), np.char.zfill(rest.astype("U9"), 9))
    direction = 1 - 2 * tape["side"].astype(np.int64)
    columns = [text, *(tape[n] for n in ("kind", "order_id", "quantity", "price")), direction]
    names = [f"c{i}" for i in range(6)]
    table = pa.table([pa.array(column) for column in columns], names=names)
    csv.write_csv(table, str(path), csv.WriteOptions(include_header=False, quoting_style="none"))
