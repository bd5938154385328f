"""Cont, Stoikov and Talreja (2010, Operations Research 58:549), Table 2 (Sky Perfect Communications), per minute there;
power law beyond 5 ticks."""

from hft_gym.flow.config import FlowConfig

_LIMIT = (1.85, 1.51, 1.09, 0.88, 0.77, *(1.92 * i**-0.52 for i in range(6, 65)))
_CANCEL = (0.71, 0.81, 0.68, 0.56, 0.47)

FLOW = FlowConfig(
    limit_rates=tuple(r / 60.0 for r in _LIMIT),
    cancel_rates=tuple(r / 60.0 for r in _CANCEL),
    market_rate=0.94 / 60.0,
)
