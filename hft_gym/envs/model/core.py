"""`ModelCore`: N model markets in arrays, stepped by one compiled call (or one a thread)."""

from __future__ import annotations

import weakref
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hft_gym.envs.model.config import ModelConfig
from hft_gym.envs.model.kernel import TABLE_DTYPES, run_models
from hft_gym.envs.model.records import INFO_KEYS, MODEL_STATE
from hft_gym.envs.model.schema import ModelSchema
from hft_gym.envs.orders import RESET
from hft_gym.envs.packed import table_of
from hft_gym.envs.threads import Workers
from hft_gym.errors import ActionError

__all__ = ["ModelCore", "warm_up"]

_ALONE = np.zeros(0, np.int64)
_KEPT = ("obs", "final_obs", "reward", "terminated", "truncated", "info", "final_info", "env")


class ModelCore:
    """N environments; the result arrays are reused: copy what must outlive the next call.

    ``obs`` (N, columns) float32, ``reward`` (N,) float64, ``terminated`` and ``truncated`` (N,) bool, ``info``
    (len(INFO_KEYS), N) float64, ``final_obs`` and ``final_info`` as those where an episode ended in SAME_STEP mode.

    Args:
        config: what the environments are.
        num_envs: how many.
        threads: worker threads; any number gives the same bits.
    """

    INFO_KEYS = INFO_KEYS

    def __init__(self, config: ModelConfig, num_envs: int, threads: int = 1) -> None:
        self.config, self.num_envs = config, num_envs
        self.threads = max(1, min(threads, num_envs))
        self.env = np.zeros(num_envs, MODEL_STATE)
        self.env["done"] = 1
        self.obs = np.zeros((num_envs, len(ModelSchema())), np.float32)
        self.final_obs = np.zeros_like(self.obs)
        self.reward = np.zeros(num_envs)
        self.terminated = np.zeros(num_envs, np.bool_)
        self.truncated = np.zeros(num_envs, np.bool_)
        self.info = np.zeros((len(INFO_KEYS), num_envs))
        self.final_info = np.zeros_like(self.info)
        self._keys = np.zeros(num_envs, np.uint64)
        self._mask = np.zeros(num_envs, np.uint8)
        self._no_actions = np.zeros((num_envs, 2))
        self._arguments: tuple[NDArray[Any], ...] = (
            self._keys, self._mask, self.env, config.compiled(), self.obs, self.final_obs, self.reward,
            self.terminated, self.info, self.final_info, np.zeros((num_envs, 3)),
        )  # fmt: skip
        self._table = table_of(self._arguments, TABLE_DTYPES)
        self._workers: Workers | None = None
        if self.threads > 1:
            self._workers = Workers(self.threads, num_envs, run_models, self._table, self._no_actions)
            weakref.finalize(self, self._workers.stop)

    def reset(self, keys: NDArray[np.uint64] | None = None, mask: NDArray[np.bool_] | None = None) -> None:
        """Start episodes.

        Args:
            keys: (N,) random keys, or None: each environment's next key.
            mask: (N,) which environments; None: all.
        """
        if keys is not None:
            self._keys[:] = keys
        self._mask[:] = 2 if keys is not None else 1
        if mask is not None:
            self._mask[~mask] = 0
        self._run(RESET, self._no_actions)

    def step(self, actions: NDArray[np.float64], mode: int = 0) -> None:
        """One decision in every environment.

        Args:
            actions: (N, 2) depths of bid and ask.
            mode: as in `EnvCore.step`.

        Raises:
            ActionError: a depth beyond the bounds; nothing has happened.
        """
        bad = self._run(mode, actions)
        if bad >= 0:
            raise ActionError(
                f"depths {actions[bad].tolist()} of environment {bad}; "
                f"allowed are {self.config.min_depth} to {self.config.max_depth}"
            )

    def _run(self, mode: int, actions: NDArray[np.float64]) -> int:
        if self._workers is None:
            return run_models(0, mode, actions, self._table, _ALONE, 0)
        return self._workers.run(mode, actions)

    def __getstate__(self) -> dict[str, Any]:
        """What a copy needs to continue bit for bit."""
        values = {name: getattr(self, name) for name in _KEPT}
        return {"init": (self.config, self.num_envs, self.threads), "values": values}

    def __setstate__(self, saved: dict[str, Any]) -> None:
        """Restore a copied or pickled core."""
        self.__init__(*saved["init"])  # type: ignore[misc]
        for name, value in saved["values"].items():
            getattr(self, name)[...] = value


def warm_up() -> None:
    """Compile (or load) the model's kernel."""
    core = ModelCore(ModelConfig(steps=2), 1)
    core.reset(np.zeros(1, np.uint64))
    core.step(np.ones((1, 2)))
