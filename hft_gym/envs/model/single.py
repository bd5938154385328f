"""`HFTModelEnv`: one model market as a `gymnasium.Env`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import gymnasium
import numpy as np
from gymnasium.error import ResetNeeded
from numpy.typing import NDArray

from hft_gym.envs.common import check_options, check_render_mode, draw_key, make_config
from hft_gym.envs.model.config import ModelConfig
from hft_gym.envs.model.core import ModelCore
from hft_gym.envs.model.schema import DepthSchema, ModelSchema

__all__ = ["RENDER_MODES", "HFTModelEnv", "text_of"]

RENDER_MODES = ("ansi",)


class HFTModelEnv(gymnasium.Env[NDArray[np.float32], NDArray[np.float32]]):
    """A market maker in the model of Avellaneda-Stoikov and Cartea-Jaimungal: no book, fills by depth.

    This is the data sheet of ``HFTModel-v0``. The mid diffuses; market orders reach a quote at depth d (its distance
    from the mid) at the rate A exp(-k d) on each side. The model has exact solutions, and this environment exists to
    check strategies and agents against them; whatever earns here need not earn in a book. Price, time and lots have
    no units of their own. Sources: Avellaneda and Stoikov (2008, Quantitative Finance 8:217), Guéant, Lehalle and
    Fernandez-Tapia (2013), Cartea, Jaimungal and Penalva (2015, chapter 10). The defaults are the first paper's.

    >>> import gymnasium, hft_gym
    >>> env = gymnasium.make("HFTModel-v0")
    >>> observation, info = env.reset(seed=7)
    >>> schema, actions = env.unwrapped.observation_schema, env.unwrapped.action_schema
    >>> float(observation[schema.index("time_left")])
    1.0
    >>> observation, reward, terminated, truncated, info = env.step(actions.encode(bid=0.7, ask=0.7))
    >>> reward == sum(value for name, value in info.items() if name.startswith("reward_"))
    True

    ## Observation

    ``Box(float32)`` in raw units, finite bounds; the columns by name are in ``observation_schema``.

    | index | name | unit | min | max | meaning |
    |---|---|---|---|---|---|
    | 0 | time_left | 1 | 0 | 1 | share of the episode that is left; 1 at the start, 0 at the end |
    | 1 | inventory | lots | -2^24 | 2^24 | own position; negative is short |
    | 2 | mid | price | -2^23 | 2^23 | mid price |
    | 3 | cash | price·lots | -2^50 | 2^50 | cash; 0 at the start |
    | 4 | mid_change | price | -2^23 | 2^23 | change of the mid since the last decision |
    | 5 | elapsed | time | 0 | 1e6 | time since the last decision |
    | 6 | bought | lots | 0 | 2^24 | own bids filled since the last decision |
    | 7 | sold | lots | 0 | 2^24 | own asks filled since the last decision |

    ## Action

    ``Box(-1, 1, (2,), float32)``: the depths of the bid and of the ask, one lot each; -1 is ``min_depth`` and 1 is
    ``max_depth``. With ``action="depths"`` they are the depths themselves, within these bounds. The bid stands at mid - depth, the ask at mid + depth; a negative depth is beyond the mid and is filled all the sooner. Quotes move
    with the mid until the next decision. An action outside the space raises ``ActionError`` and nothing happens;
    ``action_schema.encode(bid, ask)`` cuts depths to the bounds. A side that would take the position beyond
    ``max_inventory`` is not filled.

    ## Clock

    ``clock="time"``: the papers' discretisation. Every dt = horizon / steps each side is filled with probability
    min(rate · dt, 1) (``fills="linear"``) or 1 - exp(-rate · dt) (``"exact"``), at the mid of the step's start; then the mid
    moves by ± sigma sqrt(dt) (``mid="binomial"``) or normally (``"gaussian"``), plus the drift. Both sides may be
    filled in one step. At dt = 0.005 the two laws differ much (profit 64.9 and 57.2 for Avellaneda and Stoikov's gamma of
    0.1), because a rate of 50 is 0.25 fills a step.

    ``clock="event"``: continuous time. A step ends at the next fill, or after dt; fills come at exact times with their
    rates, and the mid (``"gaussian"`` only) has moved until then. ``fills`` has no meaning.

    ## Reward

    The sum of the named terms, each of them in the info under its name:

    | term | value |
    |---|---|
    | ``reward_pnl`` | ``reward.pnl`` times the change of cash + inventory · mid |
    | ``reward_inventory`` | minus ``reward.inventory`` times squared inventory times the time it was held |
    | ``reward_terminal`` | at the end, minus ``reward.terminal`` times squared inventory |
    | ``reward_utility`` | at the end, ``reward.utility`` times (1 - exp(-gamma · P&L)) / gamma, gamma being ``reward.risk_aversion`` |

    The first is the risk-neutral maker's, the first three are Cartea and Jaimungal's, the last (with ``reward.pnl=0``)
    is Avellaneda and Stoikov's exponential utility up to a constant and a factor; losses are cut at 50 / gamma in it.

    ## Start and end

    An episode starts at ``initial_price`` with ``initial_inventory`` and ends (``terminated``) at the horizon, the
    position marked at the mid. ``reset(seed)`` makes everything that follows a function of the seed, later unseeded
    resets included; unseeded episodes differ. Nothing truncates but wrappers. With the time clock the mid's path
    and the random numbers of the fills are the same whatever is quoted (without adverse selection).

    ## Info

    ``reward_pnl``, ``reward_inventory``, ``reward_terminal``, ``reward_utility``, ``net_pnl`` (price·lots, since the
    start), ``inventory`` (lots), ``mid`` (price), ``time`` (since the start); the same keys and types at every
    reset and step.

    ## Arguments

    Every setting is a keyword of ``gymnasium.make``; nested ones as mappings (``reward={"inventory": 0.01}``), or
    whole as ``config=ModelConfig(...)``. An unknown one raises ``ConfigError``, which names the nearest.
    ``render_mode`` is ``"ansi"`` (a line of text) or None.

    | setting | default | meaning |
    |---|---|---|
    | ``horizon`` | 1 | T, length of an episode [time] |
    | ``steps`` | 200 | decisions an episode; a decision's time is horizon / steps |
    | ``clock`` | time | decide every horizon / steps with at most one fill a side, or also at every fill, exactly |
    | ``fills`` | linear | fill probability of a step at rate r: min(r dt, 1), or 1 - exp(-r dt) |
    | ``mid`` | binomial | moves of the mid in a step: up or down by sigma sqrt(dt), or normal |
    | ``initial_price`` | 100 | mid at the start [price] |
    | ``initial_inventory`` | 0 | position at the start [lots] |
    | ``sigma`` | 2 | volatility of the mid [price / sqrt(time)] |
    | ``drift`` | 0 | of the mid [price / time] |
    | ``arrival_rate`` | 140 | A, market orders a side at depth 0 [1 / time] |
    | ``k`` | 1.5 | decay of the fill rate A exp(-k depth) with depth [1 / price] |
    | ``adverse_selection`` | 0 | xi, move of the mid against the maker at each of its fills [price] |
    | ``max_inventory`` | 100 | largest absolute position; at it the growing side is not filled [lots] |
    | ``min_depth`` | -5 | lowest depth that can be quoted [price] |
    | ``max_depth`` | 5 | greatest depth that can be quoted [price] |
    | ``action`` | normalized | actions -1 to 1 for min_depth to max_depth, or the depths themselves |
    | ``reward.pnl`` | 1 | weight of the change of cash + inventory · mid |
    | ``reward.inventory`` | 0 | phi: penalty per time and squared lot of inventory |
    | ``reward.terminal`` | 0 | alpha: penalty per squared lot at the end |
    | ``reward.utility`` | 0 | weight of the exponential utility of the P&L at the end |
    | ``reward.risk_aversion`` | 0.1 | gamma of that utility [1 / (price · lots)] |

    ## Version history

    * v0: first version.
    """  # noqa: E501

    metadata: dict[str, Any] = {"render_modes": list(RENDER_MODES), "render_fps": 10}  # noqa: RUF012

    def __init__(
        self,
        config: ModelConfig | Mapping[str, Any] | None = None,
        *,
        render_mode: str | None = None,
        **settings: Any,
    ) -> None:
        self.config = make_config(config, settings, ModelConfig)
        self.render_mode = check_render_mode(render_mode, RENDER_MODES)
        self.observation_schema = ModelSchema()
        self.action_schema = DepthSchema(self.config.action, self.config.min_depth, self.config.max_depth)
        self.observation_space = self.observation_schema.space()
        self.action_space = self.action_schema.space()
        self._core = ModelCore(self.config, 1)
        self._keyed = False  # whether the core has a key to derive the next episode from
        self._running = False
        self._was_reset = False

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.float32], dict[str, Any]]:
        """Start an episode.

        Args:
            seed: episodes from here on are a function of it. None: the next episode of the last seed; if there
                was none, fresh entropy.
            options: there are none.

        Raises:
            ConfigError: an option.
        """
        check_options(options, ())
        super().reset(seed=seed)
        keys = None
        if seed is not None or not self._keyed:
            keys = np.array([draw_key(self.np_random)], dtype=np.uint64)
        self._core.reset(keys)
        self._keyed = self._running = self._was_reset = True
        return self._core.obs[0].copy(), self._info()

    def step(self, action: Any) -> tuple[NDArray[np.float32], float, bool, bool, dict[str, Any]]:
        """Quote, and let the model run to the next decision.

        Args:
            action: an element of ``action_space``.

        Returns:
            Observation, reward (the sum of the ``reward_*`` terms in the info), terminated, truncated, info.

        Raises:
            ActionError: not an element of ``action_space``; nothing has happened.
            ResetNeeded: before the first reset, or after the end of an episode.
        """
        if not self._running:
            when = "after the end of an episode: call `reset()`" if self._was_reset else "before `reset()`"
            raise ResetNeeded(f"Cannot call `step()` {when}")
        core = self._core
        core.step(self.action_schema.decode(action))
        ended = bool(core.terminated[0])
        self._running = not ended
        return core.obs[0].copy(), float(core.reward[0]), ended, False, self._info()

    def _info(self) -> dict[str, Any]:
        info: dict[str, Any] = dict(zip(self._core.INFO_KEYS, self._core.info[:, 0].tolist(), strict=True))
        info["inventory"] = int(info["inventory"])
        return info

    def render(self) -> Any:
        """The latest state as a line of text; None without a render mode.

        Raises:
            ResetNeeded: before the first reset.
        """
        if not self._was_reset:
            raise ResetNeeded("Cannot call `render()` before `reset()`: there is no market to show yet")
        return None if self.render_mode is None else text_of(self._core.info[:, 0])


def text_of(info: NDArray[np.float64]) -> str:
    """One environment's infos as a line of text."""
    net_pnl, inventory, mid, time = info[4:8]
    return f"time {time:.4f}  mid {mid:.3f}  inventory {int(inventory):+d}  P&L {net_pnl:+.3f}"
