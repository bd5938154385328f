"""The environments: one compiled market behind Gymnasium's single and vector faces.

``gymnasium.make("HFTMarket-v0")`` and ``gymnasium.make_vec("HFTMarket-v0", num_envs=N)`` build them; both ids
also work as ``"hft_gym:HFTMarket-v0"`` without importing hft_gym first. Names load at first use: schemas and
configurations do not need the compiler.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hft_gym.envs.actions import ActionSchema
    from hft_gym.envs.config import EnvConfig, ExecutionConfig, LadderConfig, RewardConfig
    from hft_gym.envs.core import EnvCore
    from hft_gym.envs.schema import Column, ObservationSchema
    from hft_gym.envs.single import HFTMarketEnv
    from hft_gym.envs.task_actions import ContinuousLadderSchema, LadderSchema, TakeSchema
    from hft_gym.envs.tasks import (
        HFTExecutionEnv,
        HFTExecutionVectorEnv,
        HFTLiquidityTakingEnv,
        HFTLiquidityTakingVectorEnv,
    )
    from hft_gym.envs.vector import HFTMarketVectorEnv

_HOMES = {
    "ActionSchema": "hft_gym.envs.actions",
    "Column": "hft_gym.envs.schema",
    "EnvConfig": "hft_gym.envs.config",
    "EnvCore": "hft_gym.envs.core",
    "ExecutionConfig": "hft_gym.envs.config",
    "HFTExecutionEnv": "hft_gym.envs.tasks",
    "HFTExecutionVectorEnv": "hft_gym.envs.tasks",
    "HFTLiquidityTakingEnv": "hft_gym.envs.tasks",
    "HFTLiquidityTakingVectorEnv": "hft_gym.envs.tasks",
    "HFTMarketEnv": "hft_gym.envs.single",
    "HFTMarketVectorEnv": "hft_gym.envs.vector",
    "LadderConfig": "hft_gym.envs.config",
    "ContinuousLadderSchema": "hft_gym.envs.task_actions",
    "LadderSchema": "hft_gym.envs.task_actions",
    "ObservationSchema": "hft_gym.envs.schema",
    "RandomisationConfig": "hft_gym.envs.randomise",
    "RewardConfig": "hft_gym.envs.config",
    "TakeSchema": "hft_gym.envs.task_actions",
}

__all__ = [
    "ActionSchema",
    "Column",
    "EnvConfig",
    "EnvCore",
    "ExecutionConfig",
    "HFTExecutionEnv",
    "HFTExecutionVectorEnv",
    "HFTLiquidityTakingEnv",
    "HFTLiquidityTakingVectorEnv",
    "HFTMarketEnv",
    "HFTMarketVectorEnv",
    "LadderConfig",
    "ContinuousLadderSchema",
    "LadderSchema",
    "ObservationSchema",
    "RandomisationConfig",
    "RewardConfig",
    "TakeSchema",
]


def __getattr__(name: str) -> Any:
    """Load a public name at its first use and keep it."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """Every public name, loaded or not."""
    return sorted({*globals(), *__all__})
