"""Scripts that train, tune and compare; nothing imports them but the command line and the tests.

``python -m train.ppo`` trains, ``python -m train.compare`` plays policies on the same held-out seeds,
``python -m train.demo`` shows the whole path in under two minutes.
"""

import os

# Threads of OpenMP that wait by spinning take the processor from those they wait for: on two busy cores a
# training then takes ten times as long. Set before torch is loaded; a setting of the user's wins.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
