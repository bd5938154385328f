"""Recorded days as feeds: the file's own best quotes, in its own time, at any speed."""

import asyncio
import math
import re

import numpy as np
import pytest

from hft_gym.data.coinbase import CoinbaseProtocol
from hft_gym.data.issues import IssueLog
from hft_gym.data.replay import ReplayFeed
from hft_gym.errors import ConfigError, DataError, FeedError
from hft_gym.feed import DataKind, FeedState, ReplayDataFeed, open_feed
from hft_gym.feed.levels import LevelBook
from tests.data.feeds import Exchange, binance_lines, write_itch
from tests.data.synthetic import write_day
from tests.data_files import shared_data, shared_lobster
from tests.feed.harness import ManualClock, run

LOSSLESS = {"policy": "block", "speed": math.inf}


async def read_all(settings, clock=None):
    feed = ReplayDataFeed({**LOSSLESS, **settings}, clock=clock)
    async with feed:
        found = [m async for m in feed.start_streaming()]
        assert feed.state is FeedState.ENDED
        return found


def test_itch_by_its_own_exchange(tmp_path):
    """The made-up exchange's best quotes after every event, from its plain lists."""
    exchange = Exchange(2, n=300)
    path = write_itch(tmp_path / "day.itch", exchange)
    found = run(read_all({"url": str(path), "tick_size": 0.01}))
    truth = {}
    for (time, *_), quote in zip(exchange.events, exchange.quotes, strict=True):
        truth[time] = quote  # the last one of an instant
    seen = {m.timestamp % 86_400_000_000_000: m for m in found}
    common = [t for t in seen if t in truth]
    assert len(common) > 150
    for t in common:
        bid, bid_size, ask, ask_size = truth[t]
        m = seen[t]
        assert (m.bid_price or 0, m.bid_size, m.ask_price or 0, m.ask_size) == (
            bid / 100,
            bid_size,
            ask / 100,
            ask_size,
        )
    traded = sum(m.volume for m in found)
    assert traded and traded == sum(
        e[-1] for t, kind, *e in exchange.events if kind in ("execute", "hidden") and t >= found[0].timestamp % 86_400e9
    )


