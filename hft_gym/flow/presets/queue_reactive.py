"""A queue-reactive book (Huang, Lehalle and Rosenbaum 2015), model III: four queues a side.

The shapes are the paper's: limit orders at the first queue fall with its size, cancellations rise with it and level
off, market orders fall; deeper queues are slower. theta = 0.6 and theta_reinit = 0.85 are those of the code of
arXiv:2511.15262. The rates themselves are chosen by hand, not estimated: calibrate for a stock of your own.
"""

from hft_gym.flow.config import FlowConfig
from hft_gym.flow.queue_reactive import QueueReactiveConfig

_LEVELS = range(1, 31)


def _cancel(rate: float, level_off: float) -> tuple[float, ...]:
    return (0.0, *(rate * n / (1.0 + n / level_off) for n in _LEVELS))


FLOW = FlowConfig(
    queue_reactive=QueueReactiveConfig(
        limit=(
            ((9.0, *(4.0 + 4.0 / (1.0 + 0.3 * n) for n in _LEVELS)),),
            ((5.0, 6.0),),
            ((4.0, 5.0),),
            ((3.0, 3.5),),
        ),
        cancel=((_cancel(0.45, 30.0),), (_cancel(0.4, 60.0),), (_cancel(0.35, 60.0),), (_cancel(0.3, 60.0),)),
        market=(((0.0, *(0.6 + 2.0 * 0.85**n for n in _LEVELS)),), ((0.0, 0.5),), ((0.0, 0.2),), ((0.0, 0.1),)),
        aes=2,
        theta=0.6,
        theta_reinit=0.85,
    )
)
