"""Cont and de Larrard (2013, SIAM J. Financial Mathematics 4:1): one queue a side and a spread of one tick; when a
queue is empty the price moves by a tick and both queues are drawn anew.

Orders arrive and leave at equal rates (the balanced case), 20 a second and side; new queues hold 1 to 20 lots,
uniformly."""

from hft_gym.flow.config import FlowConfig
from hft_gym.flow.queue_reactive import QueueReactiveConfig

FLOW = FlowConfig(
    queue_reactive=QueueReactiveConfig(
        limit=(((20.0,),),),
        cancel=(((0.0, 14.0),),),
        market=(((0.0, 6.0),),),
        theta=1.0,
        theta_reinit=1.0,
        redraw=((0.0,) + (1.0,) * 20,),
    )
)
