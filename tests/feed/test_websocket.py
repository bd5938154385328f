"""Our own server and its client: the same messages on both ends, through faults, slow clients and strangers."""

import asyncio
import itertools
import json

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from hft_gym.errors import ConfigError, FeedError
from hft_gym.feed import (
    DataKind,
    FeedServer,
    FeedServerConfig,
    FeedState,
    MockDataFeed,
    ReconnectConfig,
)
from hft_gym.feed.connection import Backoff, RateLimit
from tests.feed.faults import OUR_FAULTS, SERVER, client, mock, play_ours, take
from tests.feed.harness import ManualClock, Server, run, until


def test_the_client_sees_what_the_server_sends():
    async def main():
        async with mock() as feed, FeedServer(feed, SERVER) as server, client(server.url) as remote:
            assert remote.symbols == ("AAPL", "MSFT")
            stream = remote.start_streaming()
            here = feed.start_streaming(buffer_size=100_000)
            seen = await take(stream, 300)
            sent = {(m.symbol, m.sequence): m for m in await take(here, 400)}
            news = [m for m in seen if (m.symbol, m.sequence) in sent]
            assert len(news) > 200
            for m in news:
                if not m.snapshot and not sent[m.symbol, m.sequence].snapshot:
                    assert m == sent[m.symbol, m.sequence]
            for symbol in remote.symbols:
                mine = [m.sequence for m in seen if m.symbol == symbol]
                assert mine == list(range(mine[0], mine[0] + len(mine)))
            assert remote.statistics.gaps == 0 and remote.statistics.connections == 1
            assert server.clients == 1
        await until(lambda: server.clients == 0)

    run(main())


@pytest.mark.parametrize("fault", OUR_FAULTS)
def test_faults_are_healed(fault):
    """Every message that the client shows is one of the feed's; after the fault it shows news of both symbols again."""
    counted, loses = OUR_FAULTS[fault]
    seen, known, bad, counts = run(play_ours({40: fault}, heartbeat=0.1 if fault == "stall" else 5.0))
    assert not bad and len(known) > 100
    for name, least in counted.items():
        assert getattr(counts, name) >= least, (name, counts)
    assert any(m.kind is DataKind.LOST for m in seen) is loses


def test_the_server_comes_back():
    async def main():
        async with mock() as feed:
            server = FeedServer(feed, SERVER)
            await server.start()
            port = int(server.url.rpartition(":")[2])
            async with client(server.url) as remote:
                stream = remote.start_streaming()
                await take(stream, 10)
                await server.stop()
                await until(lambda: remote.state is FeedState.LOST)
                while (m := await anext(stream)).kind is not DataKind.LOST:
                    pass
                assert m.bid_price is None
                async with FeedServer(feed, {**SERVER, "port": port}):
                    while (m := await anext(stream)).kind is DataKind.LOST:
                        pass
                    assert m.snapshot and remote.state is FeedState.CONNECTED
                    assert remote.statistics.connections == 2

    run(main())


def test_a_slow_client_is_cut_short_and_nobody_waits_for_it():
    """One client reads nothing at all; the other gets everything, and the server's memory stays bounded."""

    async def main():
        settings = {"port": 0, "buffer_size": 20}
        async with (
            mock(speed=200.0, levels=20) as feed,
            FeedServer(feed, settings) as server,
            connect(server.url, max_queue=1, ping_interval=None, close_timeout=0.1) as sleeper,
        ):
            await sleeper.send(json.dumps({"v": 1, "op": "subscribe", "symbols": ["AAPL", "MSFT"]}))
            async with client(server.url) as remote:
                stream = remote.start_streaming(policy="keep_latest")
                while feed.statistics.drops < 200:
                    await anext(stream)
                # At most a buffer's worth waits for each client.
                assert feed.statistics.waiting <= 40
                before = remote.statistics.received
                await take(stream, 10)
                assert remote.statistics.received > before
            sleeper.transport.abort()

    run(main())


def test_unsubscribing_and_subscribing_again():
    async def main():
        async with mock() as feed, FeedServer(feed, SERVER) as server, client(server.url, symbols=["AAPL"]) as remote:
            stream = remote.start_streaming()
            assert {m.symbol for m in await take(stream, 50)} == {"AAPL"}
            await remote.subscribe("MSFT")
            while (m := await anext(stream)).symbol != "MSFT":
                pass
            assert m.snapshot
            await remote.unsubscribe("AAPL")
            await take(stream, len(stream) + 5)
            assert {m.symbol for m in await take(stream, 20)} == {"MSFT"}
            with pytest.raises(ConfigError, match="did you mean 'AAPL'"):
                await remote.subscribe("AAPLE")

    run(main())


