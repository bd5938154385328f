"""The volatile market under a price limit: trading halts for 10 s when the mid has moved by 12 ticks in a minute."""

from dataclasses import replace

from hft_gym.flow.presets.volatile import FLOW as VOLATILE
from hft_gym.flow.session import HaltConfig

FLOW = replace(VOLATILE, halts=HaltConfig(length_s=10.0, move_ticks=12, window_s=60.0))
