"""Sessions share the event loop: what they ask for beyond it is not given."""

import asyncio
import time

import pytest

from hft_gym.dashboard import pace
from hft_gym.dashboard.pace import PacedClock, Turns


def test_slots_fill_their_share_and_no_more(monkeypatch):
    """Eight that have just taken 10 ms each, at a share of one half: they go on 20 ms apart."""
    slept = []

    async def note(seconds):
        slept.append(seconds)

    monkeypatch.setattr(pace.time, "monotonic", lambda: 100.0)
    monkeypatch.setattr(pace.asyncio, "sleep", note)

    async def play():
        turns = Turns(0.5)
        for _ in range(8):
            await turns.rest(0.01)

    asyncio.run(play())
    assert slept == pytest.approx([0.02 * (k + 1) - 0.01 for k in range(8)])


class Busy:
    """A session that takes 4 ms for whatever it is asked to do."""

    def __init__(self):
        self.time_ns, self.calls = 0, 0

    def advance(self, duration_ns):
        self.calls += 1
        self.time_ns += duration_ns
        end = time.perf_counter() + 0.004
        while time.perf_counter() < end:
            pass


def test_the_loop_stays_free_under_any_number_of_sessions():
    """The share of the loop that sessions take is bounded, so others get in between two of their stretches."""

    async def play():
        turns, sessions = Turns(0.5), [Busy() for _ in range(20)]
        clocks = [PacedClock(session, turns) for session in sessions]
        for clock in clocks:
            clock.speed = float("inf")
            clock.start()
        begin = time.perf_counter()
        await asyncio.sleep(0.3)
        busy, elapsed = sum(s.calls for s in sessions) * 0.004, time.perf_counter() - begin
        for clock in clocks:
            await clock.pause()
        return busy / elapsed, min(s.calls for s in sessions)

    share, fewest = asyncio.run(play())
    assert share < 0.85, "20 clocks of their own would fill it"
    assert fewest >= 1, "and each has its turn"
