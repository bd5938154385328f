"""The reactive market with a third of its limit orders: wide spreads, little to trade with."""

from dataclasses import replace

from hft_gym.flow.presets.reactive import FLOW as REACTIVE

FLOW = replace(REACTIVE, limit_rates=tuple(r / 3.0 for r in REACTIVE.limit_rates), replenishment=None)
