"""Learning agents: the environments for Stable-Baselines3, and trained agents as files.

>>> import agents
>>> env = agents.make_vec_env(num_envs=4)  # a Stable-Baselines3 VecEnv
>>> env.reset().shape
(4, 60)

`save` writes a trained model with its normalisation into one file; `load` gives back an `Agent` whose
``predict(raw_observation)`` just works. Needs ``pip install "hft_gym[train]"``.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from agents.agent import Agent, load, save
    from agents.vec_env import HFTVecEnv, make_vec_env

# Loaded when first used: torch takes seconds to import.
_HOMES = {
    "Agent": "agents.agent",
    "load": "agents.agent",
    "save": "agents.agent",
    "HFTVecEnv": "agents.vec_env",
    "make_vec_env": "agents.vec_env",
}

__all__ = ["Agent", "HFTVecEnv", "load", "make_vec_env", "save"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'agents' has no attribute {name!r}; it has {', '.join(__all__)}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
