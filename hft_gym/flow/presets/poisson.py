"""A liquid stock: about 100 book messages a second, mostly a one- or two-tick spread, informed flow on a jumping
value. Plain Poisson flow, its rates chosen by hand."""

from hft_gym.flow.config import FlowConfig


def _geometric(p: float, n: int) -> tuple[float, ...]:
    return tuple((1.0 - p) ** k for k in range(n))


FLOW = FlowConfig(
    limit_rates=(2.5, 6.0, 5.0, 3.6, 2.4, 1.6, 1.2, 0.9, 0.7, 0.5),
    cancel_rates=(0.25, 0.25, 0.2, 0.18, 0.16),
    market_rate=2.3,
    limit_sizes=_geometric(0.5, 10),
    market_sizes=_geometric(0.5, 20),
    jump_rate=0.5,
    jump_sizes=(0.0, 1.0, 1.0, 0.5),
    informed_rate=2.7,
    informed_edge=1.0,
)