def test_the_end_of_a_feed_is_the_clients_end():
    async def main():
        class Short(MockDataFeed):
            def _advance(self, until):
                found, _ = super()._advance(until)
                return found, self.time > 6 * 10**9

        async with (
            Short({"symbols": ["A"], "speed": 50.0}) as feed,
            FeedServer(feed, SERVER) as server,
            client(server.url) as remote,
        ):
            seen = [m async for m in remote.start_streaming()]
            assert len(seen) > 10 and remote.state is FeedState.ENDED
            await server.wait()

    run(main())


def test_a_feed_that_fails_is_told_to_clients_and_ends_the_server():
    async def main():
        class Broken(MockDataFeed):
            def _advance(self, until):
                if self.time > 5_100_000_000:
                    raise OSError("no more")
                return super()._advance(until)

        async with Broken({"symbols": ["A"], "speed": 5.0}) as feed, FeedServer(feed, SERVER) as server:
            async with connect(server.url) as one:
                await one.send(json.dumps({"v": 1, "op": "subscribe", "symbols": ["A"]}))
                texts = []
                with pytest.raises(ConnectionClosed):
                    while True:
                        texts.append(json.loads(await one.recv()))
            assert texts[-1]["type"] == "error" and "no more" in texts[-1]["error"]
            with pytest.raises(FeedError, match="no more"):
                await server.wait()
            await until(lambda: server.clients == 0)

    run(main())


def test_a_client_that_finds_no_feed_is_not_counted():
    async def main():
        feed = mock()
        async with feed, FeedServer(feed, SERVER) as server:
            await feed.disconnect()
            async with connect(server.url) as one:
                with pytest.raises(ConnectionClosed):
                    await one.recv()
            await until(lambda: server.clients == 0)

    run(main())


def test_a_rate_limit_on_the_client():
    async def main():
        async with (
            mock(speed=20.0) as feed,
            FeedServer(feed, SERVER) as server,
            client(server.url, max_messages_per_second=200.0) as remote,
        ):
            seen = await take(remote.start_streaming(), 60)
            assert sum(m.conflated for m in seen) > 60
            assert remote.statistics.conflated >= sum(m.conflated for m in seen)

    run(main())


# -- who may come in, and what they may say ------------------------------------------------------------------


TOKEN = "a-token-of-some-length"


def test_a_token_where_others_can_reach_it():
    with pytest.raises(ConfigError, match="needs a token"):
        FeedServerConfig(host="0.0.0.0")
    for short in ("x", "open sesame to me", "a" * 257):
        with pytest.raises(ConfigError, match=f"token has {len(short)} characters; allowed are 16 to 256 letters"):
            FeedServerConfig(token=short)
    with pytest.raises(ConfigError, match="may not hold up"):
        FeedServerConfig(policy="block")
    assert FeedServerConfig(host="0.0.0.0", token=TOKEN).host == "0.0.0.0"

    async def main():
        async with mock() as feed, FeedServer(feed, {**SERVER, "token": TOKEN}) as server:
            for headers in ({}, {"Authorization": "Bearer nonsense"}, {"Authorization": "Bearer ünicode"}):
                with pytest.raises(InvalidStatus, match="401"):
                    await connect(server.url, additional_headers=headers)
            with pytest.raises(FeedError, match="401"):
                await client(server.url).connect()
            async with client(server.url, token=TOKEN) as remote:
                await anext(remote.start_streaming())

    run(main())


def test_browsers_of_other_sites_and_crowds_are_refused():
    async def main():
        async with mock() as feed, FeedServer(feed, {**SERVER, "max_clients": 1}) as server:
            with pytest.raises(InvalidStatus, match="403"):
                await connect(server.url, origin="http://evil.example")
            async with client(server.url):
                with pytest.raises(InvalidStatus, match="503"):
                    await connect(server.url)

    run(main())


