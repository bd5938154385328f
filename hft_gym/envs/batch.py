"""`BatchEnv`: what all native batches have in common as a `gymnasium.vector.VectorEnv`: seeds, masks, infos, ends."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from gymnasium.error import ResetNeeded
from gymnasium.utils import seeding
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from hft_gym.config import did_you_mean
from hft_gym.envs.common import INTEGER_KEYS, check_options, draw_key
from hft_gym.envs.orders import NEXT_STEP, NO_AUTORESET, SAME_STEP
from hft_gym.errors import ActionError, ConfigError

__all__ = ["BatchEnv"]

_CORE_MODE = {
    AutoresetMode.DISABLED: NO_AUTORESET,
    AutoresetMode.NEXT_STEP: NEXT_STEP,
    AutoresetMode.SAME_STEP: SAME_STEP,
}


class BatchEnv(VectorEnv[NDArray[np.float32], NDArray[Any], NDArray[Any]]):
    """N environments in one compiled core; subclasses say what core that is.

    Args:
        core: the environments.
        num_envs: how many.
        observation_schema, action_schema: of one of them.
        autoreset_mode: see `HFTMarketVectorEnv`.

    Raises:
        ConfigError: no such mode.
    """

    metadata: dict[str, Any] = {"autoreset_mode": AutoresetMode.NEXT_STEP}  # noqa: RUF012
    _reset_options: ClassVar[tuple[str, ...]] = ("reset_mask",)
    _recorded: bool = False
    """Whether `_record` is to be told of every observation."""

    def __init__(
        self, core: Any, num_envs: int, observation_schema: Any, action_schema: Any, autoreset_mode: AutoresetMode | str
    ) -> None:
        self.num_envs = num_envs
        self.autoreset_mode = _autoreset_mode(autoreset_mode)
        self.metadata = {**type(self).metadata, "autoreset_mode": self.autoreset_mode}
        self.observation_schema, self.action_schema = observation_schema, action_schema
        self.single_observation_space = observation_schema.space()
        self.single_action_space = action_schema.space()
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self._core = core
        self._info_names = [*core.INFO_KEYS, *(f"_{key}" for key in core.INFO_KEYS)]
        self._whole_rows = [row for row, key in enumerate(core.INFO_KEYS) if key in INTEGER_KEYS]
        self._keyed = np.zeros(num_envs, dtype=np.bool_)  # which have a key to derive episodes from
        self._ended = np.zeros(num_envs, dtype=np.bool_)  # whose episode ended in the last step
        self._was_reset = False

    def _reset_arguments(self, options: dict[str, Any] | None) -> tuple[Any, ...]:
        """What the core's reset takes beside keys and mask."""
        return ()

    def _record(
        self, observations: NDArray[np.float32], chosen: NDArray[np.bool_], start: NDArray[np.bool_]
    ) -> None:
        """Take note of new observations, for pictures."""

    def reset(
        self, *, seed: int | Sequence[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.float32], dict[str, Any]]:
        """Start an episode in every environment, or in those of a mask.

        Args:
            seed: environment i is seeded with ``seed + i``, or with the i-th of a list. None: the next
                episode of its last seed; if there was none, fresh entropy.
            options: ``{"reset_mask": mask}``, bool of shape ``(num_envs,)``: only these are reset, the others
                keep their state and their last observation. A class may have more options.

        Returns:
            Observations, float32 of shape ``(num_envs, len(observation_schema))``, and the infos of those
            reset.

        Raises:
            ConfigError: an option that does not exist or has a value that is not possible.
            TypeError, ValueError: a mask or list of seeds of the wrong type or length.
        """
        check_options(options, self._reset_options)
        mask = self._mask(options)
        arguments = self._reset_arguments(options)
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
            self._core.reset(keys, fresh, *arguments)
        if rest.any():
            self._core.reset(None, rest, *arguments)
        self._keyed |= fresh
        self._ended[chosen] = False
        self._was_reset = True
        observations, infos = self._core.obs.copy(), self._infos(chosen)
        if self._recorded:
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
        self._check_started("step")
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
        if self._recorded:
            start = before if mode is AutoresetMode.NEXT_STEP else self._ended
            self._record(observations, np.ones_like(start), start & (mode is not AutoresetMode.DISABLED))
        return observations, core.reward.copy(), terminated, truncated, infos

    def _check_started(self, call: str) -> None:
        if not self._was_reset:
            raise ResetNeeded(f"Cannot call `{call}()` before `reset()`: no episode has been started")

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
        columns = [*block, *masks]
        for row in self._whole_rows:
            columns[row] = columns[row].astype(np.int64)
        return dict(zip(self._info_names, columns, strict=True))

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


def _autoreset_mode(mode: AutoresetMode | str) -> AutoresetMode:
    if isinstance(mode, AutoresetMode):
        return mode
    names = {m.value: m for m in AutoresetMode}
    if mode not in names:
        raise ConfigError(f"autoreset_mode: unknown mode {mode!r}{did_you_mean(str(mode), list(names))}")
    return names[mode]
