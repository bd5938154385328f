"""Of pictures only the latest waits; answers keep their order; a rate is a rate."""

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hft_gym.dashboard.hub import KINDS, MAX_ANSWERS, Client, Counts
from hft_gym.dashboard.schema import Watch
from hft_gym.errors import DataError


def client():
    return Client(Counts(), Watch(symbol="AAPL"))


def test_a_slow_client_gets_the_latest_and_nothing_piles_up():
    async def play():
        slow, got, gate = client(), [], asyncio.Event()

        async def send(text):
            got.append(text)
            await gate.wait()

        task = asyncio.create_task(slow.pump(send))
        slow.offer("ladder", "first")
        await asyncio.sleep(0)
        for i in range(1000):
            slow.offer("ladder", f"ladder {i}")
            slow.offer("chart", f"chart {i}")
            assert slow.waiting <= len(KINDS)
        slow.answer("answer 1")
        slow.answer("answer 2")
        gate.set()
        await asyncio.sleep(0.01)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return got, slow.counts

    got, counts = asyncio.run(play())
    assert got == ["first", "answer 1", "answer 2", "chart 999", "ladder 999"]
    assert counts.replaced == 2 * 999 and counts.sent == 5 and counts.bytes_sent == sum(map(len, got))


def test_what_a_picture_told_counts_only_when_it_goes_out():
    async def play():
        one, told = client(), []
        one.offer("chart", "a", lambda: told.append("a"))
        one.offer("chart", "b", lambda: told.append("b"))

        async def send(_text):
            pass

        task = asyncio.create_task(one.pump(send))
        await asyncio.sleep(0.01)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return told

    assert asyncio.run(play()) == ["b"]


def test_a_client_that_asks_and_never_reads_is_cut_off():
    async def play():
        deaf = client()
        for _ in range(MAX_ANSWERS):
            deaf.answer("x")
        with pytest.raises(DataError, match="wait to be read"):
            deaf.answer("x")

    asyncio.run(play())


@settings(max_examples=60, deadline=None)
@given(st.sampled_from([0.5, 4.0, 10.0, 20.0]), st.lists(st.floats(0.001, 0.4), min_size=20, max_size=300))
def test_no_client_gets_more_than_it_asked_for(hertz, gaps):
    """Whatever the ticks: over the whole, at most the rate and the first two."""

    async def count():
        one, now, sent = client(), 100.0, 0
        begin = now
        for gap in gaps:
            now += gap
            sent += one.wants("ladder", now, hertz)
        return sent, now - begin

    sent, elapsed = asyncio.run(count())
    assert sent <= hertz * elapsed * 1.01 + 2


def test_even_ticks_give_the_full_rate():
    """The control of the last test: a rule that sent nothing would pass it."""

    async def count():
        one = client()
        return sum(one.wants("ladder", 50.0 + i * 0.05 + (0.004 if i % 2 else 0), 20.0) for i in range(200))

    assert asyncio.run(count()) == 200
