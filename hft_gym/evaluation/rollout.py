"""`evaluate`: a policy plays one episode for each seed, on the native batch.

A seed fixes its market whatever the policy does (common random numbers), and each episode sits in its own
environment of the batch, so the result does not depend on how many are played side by side.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from hft_gym.config import to_dict
from hft_gym.errors import ConfigError
from hft_gym.evaluation.episodes import FILL_DTYPE, MID_DTYPE, ORDER_DTYPE, Episodes
from hft_gym.evaluation.seeds import whole_seeds

if TYPE_CHECKING:
    from hft_gym.envs.config import EnvConfig

__all__ = ["Policy", "evaluate"]

Array = npt.NDArray[Any]


class Policy(Protocol):
    """What can be evaluated: Stable-Baselines3's ``predict``, on raw observations.

    If the policy also has ``bind(env)``, it is called once before the first observation.
    """

    def predict(
        self,
        observation: Array,
        state: Any = None,
        episode_start: Array | None = None,
        deterministic: bool = False,
    ) -> tuple[Array, Any]:
        """Actions for (N, C) observations, and the state to hand back with the next ones.

        Args:
            observation: raw observations, float32.
            state: what the last call returned; None at the start.
            episode_start: (N,) bool, where a new episode begins with this observation.
            deterministic: whether a stochastic policy is to give its most likely action.
        """
        ...


def evaluate(
    policy: Policy,
    config: EnvConfig | Mapping[str, Any] | None = None,
    seeds: Sequence[int] | npt.NDArray[np.integer[Any]] = (),
    *,
    deterministic: bool = True,
    starts: Sequence[int] | npt.NDArray[np.integer[Any]] | None = None,
    num_envs: int = 64,
    threads: int = 1,
    log_capacity: int = 4096,
    name: str | None = None,
    progress: Callable[[int, int], None] | None = None,
    **settings: Any,
) -> Episodes:
    """Play one episode per seed and keep everything that happened.

    Args:
        policy: what decides (`Policy`).
        config: the environment; single ``settings`` win over it.
        seeds: one episode each; see `hft_gym.evaluation.seeds` for which are for what.
        deterministic: passed to the policy.
        starts: for a replay, where each episode starts, ns since midnight; None: drawn from its seed.
        num_envs: episodes played side by side, at most. The result does not depend on it.
        threads: of the compiled step. The result does not depend on it.
        log_capacity: fills, orders and mid changes that one episode can log in one step; 0: nothing is
            logged, and only the paths and rewards are kept.
        name: of the policy in reports; default: its attribute ``name``, or its class's name.
        progress: called with (episodes finished, episodes in all) as they end.
        **settings: fields of `EnvConfig`.

    Returns:
        The episodes, in the order of ``seeds``.

    Raises:
        ConfigError: no seeds, one that is no whole number, or a wrong setting.
        LogOverflowError: a log was full: records would have been lost.
    """
    from hft_gym.envs.vector import HFTMarketVectorEnv

    wanted = whole_seeds(seeds)
    if num_envs < 1:
        raise ConfigError(f"num_envs: must be at least 1, got {num_envs}")
    rounds = -(-len(wanted) // num_envs)
    side_by_side = -(-len(wanted) // rounds)
    begin = None if starts is None else np.asarray(starts, dtype=np.int64)
    if begin is not None and begin.shape != wanted.shape:
        raise ConfigError(f"starts: expected one for each of {len(wanted)} seeds, got shape {begin.shape}")
    env = HFTMarketVectorEnv(side_by_side, config, threads=threads, log_capacity=log_capacity, **settings)
    try:
        bind = getattr(policy, "bind", None)
        if bind is not None:
            bind(env)
        finished = _Finished(progress, len(wanted))
        played = [
            _play(
                policy,
                env,
                wanted[first : first + side_by_side],
                None if begin is None else begin[first : first + side_by_side],
                deterministic,
                log_capacity > 0,
                finished,
            )
            for first in range(0, len(wanted), side_by_side)
        ]
    finally:
        env.close()
    return _join(played, wanted, env, name or _name_of(policy), deterministic)


def _name_of(policy: Policy) -> str:
    name = getattr(policy, "name", None)
    return name if isinstance(name, str) else type(policy).__name__


class _Finished:
    """Counts ended episodes and tells the caller."""

    def __init__(self, progress: Callable[[int, int], None] | None, total: int) -> None:
        self.progress, self.total, self.count = progress, total, 0

    def add(self, count: int) -> None:
        self.count += count
        if self.progress is not None and count:
            self.progress(self.count, self.total)


_PATHS = ("time", "equity", "inventory", "mid")
_SEEN = {"spread": ("spread",), "imbalance": ("imbalance",), "market_volume": ("buy_volume", "sell_volume")}
"""Paths that are read off the observation where it has these columns (their sum)."""


class _Round:
    """What one round of side-by-side episodes left: (steps, N) rows of paths and rewards, and its logs."""

    def __init__(self, episodes: int, logging: bool) -> None:
        self.episodes, self.logging = episodes, logging
        self.paths: dict[str, list[Array]] = {n: [] for n in (*_PATHS, *_SEEN)}
        self.rewards: list[Array] = []
        self.terms: dict[str, list[Array]] = {}
        self.logs: dict[str, list[Array]] = {"fills": [], "orders": [], "mids": []}
        self.origin = np.zeros(episodes, np.int64)
        self.steps = np.zeros(episodes, np.int64)
        self.terminated = np.zeros(episodes, np.bool_)
        self.truncated = np.zeros(episodes, np.bool_)

    def state(self, env: Any, observations: Array, infos: Mapping[str, Array], alive: Array) -> None:
        """Append the state of the running episodes; the others keep their last."""
        now = {
            "time": env.market_time,
            "equity": infos["net_pnl"],
            "inventory": infos["inventory"],
            "mid": infos["mid"],
        }
        names = env.observation_schema.names
        for path, columns in _SEEN.items():
            if all(c in names for c in columns):
                seen = observations[:, [names.index(c) for c in columns]].sum(axis=1, dtype=np.float64)
                now[path] = self._cumulative(path, seen) if path == "market_volume" else seen
        for path, values in now.items():
            kept = self.paths[path]
            mine = values[: self.episodes]
            kept.append(np.where(alive, mine, kept[-1]) if kept else mine.copy())

    def _cumulative(self, path: str, change: Array) -> Array:
        """What a path of changes has come to; the first observation's belongs to the time before the start."""
        kept = self.paths[path]
        total = np.zeros(len(change), np.int64)
        if kept:
            total[: self.episodes] = kept[-1]
            total += np.rint(change).astype(np.int64)
        return total

    def begin(self, env: Any) -> None:
        """Take the first row of the mids: a market logs the mid at which its episode starts."""
        if not self.logging:
            return
        mids = env.drain_logs().mids
        mids = mids[mids["env"] < self.episodes]
        self.origin[mids["env"]] = mids["time"]
        self.logs["mids"].append(mids)

    def log(self, env: Any, alive: Array) -> None:
        """Take the logs of the episodes that were running in the last step."""
        if not self.logging:
            return
        logs = env.drain_logs()
        running = np.append(alive, np.zeros(env.num_envs - self.episodes, np.bool_))
        for kind, kept in self.logs.items():
            rows = getattr(logs, kind)
            rows = rows[running[rows["env"]]]
            if len(rows):
                kept.append(rows)


