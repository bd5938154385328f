"""`EnvCore`: N environments in arrays, stepped by one compiled call (or one a thread). The faces above it are thin."""

from __future__ import annotations

import os
import time
import weakref
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hft_gym.book.ladder import MAX_LEVELS
from hft_gym.data.replay import ReplayFeed
from hft_gym.data.window import ReplayWindow
from hft_gym.envs.config import EnvConfig
from hft_gym.envs.kernel import TABLE_DTYPES, run_batch
from hft_gym.envs.orders import RESET
from hft_gym.envs.packed import table_of
from hft_gym.envs.records import ENV_STATE, EXECUTION_KEYS, INFO_KEYS
from hft_gym.envs.schema import ObservationSchema
from hft_gym.envs.task_actions import action_schema
from hft_gym.envs.threads import Workers
from hft_gym.errors import ActionError, ConfigError, LogOverflowError
from hft_gym.flow.config import silence
from hft_gym.market.arrays import MarketArrays, allocate, no_replay
from hft_gym.market.config import MarketConfig

__all__ = ["EnvCore", "Logs", "warm_cache"]

_ALONE = np.zeros(0, np.int64)


class Logs(NamedTuple):
    """Drained logs: structured arrays of ``FILL_LOG``, ``ORDER_LOG`` and ``MID_LOG``, by environment, then in time."""

    fills: NDArray[Any]
    orders: NDArray[Any]
    mids: NDArray[Any]


