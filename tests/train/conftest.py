"""Without the train extra there is nothing to test here."""

from importlib.util import find_spec

import pytest

collect_ignore_glob = [] if find_spec("stable_baselines3") else ["test_ppo.py", "test_demo.py", "test_model.py"]


@pytest.fixture(autouse=True, scope="session")
def _one_thread():
    """On a busy machine torch's threads wait for each other for most of the time."""
    if find_spec("torch"):
        import torch

        torch.set_num_threads(1)
