"""Zero intelligence (Smith, Farmer, Gillemot and Krishnamurthy 2003, Quantitative Finance 3:481; Farmer, Patelli and
Zovko 2005, PNAS 102:2254): unit orders, uniform placement over 15 characteristic prices p_c = mu / (2 alpha) of 10
ticks, eps = 2 delta / mu = 0.1.

One market order a second and side; the mean spread is 0.63 p_c.
"""

from hft_gym.flow.config import FlowConfig

_MU, _PC, _EPS = 2.0, 10.0, 0.1

FLOW = FlowConfig(
    limit_rates=(_MU / (2.0 * _PC) * 3.0,) * 50,
    distance_width=3,
    market_rate=_MU / 2.0,
    cancel_rates=(_EPS * _MU / 2.0,),
)
