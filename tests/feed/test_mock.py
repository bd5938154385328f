"""The mock feed: the market's own events, the same at any speed; readers that cannot hurt it or each other."""

import asyncio
import gc
import math

import pytest

from hft_gym.errors import ConfigError, FeedError
from hft_gym.feed import DataFeedConfig, DataKind, FeedState, MockDataFeed
from hft_gym.feed.mock import market_seed
from hft_gym.market import Market
from hft_gym.types import OrderSide
from tests.feed.harness import ManualClock, run

SECOND = 10**9
LOSSLESS = {"policy": "block", "speed": math.inf}


def config(*symbols, **more):
    return DataFeedConfig(**{"symbols": symbols or ("AAPL",), "seed": 3, **more})


async def take(feed, n, **options):
    found = []
    async for message in feed.start_streaming(**options):
        found.append(message)
        if len(found) == n:
            return found
    return found


async def play(n, settings, clock=None, **options):
    async with MockDataFeed(settings, clock=clock) as feed:
        return await take(feed, n, **options)


def test_messages_are_the_markets_own_events():
    """Against a market run by hand: every trade and every best quote."""
    found = run(play(3_000, config(**LOSSLESS, levels=3)))
    market = Market(None, market_seed(3, "AAPL"), symbol="AAPL")
    first = market.snapshot(3)
    assert (found[0].bid_price, found[0].ask_price) == (first.best_bid, first.best_ask)
    assert found[0].bids == first.bids and found[0].asks == first.asks and found[0].snapshot
    tape = market.record(found[-1].timestamp - market.time, 3)
    assert len(tape) >= len(found) - 1
    for message, record in zip(found[1:], tape.records, strict=False):
        assert message.timestamp == record["time"]
        assert message.bid_price == market.to_price(int(record["bid"])) and message.bid_size == record["bid_volume"]
        assert message.ask_price == market.to_price(int(record["ask"])) and message.ask_size == record["ask_volume"]
        traded = record["kind"] in (4, 5)
        assert (message.kind is DataKind.TRADE) == traded
        assert message.volume == (record["quantity"] if traded else 0)
        if traded:
            assert message.price == market.to_price(int(record["price"]))
            assert message.side == OrderSide(int(record["side"])).opposite
        assert message.bids[0] == (message.bid_price, message.bid_size)
    assert [m.sequence for m in found] == list(range(len(found)))
    assert any(m.kind is DataKind.TRADE for m in found)


@pytest.mark.parametrize("speed", [1.0, 25.0])
def test_the_same_messages_at_any_speed(speed):
    reference = run(play(400, config("AAPL", "MSFT", **LOSSLESS)))
    paced = run(play(400, config("AAPL", "MSFT", policy="block", speed=speed), ManualClock()))
    assert paced == reference


def test_a_symbol_does_not_depend_on_the_others():
    alone = run(play(300, config("MSFT", **LOSSLESS)))
    both = run(play(900, config("AAPL", "MSFT", **LOSSLESS)))
    mine = [m for m in both if m.symbol == "MSFT"]
    n = min(len(mine), len(alone))
    assert n > 200 and mine[:n] == alone[:n]
    assert {m.symbol for m in both} == {"AAPL", "MSFT"}
    times = [m.timestamp for m in both]
    assert times == sorted(times)
    other = run(play(300, config("MSFT", **{**LOSSLESS, "seed": 4})))
    assert other != alone


def test_the_clock_is_followed_and_speed_changes_while_it_runs():
    async def main():
        clock = ManualClock()
        async with MockDataFeed(config(policy="keep_latest"), clock=clock) as feed:
            opened = feed.time
            stream = feed.start_streaming()

            async def pass_time(seconds):
                until = clock.now + int(seconds * SECOND)
                while clock.now < until:
                    await asyncio.sleep(0)

            begun = clock.now
            await pass_time(1.0)
            slack = 0.02 * SECOND
            assert abs((feed.time - opened) - (clock.now - begun)) <= slack
            feed.speed = 50.0
            at, now = feed.time, clock.now
            await pass_time(1.0)
            assert abs((feed.time - at) - 50 * (clock.now - now)) <= 50 * slack
            feed.speed = 0
            at = feed.time
            for _ in range(100):
                await asyncio.sleep(0)
            assert feed.time == at
            feed.speed = 1.0
            await pass_time(0.1)
            assert feed.time > at
            assert (await anext(stream)).conflated > 100

    run(main())


def test_the_rate_limit_conflates_and_leaves_the_market_alone():
    """A tenth of the messages; the market's own path, its clock and its volume as without a limit."""
    every = run(play(2_000, config(**LOSSLESS)))
    limited = run(play(150, config(**LOSSLESS, max_messages_per_second=10)))
    seconds = (limited[-1].timestamp - limited[0].timestamp) / SECOND
    assert len(limited) <= 10 * (seconds + 1)
    states = {m.sequence: m for m in every}
    common = [m for m in limited if m.sequence in states]
    assert len(common) > 100
    for m in common:
        assert m._replace(volume=0, kind="", side=None, conflated=0, snapshot=False) == states[m.sequence]._replace(
            volume=0, kind="", side=None, conflated=0, snapshot=False
        )
    last = common[-1].sequence
    assert sum(m.volume for m in common) == sum(m.volume for m in every if m.sequence <= last)
    assert sum(m.conflated + 1 for m in common) == last + 1


