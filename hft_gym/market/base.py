"""A market's arrays: how they are made, how they become values, and the logs in them."""

from __future__ import annotations

from os import PathLike
from typing import Any, Self

import numpy as np

from hft_gym.book.ticks import TickGrid
from hft_gym.config import build
from hft_gym.data.replay import ReplayFeed
from hft_gym.errors import CheckpointError, ConfigError, LogOverflowError
from hft_gym.flow.config import silence
from hft_gym.market import checkpoint, checks, entries
from hft_gym.market.arrays import MarketArrays, allocate
from hft_gym.market.config import MarketConfig
from hft_gym.market.recorder import allocate_recorder
from hft_gym.market.tape import Tape
from hft_gym.market.views import Log

__all__ = ["MarketState", "as_feed"]

_CHUNK = 16_384
"""Records of a tape that the kernel writes before Python copies them."""
_LOGS = {"fills": ("fill_log", "n_fills"), "orders": ("order_log", "n_orders"), "mids": ("mid_log", "n_mids")}


class MarketState:
    """What a `Market` is made of; its state is the arrays and nothing else."""

    config: MarketConfig
    seed: int
    log_capacity: int
    feed: ReplayFeed | None
    symbol: str

    def _allocate(self) -> None:
        """Make the arrays that the configuration asks for, and what is derived from it."""
        handles = 0 if self.feed is None else self.feed.max_handles
        arrays = allocate(self.config, 1, 1, self.log_capacity, handles)
        replay = None
        if self.feed is not None:
            replay = (*self.feed.kernel_arrays(), np.array([self.feed.checkpoint_rows], np.int64))
            silence(arrays.flow)  # the recorded day is the whole flow
        self._arrays: MarketArrays = arrays
        self._markets = entries.Markets(arrays, replay)
        self._grid = TickGrid(self.config.tick_size)
        # Room for every price of a side, or every working order of a participant.
        rows = max(self.config.max_orders, self.config.max_own_orders)
        self._table = np.zeros((rows, entries.TABLE_COLUMNS), np.int64)

    def _run(self, command: int, *arguments: int) -> int:
        return int(self._markets.run(command, *arguments, table=self._table)[0])

    # -- logs ----------------------------------------------------------------------------------------------

    def fills(self) -> Log:
        """Every fill of a participant since the last call (``FILL_LOG``), in time.

        Raises:
            LogOverflowError: records were lost because a log was full. Said once; the next call returns what
                was kept.
        """
        return self._drain("fills")

    def orders(self) -> Log:
        """Every order of a participant that ended since the last call (``ORDER_LOG``), in time.

        Breaches of risk limits are among them, with the limit as the reason: an order or change that was refused has no
        order id (-1), a breach by the price alone no quantity either.

        Raises:
            LogOverflowError: as `fills`.
        """
        return self._drain("orders")

    def mids(self) -> Log:
        """Every change of a participant's marking mid since the last call (``MID_LOG``), in time.

        Raises:
            LogOverflowError: as `fills`.
        """
        return self._drain("mids")

    def _drain(self, kind: str) -> Log:
        state = self._arrays.state
        lost = int(state["lost"][0])
        if lost:
            state["lost"] = 0
            raise LogOverflowError(
                f"{lost} log records were lost: log_capacity is {self.log_capacity} between two "
                "drains of each log; call fills(), orders() and mids() more often, or raise it"
            )
        name, count = _LOGS[kind]
        log = Log(getattr(self._arrays, name)[0, : int(state[count][0])].copy())
        state[count] = 0
        return log

    def record(self, duration: int, levels: int = 0) -> Tape:
        """Run for *duration* [ns] and return what happened in the book meanwhile, one record for each change.

        The market is the same afterwards as after `run_for`, bit for bit; each event takes a few microseconds more.
        A record takes 72 bytes, and 64 for each level of depth. The anonymous flow's and all participants' orders
        are on the tape. Of a replay, levels that enter or leave the recorded horizon appear as limit orders and
        cancellations; read the files with `hft_gym.realism.read_tape` to have none of that.

        Args:
            duration: how long to run [ns].
            levels: price levels a side to write down after each change; 0: best quotes only.

        Raises:
            ConfigError: a negative duration or number of levels.
        """
        begin = int(self._arrays.state["time"][0])
        until = begin + checks.whole("duration", duration, 0, 2**60)
        depth = checks.whole("levels", levels, 0, 2**16)
        recorder = allocate_recorder(_CHUNK, depth, self.config.max_orders, self.config.participants + 1)
        self._markets.run(entries.START_TAPE, recorder=recorder)
        first = recorder.record[0]
        opening = np.array([[first["ask"], first["ask_volume"], first["bid"], first["bid_volume"]]], np.int64)
        if depth:
            opening = recorder.book[0].copy()
        records, books = [], []
        done = False
        while not done:
            done = bool(self._markets.run(entries.RECORD, until, recorder=recorder)[0])
            n = int(recorder.state["n"][0])
            records.append(recorder.record[:n].copy())
            books.append(recorder.book[:n].copy() if depth else np.zeros((n, 0, 4), np.int64))
            recorder.state["n"] = 0
        tick = self.config.tick_size
        return Tape(np.concatenate(records), np.concatenate(books), opening, begin, until, tick, self.symbol)

    # -- the state as a value ------------------------------------------------------------------------------

    def copy(self) -> Self:
        """An independent market that continues bit for bit."""
        twin = object.__new__(type(self))
        twin.__setstate__(self.__getstate__())
        return twin

    __copy__ = copy

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        """As `copy`."""
        return self.copy()

    def __getstate__(self) -> dict[str, Any]:
        """Configuration and the arrays in use, as copies."""
        kept = {name: getattr(self, name) for name in ("config", "seed", "log_capacity", "feed", "symbol")}
        return {**kept, "values": checkpoint.values(self._arrays)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Take over a state from `__getstate__`."""
        self.__dict__.update({name: value for name, value in state.items() if name != "values"})
        self._allocate()
        checkpoint.assign(self._arrays, state["values"])

    def save(self, path: str | PathLike[str]) -> None:
        """Write the market to one file, at once or not at all.

        The file holds numbers and text only: loading one runs no code. A replay's recorded day is not in it.
        """
        header = {
            "config": self.config,
            "seed": self.seed,
            "log_capacity": self.log_capacity,
            "symbol": self.symbol,
            "feed": checkpoint.fingerprint(self.feed),
        }
        checkpoint.write(path, header, checkpoint.values(self._arrays))

    @classmethod
    def load(
        cls, path: str | PathLike[str], *, feed: ReplayFeed | str | PathLike[str] | None = None
    ) -> Self:
        """Read a market that `save` wrote; it continues bit for bit.

        Args:
            path: the file.
            feed: the recorded day, if the market replays one.

        Raises:
            CheckpointError: no such file, damaged, of another version, or of another recorded day.
        """
        header, values = checkpoint.read(path)
        market = object.__new__(cls)
        try:
            market.config = build(MarketConfig, header["config"])
        except ConfigError as error:
            raise CheckpointError(f"{path}: its configuration does not fit this version ({error})") from error
        market.feed = as_feed(feed, market.config)
        checkpoint.check_feed(path, header["feed"], market.feed)
        market.seed, market.symbol = header["seed"], header["symbol"]
        market.log_capacity = header["log_capacity"]
        market._allocate()
        checkpoint.assign(market._arrays, values, path)
        return market


def as_feed(feed: ReplayFeed | str | PathLike[str] | None, config: MarketConfig) -> ReplayFeed | None:
    """A recorded day, read from its files where a path is given."""
    if feed is None or isinstance(feed, ReplayFeed):
        return feed
    return ReplayFeed.from_file(feed, config.tick_size)
