"""The market's other tasks: executing a parent order, and taking liquidity only.

Configurations of the one market of `HFTMarketEnv`, under ids and with data sheets of their own.
"""

from __future__ import annotations

from typing import ClassVar

from hft_gym.envs.single import HFTMarketEnv
from hft_gym.envs.vector import HFTMarketVectorEnv

__all__ = ["HFTExecutionEnv", "HFTExecutionVectorEnv", "HFTLiquidityTakingEnv", "HFTLiquidityTakingVectorEnv"]


class HFTExecutionEnv(HFTMarketEnv):
    """Buy or sell a parent order by a deadline, at the least implementation shortfall.

    This is the data sheet of ``HFTExecution-v0``: the market, clock, latency, fees and book of ``HFTMarket-v0`` (see
    `HFTMarketEnv` for whatever is not said here), with ``task="execution"``.

    >>> import gymnasium, hft_gym
    >>> env = gymnasium.make("HFTExecution-v0", execution={"side": "buy", "quantity": 20})
    >>> observation, info = env.reset(seed=7)
    >>> env.unwrapped.observation_schema.as_dict(observation)["quantity_left"]
    20.0
    >>> buy = env.unwrapped.action_schema.encode(take="buy")
    >>> while info["quantity_left"] > 0:
    ...     observation, reward, terminated, truncated, info = env.step(buy)
    >>> terminated, info["completion"], info["shortfall_ticks"] == -info["net_pnl"] / 20
    (True, 1.0, True)

    ## The parent order

    ``execution.quantity`` lots, or, with ``execution.max_quantity``, as many as the episode's key draws between the
    two; ``execution.side`` is to buy, to sell, or drawn likewise. It arrives with the first observation, and the mid
    of that moment is the arrival price m_0. The deadline is the end of the episode, after ``episode_steps`` decisions.
    What the order asks for is *owed*: to buy X lots is a position of -X booked at m_0, and every fill leads towards
    zero. So ``inventory`` is minus what is left, and the money columns are what they are in ``HFTMarket-v0``.

    ## Observation

    The columns of ``HFTMarket-v0`` (of a ladder too, if there is one), and behind them:

    | index | name | unit | min | max | meaning |
    |---|---|---|---|---|---|
    | 60 | quantity_left | lots | -2^24 | 2^24 | left of the parent order; positive is to buy |
    | 61 | share_left | 1 | 0 | 1 | the same as a share of the parent order |
    | 62 | arrival_offset | ticks | -2^23 | 2^23 | mid at the parent order's arrival minus the mid |
    | 63 | shortfall | ticks | -2^23 | 2^23 | shortfall so far, per lot of the parent order |

    ``time_left`` is what is left to the deadline.

    ## Action

    Those of ``HFTMarket-v0``, in all its encodings. Orders on the parent order's side are cut to what is left of it,
    working orders included, so that it can never be passed; orders on the other side are not sent. ``max_position``
    plays no part.

    ## Reward

    ``reward_pnl`` is ``reward.pnl`` times the change of minus the shortfall, in ticks·lots, with what is left marked
    at the mid; ``reward_inventory`` is the penalty of ``HFTMarket-v0`` on what is left. With weight 1 the first sums
    over an episode to minus its implementation shortfall, fees included, exactly::

        shortfall = Σ x_i D (P_i - m_0) + fees          D = +1 to buy, -1 to sell; x_i lots filled at P_i

    ## Start and end

    The episode ends when the parent order is complete, at the deadline, or at the loss limit. What is left then
    is traded at once against the book, and is part of the sum; what the book cannot take is settled at the last mid
    and counted as ``unclosed``.

    ## Info

    Beside the keys of ``HFTMarket-v0``, of which ``net_pnl`` is minus the shortfall so far:

    | key | unit | value |
    |---|---|---|
    | ``quantity`` | lots | of the parent order; positive is to buy |
    | ``quantity_left`` | lots | likewise, what is left of it; 0 after the close |
    | ``completion`` | 1 | share of the parent order traded before the close |
    | ``arrival_mid`` | ticks | m_0 |
    | ``shortfall`` | currency | so far, what is left marked at the mid |
    | ``shortfall_ticks`` | ticks | the same per lot of the parent order |
    | ``shortfall_bps`` | basis points | the same of the parent order's value at m_0 |
    | ``shortfall_drift`` | ticks·lots | part: what moves of the mid cost on lots not yet traded |
    | ``shortfall_trading`` | ticks·lots | part: what trades cost against the mid of the decision before them |

    ``shortfall_drift + shortfall_trading + fees = -net_pnl``.

    ## Arguments

    | setting | default | meaning |
    |---|---|---|
    | ``execution.side`` | drawn | of the parent order; drawn: by each episode's key |
    | ``execution.quantity`` | 50 | of the parent order [lots] |
    | ``execution.max_quantity`` | None | if given, each episode draws from quantity to this [lots] |

    and those of ``HFTMarket-v0``.

    ## Version history

    * v0: first version.
    """

    task: ClassVar[str | None] = "execution"


