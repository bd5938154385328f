"""Binance and Coinbase feeds against servers that play captures, through a proxy that injects faults.

Truth is the venue's own plain book: whatever happens on the way, every book that a feed shows must be the venue's at
that update id, and the feed must reach the venue's last one.
"""

import asyncio
import gzip
import itertools
import json

import pytest

from hft_gym.errors import ConfigError, FeedError
from hft_gym.feed import BinanceDataFeed, DataKind, FeedState
from tests.data.feeds import binance_lines
from tests.data_files import shared_data
from tests.feed.faults import (
    BINANCE_FAULTS,
    BINANCE_SNAPSHOTS,
    COINBASE_FAULTS,
    QUICK,
    Careless,
    QuickBinance,
    binance_config,
    check_coinbase,
    check_order,
    depth_text,
    play_binance,
    play_coinbase,
    read_to,
    wrong,
)
from tests.feed.harness import BinanceVenue, FaultProxy, coinbase_events, run


@pytest.mark.parametrize("futures", [False, True], ids=["spot", "futures"])
def test_binance_without_faults(futures):
    venue, seen, found, _ = run(play_binance({}, futures=futures))
    assert not wrong(seen, venue.truth)
    check_order(seen)
    assert (found.gaps, found.repeats, found.unreadable, found.connections, found.snapshots) == (0, 0, 0, 1, 1)
    assert venue.snapshots == 1 and found.delay > 10**15  # the capture is of 2024
    trades = [m for m in seen if m.kind is DataKind.TRADE]
    assert trades and all(t.volume == 0.002 and t.side is not None and t.price > 0 for t in trades)
    sequences = [m.sequence for m in seen]
    assert sequences == sorted(sequences)


@pytest.mark.parametrize("fault", BINANCE_FAULTS)
def test_binance_heals(fault):
    counted, loses = BINANCE_FAULTS[fault]
    venue, seen, found, feed = run(play_binance({depth_text(): fault}))
    assert not wrong(seen, venue.truth)
    check_order(seen)
    for name, least in counted.items():
        assert getattr(found, name) >= least, (name, found)
    assert any(m.kind is DataKind.LOST for m in seen) is loses
    assert feed.state is FeedState.DISCONNECTED


def test_a_reader_that_ignores_gaps_is_caught():
    """Negative control: without resynchronising, the comparison above must fail."""
    at = depth_text()
    venue, seen, found, _ = run(play_binance({at: "gap", at + 4: "gap", at + 9: "gap"}, kind=Careless))
    assert found.gaps >= 1 and wrong(seen, venue.truth)


@pytest.mark.parametrize("fault", BINANCE_SNAPSHOTS)
def test_binance_waits_for_a_snapshot_that_fits(fault):
    faults, options = BINANCE_SNAPSHOTS[fault]
    venue, seen, found, _ = run(play_binance(faults, **options))
    assert not wrong(seen, venue.truth)
    check_order(seen)
    assert found.unreadable == 0
    asked = 1 + options.get("refuse", 0)
    assert len(venue.requests) >= asked
    assert all("symbol=TESTUSDT" in path and "limit=5000" in path for path in venue.requests)


def test_binance_gives_up_when_asked_to():
    async def main():
        lines, _ = binance_lines(1)
        async with BinanceVenue(lines) as venue:
            feed = QuickBinance(binance_config(venue, reconnect={**QUICK, "attempts": 2}))
            await feed.connect()
            await feed.subscribe("TESTUSDT")
            stream = feed.start_streaming()
            await anext(stream)
        with pytest.raises(FeedError, match="2 attempts in a row have failed"):  # the venue is gone for good
            async for _ in stream:
                pass
        assert feed.state is FeedState.FAILED
        await feed.disconnect()

    run(main())


def test_binance_refuses_what_it_cannot_do():
    with pytest.raises(ConfigError, match="binance://futures"):
        BinanceDataFeed({"url": "binance://margin"})
    with pytest.raises(ConfigError, match="rest_url is empty"):
        BinanceDataFeed({"url": "ws://127.0.0.1:1/stream"})
    with pytest.raises(FeedError, match="cannot be reached"):
        run(BinanceDataFeed({"url": "ws://127.0.0.1:1/stream", "rest_url": "http://127.0.0.1:1/"}).connect())


