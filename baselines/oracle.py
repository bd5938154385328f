"""``oracle``: a taker who has seen the future. It cheats, and is there to bound what can be earned."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from baselines.sides import Floats, Trader
from baselines.strategy import View, Wish, no_quotes
from hft_gym.errors import ConfigError

__all__ = ["Oracle", "best_positions"]


@dataclass(kw_only=True)
class Oracle(Trader):
    """Takes along the best path of positions that hindsight finds. It CHEATS: no figure of it is a result.

    The evaluation hands it the future by `foresee`: each episode is played once without any order, and dynamic
    programming finds the positions that earn most if every take pays the touch of its moment and the taker fee, and
    moves nothing. `bounds` are those earnings: no taker of one order a decision can earn more on these prices. What it
    earns when it plays differs by latency and by its own impact; a maker, who is paid the spread, is not bounded by it.

    State (N, 2): number of the episode among those foreseen, decisions made.
    """

    name: ClassVar[str] = "oracle"
    tasks: ClassVar[tuple[str, ...]] = ("market-making", "liquidity-taking")
    cheats: ClassVar[bool] = True

    def __post_init__(self) -> None:
        super().__post_init__()
        self._episodes: dict[bytes, int] = {}
        self._plan = np.zeros((0, 0, 1), np.int8)
        self._bounds = np.zeros(0)
        self._orders = 1

    @property
    def bounds(self) -> Floats:
        """(E,) most that a taker could have earned in each episode foreseen, in their order [ticks·lots]."""
        return self._bounds

    def foresee(
        self,
        config: Any,
        seeds: Sequence[int] | npt.NDArray[np.int64],
        *,
        starts: npt.NDArray[np.int64] | None = None,
        num_envs: int = 128,
        threads: int = 1,
    ) -> Oracle:
        """Watch episodes that will be played; returns itself. Only these can then be played.

        Args:
            config: the environment.
            seeds: of the episodes.
            starts: of a replay, where they begin [ns since midnight].
            num_envs: watched side by side.
            threads: of the compiled step.
        """
        from hft_gym.envs.vector import HFTMarketVectorEnv

        wanted = np.asarray(seeds, np.int64)
        scale = HFTMarketVectorEnv(1, config).config
        self._orders, lot = max(1, self.max_position // scale.order_size), scale.order_size
        fees = scale.market.fees
        self._episodes, plans, bounds = {}, [], []
        for first in range(0, len(wanted), num_envs):
            part = slice(first, first + num_envs)
            env = HFTMarketVectorEnv(len(wanted[part]), config, threads=threads)
            options = None if starts is None else {"starts": starts[part]}
            keys, mids, costs = _watch(env, [int(s) for s in wanted[part]], options)
            for i, key in enumerate(keys):
                self._episodes[key] = first + i
            fee = fees.taker * (env.reference_price * 1e-4 if fees.unit == "bps" else 1.0)
            plan, value = best_positions(mids * lot, (costs + fee) * lot, self._orders)
            plans.append(plan)
            bounds.append(value)
        self._plan, self._bounds = np.concatenate(plans, axis=1), np.concatenate(bounds)
        return self

    def begin(self, view: View) -> Floats:
        """(N, 2): which of the episodes foreseen each market is, recognised by its first observation.

        Raises:
            ConfigError: one that was not foreseen.
        """
        memory = np.zeros((len(view), 2))
        for i, row in enumerate(np.ascontiguousarray(view.raw, np.float32)):
            memory[i, 0] = self._episodes.get(row.tobytes(), -1)
        return memory

    def decide(self, view: View, memory: Floats) -> tuple[Wish, Floats]:
        """The next step of the plan, from whatever position is held."""
        episode, step = memory.astype(np.int64).T
        if (episode < 0).any():
            raise ConfigError(
                "the oracle has not seen this episode: call foresee(config, seeds) with those that it is to play"
            )
        held = np.clip(np.round(view.inventory / view.lot), -self._orders, self._orders).astype(np.int64)
        now = np.minimum(step, len(self._plan) - 1)
        take = self._plan[now, episode, held + self._orders] * float(view.lot)
        return no_quotes(np.where(step < len(self._plan), take, 0.0)), memory + np.array([0.0, 1.0])


def best_positions(mids: Floats, costs: Floats, limit: int) -> tuple[npt.NDArray[np.int8], Floats]:
    """The takes that earn most on known prices, one order a step, by dynamic programming.

    Args:
        mids: (N, T + 1) mid at each decision and at the end.
        costs: (N, T + 1, 2) what a buy and a sale pay beyond the mid; at the end what is held is closed.
        limit: largest absolute position in orders.

    Returns:
        (T, N, 2 limit + 1) take by position, -1, 0 or 1; and (N,) the earnings from a flat start.

    >>> plan, value = best_positions(np.array([[0.0, 5.0, 1.0]]), np.full((1, 3, 2), 0.5), 2)
    >>> plan[:, 0, 2].tolist(), value.tolist()  # flat: buy before the rise, sell before the fall; the whole way earns
    ([1, -1], [4.0])
    """
    held = np.arange(-limit, limit + 1.0)
    value = -np.where(held > 0, costs[:, -1, 1:], costs[:, -1, :1]) * np.abs(held)
    plan = np.zeros((mids.shape[1] - 1, len(mids), len(held)), np.int8)
    wall = np.full((len(mids), 1), -np.inf)
    for t in range(mids.shape[1] - 2, -1, -1):
        after = value + (mids[:, t + 1] - mids[:, t])[:, None] * held
        buy = np.concatenate([after[:, 1:], wall], axis=1) - costs[:, t, :1]
        sell = np.concatenate([wall, after[:, :-1]], axis=1) - costs[:, t, 1:]
        # Doing nothing first: a take that earns nothing is not sent.
        options = np.stack([after, buy, sell])
        best = options.argmax(axis=0)
        plan[t] = np.array([0, 1, -1], np.int8)[best]
        value = options.max(axis=0)
    return plan, value[:, limit]


def _watch(env: Any, seeds: list[int], options: Mapping[str, Any] | None) -> tuple[list[bytes], Floats, Floats]:
    """First observations, (N, T + 1) mids from 0 on and (N, T + 1, 2) half-spreads of episodes without an order."""
    schema = env.observation_schema
    columns = [schema.index(c) for c in ("mid_change", "ask_offset_1", "bid_offset_1")]
    idle = env.action_schema.encode(np.zeros(len(seeds), np.int64), 0, 0)
    observation, _ = env.reset(seed=seeds, options=options)
    keys = [row.tobytes() for row in np.ascontiguousarray(observation, np.float32)]
    rows = [observation[:, columns].astype(np.float64)]
    over = np.zeros(len(seeds), bool)
    while not over.all():
        observation, _, terminated, truncated, _ = env.step(idle)
        # An episode that has ended stands still.
        rows.append(np.where(over[:, None], rows[-1] * (0.0, 1.0, 1.0), observation[:, columns]))
        over |= terminated | truncated
    env.close()
    seen = np.stack(rows, axis=1)
    seen[:, 0, 0] = 0.0
    return keys, np.cumsum(seen[:, :, 0], axis=1), np.abs(seen[:, :, 1:])
