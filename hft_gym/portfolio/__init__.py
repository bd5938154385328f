"""What trading leaves: a portfolio in currency, its risk, and the simulator that runs a strategy into one."""

from hft_gym.portfolio.ledger import Lot, Portfolio, Position
from hft_gym.portfolio.risk import RiskManager, RiskReport
from hft_gym.portfolio.simulator import ExecutionSimulator, Simulation, portfolio_of
from hft_gym.portfolio.usage import Use

__all__ = [
    "ExecutionSimulator",
    "Lot",
    "Portfolio",
    "Position",
    "RiskManager",
    "RiskReport",
    "Simulation",
    "Use",
    "portfolio_of",
]
