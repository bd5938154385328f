"""``HFTModel-v0``: the model-based markets of Avellaneda-Stoikov and Cartea-Jaimungal, without a book.

Beside the compiled market, not in it: nothing here matches orders. It exists to check strategies and agents against
closed forms (docs/model.md). Names load at first use, so that settings and schemas do not need the compiler.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hft_gym.envs.model.config import ModelConfig, ModelRewardConfig
    from hft_gym.envs.model.core import ModelCore
    from hft_gym.envs.model.schema import DepthSchema, ModelSchema
    from hft_gym.envs.model.single import HFTModelEnv
    from hft_gym.envs.model.vector import HFTModelVectorEnv

_HOMES = {
    "DepthSchema": "hft_gym.envs.model.schema",
    "HFTModelEnv": "hft_gym.envs.model.single",
    "HFTModelVectorEnv": "hft_gym.envs.model.vector",
    "ModelConfig": "hft_gym.envs.model.config",
    "ModelCore": "hft_gym.envs.model.core",
    "ModelRewardConfig": "hft_gym.envs.model.config",
    "ModelSchema": "hft_gym.envs.model.schema",
}

__all__ = [
    "DepthSchema",
    "HFTModelEnv",
    "HFTModelVectorEnv",
    "ModelConfig",
    "ModelCore",
    "ModelRewardConfig",
    "ModelSchema",
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
