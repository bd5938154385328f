"""Order flow: who sends which order when.

A *mechanism* is a stream of events in the market's kernel (limit orders, market orders, cancellations, jumps of the
fundamental value, informed orders, children of metaorders, liquidity that comes back, the replay of a file). Each is
off by default and draws from a random stream of its own; what several make of a rate multiplies. A *preset* is a
:class:`FlowConfig`: one parameter table, no code. The market turns what a mechanism draws into book messages; no
mechanism touches the book itself."""

from hft_gym.flow.config import FlowConfig
from hft_gym.flow.hawkes import HawkesConfig
from hft_gym.flow.icebergs import IcebergConfig
from hft_gym.flow.learning import LearningConfig
from hft_gym.flow.metaorders import MetaorderConfig
from hft_gym.flow.placement import PlacementConfig
from hft_gym.flow.population import PopulationConfig
from hft_gym.flow.presets import PRESETS, preset
from hft_gym.flow.queue_reactive import QueueReactiveConfig
from hft_gym.flow.replenishment import ReplenishmentConfig
from hft_gym.flow.session import HaltConfig, SessionConfig
from hft_gym.flow.volatility import VolatilityConfig

__all__ = [
    "PRESETS",
    "FlowConfig",
    "HaltConfig",
    "HawkesConfig",
    "IcebergConfig",
    "LearningConfig",
    "MetaorderConfig",
    "PlacementConfig",
    "PopulationConfig",
    "QueueReactiveConfig",
    "ReplenishmentConfig",
    "SessionConfig",
    "VolatilityConfig",
    "preset",
]