def test_the_limit_counts_the_readers_seconds():
    """At speed 10 the same limit lets a tenth as many messages through a market second."""

    async def main():
        clock = ManualClock()
        settings = config(policy="block", speed=10.0, max_messages_per_second=20)
        async with MockDataFeed(settings, clock=clock) as feed:
            begun = clock.now
            found = await take(feed, 100)
            return found, (clock.now - begun) / SECOND, feed.statistics

    found, seconds, counted = run(main())
    assert 100 / 20 - 1 <= seconds <= 100 / 20 + 1
    assert counted.conflated > 0 and sum(m.conflated for m in found) <= counted.conflated


def test_a_slow_reader_neither_grows_nor_holds_up_the_others():
    async def main():
        clock = ManualClock()
        async with MockDataFeed(config(buffer_size=50, speed=10.0), clock=clock) as feed:
            slow = feed.start_streaming()
            latest = feed.start_streaming(policy="keep_latest")
            quick = await take(feed, 2_000, buffer_size=10_000)
            assert [m.sequence for m in quick][1:] == list(range(quick[1].sequence, quick[1].sequence + 1_999))
            assert len(slow) == 50 and len(latest) == 1
            assert slow.drops >= 1_900
            counted = feed.statistics
            assert counted.drops == slow.drops and counted.conflated == latest.conflated
            newest = [await anext(slow) for _ in range(50)][-1]
            assert newest.sequence == (await anext(latest)).sequence

    run(main())


def test_a_reader_that_blocks_gets_everything_and_is_alone():
    async def main():
        async with MockDataFeed(config(**LOSSLESS, buffer_size=4)) as feed:
            stream = feed.start_streaming()
            found = []
            for i in range(300):
                if i % 50 == 0:
                    await asyncio.sleep(0.001)  # the feed gets far, if it may
                assert len(stream) <= 4
                found.append(await anext(stream))
            assert [m.sequence for m in found] == list(range(300))
            assert feed.statistics.drops == 0
            with pytest.raises(FeedError, match="the only one"):
                feed.start_streaming()
            stream.close()
            with pytest.raises(ConfigError, match="speed is inf"):
                feed.start_streaming(policy="keep_latest")
            assert await take(feed, 5)

    run(main())


def test_an_abandoned_reader_lets_the_feed_go_on():
    async def main():
        async with MockDataFeed(config(**LOSSLESS, buffer_size=4)) as feed:
            await take(feed, 10)
            gc.collect()
            assert len(await take(feed, 50)) == 50
            assert feed.statistics.delivered >= 60

    run(main())


def test_subscriptions_change_while_it_runs():
    async def main():
        async with MockDataFeed(config("AAPL", "MSFT", **LOSSLESS, buffer_size=1)) as feed:
            await feed.unsubscribe("MSFT")
            assert feed.symbols == ("AAPL",)
            stream = feed.start_streaming()
            assert {(await anext(stream)).symbol for _ in range(100)} == {"AAPL"}
            await feed.subscribe("MSFT")
            both = [await anext(stream) for _ in range(600)]
            first = next(m for m in both if m.symbol == "MSFT")
            # Its market has run meanwhile: the first picture is of now.
            assert first.snapshot and first.timestamp > SECOND // 2
            market = Market(None, market_seed(3, "MSFT"), symbol="MSFT")
            market.run_until(first.timestamp)
            assert (first.bid_price, first.ask_price) == (market.snapshot().best_bid, market.snapshot().best_ask)

    run(main())


def test_orders_sent_to_the_market_are_on_the_feed():
    async def main():
        async with MockDataFeed(config(**LOSSLESS, buffer_size=1)) as feed:
            stream = feed.start_streaming()
            await anext(stream)
            market = feed.markets["AAPL"]
            market.submit(1, OrderSide.BID, 500)
            bought = 0
            async for message in stream:
                if message.kind is DataKind.TRADE and message.side is OrderSide.BID:
                    bought += message.volume
                if market.account(1).position:
                    break
            for _ in range(200):
                message = await anext(stream)
                bought += message.volume if message.side is OrderSide.BID else 0
            assert market.account(1).position > 0 and bought >= market.account(1).position

    run(main())


def test_a_late_reader_begins_with_the_present_books():
    async def main():
        clock = ManualClock()
        async with MockDataFeed(config("AAPL", "MSFT", speed=5.0, policy="keep_latest"), clock=clock) as feed:
            await take(feed, 50)
            (a, b) = await take(feed, 2)
            assert {a.symbol, b.symbol} == {"AAPL", "MSFT"}
            assert a.snapshot and b.snapshot and a.volume == 0

    run(main())


