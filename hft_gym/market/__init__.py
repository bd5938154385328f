"""The market: exchange, clock, order flow and participants; one compiled simulator that drives all else."""

from hft_gym.market.config import FeeConfig, LatencyConfig, MarketConfig
from hft_gym.market.market import Market
from hft_gym.market.records import EndReason
from hft_gym.market.tape import TAPE, Tape, TapeKind
from hft_gym.market.views import Account, Log, MarketCounters, MarketEvent, WorkingOrder

__all__ = [
    "Account",
    "EndReason",
    "FeeConfig",
    "LatencyConfig",
    "Log",
    "Market",
    "MarketConfig",
    "MarketCounters",
    "MarketEvent",
    "TAPE",
    "Tape",
    "TapeKind",
    "WorkingOrder",
]
