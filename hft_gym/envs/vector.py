"""`HFTMarketVectorEnv`: N independent markets in one compiled batch, as a `gymnasium.vector.VectorEnv`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import gymnasium
import numpy as np
from gymnasium.vector import AutoresetMode
from numpy.typing import NDArray

from hft_gym.envs.batch import BatchEnv
from hft_gym.envs.common import RENDER_MODES, check_count, check_render_mode, make_config, of_task
from hft_gym.envs.config import EnvConfig
from hft_gym.envs.core import EnvCore, Logs
from hft_gym.envs.render import RENDER_FPS, Renderer
from hft_gym.envs.schema import ObservationSchema
from hft_gym.envs.task_actions import action_schema
from hft_gym.errors import ConfigError

__all__ = ["HFTMarketVectorEnv"]


class HFTMarketVectorEnv(BatchEnv):
    """N markets stepped together: what ``gymnasium.make_vec("HFTMarket-v0", num_envs=N)`` returns.

    Environment i behaves, bit for bit, as an `HFTMarketEnv` seeded with ``seed + i``, at any number of
    threads; see there for observations, actions, rewards and settings. Infos follow Gymnasium's vector
    convention: an array of shape ``(N,)`` for each key, and under ``_key`` a mask of the environments that
    have it. ``reset`` takes, beside ``reset_mask``, the option ``{"starts": times}``, integers of shape
    ``(num_envs,)``: for a replay, where these episodes start, in ns since midnight (-1: drawn from the seed).

    Args:
        num_envs: number of environments, at least 1.
        config: a whole configuration; single ``settings`` win over it.
        threads: worker threads of the compiled step; results do not depend on it.
        autoreset_mode: what happens when an episode ends. ``"NextStep"`` (default): the next step resets that
            environment and ignores its action. ``"SameStep"``: it is reset at once, and the info carries
            ``final_obs`` and ``final_info``. ``"Disabled"``: the caller resets with ``options={"reset_mask":
            mask}``.
        render_mode: as for `HFTMarketEnv`; ``render`` returns a frame of each environment, ``human`` shows
            the first.
        log_capacity: fills, orders and mid changes that each environment can log between two calls of
            `drain_logs`; 0: none.
        **settings: fields of `EnvConfig`.

    Raises:
        ConfigError: a setting that does not exist or is out of range.

    >>> import gymnasium, hft_gym
    >>> envs = gymnasium.make_vec("HFTMarket-v0", num_envs=4)
    >>> observations, infos = envs.reset(seed=7)
    >>> observations.shape
    (4, 60)
    >>> envs.metadata["autoreset_mode"]
    <AutoresetMode.NEXT_STEP: 'NextStep'>
    """

    task: ClassVar[str | None] = None
    """What every environment of this class does; None: what the configuration says."""
    metadata: dict[str, Any] = {  # noqa: RUF012
        "render_modes": list(RENDER_MODES),
        "render_fps": RENDER_FPS,
        "autoreset_mode": AutoresetMode.NEXT_STEP,
    }
    _reset_options = ("reset_mask", "starts")
    _core: EnvCore

    def __init__(
        self,
        num_envs: int = 1,
        config: EnvConfig | Mapping[str, Any] | None = None,
        *,
        threads: int = 1,
        autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
        render_mode: str | None = None,
        log_capacity: int = 0,
        **settings: Any,
    ) -> None:
        n = check_count("num_envs", num_envs, 1)
        self.config = make_config(config, of_task(self.task, config, settings), EnvConfig)
        self.render_mode = check_render_mode(render_mode)
        core = EnvCore(
            self.config,
            n,
            threads=check_count("threads", threads, 1),
            log_capacity=check_count("log_capacity", log_capacity, 0),
        )
        schema, actions = ObservationSchema.of(self.config), action_schema(self.config)
        super().__init__(core, n, schema, actions, autoreset_mode)
        self._recorded = render_mode is not None
        self._renderers: list[Renderer] = []
        if render_mode is not None:
            shown = 1 if render_mode == "human" else self.num_envs
            self._renderers = [
                Renderer(
                    self.observation_schema,
                    self.config.market.tick_size,
                    f"{self.config.id} [{i}]",
                    history=render_mode == "rgb_array",
                )
                for i in range(shown)
            ]

    def _reset_arguments(self, options: dict[str, Any] | None) -> tuple[Any, ...]:
        """Where replays start."""
        return (self._starts(options),)

    def _starts(self, options: dict[str, Any] | None) -> NDArray[np.int64] | None:
        if not options or options.get("starts") is None:
            return None
        starts = np.asarray(options["starts"])
        if starts.dtype.kind not in "iu":
            raise TypeError(
                f"options['starts'] must be integers (ns since midnight), got dtype {starts.dtype}"
            )
        if starts.shape != (self.num_envs,):
            raise ValueError(f"options['starts'] must have shape ({self.num_envs},), got {starts.shape}")
        return starts.astype(np.int64)

    def _record(
        self, observations: NDArray[np.float32], chosen: NDArray[np.bool_], start: NDArray[np.bool_]
    ) -> None:
        core = self._core
        at = [core.INFO_KEYS.index(k) for k in ("mid", "net_pnl", "time")]
        for i, renderer in enumerate(self._renderers):
            if chosen[i]:
                mid, net_pnl, time = (float(core.info[k, i]) for k in at)
                renderer.record(observations[i].copy(), mid, net_pnl, time, bool(start[i]))
        if self.render_mode == "human" and chosen[0]:
            self._renderers[0].show()

    def render(self) -> tuple[Any, ...] | None:
        """A frame of each environment, in order; None in ``human`` mode, which shows the first as it goes.

        Raises:
            ResetNeeded: before the first reset.
        """
        self._check_started("render")
        if not self._renderers:
            gymnasium.logger.warn(
                "render() was called without a render mode: nothing is drawn. "
                f"Give one to gymnasium.make_vec: render_mode= one of {', '.join(RENDER_MODES)}."
            )
            return None
        if self.render_mode == "human":
            return None
        return tuple(r.ansi() if self.render_mode == "ansi" else r.rgb() for r in self._renderers)

    @property
    def market_time(self) -> NDArray[np.int64]:
        """Market time of the latest observations, ns since the start of each episode; int64, ``(N,)``."""
        return self._core.time_ns.copy()

    @property
    def reference_price(self) -> float:
        """Level of the price in ticks: what turns a fractional move into ticks. See `EnvCore`."""
        return self._core.reference_price

    @property
    def symbol(self) -> str:
        """Name of the instrument: of a replay the recorded one, else ``"HFT"``."""
        feed = self._core.feed
        return (feed.symbol if feed is not None else "") or "HFT"

    @property
    def reference_spread(self) -> float:
        """Usual spread in ticks: what strategies scale their distances to. See `EnvCore`."""
        return self._core.reference_spread

    def drain_logs(self) -> Logs:
        """Fills, orders and mids logged since the last call, as structured arrays; see `EnvCore.drain`.

        A reset forgets what its environment has logged: drain before it.

        Raises:
            ConfigError: made without ``log_capacity``.
            LogOverflowError: more was logged since the last call than that.
        """
        if not self._core.log_capacity:
            raise ConfigError("nothing is logged: make the environments with log_capacity=, for example 4096")
        return self._core.drain()
