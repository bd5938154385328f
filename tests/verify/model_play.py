"""Makers played in HFTModel-v0: one episode in each of many environments."""

from __future__ import annotations

from dataclasses import dataclass

import gymnasium
import numpy as np

import baselines
import hft_gym  # noqa: F401  (registers the environments)

EVENTS = {"clock": "event", "mid": "gaussian"}


@dataclass(frozen=True)
class Played:
    """Of each path: P&L, inventory at the end, sum of rewards, and the mean spread quoted."""

    pnl: np.ndarray
    inventory: np.ndarray
    reward: np.ndarray
    spread: float


def play(maker, paths, seed=0, parameters=None, **settings):
    """One episode of *paths* environments; depths are bounded so far away that no maker here is cut."""
    settings = {"action": "depths", "min_depth": -20.0, "max_depth": 20.0, **settings}
    envs = gymnasium.make_vec("HFTModel-v0", num_envs=paths, autoreset_mode="Disabled", **settings).unwrapped
    strategy = baselines.make(maker, envs, **(parameters or {}))
    core = envs._core
    core.reset(np.arange(paths, dtype=np.uint64) + np.uint64(seed * 2**32))
    reward, spread, steps = np.zeros(paths), 0.0, 0
    while not core.env["done"].all():
        action, _ = strategy.predict(core.obs)
        live = core.env["done"] == 0
        if live.all():
            spread, steps = spread + float(action.sum(axis=1).mean()), steps + 1
        core.step(envs.action_schema.decode_batch(action, paths))
        reward += core.reward
    return Played(core.info[4].copy(), core.env["inventory"].copy(), reward, spread / steps)
