"""Without the train extra there is nothing to test here."""

from importlib.util import find_spec

collect_ignore_glob = [] if find_spec("stable_baselines3") else ["test_ppo.py", "test_demo.py"]
