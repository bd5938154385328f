"""Worker threads: they sleep, wake, end, and survive an interrupt, and nothing of it shows in a result."""

import os
import signal
import threading
import time
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hft_gym._jit import entry
from hft_gym.envs import threads as module
from hft_gym.envs.config import EnvConfig
from hft_gym.envs.core import EnvCore
from hft_gym.envs.orders import LEAST, LINE, RANGE, REST, next_part

N = 6
SHORT = EnvConfig(episode_steps=30)


def core(threads: int) -> EnvCore:
    made = EnvCore(SHORT, N, threads=threads)
    made.reset(np.arange(N, dtype=np.uint64))
    return made


def orders(step: int) -> Any:
    return np.stack([(np.arange(N) + step) % 8, (np.arange(N) * 3 + step) % 8, np.arange(N) * 0], axis=1)


@entry
def take_parts(turns: Any, control: Any, parts: Any) -> None:
    """Let the workers named in *turns* take a part each, one after the other."""
    for k in range(turns.shape[0]):
        parts[k, 0], parts[k, 1] = next_part(turns[k], control)


@settings(deadline=None)
@given(
    bounds=st.lists(st.integers(0, 90), min_size=1, max_size=4).map(lambda inner: [0, *sorted(inner), 90]),
    data=st.data(),
)
def test_every_environment_is_taken_once_whoever_is_slow(bounds: list[int], data: st.DataObject) -> None:
    workers = len(bounds) - 1
    control = np.zeros(workers * LINE, np.int64)
    for i, (first, end) in enumerate(pairwise(bounds)):
        control[i * LINE + RANGE] = control[i * LINE + REST] = first << 32 | end
    awake = data.draw(st.lists(st.integers(0, workers - 1), min_size=1, unique=True))
    turns = np.array(data.draw(st.lists(st.sampled_from(awake), min_size=91, max_size=91)), np.int64)
    parts = np.zeros((len(turns), 2), np.int64)
    take_parts(turns, control, parts)
    taken = np.concatenate([np.arange(lo, hi) for lo, hi in parts])
    np.testing.assert_array_equal(np.sort(taken), np.arange(90))
    sizes = parts[:, 1] - parts[:, 0]
    assert (sizes[sizes > 0] >= LEAST).sum() >= (sizes > 0).sum() - workers  # no crumbs but the last of a range
    if bounds[turns[0]] < bounds[turns[0] + 1]:
        assert parts[0, 0] == bounds[turns[0]]  # its own range first, from the front


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


def test_whoever_is_done_takes_from_the_others() -> None:
    """A worker that owns no environment, and one that owns all: the step is as ever."""
    number = 40
    cores = [EnvCore(SHORT, number, threads=threads) for threads in (1, 2, 3)]
    for made, bounds in zip(cores[1:], ([0, 0, number], [0, number, number, number]), strict=True):
        assert made._workers is not None
        made._workers._bounds = bounds
    for made in cores:
        made.reset(np.arange(number, dtype=np.uint64))
    for step in range(40):
        chosen = (np.arange(number * 3).reshape(number, 3) * 7 + step) % 3
        for made in cores:
            made.step(chosen, 1)
        for made in cores[1:]:
            np.testing.assert_array_equal(made.obs, cores[0].obs)
            np.testing.assert_array_equal(made.reward, cores[0].reward)


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
