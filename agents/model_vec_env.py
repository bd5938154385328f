"""`ModelVecEnv`: the batch of model markets (``HFTModel-v0``) as a Stable-Baselines3 ``VecEnv``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from gymnasium.utils import seeding
from numpy.typing import NDArray
from stable_baselines3.common.vec_env import VecEnv

from hft_gym.config import did_you_mean
from hft_gym.envs.common import check_count, check_options, draw_key, make_config
from hft_gym.envs.model.config import ModelConfig
from hft_gym.envs.model.core import ModelCore
from hft_gym.envs.model.schema import DepthSchema, ModelSchema
from hft_gym.envs.orders import SAME_STEP

__all__ = ["ModelVecEnv"]


class ModelVecEnv(VecEnv):
    """N model markets; environment i plays, bit for bit, what ``HFTModelVectorEnv`` in SAME_STEP mode plays.

    Infos are empty while an episode runs (the same dict at every step), else hold ``terminal_observation``,
    ``TimeLimit.truncated`` (always False) and ``net_pnl``.

    Args:
        num_envs: N.
        config: the environment; single ``settings`` win over it.
        threads: of the compiled step; results do not depend on it.
        **settings: fields of `ModelConfig`.

    Raises:
        ConfigError: a setting that does not exist or is out of range.
    """

    def __init__(
        self,
        num_envs: int,
        config: ModelConfig | Mapping[str, Any] | None = None,
        *,
        threads: int = 1,
        **settings: Any,
    ) -> None:
        n = check_count("num_envs", num_envs, 1)
        self.config = make_config(config, settings, ModelConfig)
        self.observation_schema = ModelSchema()
        self.action_schema = DepthSchema(self.config.action, self.config.min_depth, self.config.max_depth)
        self.core = ModelCore(self.config, n, threads=check_count("threads", threads, 1))
        self.render_mode = None
        self._keyed = np.zeros(n, np.bool_)
        self._empty: list[dict[str, Any]] = [{} for _ in range(n)]
        self._actions: NDArray[np.float64] | None = None
        super().__init__(n, self.observation_schema.space(), self.action_schema.space())

    def reset(self) -> NDArray[np.float32]:
        """Start an episode in every environment, with the seeds given since the last reset, if any.

        Raises:
            ConfigError: options, of which there are none.
        """
        for options in self._options:
            check_options(options, ())
        fresh, keys = ~self._keyed, np.zeros(self.num_envs, np.uint64)
        entropy = seeding.np_random(None)[0]
        for i, seed in enumerate(self._seeds):
            if seed is not None or fresh[i]:
                keys[i] = draw_key(entropy if seed is None else seeding.np_random(int(seed))[0])
                fresh[i] = True
        if fresh.any():
            self.core.reset(keys, fresh)
        if not fresh.all():
            self.core.reset(None, ~fresh)
        self._keyed[:] = True
        self._reset_seeds()
        self._reset_options()
        return self.core.obs.copy()

    def step_async(self, actions: Any) -> None:
        """Take the actions of the next step, in the encoding of ``action_space``.

        Raises:
            ActionError: not elements of it.
        """
        self._actions = self.action_schema.decode_batch(actions, self.num_envs)

    def step_wait(
        self,
    ) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.bool_], list[dict[str, Any]]]:
        """Play the step: observations, rewards, dones and infos; ended episodes have been started anew.

        Raises:
            RuntimeError: before `reset`, or without `step_async`.
        """
        actions, self._actions = self._actions, None
        if actions is None or not self._keyed.all():
            raise RuntimeError("step: call reset() first, then step(actions)")
        core = self.core
        core.step(actions, SAME_STEP)
        infos = self._empty.copy()
        pnl = core.INFO_KEYS.index("net_pnl")
        for i in np.flatnonzero(core.terminated).tolist():
            infos[i] = {
                "terminal_observation": core.final_obs[i].copy(),
                "TimeLimit.truncated": False,
                "net_pnl": float(core.final_info[pnl, i]),
            }
        return core.obs.copy(), core.reward.astype(np.float32), core.terminated.copy(), infos

    def close(self) -> None:
        """Nothing is left open; may be called twice."""

    def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]:
        """Attribute that all environments have alike.

        Raises:
            AttributeError: they have none of this name.
        """
        if attr_name not in _SHARED:
            raise AttributeError(f"the environments have no {attr_name!r}{did_you_mean(attr_name, _SHARED)}")
        return [getattr(self, attr_name) for _ in self._get_indices(indices)]

    def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None:
        """Nothing about the environments can be changed.

        Raises:
            AttributeError: always.
        """
        raise AttributeError(f"{attr_name!r} of the environments is fixed when they are made: make new ones")

    def env_method(self, method_name: str, *method_args: Any, indices: Any = None, **method_kwargs: Any) -> list[Any]:
        """The environments of a batch have no methods of their own.

        Raises:
            AttributeError: always.
        """
        raise AttributeError(f"the environments of a batch cannot {method_name} one by one")

    def env_is_wrapped(self, wrapper_class: type, indices: Any = None) -> list[bool]:
        """False."""
        return [False for _ in self._get_indices(indices)]


_SHARED = ("action_schema", "action_space", "config", "observation_schema", "observation_space", "render_mode")
