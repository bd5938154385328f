"""`HFTVecEnv`: the batch of markets as a Stable-Baselines3 ``VecEnv``, directly over the compiled core.

Stable-Baselines3 does not take a Gymnasium ``VectorEnv``: it wants environments that start anew within the
step that ended them, and a list of dicts as infos. For 256 environments building those dicts would cost more
than the markets, so running episodes share the empty ones, and only an ended episode gets a full one.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any

import numpy as np
from gymnasium.utils import seeding
from numpy.typing import NDArray

from hft_gym.config import did_you_mean
from hft_gym.envs.common import INTEGER_KEYS, check_count, check_options, check_render_mode, draw_key, make_config
from hft_gym.envs.config import EnvConfig
from hft_gym.envs.core import EnvCore
from hft_gym.envs.render import Renderer
from hft_gym.envs.schema import ObservationSchema
from hft_gym.envs.task_actions import action_schema
from hft_gym.errors import ActionError, ConfigError
from hft_gym.extras import needing_extras

with needing_extras():
    from stable_baselines3.common.monitor import Monitor
    from stable_baselines3.common.vec_env import VecEnv

__all__ = ["EPISODE_KEYS", "HFTVecEnv", "make_vec_env"]

_SAME_STEP = 2

EPISODE_KEYS = ("r", "l", "t", "pnl", "fees", "volume", "inventory")
"""Keys of ``info["episode"]``: return, decisions and seconds as Stable-Baselines3's ``Monitor`` has them; net
P&L and fees in ticks·lots, own volume traded in lots (the final close too), mean |inventory| in lots."""


def make_vec_env(
    num_envs: int = 256,
    config: EnvConfig | Mapping[str, Any] | None = None,
    *,
    seed: int | None = None,
    threads: int = 1,
    stagger: bool = False,
    step_infos: bool = False,
    render_mode: str | None = None,
    **settings: Any,
) -> HFTVecEnv:
    """A Stable-Baselines3 ``VecEnv`` of N markets.

    Args:
        num_envs: N.
        config: the environment; single ``settings`` win over it.
        seed: environment i is seeded with ``seed + i`` at the first reset; None: fresh entropy.
        threads: of the compiled step; results do not depend on it.
        stagger: begin the first episodes at different times before their end, so that not all episodes
            of the batch end in the same step for ever after. Those first, shorter ones are not reported.
        step_infos: give every info of every step its values, as a single environment would (slower).
        render_mode: as for ``HFTMarket-v0``.
        **settings: fields of `EnvConfig`.

    Raises:
        ConfigError: a setting that does not exist or is out of range.
    """
    env = HFTVecEnv(
        num_envs,
        config,
        threads=threads,
        stagger=stagger,
        step_infos=step_infos,
        render_mode=render_mode,
        **settings,
    )
    if seed is not None:
        env.seed(seed)
    return env


class HFTVecEnv(VecEnv):
    """N markets as a Stable-Baselines3 ``VecEnv``; see `make_vec_env` for the arguments.

    Environment i plays, bit for bit, what ``HFTMarketVectorEnv`` in SAME_STEP mode plays from the same seed.
    Observations are new float32 arrays of shape (N, columns), rewards float32 (N,), dones bool (N,).

    Infos: one dict per environment. While an episode runs it is empty, and the same object at every step:
    what you need of all environments at each step stands in arrays in `infos`. The dict of an episode that
    ended is new and holds the last infos of the environment, ``terminal_observation``,
    ``TimeLimit.truncated`` (always False: the end, with the position closed, is a real end) and ``episode``
    with the keys `EPISODE_KEYS`. So a ``Monitor`` is not needed, and ``env_is_wrapped(Monitor)`` answers
    True, which is what Stable-Baselines3 wants to know when it asks.
    """

    def __init__(
        self,
        num_envs: int,
        config: EnvConfig | Mapping[str, Any] | None = None,
        *,
        threads: int = 1,
        stagger: bool = False,
        step_infos: bool = False,
        render_mode: str | None = None,
        **settings: Any,
    ) -> None:
        n = check_count("num_envs", num_envs, 1)
        self.config = make_config(config, settings, EnvConfig)
        self.observation_schema = ObservationSchema.of(self.config)
        self.action_schema = action_schema(self.config)
        self.core = EnvCore(self.config, n, threads=check_count("threads", threads, 1))
        self._integers = [key for key in self.core.INFO_KEYS if key in INTEGER_KEYS]
        self.stagger, self.step_infos = stagger, step_infos
        self.spec = None
        self._render_mode = check_render_mode(render_mode)
        self._extra: list[dict[str, Any]] = [{} for _ in range(n)]
        self._keyed = np.zeros(n, np.bool_)
        self._np_random: np.random.Generator | None = None
        self._empty: list[dict[str, Any]] = [{} for _ in range(n)]
        self._actions: NDArray[np.int64] | None = None
        self._begin_episodes(n)
        self._inventory = self.observation_schema.index("inventory")
        self._own_volume = [self.observation_schema.index(c) for c in ("bought", "sold")]
        self._renderers = [] if render_mode is None else self._make_renderers(n)
        super().__init__(n, self.observation_schema.space(), self.action_schema.space())

    def _make_renderers(self, count: int) -> list[Renderer]:
        shown = 1 if self._render_mode == "human" else count
        tick, history = self.config.market.tick_size, self._render_mode == "rgb_array"
        return [
            Renderer(self.observation_schema, tick, f"{self.config.id} [{i}]", history=history)
            for i in range(shown)
        ]

    def _begin_episodes(self, n: int) -> None:
        self._return = np.zeros(n)
        self._length = np.zeros(n, np.int64)
        self._volume = np.zeros(n)
        self._held = np.zeros(n)
        self._short = np.zeros(n, np.bool_)  # episodes that a staggered start has cut
        self._started = time.time()

    @property
    def infos(self) -> dict[str, NDArray[Any]]:
        """The infos of the last step as arrays of shape (N,), by key; copies.

        Where an episode ended in that step they are those of the new one.
        """
        rows = zip(self.core.INFO_KEYS, self.core.info, strict=True)
        return {key: row.astype(np.int64 if key in INTEGER_KEYS else np.float64) for key, row in rows}

    # --- the VecEnv protocol ---

    def reset(self) -> NDArray[np.float32]:
        """Start an episode in every environment, with the seeds given since the last reset, if any.

        Without a seed an environment goes on to the next episode of its last one; the very first draws
        fresh entropy.

        Raises:
            ConfigError: options, of which there are none.
        """
        for options in self._options:
            check_options(options, ())
        fresh, keys = ~self._keyed, np.zeros(self.num_envs, np.uint64)
        for i, seed in enumerate(self._seeds):
            if seed is not None:
                keys[i] = draw_key(seeding.np_random(int(seed))[0])
                fresh[i] = True
            elif fresh[i]:
                if self._np_random is None:
                    self._np_random = seeding.np_random(None)[0]
                keys[i] = draw_key(self._np_random)
        if fresh.any():
            self.core.reset(keys, fresh)
        if not fresh.all():
            self.core.reset(None, ~fresh)
        self._keyed[:] = True
        self._begin_episodes(self.num_envs)
        if self.stagger:
            self._stagger()
        self._reset_seeds()
        self._reset_options()
        self.reset_infos = self._whole_infos()
        observations = self.core.obs.copy()
        self._record(observations, np.ones(self.num_envs, np.bool_))
        return observations

    def _stagger(self) -> None:
        """Count a different number of the first episode's decisions as made already."""
        steps = self.config.episode_steps
        made = steps * np.arange(self.num_envs) // self.num_envs
        self.core.env["step"] = made
        self.core.obs[:, self.observation_schema.index("time_left")] = 1.0 - made / steps
        self._short = made > 0

    def step_async(self, actions: Any) -> None:
        """Take the actions of the next step, in the encoding of ``action_space``.

        Raises:
            ActionError: of the wrong shape or type; out of range is told by `step_wait`.
        """
        self._actions = self.action_schema.decode_batch(actions, self.num_envs, ranges=False)

    def step_wait(
        self,
    ) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.bool_], list[dict[str, Any]]]:
        """Play the step: observations, rewards, dones and infos; ended episodes have been started anew.

        Raises:
            ActionError: an action out of range; nothing has happened.
            RuntimeError: before `reset`, or without `step_async`.
        """
        actions, self._actions = self._actions, None
        if actions is None or not self._keyed.all():
            raise RuntimeError("step: call reset() first, then step(actions)")
        core = self.core
        try:
            core.step(actions, _SAME_STEP)
        except ActionError:
            self.action_schema.decode_batch(actions, self.num_envs)  # says more of what is wrong
            raise
        observations, rewards = core.obs.copy(), core.reward.astype(np.float32)
        dones = core.terminated | core.truncated
        self._return += core.reward
        self._length += 1
        # Rows of ended episodes hold the new episode's start: zeros here, their last values come below.
        for column in self._own_volume:
            self._volume += observations[:, column]
        self._held += np.abs(observations[:, self._inventory])
        infos = self._whole_infos() if self.step_infos else self._empty.copy()
        if dones.any():
            for i in np.flatnonzero(dones).tolist():
                infos[i] = self._final_info(i)
        self._record(observations, dones)
        return observations, rewards, dones, infos

    def _final_info(self, i: int) -> dict[str, Any]:
        """The info of the episode that has just ended in environment i, whose sums begin anew."""
        core = self.core
        last = core.final_obs[i].copy()
        info = self._as_info(core.final_info[:, i])
        steps = int(self._length[i])
        volume = self._volume[i] + float(last[self._own_volume].sum())
        info["terminal_observation"] = last
        info["TimeLimit.truncated"] = bool(core.truncated[i])
        if not self._short[i]:
            info["episode"] = {
                "r": float(self._return[i]),
                "l": steps,
                "t": round(time.time() - self._started, 6),
                "pnl": info["net_pnl"],
                "fees": info["fees"],
                "volume": volume,
                "inventory": (self._held[i] + abs(float(last[self._inventory]))) / steps,
            }
        self._return[i] = self._volume[i] = self._held[i] = 0.0
        self._length[i] = 0
        self._short[i] = False
        return info

    def _as_info(self, values: NDArray[np.float64]) -> dict[str, Any]:
        info: dict[str, Any] = dict(zip(self.core.INFO_KEYS, values.tolist(), strict=True))
        for key in self._integers:
            info[key] = int(info[key])
        return info

    def _whole_infos(self) -> list[dict[str, Any]]:
        return [self._as_info(column) for column in self.core.info.T]

    def _record(self, observations: NDArray[np.float32], starts: NDArray[np.bool_]) -> None:
        if not self._renderers:
            return
        at = [self.core.INFO_KEYS.index(k) for k in ("mid", "net_pnl", "time")]
        for i, renderer in enumerate(self._renderers):
            mid, net_pnl, seconds = (float(self.core.info[k, i]) for k in at)
            renderer.record(observations[i].copy(), mid, net_pnl, seconds, bool(starts[i]))
        if self._render_mode == "human":
            self._renderers[0].show()

    def close(self) -> None:
        """Nothing is left open; may be called twice."""

    def get_images(self) -> Sequence[NDArray[np.uint8] | None]:
        """The picture of each environment; needs ``render_mode="rgb_array"``."""
        if self._render_mode != "rgb_array":
            return [None] * self.num_envs
        return [r.rgb() for r in self._renderers]

    # --- the environments one by one, as far as there is such a thing ---

    def _member(self, name: str, i: int) -> Any:
        """Attribute ``name`` of environment i."""
        if name in self._extra[i]:
            return self._extra[i][name]
        if name in _SHARED:
            return getattr(self, name)
        if name == "render_mode":
            return self._render_mode
        if name == "market_time":
            return int(self.core.time_ns[i])
        if name == "reference_price":
            return self.core.reference_price
        if name == "render":
            return lambda: self._render_one(i)
        names = sorted({*_SHARED, *_SINGLE, *self._extra[i]})
        raise AttributeError(f"the environments of HFTVecEnv have no {name!r}{did_you_mean(name, names)}")

    def _render_one(self, i: int) -> Any:
        if not self._renderers:
            raise ConfigError("render: make the environments with render_mode=")
        if self._render_mode == "human":
            return None  # shown as it is played
        return self._renderers[i].ansi() if self._render_mode == "ansi" else self._renderers[i].rgb()

    def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]:
        """Attribute of each environment.

        Raises:
            AttributeError: they have none of this name; the message lists those they have.
        """
        return [self._member(attr_name, i) for i in self._get_indices(indices)]

    def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None:
        """Hang an attribute of your own on environments.

        Raises:
            AttributeError: what the environment is made of cannot be changed: it would have no effect.
        """
        if attr_name in _SHARED or attr_name in _SINGLE:
            raise AttributeError(
                f"{attr_name!r} of the environments is fixed when they are made: make new ones"
            )
        for i in self._get_indices(indices):
            self._extra[i][attr_name] = value

    def env_method(
        self, method_name: str, *method_args: Any, indices: Any = None, **method_kwargs: Any
    ) -> list[Any]:
        """Call a method of each environment: ``render``, or what `set_attr` has hung on it.

        Raises:
            AttributeError: they have no such method.
        """
        if method_name in ("reset", "step"):
            raise AttributeError(f"the environments of a batch cannot {method_name} one by one")
        return [
            self._member(method_name, i)(*method_args, **method_kwargs) for i in self._get_indices(indices)
        ]

    def env_is_wrapped(self, wrapper_class: type, indices: Any = None) -> list[bool]:
        """False, but for ``Monitor``: what that would add to the infos is there."""
        answer = isinstance(wrapper_class, type) and issubclass(wrapper_class, Monitor)
        return [answer for _ in self._get_indices(indices)]

    def __deepcopy__(self, memo: dict[int, Any]) -> HFTVecEnv:
        twin = type(self).__new__(type(self))
        memo[id(self)] = twin
        twin.__dict__.update(deepcopy(self.__getstate__(), memo))
        return twin

    def __getstate__(self) -> dict[str, Any]:
        """Everything: a pickled batch continues bit for bit."""
        return self.__dict__.copy()


_SHARED = (
    "action_schema",
    "action_space",
    "config",
    "metadata",
    "observation_schema",
    "observation_space",
    "spec",
)
"""Attributes of an environment that all of the batch have alike."""
_SINGLE = ("market_time", "reference_price", "render", "render_mode")
"""Attributes of an environment that are its own."""
