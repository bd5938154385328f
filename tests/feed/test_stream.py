"""Buffers and the rate limit: bounded, nothing uncounted, the present state never lost."""

import asyncio
import gc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hft_gym.errors import FeedError
from hft_gym.feed import DataKind, FeedStream, MarketDataMessage
from hft_gym.feed.conflate import Conflator
from hft_gym.feed.messages import merge
from tests.feed.harness import ManualClock, run

SECOND = 10**9


def message(symbol="A", sequence=1, volume=0, kind=DataKind.DEPTH, timestamp=0):
    if volume:
        kind = DataKind.TRADE
    return MarketDataMessage(symbol, timestamp, 10.0, 9.9, 10.1, 5, 6, volume, sequence, kind)


def drain(stream):
    async def main():
        stream.end()
        return [m async for m in stream]

    return run(main())


MESSAGES = st.lists(st.tuples(st.sampled_from("ABC"), st.integers(0, 3), st.booleans(), st.integers(0, 3)), max_size=60)
"""(symbol, volume, lost, how many to read before the next)."""


@settings(max_examples=60, deadline=None)
@given(MESSAGES, st.integers(1, 7), st.sampled_from(["drop_oldest", "keep_latest"]))
def test_nothing_is_lost_uncounted_and_the_buffer_is_bounded(plan, size, policy):
    async def main():
        stream = FeedStream(size, policy, ManualClock())
        seen, put = [], []
        for i, (symbol, volume, lost, reads) in enumerate(plan):
            m = message(symbol, i, 0 if lost else volume, DataKind.LOST if lost else DataKind.DEPTH)
            put.append(m)
            stream.put(m, 0)
            assert len(stream) <= (size if policy == "drop_oldest" else 3)
            for _ in range(min(reads, len(stream))):
                seen.append(await anext(stream))
        stream.end()
        seen += [m async for m in stream]
        assert stream.delivered == len(seen)
        assert len(put) == stream.delivered + stream.drops + stream.conflated
        assert sum(m.conflated for m in seen) == stream.conflated
        if policy == "keep_latest":
            assert sum(m.volume for m in seen) == sum(m.volume for m in put)
        for symbol in {m.symbol for m in put}:
            mine = [m for m in seen if m.symbol == symbol]
            assert [m.sequence for m in mine] == sorted(m.sequence for m in mine)
            if mine:  # what comes last is the present state, unless something newer of others pushed it out
                newest = [m for m in put if m.symbol == symbol][-1]
                assert mine[-1].sequence == newest.sequence or policy == "drop_oldest"

    asyncio.run(main())


def test_drop_oldest_keeps_the_newest_and_the_news_of_a_loss():
    stream = FeedStream(3, "drop_oldest", ManualClock())
    stream.put(message("B", 1, kind=DataKind.LOST), 0)
    for i in range(2, 7):
        stream.put(message("A", i), 0)
    assert stream.drops == 3
    assert [(m.symbol, m.sequence) for m in drain(stream)] == [("B", 1), ("A", 5), ("A", 6)]


def test_keep_latest_gives_the_state_of_each_symbol_and_all_volume():
    stream = FeedStream(1, "keep_latest", ManualClock())
    for i in range(1, 6):
        stream.put(message("A", i, volume=i % 2), 0)
        stream.put(message("B", i), 0)
    assert len(stream) == 2 and stream.conflated == 8
    a, b = drain(stream)
    assert (a.sequence, a.volume, a.kind, a.conflated) == (5, 3, DataKind.TRADE, 4)
    assert (b.sequence, b.volume, b.kind) == (5, 0, DataKind.DEPTH)


def test_merging_keeps_what_matters():
    lost = message(kind=DataKind.LOST, sequence=2)
    snapshot = message(sequence=3)._replace(snapshot=True)
    assert merge(message(volume=2), lost).kind is DataKind.LOST
    healed = merge(lost, snapshot)
    assert healed.kind is DataKind.DEPTH and healed.snapshot and healed.conflated == 1
    assert not merge(snapshot, lost).snapshot
    traded = merge(message(volume=2), message(sequence=2))
    assert traded.kind is DataKind.TRADE and traded.volume == 2


def test_one_task_reads_a_stream():
    async def main():
        stream = FeedStream(3, "drop_oldest", ManualClock())
        first = asyncio.create_task(anext(stream))
        await asyncio.sleep(0)
        with pytest.raises(FeedError, match="two tasks"):
            await anext(stream)
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        stream.put(message(), 0)  # a reader that was interrupted comes back
        assert (await anext(stream)).sequence == 1

    run(main())


def test_lag_is_from_due_to_read():
    async def main():
        clock = ManualClock()
        stream = FeedStream(3, "drop_oldest", clock)
        stream.put(message(), clock.now - 5)
        clock.now += 7
        await anext(stream)
        assert stream.lag == stream.max_lag == 12

    run(main())


def test_an_abandoned_stream_says_so():
    gone = []
    stream = FeedStream(3, "block", ManualClock())
    stream.on_close = gone.append
    space = stream.space
    for i in range(3):
        stream.put(message("A", i), 0)
    assert not space.is_set()
    del stream
    gc.collect()
    assert len(gone) == 1 and space.is_set()


# -- the rate limit ------------------------------------------------------------------------------------------


@settings(max_examples=80, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, SECOND // 5), st.sampled_from("AB"), st.integers(0, 2)), max_size=80),
    st.sampled_from([1.0, 3.0, 10.0, 25.0]),
    st.integers(1, 10),
)
def test_no_second_has_more_than_the_rate_and_slices_do_not_matter(plan, rate, slices):
    """What passes depends on the messages and their times, not on how often it is asked."""

    def play(flushes):
        conflator, passed, now = Conflator(rate), [], 0
        times = []
        for i, (wait, symbol, volume) in enumerate(plan):
            for k in range(1, flushes + 1):
                found = conflator.flush(now + wait * k // (flushes + 1))
                passed += found
                times += [None] * len(found)
            now += wait
            found = conflator.offer(message(symbol, i, volume), now)
            passed += found
        end = now + 100 * SECOND
        passed += conflator.flush(end)
        assert not conflator.drain()
        assert len(passed) + conflator.merged == len(plan)
        return passed

    passed = play(0)
    assert passed == play(slices)
    assert sum(m.volume for m in passed) == sum(volume for _, _, volume in plan)


@pytest.mark.parametrize("rate", [1.0, 7.0, 10.0, 100.0, 250.0])
def test_the_rate_is_kept_in_every_second(rate):
    conflator, times = Conflator(rate), []
    for now in range(0, 5 * SECOND, SECOND // 1000):  # a thousand a second, of two symbols
        times += [now] * len(conflator.offer(message("AB"[now // 10**6 % 2], now), now))
    for i, start in enumerate(times):
        inside = [t for t in times[i:] if t < start + SECOND]
        assert len(inside) <= rate
    assert len(times) >= 0.85 * 5 * rate  # and it is not much less


def test_below_the_rate_nothing_changes_and_a_loss_never_waits():
    conflator = Conflator(10.0)
    for i in range(50):
        assert conflator.offer(message("A", i), i * SECOND // 9) == [message("A", i)]
    assert conflator.merged == 0
    fast = Conflator(1.0)
    fast.offer(message("A", 1), 0)
    assert fast.offer(message("A", 2, volume=3), 1) == []
    (lost,) = fast.offer(message("A", 3, kind=DataKind.LOST), 2)
    assert lost.kind is DataKind.LOST and lost.volume == 3
