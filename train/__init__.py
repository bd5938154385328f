"""Scripts that train, tune and compare; nothing imports them but the command line and the tests.

``python -m train.ppo`` trains, ``python -m train.compare`` plays policies on the same held-out seeds,
``python -m train.demo`` shows the whole path in under two minutes.
"""