class EnvCore:
    """N environments with one agent each, over the compiled market.

    :param config: what the environments are.
    :param num_envs: how many.
    :param threads: worker threads; any number gives the same bits.
    :param log_capacity: fills, orders and mid changes an environment can log between two calls of :meth:`drain`; 0:
    no logs.

    The result arrays are reused: copy what must outlive the next call.

    ``obs`` (N, columns) float32, ``reward`` (N,) float64, ``terms`` (N, 2) float64, ``terminated`` and ``truncated``
    (N,) bool, ``info`` (len(INFO_KEYS), N) float64, ``final_obs`` and ``final_info`` as obs and info where an episode
    ended in SAME_STEP mode. ``market``: the market's configuration, sized for the ladder and for what is replayed.
    """

    INFO_KEYS: tuple[str, ...] = INFO_KEYS

    def __init__(self, config: EnvConfig, num_envs: int, threads: int = 1, log_capacity: int = 0) -> None:
        self.config, self.num_envs = config, num_envs
        self.threads = max(1, min(threads, num_envs))
        self.log_capacity = log_capacity
        self.feed: ReplayFeed | None = None
        replay, handles = no_replay(), 0
        if config.feed is not None:
            part = config.replay
            self.feed = ReplayFeed.from_file(
                config.feed, config.market.tick_size, symbol=part.symbol, queue_model=part.queue_model
            )
            replay = (*self.feed.kernel_arrays(), np.array([self.feed.checkpoint_rows], np.int64))
            handles = self.feed.max_handles
        schema = ObservationSchema.of(config)
        columns, width = len(schema), action_schema(config).width
        played = [room_for_ladder(v.market, config) for v in config.variants]
        market = played[0] if self.feed is None else sized_for(played[0], self.feed)
        self.market = market
        self.arrays: MarketArrays = allocate(market, num_envs, self.threads, log_capacity, handles, played)
        if self.feed is not None:  # the recorded day is the whole flow
            silence(self.arrays.flow)
        self.env = np.zeros(num_envs, ENV_STATE)
        self.env["done"] = 1
        self.env["requested_start"] = -1
        self.env["window"] = self._start_bounds()
        self.obs = np.zeros((num_envs, columns), np.float32)
        self.final_obs = np.zeros_like(self.obs)
        self.reward = np.zeros(num_envs)
        self.terms = np.zeros((num_envs, 2))
        self.terminated = np.zeros(num_envs, np.bool_)
        self.truncated = np.zeros(num_envs, np.bool_)
        if config.task == "execution":
            self.INFO_KEYS = (*INFO_KEYS, *EXECUTION_KEYS)
        self.info = np.zeros((len(self.INFO_KEYS), num_envs))
        self.final_info = np.zeros_like(self.info)
        self._keys = np.zeros(num_envs, np.uint64)
        self._mask = np.zeros(num_envs, np.uint8)
        self._env_param = config.compiled()
        self._no_actions = np.zeros((num_envs, width), np.int64)
        self._arguments: tuple[NDArray[Any], ...] = (
            self._keys, self._mask, self.env, self._env_param, self.obs, self.final_obs, self.reward, self.terms,
            self.terminated, self.info, self.final_info, *self.arrays.as_tuple(), *replay,
        )
        self._table = table_of(self._arguments, TABLE_DTYPES)
        self._workers: Workers | None = None
        if self.threads > 1:
            self._workers = Workers(self.threads, num_envs, run_batch, self._table, self._no_actions)
            weakref.finalize(self, self._workers.stop)

    @property
    def tick_size(self) -> float:
        """Currency per tick."""
        return self.config.market.tick_size

    @property
    def time_ns(self) -> NDArray[np.int64]:
        """Decision time since the start of the episode [ns], shape (N,)."""
        return self.env["decision_time"] - self.env["start_time"]

    @property
    def reference_price(self) -> float:
        """Level of the price [ticks]: a simulated market's opening price, or the mid where a replay's window begins."""
        window = self.window()
        if self.feed is None or window is None:
            return float(self.config.market.initial_price)
        ask, _, bid, _ = self.feed.book[max(self.feed.row_at(window.start_ns), 0), 0]
        return (ask + bid) / 2.0

    @property
    def reference_spread(self) -> float:
        """Usual spread [ticks]: 1 for a simulated market, for a replay the median of the rows before its window, or
        in it."""
        window = self.window()
        if self.feed is None or window is None:
            return 1.0
        first, last = self.feed.row_at(window.start_ns), self.feed.row_at(window.end_ns)
        touch = self.feed.book[:first, 0] if first >= 1000 else self.feed.book[max(first, 0) : last, 0]
        both = touch[(touch[:, 1] > 0) & (touch[:, 3] > 0)]
        return float(np.median(both[:, 0] - both[:, 2])) if len(both) else 1.0

    def window(self) -> ReplayWindow | None:
        """The hours of the recorded day that episodes lie in; None for a simulated market."""
        if self.feed is None:
            return None
        part = self.config.replay
        window = self.feed.window(part.start, part.end)
        if part.split == "all":
            return window
        train, held_out = window.split(fraction=part.train_share)
        return train if part.split == "train" else held_out

    def _start_bounds(self) -> tuple[int, int]:
        window = self.window()
        if window is None:
            return 0, 0
        first, last = window.start_bounds(self.config.episode_steps * self.config.step_ns)
        # The hours in a file's name begin before its first row, and there is no book to show before that.
        opening = int(self.feed.times[0]) if self.feed is not None else first
        return min(max(first, opening), last), last

    def reset(
        self, keys: NDArray[np.uint64] | None = None, mask: NDArray[np.bool_] | None = None,
        starts: NDArray[np.int64] | None = None,
    ) -> None:
        """Start episodes.

        :param keys: (N,) random keys, or None: each environment's next key.
        :param mask: (N,) which environments; None: all.
        :param starts: (N,) where replays start [ns since midnight]; -1 or None: drawn from the key.
        :raises ConfigError: starts outside the window, or given for a simulated market.
        """
        self.env["requested_start"] = -1
        if starts is not None:
            low, high = self._start_bounds()
            bad = (starts >= 0) & ((starts < low) | (starts > high))
            if self.feed is None or bad.any():
                value = starts[0] if self.feed is None else starts[bad][0]
                where = f"allowed are {low} to {high} ns since midnight"
                where = "this market is simulated" if self.feed is None else where
                raise ConfigError(f"start of an episode is {value}; {where}")
            self.env["requested_start"] = starts
        if keys is not None:
            self._keys[:] = keys
        self._mask[:] = 2 if keys is not None else 1
        if mask is not None:
            self._mask[~mask] = 0
        self._run(RESET, self._no_actions)
        self.env["requested_start"] = -1  # once only: later episodes start where their keys say

    def step(self, actions: NDArray[np.int64], mode: int = 0) -> None:
        """One decision in every environment.

        :param actions: (N, 3) int64: bid quote, ask quote (0 to 7), take (0 to 2); or of a ladder, (N, 2 levels + 1):
            see :class:`~hft_gym.envs.task_actions.LadderSchema`.
        :param mode: 0: ended episodes stand still; 1: their next step starts a new one (NEXT_STEP); 2: they start anew
            at once, leaving ``final_obs`` and ``final_info`` (SAME_STEP).
        :raises ActionError: an action out of range; nothing has happened.
        """
        bad = self._run(mode, actions)
        if bad >= 0:
            raise ActionError(
                f"action {actions[bad].tolist()} of environment {bad}; "
                f"allowed are those of {action_schema(self.config).space()}"
            )

    def _run(self, mode: int, actions: NDArray[np.int64]) -> int:
        if self._workers is None:
            return run_batch(0, mode, actions, self._table, _ALONE, 0)
        return self._workers.run(mode, actions)

    def drain(self) -> Logs:
        """Return and forget what was logged since the last call.

        :raises LogOverflowError: records were lost because a log was full.
        """
        arrays, state = self.arrays, self.arrays.state
        lost = int(state["lost"].sum())
        if lost:
            state["lost"] = 0
            raise LogOverflowError(
                f"{lost} log records were lost: log_capacity is {self.log_capacity} between two drains; "
                "drain more often or raise it"
            )
        parts = []
        for log, count in ((arrays.fill_log, "n_fills"), (arrays.order_log, "n_orders"), (arrays.mid_log, "n_mids")):
            n = state[count]
            used = log[:, : n.max()]
            parts.append(used[np.arange(used.shape[1]) < n[:, None]])
            state[count] = 0
        return Logs(*parts)

    def __getstate__(self) -> dict[str, Any]:
        kept = ("obs", "final_obs", "reward", "terms", "terminated", "truncated", "info", "final_info", "env", "arrays")
        return {
            "init": (self.config, self.num_envs, self.threads, self.log_capacity),
            "values": {name: getattr(self, name) for name in kept},
        }

    def __setstate__(self, saved: dict[str, Any]) -> None:
        self.__init__(*saved["init"])  # type: ignore[misc]
        for name, value in saved["values"].items():
            if name == "arrays":
                self.arrays.assign(value)
            else:
                getattr(self, name)[...] = value

    def copy(self) -> EnvCore:
        """An independent core that continues bit for bit."""
        twin = EnvCore.__new__(EnvCore)
        twin.__setstate__(self.__getstate__())
        return twin


def room_for_ladder(market: MarketConfig, config: EnvConfig) -> MarketConfig:
    """*market* with an order table that holds a ladder: a few orders a level, and those that are on their way out."""
    orders = 8 * len(config.rungs) + 8 if config.rungs else 0
    return replace(market, max_own_orders=max(market.max_own_orders, orders))


def sized_for(market: MarketConfig, feed: ReplayFeed) -> MarketConfig:
    """The market with a ladder that holds every price of *feed* and a pool that holds all its orders."""
    span = feed.max_price - feed.min_price + 1
    levels = min(max(market.levels, -(-(2 * span) // 64) * 64), MAX_LEVELS)
    orders = max(market.max_orders, feed.max_handles + 4 * market.initial_depth + market.max_own_orders)
    return replace(market, levels=levels, max_orders=orders)


def warm_cache() -> tuple[float, str]:
    """Compile (or load) the environment's kernels; return the seconds it took and the cache folder."""
    from hft_gym._jit import cache_folder

    begin = time.perf_counter()
    core = EnvCore(EnvConfig(episode_steps=2), 1)
    core.reset(np.zeros(1, np.uint64))
    core.step(np.ones((1, 3), np.int64))
    return time.perf_counter() - begin, os.fspath(cache_folder())
