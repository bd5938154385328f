"""Worker threads: they sleep, wake, end, and survive an interrupt, and nothing of it shows in a result."""

import os
import signal
import threading
import time
from typing import Any

import numpy as np
import pytest

from hft_gym.envs import threads as module
from hft_gym.envs.config import EnvConfig
from hft_gym.envs.core import EnvCore

N = 6
SHORT = EnvConfig(episode_steps=30)


def core(threads: int) -> EnvCore:
    made = EnvCore(SHORT, N, threads=threads)
    made.reset(np.arange(N, dtype=np.uint64))
    return made


def orders(step: int) -> Any:
    return np.stack([(np.arange(N) + step) % 8, (np.arange(N) * 3 + step) % 8, np.arange(N) * 0], axis=1)


def running() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if thread.name.startswith("hft_gym-")}


def test_workers_that_have_gone_to_sleep_wake() -> None:
    alone, several = core(1), core(3)
    workers = several._workers
    assert workers is not None
    for step in range(12):
        if step % 3 == 0:
            for _ in range(400):
                if workers._asleep[1:] == [True, True]:
                    break
                time.sleep(0.005)
            assert workers._asleep[1:] == [True, True]
        alone.step(orders(step), 1)
        several.step(orders(step), 1)
        np.testing.assert_array_equal(several.obs, alone.obs)


@pytest.mark.parametrize("spins", [1, 2, 100])
def test_a_thread_that_gives_up_at_once_still_does_its_part(monkeypatch: pytest.MonkeyPatch, spins: int) -> None:
    monkeypatch.setattr(module, "SPINS", spins)
    alone, several = core(1), core(4)
    for step in range(40):
        alone.step(orders(step), 1)
        several.step(orders(step), 1)
        np.testing.assert_array_equal(several.obs, alone.obs)
        np.testing.assert_array_equal(several.reward, alone.reward)


def test_threads_end_with_their_environments() -> None:
    before = running()
    several = core(3)
    mine = running() - before
    assert len(mine) == 2
    del several
    for thread in mine:
        thread.join(timeout=10)
    assert not mine & running()


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs interval timers")
def test_an_interrupt_leaves_no_half_step() -> None:
    alone, several = core(1), core(2)
    caught, armed = 0, False

    def interrupt(*_: Any) -> None:
        if armed:
            raise KeyboardInterrupt

    previous = signal.signal(signal.SIGALRM, interrupt)
    try:
        for step in range(200):
            before = several.env["step"].copy()
            try:
                armed = True
                signal.setitimer(signal.ITIMER_REAL, 1e-6 * (1 + step))
                several.step(orders(step), 1)
                armed = False
            except KeyboardInterrupt:
                caught += 1
            armed = False
            moved = several.env["step"] != before
            assert moved.all() or not moved.any()
            if moved.all():
                alone.step(orders(step), 1)
            np.testing.assert_array_equal(several.obs, alone.obs)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)
    assert caught > 0


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_forked_child_starts_threads_of_its_own() -> None:
    alone, several = core(1), core(2)
    alone.step(orders(0), 1)
    several.step(orders(0), 1)
    alone.step(orders(1), 1)
    child = os.fork()
    if child == 0:
        several.step(orders(1), 1)
        os._exit(0 if np.array_equal(several.obs, alone.obs) else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    several.step(orders(1), 1)
    np.testing.assert_array_equal(several.obs, alone.obs)