def test_the_same_at_any_speed_and_from_any_start(tmp_path):
    lines, truth = binance_lines(3)
    path = tmp_path / "capture.txt"
    path.write_text("\n".join(lines) + "\n")
    fast = run(read_all({"url": f"replay:{path}"}))
    slow = run(read_all({"url": str(path), "speed": 2.0}, ManualClock()))
    assert fast == slow and fast[0].snapshot and fast[0].symbol == "TESTUSDT"
    bid, bid_size, ask, ask_size = truth[-1]
    last = fast[-1]
    assert (last.bid_price, last.bid_size) == (bid / 10, bid_size / 1000)
    assert (last.ask_price, last.ask_size) == (ask / 10, ask_size / 1000)
    day = int(np.datetime64("2024-08-08", "ns").astype(np.int64))
    assert np.datetime64(fast[0].timestamp, "ns") > np.datetime64("2024-08-01")
    middle = fast[len(fast) // 2].timestamp - day
    later = run(read_all({"url": str(path), "start": middle % 86_400_000_000_000}))
    assert later[-1]._replace(sequence=0, price=None) == last._replace(sequence=0, price=None)
    assert len(later) < len(fast)


def test_lobster_rows():
    path = shared_lobster("AMZN", 5)
    from hft_gym.data import read_lobster

    day = read_lobster(path)

    async def main():
        async with ReplayDataFeed({"url": str(path), "symbols": ["AMZN"], "levels": 1, **LOSSLESS}) as feed:
            found = []
            async for m in feed.start_streaming():
                found.append(m)
                if len(found) == 5_000:
                    return found

    found = run(main())
    midnight = int(np.datetime64("2012-06-21", "ns").astype(np.int64))
    rows = {int(t): row for t, row in zip(day.messages["time"], day.book[:, 0], strict=True)}
    seen = {m.timestamp - midnight: m for m in found}
    common = [t for t in seen if t in rows]
    assert len(common) > 1_000
    right = sum(
        (round(seen[t].ask_price * 100), seen[t].ask_size, round(seen[t].bid_price * 100), seen[t].bid_size)
        == tuple(rows[t].tolist())
        for t in common[:-1]
    )
    assert right / len(common) > 0.999
    assert any(m.kind is DataKind.TRADE for m in found)


def test_a_replay_and_a_live_reader_of_one_capture_agree():
    """Two ways through one file of two products: the compiled replay, and the live feeds' level book."""
    path = shared_data("crypto/coinbase_l2_btc_eth_20260809.jsonl.zst")
    products = ["BTC-USD", "ETH-USD"]

    async def main():
        settings = {"url": str(path), "symbols": products, "levels": 1, "tick_size": 0.01, **LOSSLESS}
        async with open_feed(settings) as feed:
            return [m async for m in feed.start_streaming()]

    found = run(main())
    times = [m.timestamp for m in found[2:]]
    assert times == sorted(times)
    protocol = CoinbaseProtocol(IssueLog(strict=True), path, products, resync=True)
    import pyarrow as pa

    with pa.OSFile(str(path)) as raw, pa.CompressedInputStream(raw, "zstd") as file:
        for line in file.read().splitlines():
            protocol.line(line)
    books = {number: LevelBook(symbol, 1) for symbol, number in protocol.numbers.items()}
    live = {}
    for record in protocol.out:
        message = books[record[7]].apply(record)
        if message is not None and message.kind is DataKind.DEPTH:
            live[message.symbol, record[0]] = (message.bid_price, message.ask_price)
    seen = {(m.symbol, m.timestamp): (m.bid_price, m.ask_price) for m in found}
    common = [at for at in seen if at in live]
    assert len(common) > 500 and {symbol for symbol, _ in common} == set(products)
    assert all(seen[at] == live[at] for at in common)


def test_what_cannot_be_replayed_is_said():
    with pytest.raises(DataError, match="no such file"):
        run(ReplayDataFeed({"url": "replay:nowhere.itch"}).connect())
    with pytest.raises(ConfigError, match="neither a file nor an address"):
        open_feed("nowhere.itch")
    with pytest.raises(ConfigError, match="did you mean 'binance'"):
        open_feed("binanse://spot")


def test_what_a_feed_has_no_use_for_is_refused(tmp_path):
    lines, _ = binance_lines(3)
    path = tmp_path / "capture.txt"
    path.write_text("\n".join(lines) + "\n")
    for url, settings, said in (
        ("mock", {"token": "a-token-of-some-length"}, "token is given, but a MockDataFeed has no use for it"),
        ("mock", {"start": 5}, "start is 5"),
        (str(path), {"heartbeat": 3.0}, "heartbeat is 3.0, but a ReplayDataFeed has no use for it; allowed are url,"),
        (str(tmp_path), {"seed": 5}, "seed is 5, but a RecordedDataFeed"),
        (str(tmp_path), {"market": {"flow": "calm"}}, "market is given"),
        ("ws://127.0.0.1:1", {"levels": 3}, "levels is 3, but a WebSocketDataFeed"),
        ("binance", {"speed": 2.0}, "speed is 2.0, but a BinanceDataFeed"),
        ("coinbase", {"rest_url": "http://127.0.0.1"}, "rest_url is 'http://127.0.0.1', but a CoinbaseDataFeed"),
    ):
        with pytest.raises(ConfigError, match=re.escape(said)):
            open_feed({"url": url, "symbols": ["A"], **settings})
    with pytest.raises(ConfigError, match="no instrument NOPE"):
        run(open_feed({"url": str(path), "symbols": ["NOPE"]}).connect())


def test_a_file_has_the_instrument_of_its_name(tmp_path):
    path = write_day(tmp_path, 200, 5, seed=4)
    named = ReplayFeed.from_file(path).symbol
    assert named and ReplayFeed.from_file(path, symbol=named).symbol == named
    with pytest.raises(ConfigError, match=f"no instrument NOPE; it has {named}"):
        run(ReplayDataFeed({"url": str(path), "symbols": ["NOPE"]}).connect())
    with pytest.raises(ConfigError, match=r"lot_size is 0.5; a LOBSTER file counts single shares"):
        ReplayFeed.from_file(path, lot_size=0.5)
    with pytest.raises(ConfigError, match=r"queue_model is 'front', but .* tells of single orders"):
        ReplayFeed.from_file(path, queue_model="front")
    itch = write_itch(tmp_path / "day.itch", Exchange(2, n=50))
    with pytest.raises(ConfigError, match=r"queue_model is 'front', but .* tells of single orders"):
        ReplayFeed.from_file(itch, queue_model="front")


def test_leaving_while_the_file_is_read(tmp_path):
    path = write_itch(tmp_path / "day.itch", Exchange(1, n=100))

    async def main():
        feed = ReplayDataFeed({"url": str(path), **LOSSLESS})
        task = asyncio.create_task(feed.connect())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert feed.state is FeedState.DISCONNECTED

    asyncio.run(main())


def test_step_by_step_and_there_and_back(tmp_path):
    """At speed 0: a step shows what the day holds of that time; after going back the same messages come again."""
    lines, _ = binance_lines(3)
    path = tmp_path / "capture.txt"
    path.write_text("\n".join(lines) + "\n")
    whole = run(read_all({"url": str(path)}))

    async def work():
        async with ReplayDataFeed({"url": str(path), "speed": 0.0, "policy": "block", "buffer_size": 10_000}) as feed:
            with pytest.raises(FeedError, match="nobody reads"):
                await feed.step(1)
            stream = feed.start_streaming()
            seen = []

            async def read():
                async for message in stream:
                    seen.append(message)

            reader = asyncio.create_task(read())

            async def step(duration):
                before = len(seen)
                await feed.step(duration)
                while len(stream):
                    await asyncio.sleep(0)
                await asyncio.sleep(0)
                return seen[before:]

            opened = feed.time
            first = await step(400_000_000)
            assert feed.time == opened + 400_000_000
            second = await step(600_000_000)
            await feed.seek(opened)
            again = await step(1_000_000_000)
            before = len(seen)
            await feed.seek(opened + 400_000_000)
            while len(seen) == before:  # the books as they were come by themselves
                await asyncio.sleep(0)
            (jump,) = seen[before:]
            rest = await step(600_000_000)
            for wrong in (opened - 1, 10**18, 1.5):
                with pytest.raises(ConfigError, match="seek"):
                    await feed.seek(wrong)
            for wrong in (0, -5, 0.5):
                with pytest.raises(ConfigError, match="duration"):
                    await feed.step(wrong)
            feed.speed = 1.0
            with pytest.raises(ConfigError, match="stands still"):
                await feed.step(1)
            reader.cancel()
            await asyncio.gather(reader, return_exceptions=True)
            stream.close()
            return first, second, again, jump, rest

    first, second, again, jump, rest = run(work())
    assert len(first) > 3 and len(second) > 3
    assert first + second == whole[: len(first) + len(second)] == again
    assert jump.snapshot and (jump.bids, jump.asks) == (first[-1].bids, first[-1].asks)
    assert [(m.timestamp, m.bids, m.asks) for m in rest] == [(m.timestamp, m.bids, m.asks) for m in second]