class HFTExecutionVectorEnv(HFTMarketVectorEnv):
    """N executions stepped together: what ``gymnasium.make_vec("HFTExecution-v0", num_envs=N)`` returns.

    Arguments and conventions are those of `HFTMarketVectorEnv`, the task that of `HFTExecutionEnv`.
    """

    task: ClassVar[str | None] = "execution"


class HFTLiquidityTakingEnv(HFTMarketEnv):
    """Hold, buy or sell against the book: a directional trader that never quotes.

    This is the data sheet of ``HFTLiquidityTaking-v0``: the market, clock, latency, fees, observation, reward and end
    of ``HFTMarket-v0`` (see `HFTMarketEnv`), with ``task="liquidity-taking"``. The columns of own quotes are there and
    stay 0.

    >>> import gymnasium, hft_gym
    >>> env = gymnasium.make("HFTLiquidityTaking-v0", episode_steps=50)
    >>> observation, info = env.reset(seed=7)
    >>> env.action_space
    MultiDiscrete([3])
    >>> observation, reward, terminated, truncated, info = env.step(env.unwrapped.action_schema.encode(take="buy"))
    >>> info["inventory"]
    1

    ## Action

    | encoding | space | meaning |
    |---|---|---|
    | ``multi_discrete`` (default) | ``MultiDiscrete([3])`` | 0 holds, 1 buys ``order_size`` at any price, 2 sells it |
    | ``discrete`` | ``Discrete(3)`` | the same |
    | ``continuous`` | ``Box(-1, 1, (1,))`` | above 0.8 buys, below -0.8 sells |
    | ``ladder`` | ``MultiDiscrete([2 · max_size + 1])`` | 0 holds, then buys of 1 to ``max_size``, then sells |
    | ``ladder_continuous`` | ``Box(-1, 1, (1,))`` | above 0.8 buys, below -0.8 sells 1 to ``max_size`` |

    ``ladder.max_size`` counts in ``order_size``. Orders are cut to what ``max_position`` leaves, orders on their way
    included.

    ## Reward

    ``reward_pnl`` and ``reward_inventory`` as in ``HFTMarket-v0``: the change of equity net of fees, marked at the mid,
    and the optional penalty on inventory. A take pays half the spread, and what it walks through the book.

    ## Version history

    * v0: first version.
    """

    task: ClassVar[str | None] = "liquidity-taking"


class HFTLiquidityTakingVectorEnv(HFTMarketVectorEnv):
    """N takers stepped together: what ``gymnasium.make_vec("HFTLiquidityTaking-v0", num_envs=N)`` returns.

    Arguments and conventions are those of `HFTMarketVectorEnv`, the task that of `HFTLiquidityTakingEnv`.
    """

    task: ClassVar[str | None] = "liquidity-taking"
