"""`AgentSeat`: one participant of a `Market`, observed and moved by the very code of the environments.

An environment has a market to itself; in a live session several participants trade in one. Each has a seat: its
observation and what its action sends are those of `HFTMarketEnv`, because the same kernels write and send them. The
market's clock is moved by whoever owns the market; nobody's episode ends it.
"""

from __future__ import annotations

from enum import IntFlag
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hft_gym._jit import U, entry
from hft_gym.book.ladder import Book
from hft_gym.envs.config import EnvConfig
from hft_gym.envs.execution import follow_execution
from hft_gym.envs.kernel import act, first_bad, keep_time, look, take_seat, warm_up_change
from hft_gym.envs.observe import Seat
from hft_gym.envs.records import ENV_STATE
from hft_gym.envs.rungs import act_ladder
from hft_gym.envs.schema import ObservationSchema
from hft_gym.envs.task_actions import action_schema
from hft_gym.errors import ActionError, ConfigError
from hft_gym.market.accounts import equity2, refresh_mid
from hft_gym.market.exchange import Exchange
from hft_gym.market.market import Market
from hft_gym.market.messages import entries_per_participant
from hft_gym.market.replay import Replay
from hft_gym.types import OrderSide

__all__ = ["AgentSeat", "SeatEnd", "warm_up"]

_OPEN, _WARM, _TAKE, _LOOK, _ACT = range(5)
_HORIZON, _DONE = 1, 2


class SeatEnd(IntFlag):
    """Why an environment would have ended the episode here.

    ``HORIZON``: ``episode_steps`` decisions were made. ``DONE``: the parent order is complete. That the capital is lost
    is for those to say who know what the participant began with.
    """

    HORIZON = _HORIZON
    DONE = _DONE


@entry
def run_seat(
    command: int, p: int, elapsed: int, held: int, action: Any, env: Any, env_param: Any, obs: Any,
    state: Any, param: Any, flow_state: Any, flow: Any, live: Any, account: Any, own: Any, message: Any,
    fills: Any, head: Any, node: Any, order: Any, words: Any, fill_log: Any, order_log: Any, mid_log: Any, agents: Any,
    ops: Any, op_rows: Any, times: Any, checkpoints: Any, checkpoint_orders: Any, checkpoint_rows: Any,
) -> int:
    """Carry out *command* for participant *p*; returns the :class:`SeatEnd` bits of a look, or -1 for a bad action."""
    replay = Replay(ops, op_rows, times, checkpoints, checkpoint_orders, checkpoint_rows)
    ex = Exchange(
        Book(head[0], node[0], order[0], words[0]), fills[0], state[0], param[0], flow_state[0], flow[0], live[0],
        account[0], own[0], message[0], fill_log[0], order_log[0], mid_log[0], agents[0], replay,
    )
    per = entries_per_participant(ex)
    seat, agent, q = Seat(p, (p - 1) * per, p * per), env[0], env_param[0]
    if command == _ACT:
        if first_bad(action, q) >= 0:
            return -1
        if q["ladder"] != 0:
            act_ladder(ex, seat, agent, q, action[0])
        else:
            act(ex, seat, agent, q, action[0, 0], action[0, 1], action[0, 2])
        return 0
    mid2 = refresh_mid(ex, p)
    ended = 0
    if command == _OPEN:
        agent["step"] = 0
        agent["variance"] = 0.0
        agent["mid2"] = mid2
    elif command == _WARM:
        warm_up_change(agent, q, mid2, elapsed)
    else:
        if command == _TAKE:
            take_seat(ex, seat, agent, q)
        else:
            keep_time(ex, agent, q, mid2, elapsed)
            if q["execution"] != 0 and follow_execution(ex, seat, agent, mid2, held):
                ended |= _DONE
            if agent["step"] >= q["episode_steps"]:
                ended |= _HORIZON
            agent["equity2"] = equity2(ex.account[U(p)], mid2)
        look(ex, seat, agent, q, mid2, elapsed, obs)
    return ended


