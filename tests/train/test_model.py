"""PPO in the model market: the command, in small. That it reaches the optimum is tests/verify/test_model_agent.py."""

import numpy as np
import pytest

from hft_gym.envs.model.config import ModelConfig, ModelRewardConfig
from hft_gym.errors import ConfigError
from train.model import ModelOptions, train_and_compare


def test_trains_and_compares_on_held_out_episodes():
    env = ModelConfig(min_depth=0.0, max_depth=2.0, reward=ModelRewardConfig(inventory=0.5, terminal=0.1))
    found = train_and_compare(ModelOptions(num_envs=8, steps=400, episodes=600, env=env))
    assert found.optimum == pytest.approx(found.value, abs=4 * found.optimum_error + 0.02 * found.value)
    assert found.agent < found.optimum - 10  # 400 decisions teach nothing
    assert found.share == found.agent / found.value and np.isfinite(found.agent_error)


def test_options_are_checked():
    with pytest.raises(ConfigError, match="episodes: must be at least 1, got 0"):
        ModelOptions(episodes=0)
