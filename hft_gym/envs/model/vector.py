"""`HFTModelVectorEnv`: N model markets in one compiled batch, as a `gymnasium.vector.VectorEnv`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode
from numpy.typing import NDArray

from hft_gym.envs.batch import BatchEnv
from hft_gym.envs.common import check_count, check_render_mode, make_config
from hft_gym.envs.model.config import ModelConfig
from hft_gym.envs.model.core import ModelCore
from hft_gym.envs.model.schema import DepthSchema, ModelSchema
from hft_gym.envs.model.single import RENDER_MODES, HFTModelEnv, text_of

__all__ = ["HFTModelVectorEnv"]


class HFTModelVectorEnv(BatchEnv):
    """N model markets stepped together: what ``gymnasium.make_vec("HFTModel-v0", num_envs=N)`` returns.

    Environment i behaves, bit for bit, as an `HFTModelEnv` seeded with ``seed + i``, at any number of threads; see
    there for observations, actions, rewards and settings.

    Args:
        num_envs: number of environments, at least 1.
        config: a whole configuration; single ``settings`` win over it.
        threads: worker threads of the compiled step; results do not depend on it.
        autoreset_mode: as for `HFTMarketVectorEnv`.
        render_mode: ``"ansi"`` or None.
        **settings: fields of `ModelConfig`.

    Raises:
        ConfigError: a setting that does not exist or is out of range.

    >>> import gymnasium, hft_gym
    >>> envs = gymnasium.make_vec("HFTModel-v0", num_envs=1000, mid="gaussian")
    >>> observations, infos = envs.reset(seed=7)
    >>> observations.shape
    (1000, 8)
    """

    metadata: dict[str, Any] = {  # noqa: RUF012
        **HFTModelEnv.metadata,
        "autoreset_mode": AutoresetMode.NEXT_STEP,
    }
    _core: ModelCore

    def __init__(
        self,
        num_envs: int = 1,
        config: ModelConfig | Mapping[str, Any] | None = None,
        *,
        threads: int = 1,
        autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
        render_mode: str | None = None,
        **settings: Any,
    ) -> None:
        n = check_count("num_envs", num_envs, 1)
        self.config = make_config(config, settings, ModelConfig)
        self.render_mode = check_render_mode(render_mode, RENDER_MODES)
        core = ModelCore(self.config, n, threads=check_count("threads", threads, 1))
        actions = DepthSchema(self.config.action, self.config.min_depth, self.config.max_depth)
        super().__init__(core, n, ModelSchema(), actions, autoreset_mode)

    def render(self) -> tuple[Any, ...] | None:
        """A line of text for each environment, in order; None without a render mode.

        Raises:
            ResetNeeded: before the first reset.
        """
        self._check_started("render")
        if self.render_mode is None:
            return None
        return tuple(text_of(column) for column in self._core.info.T)

    @property
    def model_time(self) -> NDArray[np.float64]:
        """Time since the start of each episode; float64, ``(N,)``."""
        return self._core.env["time"].copy()
