"""Many episodes of one strategy at once, and what they earned: shared by the tests of the artefact audit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hft_gym.config import build
from hft_gym.envs.config import EnvConfig
from hft_gym.envs.core import EnvCore
from hft_gym.envs.schema import ObservationSchema
from hft_gym.flow import FlowConfig

REALISTIC = "default"
"""The preset that claims to be like a real market; the audit follows it."""
POISSON = "poisson"
"""Plain Poisson flow with informed traders."""
MARKETS = (REALISTIC, POISSON)

NONE, IMPROVE, JOIN = 0, 1, 2
BUY, SELL = 1, 2
BID, ASK = 0, 1
SECOND = 10**9
SUBUNITS = 10_000

Flow = str | FlowConfig
Decide = Callable[[EnvCore, int], NDArray[np.int64]]


class Played(NamedTuple):
    """What *n* episodes left: net P&L (n,) [ticks·lots], mids (steps + 1, n) [ticks], inventories (steps + 1, n) [lots]
    at each decision, and the logs."""

    pnl: NDArray[np.float64]
    mid: NDArray[np.float64]
    inventory: NDArray[np.float64]
    fills: NDArray[Any]
    mids: NDArray[Any]
    core: EnvCore

    def volume(self, maker: bool | None = None) -> float:
        """Lots traded before the closing, of all episodes; only as maker, or only as taker."""
        chosen = self.fills["closing"] == 0
        if maker is not None:
            chosen &= self.fills["maker"] == maker
        return float(self.fills["quantity"][chosen].sum())


def opened(
    flow: Flow | None,
    n: int,
    steps: int,
    key: int = 0,
    logs: int = 0,
    market: dict[str, Any] | None = None,
    **settings: Any,
) -> EnvCore:
    """*n* episodes of *steps* decisions in the market of *flow* (None: of the *feed* in the settings), reset to keys
    *key*, *key* + 1, ..."""
    market = {**({} if flow is None else {"flow": flow}), **(market or {})}
    config = build(EnvConfig, {"market": market, "episode_steps": steps, **settings})
    core = EnvCore(config, n, log_capacity=logs)
    core.reset(np.arange(n, dtype=np.uint64) + np.uint64(key))
    return core


def play(
    flow: Flow | None,
    decide: Decide | tuple[int, ...],
    n: int,
    steps: int,
    *,
    key: int = 0,
    logs: int = 0,
    **settings: Any,
) -> Played:
    """Play whole episodes; *decide* gives the (n, 3) actions of a step, or is the one action of all steps."""
    core = opened(flow, n, steps, key, logs, **settings)
    mid, inventory = [core.info[4].copy()], [core.info[3].copy()]
    for step in range(steps):
        actions = np.tile(decide, (n, 1)) if isinstance(decide, tuple) else decide(core, step)
        core.step(actions)
        mid.append(core.info[4].copy())
        inventory.append(core.info[3].copy())
    drained = core.drain()
    return Played(core.info[2].copy(), np.array(mid), np.array(inventory), drained.fills, drained.mids, core)


def standard_error(values: NDArray[np.float64]) -> float:
    return float(values.std(ddof=1) / np.sqrt(len(values)))


def column(core: EnvCore, name: str) -> NDArray[np.float32]:
    """A column of the latest observations by the name it has in the schema."""
    return core.obs[:, ObservationSchema(core.config.levels).index(name)]
