"""``python -m hft_gym``: the same as the command ``hft-gym``."""

from hft_gym.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