REQUESTS = {
    "not JSON": "hello",
    "no object": "[1]",
    "bytes": b"\x00\xff",
    "no op": json.dumps({"v": 1, "symbols": []}),
    "another version": json.dumps({"v": 2, "op": "subscribe", "symbols": []}),
    "unknown op": json.dumps({"v": 1, "op": "drop table", "symbols": []}),
    "unknown symbol": json.dumps({"v": 1, "op": "subscribe", "symbols": ["../../etc/passwd"]}),
    "symbols no list": json.dumps({"v": 1, "op": "subscribe", "symbols": {"AAPL": 1}}),
    "a symbol no text": json.dumps({"v": 1, "op": "subscribe", "symbols": [["AAPL"]]}),
    "too long": json.dumps({"v": 1, "op": "subscribe", "symbols": ["AAPL"] * 20_000}),
}


@pytest.mark.parametrize("name", REQUESTS)
def test_a_client_that_talks_nonsense_is_sent_away(name):
    async def main():
        async with mock() as feed, FeedServer(feed, SERVER) as server, client(server.url) as good:
            async with connect(server.url) as bad:
                hello = json.loads(await bad.recv())
                assert hello == {"v": 1, "seq": 1, "type": "hello", "symbols": ["AAPL", "MSFT"]}
                await bad.send(REQUESTS[name])
                texts = []
                with pytest.raises(ConnectionClosed):
                    while True:
                        texts.append(json.loads(await bad.recv()))
                if name != "too long":
                    assert texts[-1]["type"] == "error"
            await take(good.start_streaming(), 5)  # the others do not notice

    run(main())


def test_a_client_that_asks_too_much_is_sent_away():
    async def main():
        async with (
            mock() as feed,
            FeedServer(feed, {**SERVER, "requests_per_second": 5.0}) as server,
            connect(server.url) as greedy,
        ):
            text = "?"
            with pytest.raises(ConnectionClosed):
                for _ in range(50):
                    await greedy.send(json.dumps({"v": 1, "op": "unsubscribe", "symbols": ["AAPL"]}))
                while True:
                    text = await greedy.recv()
            assert "too many requests" in text

    run(main())


class Odd(Server):
    """A server that begins with something else."""

    def __init__(self, text):
        self.text = text

    async def handle(self, connection):
        await connection.send(self.text)
        await connection.wait_closed()


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("}", "cannot be read"),
        ('{"type": "welcome"}', "no feed server"),
        ('{"type": "hello", "v": 7, "seq": 1, "symbols": []}', "speaks version 7"),
    ],
)
def test_a_server_that_is_none_of_ours(text, found):
    async def main():
        async with Odd(text) as server:
            with pytest.raises(FeedError, match=found):
                await client(server.url).connect()

    run(main())


@pytest.mark.parametrize("url", ["ws://127.0.0.1:1", "http://127.0.0.1:1", "ws://"])
def test_an_address_that_leads_nowhere(url):
    with pytest.raises(FeedError, match="cannot be reached"):
        run(client(url).connect())


def test_cancelling_a_client_leaves_nothing():
    async def main():
        async with mock() as feed, FeedServer(feed, SERVER) as server:

            async def work():
                async with client(server.url) as remote:
                    async for _ in remote.start_streaming():
                        pass

            task = asyncio.create_task(work())
            await until(lambda: server.clients)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await until(lambda: not server.clients)

    run(main())


# -- backoff and rate limit of requests ----------------------------------------------------------------------


def test_the_backoff_grows_with_jitter_up_to_its_longest():
    config = ReconnectConfig(first=1.0, factor=2.0, longest=10.0, jitter=0.5)
    delays = [[b.delay() for _ in range(8)] for b in (Backoff(config) for _ in range(50))]
    for n in range(8):
        whole = min(10.0, 2.0**n)
        column = [d[n] for d in delays]
        assert all(whole / 2 <= d <= whole for d in column)
        assert len(set(column)) > 40  # clients do not come back at once
    backoff = Backoff(ReconnectConfig(first=1.0, jitter=0.0, attempts=2))
    assert (backoff.delay(), backoff.delay()) == (1.0, 2.0)
    with pytest.raises(FeedError, match="2 attempts"):
        backoff.delay()
    backoff.reset()
    assert backoff.delay() == 1.0
    assert Backoff(ReconnectConfig(jitter=0.0)).delay() == 0.5


def test_requests_are_spread():
    async def main():
        clock = ManualClock()
        limit = RateLimit(4.0, clock)
        times = []
        for _ in range(9):
            await limit.wait()
            times.append(clock.now)
        assert all(b - a == 250_000_000 for a, b in itertools.pairwise(times))
        limit.hold(3.0)
        await limit.wait()
        assert clock.now == times[-1] + 3 * 10**9

    run(main())
