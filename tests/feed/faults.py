"""Faults between a venue and a feed, and the comparison with the venue's own book: for the tests and for
``python -m benchmarks.feed_faults``.
"""

import asyncio
import json

from hft_gym.data.binance import BinanceProtocol
from hft_gym.feed import (
    BinanceDataFeed,
    CoinbaseDataFeed,
    DataKind,
    FeedServer,
    MockDataFeed,
    WebSocketDataFeed,
)
from tests.data.feeds import binance_lines
from tests.feed.harness import BinanceVenue, CoinbaseVenue, FaultProxy, best

QUICK = {"first": 0.002, "longest": 0.01}


class QuickBinance(BinanceDataFeed):
    requests_per_second = 1000.0
    snapshots_per_second = 1000.0


class QuickCoinbase(CoinbaseDataFeed):
    requests_per_second = 1000.0


class Careless(QuickBinance):
    """A reader that ignores gaps: the control, which the comparison with the venue must catch."""

    def _protocol(self):
        return BinanceProtocol(self.log, self.config.url, resync=False)

    def _after(self):
        if self.protocol._held and not self._fetching:
            self._fetching["TESTUSDT"] = self._help(self._fetch("TESTUSDT"))

    @property
    def stale(self):
        return set(self.protocol._held)


def binance_config(venue, url=None, **more):
    return {
        "url": url or venue.url, "rest_url": venue.rest_url, "symbols": ["TESTUSDT"], "levels": 5, "reconnect": QUICK,
        "buffer_size": 100_000, **more,
    }  # fmt: skip


async def read_to(feed, final, symbols=("TESTUSDT",)):
    """All messages until each symbol's last update has come."""
    seen, reached = [], set()
    async for message in feed.start_streaming():
        seen.append(message)
        if message.kind is not DataKind.LOST and message.sequence >= final:
            reached.add(message.symbol)
        if reached >= set(symbols):
            return seen
    return seen


async def play_binance(faults, kind=QuickBinance, futures=False, config=None, **venue_options):
    lines, _ = binance_lines(1, futures=futures)
    if "stall" in faults.values():
        # A quiet market says nothing for long: that pings are not answered tells of a dead connection.
        faults = {at: "dead" if fault == "stall" else fault for at, fault in faults.items()}
        config = {"heartbeat": 0.2, **(config or {})}
    async with (
        BinanceVenue(lines, **venue_options) as venue,
        FaultProxy(venue.url, faults) as proxy,
        kind(binance_config(venue, proxy.url, **(config or {}))) as feed,
    ):
        seen = await read_to(feed, venue.final)
        return venue, seen, feed.statistics, feed


def wrong(seen, truth):
    """Messages whose book is not the venue's at that update."""
    return [m for m in seen if m.kind is not DataKind.LOST and (m.bids, m.asks) != truth[m.sequence]]


def check_order(seen):
    """Each symbol: a snapshot, news, perhaps a loss, then a snapshot again."""
    trusted = {}
    for message in seen:
        if message.kind is DataKind.LOST:
            assert trusted.get(message.symbol), "lost without having been there"
            assert message.bid_price is None and message.bids == ()
            trusted[message.symbol] = False
        else:
            assert message.snapshot or trusted.get(message.symbol), "news of a book that was lost"
            trusted[message.symbol] = True


# fault -> what must be counted (at least), whether the book is lost and found again
BINANCE_FAULTS = {
    "gap": ({"gaps": 1, "snapshots": 2}, True),
    "duplicate": ({"repeats": 1, "snapshots": 1}, False),
    "reorder": ({"gaps": 1, "snapshots": 2}, True),
    "garbage": ({"unreadable": 1, "gaps": 1, "snapshots": 2}, True),
    "noise": ({"unreadable": 1, "snapshots": 1}, False),
    "cut": ({"connections": 2, "snapshots": 2}, True),
    "stall": ({"connections": 2, "snapshots": 2}, True),
}


def depth_text(n=40):
    """Number of a text to the client that is a depth update, some way in (0 is the answer to SUBSCRIBE)."""
    lines, _ = binance_lines(1, futures=False)
    events = [m for m in (json.loads(line.split(" ", 1)[1]) for line in lines) if "data" in m]
    events = [m for m in events if m["data"]["e"] != "bookTicker"]
    return next(i for i in range(n, len(events)) if events[i]["data"]["e"] == "depthUpdate") + 1