def _play(
    policy: Policy,
    env: Any,
    seeds: Array,
    starts: Array | None,
    deterministic: bool,
    logging: bool,
    finished: _Finished,
) -> _Round:
    count = len(seeds)
    # The last round may have environments to spare: they repeat an episode and leave no trace.
    index = np.minimum(np.arange(env.num_envs), count - 1)
    options = None if starts is None else {"starts": starts[index]}
    observations, infos = env.reset(seed=[int(s) for s in seeds[index]], options=options)
    played = _Round(count, logging)
    alive = np.ones(count, np.bool_)
    played.state(env, observations, infos, alive)
    played.begin(env)
    state: Any = None
    start = np.ones(env.num_envs, np.bool_)
    while alive.any():
        actions, state = policy.predict(observations, state, start, deterministic)
        observations, rewards, terminated, truncated, infos = env.step(actions)
        start = terminated | truncated
        played.state(env, observations, infos, alive)
        played.log(env, alive)
        played.rewards.append(np.where(alive, rewards[:count], 0.0))
        for key, values in infos.items():
            if key.startswith("reward_"):
                played.terms.setdefault(key, []).append(np.where(alive, values[:count], 0.0))
        played.steps += alive
        ended = alive & start[:count]
        played.terminated[ended] = terminated[:count][ended]
        played.truncated[ended] = truncated[:count][ended]
        alive &= ~ended
        finished.add(int(ended.sum()))
    return played