def test_unsubscribing_leaves_the_stream():
    async def main():
        lines, _ = binance_lines(1, n=400)
        async with BinanceVenue(lines, pause=0.001) as venue, QuickBinance(binance_config(venue)) as feed:
            stream = feed.start_streaming()
            await anext(stream)
            await feed.unsubscribe("TESTUSDT")
            assert feed.symbols == () and not feed._fetching
            while len(stream):
                await anext(stream)
            await asyncio.sleep(0.01)
            assert len(stream) == 0

    run(main())


# -- Coinbase ------------------------------------------------------------------------------------------------


def test_coinbase_without_faults():
    venue, seen, found = run(play_coinbase({}, *coinbase_events()))
    check_coinbase(venue, seen)
    assert (found.gaps, found.repeats, found.unreadable, found.connections, found.snapshots) == (0, 0, 0, 1, 2)
    assert {m.symbol for m in seen} == {"A-USD", "B-USD"}
    assert any(m.kind is DataKind.TRADE and m.volume == 0.5 for m in seen)


@pytest.mark.parametrize("fault", COINBASE_FAULTS)
def test_coinbase_heals(fault):
    counted, loses = COINBASE_FAULTS[fault]
    heartbeat = 0.05 if fault == "stall" else 1.0
    venue, seen, found = run(play_coinbase({30: fault}, *coinbase_events(n=200), heartbeat=heartbeat))
    check_coinbase(venue, seen)
    for name, least in counted.items():
        assert getattr(found, name) >= least, (name, found)
    assert any(m.kind is DataKind.LOST for m in seen) is loses


def test_many_faults_at_once():
    """Every tenth text goes wrong in some way, and the books are right all the same."""
    kinds = itertools.cycle(("gap", "duplicate", "reorder", "noise", "garbage"))
    faults = {i: next(kinds) for i in range(25, 280, 10)} | {150: "cut", 230: "cut"}
    venue, seen, found = run(play_coinbase(faults, *coinbase_events(n=400)))
    check_coinbase(venue, seen)
    assert found.connections == 3 and found.gaps >= 5


# -- real captures -------------------------------------------------------------------------------------------


def test_a_capture_of_binance_futures_played_to_the_feed():
    """Half a minute of BTCUSDT with faults: the feed's books are the venue's, level by level."""
    path = shared_data("crypto/binance_usdm_btcusdt_20240808.gz")
    with gzip.open(path, "rt") as file:
        lines = list(itertools.islice(file, 6_000))

    async def main():
        async with (
            BinanceVenue(lines, pause=0) as venue,
            FaultProxy(venue.url, {500: "gap", 900: "cut"}) as proxy,
            QuickBinance(binance_config(venue, proxy.url, symbols=["BTCUSDT"])) as feed,
        ):
            return venue, await read_to(feed, venue.final, ("BTCUSDT",)), feed.statistics

    venue, seen, found = run(main())
    assert not wrong(seen, venue.truth)
    check_order(seen)
    assert found.connections == 2 and found.snapshots >= 2 and len(seen) > 500


def test_a_capture_of_coinbase_played_to_the_feed():
    path = shared_data("crypto/coinbase_l2_btc_eth_20260809.jsonl.zst")
    import pyarrow as pa

    with pa.OSFile(str(path)) as raw, pa.CompressedInputStream(raw, "zstd") as file:
        lines = file.read().decode().splitlines()
    messages = [json.loads(o["data"]) for o in map(json.loads, lines) if o["t"] == "recv"]
    events = [(m["channel"], e) for m in messages for e in m["events"] if m["channel"] in ("l2_data", "market_trades")]
    snapshots = [e for c, e in events if c == "l2_data" and e["type"] == "snapshot"]
    rest = [(c, e) for c, e in events if e["type"] == "update"]
    # Two thousand levels a side are enough of a snapshot of 46,000.
    for event in snapshots:
        sides = [[u for u in event["updates"] if (u["side"] == "bid") is bid][:2000] for bid in (True, False)]
        event["updates"] = sides[0] + sides[1]
    venue, seen, found = run(play_coinbase({300: "gap"}, snapshots, rest, pause=0))
    check_coinbase(venue, seen)
    assert found.snapshots >= 2 and {m.symbol for m in seen} == {"BTC-USD", "ETH-USD"}