@pytest.mark.parametrize("when", ["connected", "streaming", "waiting"])
def test_cancelling_leaves_nothing(when):
    """`run` sees to it that no task is left."""

    async def main():
        async def work():
            async with MockDataFeed(config(speed=0.0)) as feed:
                if when == "connected":
                    await asyncio.sleep(10)
                async for _ in feed.start_streaming():
                    if when == "streaming":
                        await asyncio.sleep(10)

        task = asyncio.create_task(work())
        await asyncio.sleep(0.005)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    run(main())


def test_connecting_anew_starts_anew():
    async def main():
        feed = MockDataFeed(config(**LOSSLESS))
        seen = []
        for _ in range(2):
            await feed.connect()
            await feed.connect()
            await feed.subscribe(["AAPL"])
            seen.append(await take(feed, 100))
            await feed.disconnect()
            await feed.disconnect()
            assert feed.state is FeedState.DISCONNECTED and feed.symbols == ()
        assert seen[0] == seen[1]

    run(main())


def test_a_failure_reaches_the_reader():
    class Broken(MockDataFeed):
        def _advance(self, until):
            raise OSError("no more")

    async def main():
        async with Broken(config()) as feed:
            stream = feed.start_streaming()
            await anext(stream)  # the opening
            with pytest.raises(FeedError, match="no more"):
                await anext(stream)
            assert feed.state is FeedState.FAILED
            late = feed.start_streaming()
            await anext(late)  # the last that is known
            with pytest.raises(FeedError, match="no more"):
                await anext(late)

    run(main())


def test_out_of_turn():
    async def main():
        feed = MockDataFeed(config("AAPL", "MSFT"))
        with pytest.raises(FeedError, match=r"await feed.connect\(\)"):
            await feed.subscribe("AAPL")
        await feed.connect()
        with pytest.raises(FeedError, match="no symbol is subscribed"):
            feed.start_streaming()
        with pytest.raises(ConfigError, match="did you mean 'AAPL'"):
            await feed.subscribe(["AAPL", "APPL"])
        assert feed.symbols == ()  # nothing half-applied
        with pytest.raises(ConfigError, match="not subscribed"):
            await feed.unsubscribe("MSFT")
        with pytest.raises(ConfigError, match="speed is -1"):
            feed.speed = -1
        await feed.subscribe("AAPL")
        with pytest.raises(ConfigError, match="buffer_size"):
            feed.start_streaming(buffer_size=0)
        with pytest.raises(ConfigError, match="polic"):
            feed.start_streaming(policy="keep_newest")
        await feed.disconnect()

    run(main())


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"symbol": ["A"]}, "did you mean 'symbols'"),
        ({"symbols": ["A", "A"]}, "more than once"),
        ({"symbols": [""]}, "empty name"),
        ({"symbols": "AAPL"}, "expected a sequence"),
        ({"symbols": ["A"], "policy": "drop"}, "policy"),
        ({"symbols": ["A"], "speed": math.inf}, 'needs policy "block"'),
        ({"symbols": []}, "at least one"),
        ({"symbols": ["A"], "market": {"flow": "defualt"}}, "default"),
    ],
)
def test_a_wrong_setting_is_named(settings, text):
    with pytest.raises(ConfigError, match=text):
        MockDataFeed(settings)


def test_markets_of_single_symbols():
    with pytest.raises(ConfigError, match="'TSLA' is none of the symbols"):
        MockDataFeed(config("AAPL"), markets={"TSLA": "default"})
    own = Market({"initial_price": 20_000}, 5, symbol="AAPL")

    async def main():
        markets = {"AAPL": own, "MSFT": {"initial_price": 30_000}}
        async with MockDataFeed(config("AAPL", "MSFT", **LOSSLESS), markets=markets) as feed:
            assert feed.markets["AAPL"] is own
            return await take(feed, 2)

    first, second = run(main())
    assert first.bid_price == pytest.approx(200, abs=1) and second.bid_price == pytest.approx(300, abs=1)


def test_the_notebooks_loop():
    """As the demonstration that the product grew from writes it."""

    async def main():
        feed = MockDataFeed(
            DataFeedConfig(
                url="mock://localhost", symbols=["AAPL", "GOOGL", "MSFT"], buffer_size=1000, max_messages_per_second=100
            ),
            clock=ManualClock(),
        )
        found = []
        await feed.connect()
        await feed.subscribe(["AAPL"])
        async for message in feed.start_streaming():
            if len(found) >= 50:
                break
            if message.symbol == "AAPL" and message.price:
                found.append((message.timestamp, message.price, message.ask_price - message.bid_price, message.volume))
        await feed.disconnect()
        return found

    found = run(main())
    assert len(found) == 50 and all(spread > 0 for _, _, spread, _ in found)
