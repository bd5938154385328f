"""`HFTMarketVectorEnv`: N independent markets in one compiled batch, as a `gymnasium.vector.VectorEnv`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import gymnasium
import numpy as np
from gymnasium.error import ResetNeeded
from gymnasium.utils import seeding
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from hft_gym.config import did_you_mean
from hft_gym.envs.actions import ActionSchema
from hft_gym.envs.common import (
    INTEGER_KEYS,
    RENDER_MODES,
    check_count,
    check_options,
    check_render_mode,
    draw_key,
    make_config,
)
from hft_gym.envs.config import EnvConfig
from hft_gym.envs.core import EnvCore, Logs
from hft_gym.envs.render import RENDER_FPS, Renderer
from hft_gym.envs.schema import ObservationSchema
from hft_gym.errors import ActionError, ConfigError

__all__ = ["HFTMarketVectorEnv"]

_CORE_MODE = {AutoresetMode.DISABLED: 0, AutoresetMode.NEXT_STEP: 1, AutoresetMode.SAME_STEP: 2}


class HFTMarketVectorEnv(VectorEnv[NDArray[np.float32], NDArray[Any], NDArray[Any]]):
    """N markets stepped together: what ``gymnasium.make_vec("HFTMarket-v0", num_envs=N)`` returns.

    Environment i behaves, bit for bit, as an `HFTMarketEnv` seeded with ``seed + i``, at any number of
    threads; see there for observations, actions, rewards and settings. Infos follow Gymnasium's vector
    convention: an array of shape ``(N,)`` for each key, and under ``_key`` a mask of the environments that
    have it.

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

    metadata: dict[str, Any] = {  # noqa: RUF012
        "render_modes": list(RENDER_MODES),
        "render_fps": RENDER_FPS,
        "autoreset_mode": AutoresetMode.NEXT_STEP,
    }

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
        self.num_envs = check_count("num_envs", num_envs, 1)
        self.config = make_config(config, settings)
        self.render_mode = check_render_mode(render_mode)
        self.autoreset_mode = _autoreset_mode(autoreset_mode)
        self.metadata = {**type(self).metadata, "autoreset_mode": self.autoreset_mode}
        self.observation_schema = ObservationSchema(self.config.levels)
        self.action_schema = ActionSchema(self.config.action)
        self.single_observation_space = self.observation_schema.space()
        self.single_action_space = self.action_schema.space()
        self.observation_space = batch_space(self.single_observation_space, self.num_envs)
        self.action_space = batch_space(self.single_action_space, self.num_envs)
        self._core = EnvCore(
            self.config,
            self.num_envs,
            threads=check_count("threads", threads, 1),
            log_capacity=check_count("log_capacity", log_capacity, 0),
        )
        self._info_rows = [
            (row, key, f"_{key}", key in INTEGER_KEYS) for row, key in enumerate(self._core.INFO_KEYS)
        ]
        self._renderers: list[Renderer] = []
        if render_mode is not None:
            shown = 1 if render_mode == "human" else self.num_envs
            self._renderers = [
                Renderer(
                    self.observation_schema,
                    self.config.market.tick_size,
                    f"HFTMarket-v0 [{i}]",
                    history=render_mode == "rgb_array",
                )
                for i in range(shown)
            ]
        self._keyed = np.zeros(self.num_envs, dtype=np.bool_)  # which have a key to derive episodes from
        self._ended = np.zeros(self.num_envs, dtype=np.bool_)  # whose episode ended in the last step
        self._was_reset = False

    def reset(
        self, *, seed: int | Sequence[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.float32], dict[str, Any]]:
        """Start an episode in every environment, or in those of a mask.

        Args:
            seed: environment i is seeded with ``seed + i``, or with the i-th of a list. None: the next
                episode of its last seed; if there was none, fresh entropy.
            options: ``{"reset_mask": mask}``, bool of shape ``(num_envs,)``: only these are reset, the others
                keep their state and their last observation. ``{"starts": times}``, integers of shape
                ``(num_envs,)``: for a replay, where these episodes start, in ns since midnight (-1: drawn
                from the seed).

        Returns:
            Observations, float32 of shape ``(num_envs, len(observation_schema))``, and the infos of those
            reset.

        Raises:
            ConfigError: an unknown option, or starts outside the replay's window.
            TypeError, ValueError: a mask, list of seeds or starts of the wrong type or length.
        """
        check_options(options, ("reset_mask", "starts"))
        mask = self._mask(options)
        starts = self._starts(options)
        seeds = self._seeds(seed)
        if isinstance(seed, (int, np.integer)):
            super().reset(seed=int(seed))
        if mask is not None and not self._was_reset:
            raise ResetNeeded(
                "Cannot reset some environments by mask before `reset()` has started all of them"
            )
        chosen = np.ones(self.num_envs, dtype=np.bool_) if mask is None else mask
        fresh = chosen & ~self._keyed  # unseeded and without a key: entropy
        keys = np.zeros(self.num_envs, dtype=np.uint64)
        for i in np.flatnonzero(chosen):
            if seeds[i] is not None:
                keys[i] = draw_key(seeding.np_random(seeds[i])[0])
                fresh[i] = True
            elif fresh[i]:
                keys[i] = draw_key(self.np_random)
        rest = chosen & ~fresh
        if fresh.any():
            self._core.reset(keys, fresh, starts)
        if rest.any():
            self._core.reset(None, rest, starts)
        self._keyed |= fresh
        self._ended[chosen] = False
        self._was_reset = True
        observations, infos = self._core.obs.copy(), self._infos(chosen)
        if self._renderers:
            self._record(observations, chosen, chosen)
        return observations, infos

    def step(
        self, actions: Any
    ) -> tuple[
        NDArray[np.float32], NDArray[np.float64], NDArray[np.bool_], NDArray[np.bool_], dict[str, Any]
    ]:
        """Act in every environment, and let each market run to its next decision.

        Args:
            actions: an element of ``action_space``.

        Returns:
            Observations, rewards (float64), terminated, truncated (bool), each with a first axis of
            ``num_envs``, and infos. All arrays are new.

        Raises:
            ActionError: not an element of ``action_space``; nothing has happened in any environment.
            ResetNeeded: before the first reset, or with autoreset disabled, after an end.
        """
        if not self._was_reset:
            raise ResetNeeded("Cannot call `step()` before `reset()`: no episode has been started")
        mode = self.autoreset_mode
        if mode is AutoresetMode.DISABLED and self._ended.any():
            raise ResetNeeded(
                f"Cannot call `step()`: the episodes of environments {np.flatnonzero(self._ended)[:8]} "
                "have ended and autoreset is disabled; reset them first, with options={'reset_mask': mask}"
            )
        core = self._core
        orders = self.action_schema.decode_batch(actions, self.num_envs, ranges=False)
        try:
            core.step(orders, _CORE_MODE[mode])
        except ActionError:
            self.action_schema.decode_batch(actions, self.num_envs)  # says more of what is wrong
            raise
        observations = core.obs.copy()
        terminated, truncated = core.terminated.copy(), core.truncated.copy()
        infos = self._infos(None)
        before, self._ended = self._ended, terminated | truncated
        if mode is AutoresetMode.SAME_STEP and self._ended.any():
            self._add_finals(infos, self._ended)
        if self._renderers:
            start = before if mode is AutoresetMode.NEXT_STEP else self._ended
            self._record(observations, np.ones_like(start), start & (mode is not AutoresetMode.DISABLED))
        return observations, core.reward.copy(), terminated, truncated, infos

    def _infos(
        self, mask: NDArray[np.bool_] | None, values: NDArray[np.float64] | None = None
    ) -> dict[str, Any]:
        """Infos of the environments in ``mask`` (None: all), each array new, zero elsewhere."""
        core = self._core
        block = (core.info if values is None else values).copy()
        masks = np.ones(block.shape, dtype=np.bool_)
        if mask is not None and not mask.all():
            block[:, ~mask] = 0.0
            masks[:] = mask
        infos: dict[str, Any] = {}
        for row, key, mask_key, whole in self._info_rows:
            infos[key] = block[row].astype(np.int64) if whole else block[row]
            infos[mask_key] = masks[row]
        return infos

    def _add_finals(self, infos: dict[str, Any], ended: NDArray[np.bool_]) -> None:
        """The last observation and info of the episodes that ended, as Gymnasium's SAME_STEP gives them."""
        final_obs = np.full(self.num_envs, None, dtype=object)
        for i in np.flatnonzero(ended):
            final_obs[i] = self._core.final_obs[i].copy()
        infos["final_obs"], infos["_final_obs"] = final_obs, ended.copy()
        infos["final_info"], infos["_final_info"] = self._infos(ended, self._core.final_info), ended.copy()

    def _mask(self, options: dict[str, Any] | None) -> NDArray[np.bool_] | None:
        if not options or "reset_mask" not in options:
            return None
        mask = options["reset_mask"]
        if not isinstance(mask, np.ndarray) or mask.dtype != np.bool_:
            got = f"dtype {mask.dtype}" if isinstance(mask, np.ndarray) else type(mask).__name__
            raise TypeError(f"options['reset_mask'] must be a numpy array of dtype bool, got {got}")
        if mask.shape != (self.num_envs,):
            raise ValueError(f"options['reset_mask'] must have shape ({self.num_envs},), got {mask.shape}")
        if not mask.any():
            raise ValueError("options['reset_mask'] must name at least one environment, got all False")
        return mask

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

    def _seeds(self, seed: int | Sequence[int | None] | None) -> list[int | None]:
        if seed is None:
            return [None] * self.num_envs
        if isinstance(seed, (int, np.integer)):
            return [int(seed) + i for i in range(self.num_envs)]
        seeds = [None if s is None else int(s) for s in seed]
        if len(seeds) != self.num_envs:
            raise ValueError(
                f"seed: a list must have one seed for each of {self.num_envs} environments, got {len(seeds)}"
            )
        return seeds

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
        if not self._was_reset:
            raise ResetNeeded("Cannot call `render()` before `reset()`: there is no market to show yet")
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


def _autoreset_mode(mode: AutoresetMode | str) -> AutoresetMode:
    if isinstance(mode, AutoresetMode):
        return mode
    names = {m.value: m for m in AutoresetMode}
    if mode not in names:
        raise ConfigError(f"autoreset_mode: unknown mode {mode!r}{did_you_mean(str(mode), list(names))}")
    return names[mode]
