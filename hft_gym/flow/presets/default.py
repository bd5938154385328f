"""The default market: the preset ``reactive`` (docs/flow.md says how real it is)."""

from hft_gym.flow.presets.reactive import FLOW as REACTIVE

FLOW = REACTIVE
