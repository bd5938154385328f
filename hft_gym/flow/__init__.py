"""Order flow: who sends which order when.

A *mechanism* is a stream of events in the market's kernel (limit orders, market orders, cancellations, jumps of the
fundamental value, informed orders, the replay of a file). Each is switched off by a rate of zero and draws from a
random stream of its own. A *preset* is a :class:`FlowConfig`: one parameter table, no code. The market turns what a
mechanism draws into book messages; no mechanism touches the book itself.
"""

from hft_gym.flow.config import FlowConfig
from hft_gym.flow.presets import PRESETS, preset

__all__ = ["PRESETS", "FlowConfig", "preset"]
