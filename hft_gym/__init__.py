"""hft_gym: a limit-order-book market, compiled and batched, for reinforcement learning.

>>> import gymnasium, hft_gym
>>> env = gymnasium.make("HFTMarket-v0")
>>> observation, info = env.reset(seed=7)

Every public name below is loaded when it is first used, so that ``import hft_gym`` costs little more
than importing gymnasium: no numba, no pandas, no torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

import gymnasium

from hft_gym._version import __version__

if TYPE_CHECKING:
    from hft_gym.book import CompiledOrderBook, OrderBook
    from hft_gym.calibration import calibrate
    from hft_gym.envs.config import EnvConfig, RewardConfig
    from hft_gym.errors import (
        ActionError,
        BookFullError,
        CheckpointError,
        ConfigError,
        DataError,
        DuplicateOrderError,
        FeedError,
        HFTGymError,
        LogOverflowError,
        MessageError,
        MissingExtraError,
        OrderError,
        PriceError,
        QuantityError,
        RiskError,
        SideError,
        SymbolError,
        UnknownOrderError,
    )
    from hft_gym.feed import (
        BinanceDataFeed,
        CoinbaseDataFeed,
        DataFeed,
        DataFeedConfig,
        MarketDataMessage,
        MockDataFeed,
        RecordingFeed,
        ReplayDataFeed,
        WebSocketDataFeed,
        open_feed,
    )
    from hft_gym.flow import FlowConfig
    from hft_gym.logs import setup_main_logger
    from hft_gym.market import FeeConfig, LatencyConfig, Market, MarketConfig, RiskLimits
    from hft_gym.portfolio import ExecutionSimulator, Portfolio, RiskManager
    from hft_gym.report import METRICS, PerformanceMetrics
    from hft_gym.types import (
        MESSAGE_DTYPE,
        TRADE_DTYPE,
        BookSnapshot,
        MessageKind,
        Order,
        OrderSide,
        OrderStatus,
        OrderType,
        TimeInForce,
        Trade,
    )

# Public name -> the module that defines it.
_HOMES = {
    **dict.fromkeys(
        (
            "Order",
            "OrderSide",
            "OrderStatus",
            "OrderType",
            "TimeInForce",
            "Trade",
            "BookSnapshot",
            "MessageKind",
            "MESSAGE_DTYPE",
            "TRADE_DTYPE",
        ),
        "hft_gym.types",
    ),
    **dict.fromkeys(
        (
            "HFTGymError",
            "ConfigError",
            "OrderError",
            "PriceError",
            "QuantityError",
            "DuplicateOrderError",
            "UnknownOrderError",
            "SymbolError",
            "BookFullError",
            "SideError",
            "MessageError",
            "MissingExtraError",
            "DataError",
            "ActionError",
            "CheckpointError",
            "LogOverflowError",
            "FeedError",
            "RiskError",
        ),
        "hft_gym.errors",
    ),
    **dict.fromkeys(("OrderBook", "CompiledOrderBook"), "hft_gym.book"),
    "FlowConfig": "hft_gym.flow",
    **dict.fromkeys(("Market", "MarketConfig", "LatencyConfig", "FeeConfig", "RiskLimits"), "hft_gym.market"),
    **dict.fromkeys(("EnvConfig", "RewardConfig"), "hft_gym.envs.config"),
    "calibrate": "hft_gym.calibration",
    "setup_main_logger": "hft_gym.logs",
    **dict.fromkeys(("METRICS", "PerformanceMetrics"), "hft_gym.report"),
    **dict.fromkeys(("Portfolio", "RiskManager", "ExecutionSimulator"), "hft_gym.portfolio"),
    **dict.fromkeys(
        (
            "DataFeed",
            "DataFeedConfig",
            "MarketDataMessage",
            "MockDataFeed",
            "ReplayDataFeed",
            "WebSocketDataFeed",
            "BinanceDataFeed",
            "CoinbaseDataFeed",
            "RecordingFeed",
            "open_feed",
        ),
        "hft_gym.feed",
    ),
}

__all__ = [
    "__version__",
    # the order book
    "OrderBook",
    "CompiledOrderBook",
    "Order",
    "OrderSide",
    "OrderStatus",
    "OrderType",
    "TimeInForce",
    "Trade",
    "BookSnapshot",
    "MessageKind",
    "MESSAGE_DTYPE",
    "TRADE_DTYPE",
    # the market and the environments
    "Market",
    "MarketConfig",
    "FlowConfig",
    "LatencyConfig",
    "FeeConfig",
    "RiskLimits",
    "EnvConfig",
    "RewardConfig",
    "calibrate",
    # the report
    "METRICS",
    "PerformanceMetrics",
    "Portfolio",
    "RiskManager",
    "ExecutionSimulator",
    # feeds
    "DataFeed",
    "DataFeedConfig",
    "MarketDataMessage",
    "MockDataFeed",
    "ReplayDataFeed",
    "WebSocketDataFeed",
    "BinanceDataFeed",
    "CoinbaseDataFeed",
    "RecordingFeed",
    "open_feed",
    # the log
    "setup_main_logger",
    # errors
    "HFTGymError",
    "ConfigError",
    "OrderError",
    "PriceError",
    "QuantityError",
    "DuplicateOrderError",
    "UnknownOrderError",
    "SymbolError",
    "BookFullError",
    "SideError",
    "MessageError",
    "MissingExtraError",
    "DataError",
    "ActionError",
    "CheckpointError",
    "LogOverflowError",
    "FeedError",
    "RiskError",
]


def __getattr__(name: str) -> Any:
    """Load a public name at its first use and keep it."""
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """Every public name, loaded or not."""
    return sorted({*globals(), *__all__})


def _register() -> None:
    """Tell gymnasium of the environments, once: importing twice changes nothing and warns of nothing.

    The episode's end is a rule of the market (the position is closed at book prices), so there is no
    ``max_episode_steps``: the environment terminates itself.
    """
    for name, home in (
        ("HFTMarket", "hft_gym.envs:HFTMarket"),
        ("HFTExecution", "hft_gym.envs:HFTExecution"),
        ("HFTLiquidityTaking", "hft_gym.envs:HFTLiquidityTaking"),
        ("HFTModel", "hft_gym.envs.model:HFTModel"),
    ):
        if f"{name}-v0" not in gymnasium.registry:
            gymnasium.register(id=f"{name}-v0", entry_point=f"{home}Env", vector_entry_point=f"{home}VectorEnv")


_register()
