"""``python -m benchmarks``: the benchmark of a checkout, the same as ``hft-gym bench``.

The measuring itself ships with the package (``hft_gym.bench``); here lies what only a checkout needs: the
C yardstick's source.
"""

import sys

from hft_gym.cli import main

if __name__ == "__main__":
    raise SystemExit(main(["bench", *sys.argv[1:]]))
