"""The market: exchange, clock, order flow and participants; one compiled simulator that drives all else."""

from hft_gym.market.config import FeeConfig, LatencyConfig, MarketConfig
from hft_gym.market.limits import RiskLimits
from hft_gym.market.market import Market
from hft_gym.market.records import EndReason, RiskMode, RiskReason
from hft_gym.market.tape import TAPE, Tape, TapeKind
from hft_gym.market.views import Account, Log, MarketCounters, MarketEvent, RiskState, WorkingOrder

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
    "RiskLimits",
    "RiskMode",
    "RiskReason",
    "RiskState",
    "TAPE",
    "Tape",
    "TapeKind",
    "WorkingOrder",
]