# Away from the start, so that the first snapshot of the capture is too old.
BINANCE_SNAPSHOTS = {
    "slow snapshot": ({}, {"away": 30, "slow": 0.03}),
    "asked to wait": ({}, {"away": 30, "refuse": 2}),
    "snapshot too old": ({depth_text(10): "cut"}, {"away": 30, "old": 1}),
}
"""Snapshots that come late, or not at once, or too old: (faults, options of the venue)."""


async def play_coinbase(faults, snapshots, events, kind=QuickCoinbase, heartbeat=1.0, pause=0.0005):
    venue = CoinbaseVenue(snapshots, events, pause)
    products = tuple(venue.books)
    async with venue, FaultProxy(venue.url, faults) as proxy:
        config = {
            "url": proxy.url, "symbols": products, "levels": 5, "reconnect": QUICK, "heartbeat": heartbeat,
            "buffer_size": 100_000,
        }  # fmt: skip
        async with kind(config) as feed:
            seen = []
            stream = feed.start_streaming()
            latest = {}
            while True:
                message = await anext(stream)
                seen.append(message)
                latest[message.symbol] = message
                done = venue.at == len(venue.events) and not len(stream)
                if done and all(
                    p in latest and (latest[p].bids, latest[p].asks) == best(venue.books[p]) for p in products
                ):
                    return venue, seen, feed.statistics
                if done:
                    await asyncio.sleep(0.001)


def wrong_coinbase(venue, seen):
    """Messages whose book is not the venue's at that number."""
    shown = [m for m in seen if m.kind is not DataKind.LOST]
    return [m for m in shown if (m.bids, m.asks) != venue.truth[m.symbol, m.sequence]]


def check_coinbase(venue, seen):
    check_order(seen)
    assert not wrong_coinbase(venue, seen)


COINBASE_FAULTS = {
    "gap": ({"gaps": 1, "snapshots": 4}, True),
    "duplicate": ({"repeats": 1, "snapshots": 2}, False),
    "reorder": ({"gaps": 1, "repeats": 1, "snapshots": 4}, True),
    "garbage": ({"unreadable": 1, "gaps": 1, "snapshots": 4}, True),
    "noise": ({"unreadable": 1, "snapshots": 2}, False),
    "cut": ({"connections": 2, "snapshots": 4}, True),
    "stall": ({"connections": 2, "snapshots": 4}, True),
}


# -- our own server --------------------------------------------------------------------------------------

SERVER = {"port": 0, "buffer_size": 100_000}


def mock(speed=3.0, symbols=("AAPL", "MSFT"), **more):
    """A feed at a modest pace: what a test has to send takes a fraction of a second."""
    return MockDataFeed({"symbols": symbols, "speed": speed, "levels": 3, **more})


def client(url, **more):
    return WebSocketDataFeed({"url": url, "reconnect": QUICK, "buffer_size": 100_000, **more})


async def take(stream, n):
    return [await anext(stream) for _ in range(n)]


OUR_FAULTS = {
    "gap": ({"gaps": 1, "snapshots": 3}, True),
    "duplicate": ({"repeats": 1, "snapshots": 2}, False),
    "reorder": ({"gaps": 1, "repeats": 1, "snapshots": 3}, True),
    "garbage": ({"unreadable": 1, "gaps": 1, "snapshots": 3}, True),
    "noise": ({"unreadable": 1, "snapshots": 3}, True),
    "cut": ({"connections": 2, "snapshots": 4}, True),
    "stall": ({"connections": 2, "snapshots": 4}, True),
}


async def play_ours(faults, heartbeat=5.0):
    """What our client shows of a mock feed; the messages among it that were compared with the feed's own, and those
    whose book is another; what the client counted.
    """
    async with (
        mock() as feed,
        FeedServer(feed, SERVER) as server,
        FaultProxy(server.url, faults) as proxy,
        client(proxy.url, heartbeat=heartbeat) as remote,
    ):
        here = feed.start_streaming(buffer_size=100_000)
        stream = remote.start_streaming()
        seen, after = await take(stream, 30), set()
        while len(after) < 2 or len(seen) < 200:
            seen.append(await anext(stream))
            if len(seen) > 100 and seen[-1].kind is not DataKind.LOST:
                after.add(seen[-1].symbol)
        counts = remote.statistics
        await asyncio.sleep(0.02)
        sent = {(m.symbol, m.sequence): (m.bids, m.asks) for m in await take(here, len(here))}
    known = [m for m in seen if m.kind is not DataKind.LOST and (m.symbol, m.sequence) in sent]
    return seen, known, [m for m in known if (m.bids, m.asks) != sent[m.symbol, m.sequence]], counts