def _join(played: list[_Round], seeds: Array, env: Any, name: str, deterministic: bool) -> Episodes:
    longest = max(len(r.rewards) for r in played)
    known = [p for p, rows in played[0].paths.items() if rows]
    paths = {p: np.concatenate([_pad(r.paths[p], longest + 1, hold=True) for r in played]) for p in known}
    spread = paths.get("spread")
    terms = {
        t: np.concatenate([_pad(r.terms[t], longest, hold=False) for r in played]) for t in played[0].terms
    }
    return Episodes(
        name=name,
        seeds=np.array(seeds, np.int64),
        steps=np.concatenate([r.steps for r in played]),
        time=paths["time"].astype(np.int64),
        equity=paths["equity"].astype(np.float64),
        inventory=paths["inventory"].astype(np.int64),
        mid=paths["mid"].astype(np.float64),
        rewards=np.concatenate([_pad(r.rewards, longest, hold=False) for r in played]),
        terms=terms,
        terminated=np.concatenate([r.terminated for r in played]),
        truncated=np.concatenate([r.truncated for r in played]),
        fills=_log(played, "fills", FILL_DTYPE),
        orders=_log(played, "orders", ORDER_DTYPE),
        mids=_log(played, "mids", MID_DTYPE),
        # The observation has 0 where a side is empty.
        spread=None if spread is None else np.where(spread > 0, spread, np.nan),
        imbalance=paths.get("imbalance"),
        market_volume=paths.get("market_volume"),
        symbol=getattr(env, "symbol", "HFT"),
        tick_size=env.config.market.tick_size,
        capital=env.config.capital,
        config=to_dict(env.config),
        deterministic=deterministic,
    )


def _pad(rows: list[Array], length: int, hold: bool) -> Array:
    """(N, length) from a list of (N,) rows, filled up with the last row or with zeros."""
    last = rows[-1] if hold else np.zeros_like(rows[-1])
    return np.stack([*rows, *[last] * (length - len(rows))], axis=1)


def _log(played: list[_Round], kind: str, dtype: np.dtype[Any]) -> Array:
    """The logs of all rounds with the columns of ``dtype``, sorted by episode, otherwise in order of
    writing.
    """
    first, parts = 0, []
    for part in played:
        parts += [episode_log(rows, dtype, part.origin, first) for rows in part.logs[kind]]
        first += part.episodes
    if not parts:
        return np.zeros(0, dtype)
    joined = np.concatenate(parts)
    return joined[np.argsort(joined["episode"], kind="stable")]


def episode_log(rows: Array, dtype: np.dtype[Any], origin: Array, first: int = 0) -> Array:
    """Records of a market's log with the columns of ``dtype``: episode *first* + ``env``, times since its start.

    Args:
        rows: the records.
        dtype: one of those of `hft_gym.evaluation.episodes`.
        origin: market time at which each environment's episode started, ns.
        first: the episode of environment 0.
    """
    out = np.zeros(len(rows), dtype)
    for column in dtype.names or ():
        if column == "episode":
            out[column] = rows["env"] + np.int64(first)
        elif column.startswith("time") and column != "time_in_force":
            # Market time counts from the market's opening, and -1 is no time at all.
            out[column] = np.where(rows[column] < 0, rows[column], rows[column] - origin[rows["env"]])
        else:
            out[column] = rows[column]
    return out
