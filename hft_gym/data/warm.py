"""Compiles (or loads) what reading recorded files runs, on a handful of messages."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from hft_gym.data import dbn_kernel, itch_kernel
from hft_gym.data.check_replay import prepare, run
from hft_gym.data.follower import BookFollower, Screen
from hft_gym.data.issues import IssueLog
from hft_gym.data.lobster import LOBSTER_DTYPE, LobsterDay, LobsterKind
from hft_gym.data.messages import FEED_DTYPE, FeedFlag, FeedKind, FeedMeta
from hft_gym.data.replay import ReplayFeed
from hft_gym.data.sources import Chunk

__all__ = ["warm_up"]


def warm_up() -> None:
    """Compile the decoders, the checks, the followed book and the replay through the compiled book."""
    buffer = np.zeros(64, np.uint8)
    rows = np.zeros(8, np.int64)
    itch_kernel.decode(
        buffer, 0, np.zeros(8, FEED_DTYPE), rows, 0, np.zeros(65_536, np.uint8), np.zeros(0, np.int64),
        np.zeros(256, np.int64), np.zeros((4, 3), np.int64),
    )  # fmt: skip
    dbn_kernel.walk(buffer, rows)
    messages = np.zeros(2_100, FEED_DTYPE)
    messages["kind"], messages["flags"] = FeedKind.ADD, FeedFlag.LAST
    messages["order_id"] = np.arange(len(messages))
    messages["side"] = messages["order_id"] & 1
    messages["price"], messages["quantity"] = 100 + messages["side"], 1
    path = Path("warm")
    log = IssueLog()
    meta = FeedMeta("itch", "L3", "midnight")
    chunk = Chunk(messages, np.arange(len(messages)))
    book = BookFollower(meta, log, path)  # outgrows its first size
    book(Screen(meta, log, path)(chunk))
    book.depth(1)
    BookFollower(meta, log, path, open_at=1, capacity=4_096)(chunk)
    orders = np.zeros((2, 1, 4), np.int64)
    halts = np.zeros(2, LOBSTER_DTYPE)
    halts["kind"] = LobsterKind.HALT
    day = LobsterDay(halts, orders, "", "", 0.01, 100, 0, 1, path, path, True)
    feed = ReplayFeed.from_day(day)
    run(feed, prepare(feed))

