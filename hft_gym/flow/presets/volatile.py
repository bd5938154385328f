"""The reactive market with ten times the news, in larger pieces."""

from dataclasses import replace

from hft_gym.flow.presets.reactive import FLOW as REACTIVE

FLOW = replace(REACTIVE, jump_rate=1.1, jump_sizes=(1.0, 1.0, 1.0, 0.8, 0.6, 0.4, 0.2), informed_rate=6.0)
