"""The live side: markets that run on, with strategies and a person trading in them side by side.

`LiveSession` is the session itself: synchronous, deterministic, a value that is saved and goes on bit for bit.
`SessionClock` runs it in real time or faster, `hft_gym.live.paper` trades on any data feed.
"""

from hft_gym.live.clock import SessionClock
from hft_gym.live.config import SessionConfig, StrategySlot
from hft_gym.live.session import HUMAN, LiveSession
from hft_gym.live.view import SessionView

__all__ = ["HUMAN", "LiveSession", "SessionClock", "SessionConfig", "SessionView", "StrategySlot"]
