"""`HFTMarketEnv`: one market as a `gymnasium.Env`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import gymnasium
import numpy as np
from gymnasium.error import ResetNeeded
from numpy.typing import NDArray

from hft_gym.envs.actions import ActionSchema
from hft_gym.envs.common import RENDER_MODES, check_options, check_render_mode, draw_key, make_config
from hft_gym.envs.config import EnvConfig
from hft_gym.envs.core import EnvCore
from hft_gym.envs.render import RENDER_FPS, Renderer
from hft_gym.envs.schema import ObservationSchema

__all__ = ["HFTMarketEnv"]


class HFTMarketEnv(gymnasium.Env[NDArray[np.float32], Any]):
    """DATASHEET"""

    metadata: ClassVar[dict[str, Any]] = {"render_modes": list(RENDER_MODES), "render_fps": RENDER_FPS}

    def __init__(
        self,
        config: EnvConfig | Mapping[str, Any] | None = None,
        *,
        render_mode: str | None = None,
        **settings: Any,
    ) -> None:
        self.config = make_config(config, settings)
        self.render_mode = check_render_mode(render_mode)
        self.observation_schema = ObservationSchema(self.config.levels)
        self.action_schema = ActionSchema(self.config.action)
        self.observation_space = self.observation_schema.space()
        self.action_space = self.action_schema.space()
        self._core = EnvCore(self.config, 1)
        self._renderer: Renderer | None = None
        if render_mode is not None:
            self._renderer = Renderer(
                self.observation_schema, self._core.tick_size, "HFTMarket-v0", history=render_mode == "rgb_array"
            )
        self._keyed = False  # whether the core has a key to derive the next episode from
        self._running = False
        self._was_reset = False
        self._bind()

    def _bind(self) -> None:
        """Keep hold of the core's buffers: looking them up costs as much as reading them."""
        core = self._core
        self._decode = self.action_schema.decode
        self._orders = np.zeros((1, 3), dtype=np.int64)
        self._obs = core.obs[0]
        self._reward, self._terminated, self._truncated = core.reward, core.terminated, core.truncated
        self._values = core.info[:, 0]

    def __getstate__(self) -> dict[str, Any]:
        """Everything but the views of the core's buffers, which a copy must not share."""
        views = ("_decode", "_orders", "_obs", "_reward", "_terminated", "_truncated", "_values")
        return {name: value for name, value in self.__dict__.items() if name not in views}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Restore a copied or pickled environment: it goes on bit for bit."""
        self.__dict__.update(state)
        self._bind()

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.float32], dict[str, Any]]:
        """Start an episode.

        Args:
            seed: episodes from here on are a function of it. None: the next episode of the last seed; if there was
                none, fresh entropy.
            options: none exist; a mapping must be empty.

        Returns:
            The observation, float32 of shape ``(len(observation_schema),)``, and the info.

        Raises:
            ConfigError: an unknown option.
        """
        check_options(options, ())
        super().reset(seed=seed)
        if seed is not None or not self._keyed:
            self._core.reset(np.array([draw_key(self.np_random)], dtype=np.uint64), None)
            self._keyed = True
        else:
            self._core.reset(None, None)
        self._running = self._was_reset = True
        observation, info = self._obs.copy(), self._info()
        if self._renderer is not None:
            self._record(observation, info, start=True)
        return observation, info

    def step(self, action: Any) -> tuple[NDArray[np.float32], float, bool, bool, dict[str, Any]]:
        """Act, and let the market run to the next decision.

        Args:
            action: an element of ``action_space``.

        Returns:
            Observation, reward (the sum of the ``reward_*`` terms in the info), terminated, truncated, info.

        Raises:
            ActionError: not an element of ``action_space``; nothing has happened.
            ResetNeeded: before the first reset, or after the end of an episode.
        """
        if not self._running:
            raise self._needs_reset()
        orders = self._orders
        orders[0] = self._decode(action)
        self._core.step(orders)
        terminated, truncated = self._terminated.item(), self._truncated.item()
        if terminated or truncated:
            self._running = False
        observation, info = self._obs.copy(), self._info()
        if self._renderer is not None:
            self._record(observation, info, start=False)
        return observation, self._reward.item(), terminated, truncated, info

    def _info(self) -> dict[str, Any]:
        info = dict(zip(self._core.INFO_KEYS, self._values.tolist(), strict=True))
        info["inventory"] = int(info["inventory"])
        return info

    def _needs_reset(self) -> ResetNeeded:
        if not self._was_reset:
            return ResetNeeded("Cannot call `step()` before `reset()`: no episode has been started")
        return ResetNeeded("Cannot call `step()` after the end of an episode: call `reset()` to start the next one")

    def _record(self, observation: NDArray[np.float32], info: dict[str, Any], start: bool) -> None:
        assert self._renderer is not None
        self._renderer.record(observation, info["mid"], info["net_pnl"], info["time"], start)
        if self.render_mode == "human":
            self._renderer.show()

    def render(self) -> Any:
        """A frame of the latest observation.

        Returns:
            ``ansi``: text; ``rgb_array``: uint8 of shape (540, 960, 3); ``human``: None, the ladder is on the terminal.

        Raises:
            ResetNeeded: before the first reset.
        """
        if not self._was_reset:
            raise ResetNeeded("Cannot call `render()` before `reset()`: there is no market to show yet")
        if self._renderer is None:
            gymnasium.logger.warn(
                "render() was called without a render mode: nothing is drawn. "
                f"Give one to gymnasium.make, for example render_mode='rgb_array'; there are {', '.join(RENDER_MODES)}."
            )
            return None
        if self.render_mode == "human":
            return None  # shown at every reset and step
        return self._renderer.ansi() if self.render_mode == "ansi" else self._renderer.rgb()

    @property
    def market_time(self) -> int:
        """Market time of the latest observation, ns since the start of the episode."""
        return int(self._core.time_ns[0])

    def drain_logs(self) -> Any:
        """Fills, orders and mids logged since the last call, as structured arrays; see `EnvCore.drain`."""
        return self._core.drain()