class AgentSeat:
    """A participant's seat in a market.

    Strategies can be bound to it like to an environment: it has ``config``, ``observation_schema``, ``action_schema``,
    ``reference_price`` and ``reference_spread``. The last two are the market's when they were measured, not now: a
    strategy that is bound again, to go on from a saved state, must find the scales that its parameters came from.

    Args:
        market: the market, with room for the participant.
        participant: 1 to ``market.config.participants``.
        config: what an environment of this agent would be; its market must be that of *market* but for the number of
            participants, so that the latency of its market data is the same.

    Attributes:
        reference_price: level of the price [ticks]: the opening price of a simulated market, else the mid at the last
            `measure`.
        reference_spread: usual spread [ticks]: 1 for a simulated market, else the spread at the last `measure`.

    Raises:
        ConfigError: no such participant, randomised markets, or a market that differs.
    """

    reference_price: float
    reference_spread: float

    def __init__(self, market: Market, participant: int, config: EnvConfig) -> None:
        if not 1 <= participant <= market.config.participants:
            raise ConfigError(f"participant is {participant}; allowed are 1 to {market.config.participants}")
        if len(config.variants) > 1:
            raise ConfigError("randomise: a seat is in one market, which is not drawn anew")
        if config.market.latency != market.config.latency or config.market.fees != market.config.fees:
            raise ConfigError("latency and fees of a seat are those of its market; they differ")
        self.market, self.participant, self.config = market, participant, config
        self.observation_schema, self.action_schema = ObservationSchema.of(config), action_schema(config)
        self.obs = np.zeros(len(self.observation_schema), np.float32)
        self.env = np.zeros(1, ENV_STATE)
        self.env["key"] = market.seed
        self.env["quote"] = -1
        self._param = config.compiled()
        self._no_action = np.zeros((1, self.action_schema.width), np.int64)
        self._action = self._no_action.copy()
        self._command(_OPEN)
        self.measure()

    def _command(self, command: int, elapsed: int = 0, held: int = 0, action: NDArray[np.int64] | None = None) -> int:
        return int(
            run_seat(
                command, self.participant, elapsed, held, self._no_action if action is None else action, self.env,
                self._param, self.obs, *self.market.kernel_arrays,
            )
        )

    def measure(self) -> None:
        """Take `reference_price` and `reference_spread` from the market as it is now."""
        simulated = self.market.feed is None
        bid, ask = (self.market.best(side, without=self.participant) for side in OrderSide)
        mid = self.market.account(self.participant).mid
        self.reference_price = float(self.config.market.initial_price) if simulated else mid
        self.reference_spread = 1.0 if simulated or bid is None or ask is None else float(ask - bid)

    def warm(self, elapsed: int) -> None:
        """Take the market's move over a slice of *elapsed* ns into the volatility, before the first decision."""
        self._command(_WARM, elapsed)

    def begin(self) -> NDArray[np.float32]:
        """The first decision is due now: the observation, which is overwritten by the next."""
        self.env["start_time"] = self.market.time
        self._command(_TAKE)
        return self.obs

    def look(self, elapsed: int, held: int) -> SeatEnd:
        """The next decision is due now: write :attr:`obs`, *elapsed* ns after the last one, when *held* lots were held.

        Returns why an environment's episode would end here; an execution's horizon is its deadline.
        """
        return SeatEnd(self._command(_LOOK, elapsed, held))

    def roll_over(self) -> None:
        """Start the horizon anew: the next decision is the first of ``episode_steps``."""
        self.env["step"] = 0

    def act(self, action: Any) -> None:
        """Send what the action asks for, an element of ``action_schema.space()``.

        Raises:
            ActionError: not an element of the space; nothing has been sent.
        """
        self._action[0] = self.action_schema.decode(action)
        if self._command(_ACT, action=self._action) < 0:
            raise ActionError(f"action {action!r}; allowed are those of {self.action_schema.space()}")


def warm_up() -> None:
    """Compile what a seat runs, or load it from the cache."""
    config = EnvConfig()
    AgentSeat(Market({"warm_up_ns": 0, "initial_depth": 0}, log_capacity=0), 1, config)
