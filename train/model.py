"""``python -m train.model``: PPO in the model market, against the value that theory knows.

The problem is Cartea and Jaimungal's: the agent sees what ``HFTModel-v0`` shows and sets the depths of its two quotes.
Nothing is saved; the command checks a learning method against an exact solution.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from hft_gym.envs.model.config import ModelConfig, ModelRewardConfig
from hft_gym.errors import ConfigError
from train.options import parse, script

__all__ = ["ModelOptions", "main", "train_and_compare"]


def _problem() -> ModelConfig:
    """The book's penalties on Avellaneda and Stoikov's market."""
    return ModelConfig(min_depth=0.0, max_depth=2.0, reward=ModelRewardConfig(inventory=0.01, terminal=0.001))


@dataclass(frozen=True)
class ModelOptions:
    """Train PPO in the model market and compare it with the optimum in closed form.

    Nothing is saved. With the defaults some minutes on one core.
    """

    num_envs: int = 1000
    """Parallel environments."""
    steps: int = 4_000_000
    """Decisions to train for, all environments together."""
    episodes: int = 20_000
    """Held-out episodes to play for the comparison."""
    seed: int = 1
    """Of the training."""
    env_threads: int = 1
    """Threads of the environments."""
    torch_threads: int = 1
    """Threads of torch."""
    env: ModelConfig = field(default_factory=_problem)
    """The model."""

    def __post_init__(self) -> None:
        for name in ("num_envs", "steps", "episodes", "env_threads", "torch_threads"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name}: must be at least 1, got {getattr(self, name)}")


@dataclass(frozen=True)
class Result:
    """Mean sum of rewards an episode: of the theory, and played on the same held-out seeds, with standard errors."""

    value: float
    optimum: float
    optimum_error: float
    agent: float
    agent_error: float
    seconds: float

    @property
    def share(self) -> float:
        """The agent's mean as a share of the value that theory gives."""
        return self.agent / self.value


def train_and_compare(options: ModelOptions) -> Result:
    """Train PPO and play it, and the optimal quotes, on held-out seeds."""
    import torch
    from stable_baselines3 import PPO
    from stable_baselines3.common.vec_env import VecNormalize

    import baselines
    from agents.model_vec_env import ModelVecEnv

    torch.set_num_threads(options.torch_threads)
    begin = time.perf_counter()
    envs = ModelVecEnv(options.num_envs, options.env, threads=options.env_threads)
    envs.seed(options.seed)
    normal = VecNormalize(envs, gamma=1.0, clip_obs=10.0)
    model = PPO(
        "MlpPolicy",
        normal,
        n_steps=50,
        batch_size=max(1, 50 * options.num_envs // 8),
        n_epochs=5,
        learning_rate=1e-3,
        gamma=1.0,
        gae_lambda=0.9,
        policy_kwargs={"log_std_init": -1.0},
        seed=options.seed,
        device="cpu",
    )
    model.learn(options.steps)
    normal.training = False

    held_out = ModelVecEnv(options.episodes, options.env, threads=options.env_threads)
    maker: Any = baselines.make("cartea-jaimungal", held_out)

    def agent(observation: Any) -> Any:
        return model.predict(normal.normalize_obs(observation), deterministic=True)[0]

    rewards = []
    for policy in (agent, lambda observation: maker.predict(observation)[0]):
        held_out.seed(10**9 + 10**6 * options.seed)
        rewards.append(_play(held_out, policy))
    (ours, our_error), (best, best_error) = ((r.mean(), r.std() / np.sqrt(len(r))) for r in rewards)
    value = float(maker.solution.value(0, options.env.horizon))
    return Result(value, float(best), float(best_error), float(ours), float(our_error), time.perf_counter() - begin)


def _play(envs: Any, policy: Any) -> Any:
    """Sum of rewards of the first episode of each environment."""
    observation, total = envs.reset(), np.zeros(envs.num_envs)
    running = np.ones(envs.num_envs, bool)
    while running.any():
        observation, rewards, dones, _ = envs.step(policy(observation))
        total += rewards * running
        running &= ~dones
    return total


def main() -> None:
    """Entry of ``python -m train.model``."""
    options = parse(ModelOptions, module="train.model")
    found = train_and_compare(options)
    print(f"value in closed form, continuous time   {found.value:8.3f}")
    print(f"the optimal quotes, played              {found.optimum:8.3f} +- {found.optimum_error:.3f}")
    print(f"PPO, deterministic, played              {found.agent:8.3f} +- {found.agent_error:.3f}")
    print(f"PPO / value in closed form              {found.share:8.4f}")
    print(f"{options.num_envs:,} environments, {options.steps:,} decisions, {found.seconds:.0f} s in all")


if __name__ == "__main__":
    script(main, "train.model")
