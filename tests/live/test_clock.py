"""The clock of a session: paces, pauses and steps it, gives up what it cannot do, and leaves no task behind."""

from __future__ import annotations

import asyncio
import math

import pytest

from hft_gym.errors import ConfigError
from hft_gym.feed.clock import Clock
from hft_gym.live.clock import SessionClock

MS = 1_000_000


class FakeClock(Clock):
    """A machine on which only sleeping and the session's work take time."""

    def __init__(self) -> None:
        self.now = 5

    def monotonic(self) -> int:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += int(seconds * 1e9)
        await asyncio.sleep(0)


class Counted:
    """Stands for a session: it takes *cost* ns of the machine for each of its own."""

    def __init__(self, clock: FakeClock, cost: float = 0.0) -> None:
        self.clock, self.cost, self.time_ns, self.stretches = clock, cost, 0, []

    def advance(self, duration_ns: int) -> None:
        self.time_ns += duration_ns
        self.stretches.append(duration_ns)
        self.clock.now += int(self.cost * duration_ns)


async def _for(driver: SessionClock, seconds: float) -> None:
    """Let the machine's time pass."""
    end = driver.clock.now + seconds * 1e9
    while driver.clock.now < end and driver.running:
        await asyncio.sleep(0)


@pytest.mark.parametrize("speed", [0.1, 1.0, 7.5, 1000.0])
def test_pace(speed: float) -> None:
    async def run() -> None:
        clock = FakeClock()
        session = Counted(clock)
        driver = SessionClock(session, speed, clock=clock)
        driver.start()
        driver.start()
        await _for(driver, 4)
        await driver.pause()
        assert session.time_ns == pytest.approx(4e9 * speed, abs=10 * MS + 5 * MS * speed)
        assert session.time_ns % (10 * MS) == 0 and driver.given_up_ns == 0

    asyncio.run(run())


def test_pause_step_speed_and_no_task_left() -> None:
    async def run() -> None:
        clock = FakeClock()
        session = Counted(clock)
        driver = SessionClock(session, clock=clock)
        driver.start()
        await _for(driver, 1)
        await driver.pause()
        assert not driver.running and len(asyncio.all_tasks()) == 1
        stood = session.time_ns
        clock.now += 10**10
        await driver.step(30 * MS)
        assert session.time_ns == stood + 30 * MS
        driver.start()  # the pause is not made up for
        await _for(driver, 1)
        assert session.time_ns == pytest.approx(stood + 1e9, abs=60 * MS)
        driver.speed = 20
        then = session.time_ns
        await _for(driver, 1)
        assert session.time_ns == pytest.approx(then + 20e9, abs=200 * MS)
        await driver.pause()

    asyncio.run(run())


def test_what_a_slow_machine_cannot_do_is_given_up() -> None:
    async def run() -> None:
        clock = FakeClock()
        session = Counted(clock, cost=0.5)  # twice real time at best
        driver = SessionClock(session, 10, clock=clock)
        driver.start()
        await _for(driver, 5)
        await driver.pause()
        assert session.time_ns == pytest.approx(10e9, rel=0.05)
        assert driver.given_up_ns == pytest.approx(40e9, rel=0.15)
        assert max(session.stretches) * 0.5 < 40 * MS  # nobody else waits longer

    asyncio.run(run())


def test_as_fast_as_possible() -> None:
    async def run() -> None:
        clock = FakeClock()
        session = Counted(clock, cost=0.01)
        driver = SessionClock(session, math.inf, clock=clock)
        driver.start()
        await _for(driver, 1)
        await driver.pause()
        assert session.time_ns == pytest.approx(100e9, rel=0.05)

    asyncio.run(run())


def test_a_failure_is_kept_and_told() -> None:
    class Broken(Counted):
        def advance(self, duration_ns: int) -> None:
            raise ConfigError("broken")

    async def run() -> None:
        clock = FakeClock()
        driver = SessionClock(Broken(clock), math.inf, clock=clock)
        driver.start()
        with pytest.raises(ConfigError, match="broken"):
            await driver.wait()
        with pytest.raises(ConfigError, match="broken"):
            driver.start()
        assert not driver.running

    asyncio.run(run())


@pytest.mark.parametrize("speed", [0, -1, 0.05, 1001, math.nan, "fast", True])
def test_speeds_that_are_none(speed: object) -> None:
    with pytest.raises(ConfigError, match="speed"):
        SessionClock(Counted(FakeClock()), speed)
