"""B6: PPO in the model market reaches the value that theory knows."""

from importlib.util import find_spec

import pytest

from train.model import ModelOptions, train_and_compare


@pytest.mark.verify
@pytest.mark.skipif(not find_spec("stable_baselines3"), reason="needs the train extra")
def test_ppo_reaches_cartea_and_jaimungals_value(verified):
    found = train_and_compare(ModelOptions())
    verified("C-J value: the optimal quotes at dt=0.005", found.value, found.optimum, 0.01 * found.value)
    verified("B6 C-J value reached by PPO, 1,000 environments, share", 1.0, found.share, 0.05)
    fresh = train_and_compare(ModelOptions(steps=50_000))
    verified("B6 control: after one rollout, share", 1.0, fresh.share, at_least=0.05)
