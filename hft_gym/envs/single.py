"""`HFTMarketEnv`: one market as a `gymnasium.Env`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import gymnasium
import numpy as np
from gymnasium.error import ResetNeeded
from numpy.typing import NDArray

from hft_gym.envs.common import (
    INTEGER_KEYS,
    RENDER_MODES,
    check_count,
    check_options,
    check_render_mode,
    draw_key,
    make_config,
    of_task,
)
from hft_gym.envs.config import EnvConfig
from hft_gym.envs.core import EnvCore, Logs
from hft_gym.envs.records import INFO_KEYS
from hft_gym.envs.render import RENDER_FPS, Renderer
from hft_gym.envs.schema import ObservationSchema
from hft_gym.envs.task_actions import action_schema
from hft_gym.errors import ConfigError

__all__ = ["HFTMarketEnv"]

_VIEWS = ("_decode", "_orders", "_order", "_obs", "_reward", "_terminated", "_truncated", "_values", "_more")


class HFTMarketEnv(gymnasium.Env[NDArray[np.float32], Any]):
    """One agent in one limit order book: quote on both sides, take, and be marked at the mid.

    This is the data sheet of ``HFTMarket-v0``; other tasks on the same market, by the setting ``task`` or by their own
    ids, are ``HFTExecution-v0`` and ``HFTLiquidityTaking-v0``. Prices count in ticks, quantities in lots, money in ticks·lots
    (one lot moved by one tick). The market is simulated, order by order, or replayed from a recorded day; the
    agent's orders queue and trade in the same book as everyone else's.

    >>> import gymnasium, hft_gym
    >>> env = gymnasium.make("HFTMarket-v0", episode_steps=200)
    >>> observation, info = env.reset(seed=7)
    >>> schema, actions = env.unwrapped.observation_schema, env.unwrapped.action_schema
    >>> float(observation[schema.index("inventory")])
    0.0
    >>> action = actions.encode(bid="join", ask="behind_1", take="none")
    >>> observation, reward, terminated, truncated, info = env.step(action)
    >>> observation.shape, terminated, info["inventory"]
    ((60,), False, 1)
    >>> reward == info["reward_pnl"] + info["reward_inventory"]
    True

    ## Observation

    ``Box(float32)`` in raw units, finite bounds; the columns by name are in ``observation_schema``.
    Everything is of the moment one market-data latency ago: book, fills and acknowledgements arrive together.
    Book columns, mid and flow are those of the others: the agent's own orders and takes are left out. While a
    side of the book is empty, the mid keeps its last value.

    | index | name | unit | min | max | meaning |
    |---|---|---|---|---|---|
    | 0-9 | bid_offset_1..10 | ticks | -2^23 | 2^23 | price of bid level k minus the mid; 0 if absent |
    | 10-19 | bid_size_1..10 | lots | 0 | 2^24 | others' volume at bid level k; 0 if absent |
    | 20-29 | ask_offset_1..10 | ticks | -2^23 | 2^23 | price of ask level k minus the mid; 0 if absent |
    | 30-39 | ask_size_1..10 | lots | 0 | 2^24 | others' volume at ask level k; 0 if absent |
    | 40 | spread | ticks | 0 | 2^23 | best ask minus best bid; 0 if a side is empty |
    | 41 | imbalance | 1 | -1 | 1 | (bid - ask) / (bid + ask) of the sizes at the touch |
    | 42 | mid_change | ticks | -2^23 | 2^23 | change of the mid since the last decision |
    | 43 | buy_volume | lots | 0 | 2^24 | bought by other takers since the last decision |
    | 44 | sell_volume | lots | 0 | 2^24 | sold by other takers since the last decision |
    | 45 | trades | count | 0 | 2^24 | fills in the market since the last decision, own ones included |
    | 46 | elapsed | s | 0 | 1e6 | market time since the last decision |
    | 47 | volatility | ticks/√s | 0 | 2^23 | recent volatility of the mid, exponentially weighted |
    | 48 | inventory | lots | -2^24 | 2^24 | own position; negative is short |
    | 49 | own_bid_offset | ticks | -2^23 | 2^23 | price of the (best) own bid minus the mid; 0 if none |
    | 50 | own_bid_size | lots | 0 | 2^24 | remaining quantity of the own bids; 0 if none |
    | 51 | own_bid_ahead | lots | -1 | 2^24 | volume ahead of the (best) own bid; -1 if not yet acknowledged |
    | 52 | own_ask_offset | ticks | -2^23 | 2^23 | price of the (best) own ask minus the mid; 0 if none |
    | 53 | own_ask_size | lots | 0 | 2^24 | remaining quantity of the own asks; 0 if none |
    | 54 | own_ask_ahead | lots | -1 | 2^24 | volume ahead of the (best) own ask; -1 if not yet acknowledged |
    | 55 | bought | lots | 0 | 2^24 | own buys filled since the last decision |
    | 56 | sold | lots | 0 | 2^24 | own sells filled since the last decision |
    | 57 | in_flight | count | 0 | 2^24 | own messages sent whose outcome is not yet known |
    | 58 | unrealised_pnl | ticks·lots | -2^50 | 2^50 | open position marked at the mid |
    | 59 | time_left | 1 | 0 | 1 | share of the episode that is left; 1 at the start, 0 at the end |

    ## Action

    ``action="multi_discrete"`` (default): ``MultiDiscrete([8, 8, 3])``: bid quote, ask quote, take.

    | index | quote | price |
    |---|---|---|
    | 0 | none | no quote on this side; a resting one is cancelled |
    | 1 | improve | one tick inside the others' best price, clamped inside the spread |
    | 2 | join | the others' best price |
    | 3-7 | behind_1, _2, _3, _5, _10 | that many ticks behind it |

    | index | take | order |
    |---|---|---|
    | 0 | none | nothing |
    | 1 | buy | buys ``order_size`` from the book at once, at any price |
    | 2 | sell | sells ``order_size`` likewise |

    Prices count from the best price of the others in the observed book. An order is kept, with its place in
    the queue, exactly if its price equals the target; a partial fill is not topped up; a changed quote is
    cancelled and sent anew, each with its latency. Orders are cut to what ``max_position`` leaves, working
    orders included. A quote that meets the agent's own order never trades with it.

    ``action="discrete"``: ``Discrete(192)``, the index of the above (``np.ravel_multi_index((bid, ask, take),
    (8, 8, 3))``). ``action="continuous"``: ``Box(-1, 1, (3,))``: the first two map in eight equal bins onto
    improve, join, behind_1 ... behind_10, none; the third buys above 0.8 and sells below -0.8.
    ``action_schema.encode`` builds actions of each kind from names. An action outside the space raises
    ``ActionError`` and nothing happens.

    ``action="ladder"``: volumes at several price levels, and takes with sizes, all in ``order_size``. ``MultiDiscrete``:
    for each of ``ladder.offsets`` a volume of bids, 0 to ``ladder.max_size``, the same for the asks, then the take: 0
    nothing, 1 to ``max_size`` buys so much, ``max_size + 1`` to ``2 · max_size`` sells 1 to ``max_size``. A level lies so
    many ticks behind the others' best price in the observed book, a negative one inside the spread, as far as that goes
    (volumes that come to one price add up). Where the wanted volume is at work, nothing is sent; where it is less, the
    orders that joined last are reduced, and what remains of them keeps its place in the queue; where it is more, a new
    order joins the end; at prices where nothing is wanted, orders are cancelled. ``action_schema.encode(bid=[2, 0, 1, 0,
    0], ask=1, take=-3)`` builds such an action. ``action="ladder_continuous"`` is the same ladder as a ``Box(-1, 1)``: each
    volume in ``max_size + 1`` equal bins, the take beyond 0.8 (buys) and -0.8 (sells) in ``max_size``. With a ladder of K levels the observation goes on:

    | index | name | unit | min | max | meaning |
    |---|---|---|---|---|---|
    | 60 to 59 + K | bid_rung_size_1..K | lots | 0 | 2^24 | own working volume at level k of the bid ladder as it lies now |
    | to 59 + 2K | bid_rung_ahead_1..K | lots | -1 | 2^24 | volume ahead of the first own order there; 0 if none, -1 if not yet acknowledged |
    | to 59 + 3K | ask_rung_size_1..K | lots | 0 | 2^24 | own working volume at level k of the ask ladder as it lies now |
    | to 59 + 4K | ask_rung_ahead_1..K | lots | -1 | 2^24 | volume ahead of the first own order there; 0 if none, -1 if not yet acknowledged |

    ## Reward

    The sum of the named terms, each of them in the info under its name:

    | term | value |
    |---|---|
    | ``reward_pnl`` | ``reward.pnl`` times the change of equity, net of fees, marked at the others' mid |
    | ``reward_inventory`` | minus ``reward.inventory`` times squared inventory times the seconds since the last decision |

    With weight 1 the P&L terms of an episode sum to its net P&L; an agent that does nothing earns exactly
    zero.

    ## Start and end

    An episode opens a new book, lets it run for ``market.warm_up_ns``, and starts flat. ``reset(seed)`` makes
    everything that follows a function of the seed, later unseeded resets included; unseeded episodes differ.
    It ends (``terminated``) after ``episode_steps`` decisions, or when the loss exceeds ``loss_limit`` or
    ``capital``. Working orders are then cancelled and the position is closed at the prices in the book; what
    the book cannot take is marked at the mid and counted in the info as ``unclosed``. Nothing truncates but
    wrappers.

    ## Clock, latency and fees

    With ``clock="time"`` there is a decision every ``step_ns`` of market time; with ``clock="event"`` at the
    next of ``events`` (own fill, trade, change of the touch), after ``step_ns`` at the latest. Orders and
    cancels reach the exchange after their latency, a constant plus an exponential part; what happens there is
    known ``market_data_ns`` later. Fees are charged per fill, in ticks per lot or in basis points; rebates
    are negative.

    ## Info

    ``reward_pnl``, ``reward_inventory``, ``net_pnl`` and ``fees`` (ticks·lots, since the start),
    ``inventory`` (lots), ``mid`` (ticks), ``time`` (s, since the start), ``unclosed`` (lots), ``variant``; the same
    keys and types at every reset and step.

    ## A market for each episode

    With ``randomise`` every episode plays another market (domain randomisation): its order flow is one of the
    presets in ``flows``, and settings are drawn from ``ranges`` or multiplied by ``factors``, each given as
    ``(name, low, high)`` with a name such as ``"flow.market_rate"``, ``"latency.order_ns"`` or
    ``"fees.taker"``. ``variants`` markets are drawn up from ``randomise.seed`` when the environment is made;
    the episode's own seed says which it plays, the info's ``variant`` tells, and
    ``config.variants[variant].drawn`` is what was drawn. See docs/market.md.

    ## Arguments

    Every setting is a keyword of ``gymnasium.make``; nested ones as mappings (``market={"latency":
    {"order_ns": 0}}``), or whole as ``config=EnvConfig(...)``. An unknown one raises ``ConfigError``, which
    names the nearest. ``render_mode`` is ``"ansi"`` (a ladder with own orders marked), ``"rgb_array"``
    (ladder, price and P&L, 540 x 960 x 3), ``"human"`` (the ladder, live on the terminal) or None. ``log_capacity`` records, beside that, up to so many
    fills, orders and mid changes between two calls of ``drain_logs``.

    | setting | default | meaning |
    |---|---|---|
    | ``market.flow`` | default | order flow: a preset's name or a FlowConfig |
    | ``market.latency.order_ns`` | 1_000_000 | new orders to the exchange, constant part [ns] |
    | ``market.latency.order_jitter_ns`` | 200_000 | mean of the exponential random part [ns] |
    | ``market.latency.cancel_ns`` | 1_000_000 | cancels and changes to the exchange, constant part [ns] |
    | ``market.latency.cancel_jitter_ns`` | 200_000 | mean of the exponential random part [ns] |
    | ``market.latency.market_data_ns`` | 500_000 | book, fills and acknowledgements to the participant [ns] |
    | ``market.fees.unit`` | per_lot | ticks per lot, or basis points of the notional |
    | ``market.fees.maker`` | 0 | fee of a passive fill |
    | ``market.fees.taker`` | 0 | fee of an aggressive fill |
    | ``market.risk.max_position`` | None | largest absolute position, working orders included [lots] |
    | ``market.risk.max_order_size`` | None | largest order [lots] |
    | ``market.risk.max_notional`` | None | largest value of the position at the mid, working orders included [ticks·lots] |
    | ``market.risk.max_open_orders`` | None | most working orders, in flight included |
    | ``market.risk.max_order_rate`` | None | most orders and changes sent within any rate window |
    | ``market.risk.max_cancel_rate`` | None | most cancels sent within any rate window; a change that only takes lots away counts as one |
    | ``market.risk.rate_window_ns`` | 1_000_000_000 | length of the rate window [ns] |
    | ``market.risk.price_collar`` | None | largest distance of an order from the others' mid [ticks]; a market order is held to it |
    | ``market.risk.max_loss`` | None | loss that is a breach, at the mid [ticks·lots] |
    | ``market.risk.max_drawdown`` | None | fall of the equity from its peak that is a breach [ticks·lots] |
    | ``market.risk.no_self_trade`` | False | refuse an order whose price would cross one's own working order |
    | ``market.risk.on_breach`` | reject | what a breach does |
    | ``market.participant_risk`` |  | limits of participant 1, 2, ... in place of risk |
    | ``market.tick_size`` | 0.01 | currency per tick |
    | ``market.initial_price`` | 10_000 | opening price [ticks] |
    | ``market.initial_depth`` | 8 | levels a side that the opening book is seeded with |
    | ``market.warm_up_ns`` | 5_000_000_000 | market time before the first decision [ns] |
    | ``market.levels`` | 256 | price ladder a side, multiple of 64; prices beyond are parked |
    | ``market.max_orders`` | 1_024 | resting orders the book can hold |
    | ``market.participants`` | 1 | participants beside the anonymous flow |
    | ``market.max_own_orders`` | 16 | working orders of one participant |
    | ``feed`` | None | recorded file to replay instead of simulating the flow (docs/data.md) |
    | ``replay.start`` | None | start of the window, "HH:MM" or seconds since midnight; None: the file's |
    | ``replay.end`` | None | end of the window; None: the file's |
    | ``replay.split`` | all | which part of the window |
    | ``replay.train_share`` | 0.666667 | share of the window that is for training |
    | ``replay.symbol`` | None | the instrument, if the file has several |
    | ``replay.queue_model`` | back | of level-2 files: which part of a queue unexplained decreases come from |
    | ``task`` | market-making | what is to be done: quote and take, trade a parent order, or only take |
    | ``execution.side`` | drawn | of the parent order; drawn: by each episode's key |
    | ``execution.quantity`` | 50 | of the parent order [lots] |
    | ``execution.max_quantity`` | None | if given, each episode draws from quantity to this [lots] |
    | ``episode_steps`` | 1_000 | decisions an episode |
    | ``clock`` | time | decide every step_ns, or at the next event |
    | ``step_ns`` | 100_000_000 | time between decisions; the time-out of the event clock [ns] |
    | ``events`` | fill, trade, touch | events that end a step of the event clock |
    | ``levels`` | 10 | book levels a side in the observation |
    | ``order_size`` | 1 | lots of every quote and take |
    | ``max_position`` | 10 | largest absolute position, working orders included [lots] |
    | ``capital`` | 100000 | loss that ends the episode as bankruptcy [ticks·lots] |
    | ``loss_limit`` | None | loss that ends the episode [ticks·lots]; None: the capital |
    | ``volatility_decay`` | 0.98 | decay per decision of the observed volatility's average |
    | ``action`` | multi_discrete | encoding of actions |
    | ``ladder.offsets`` | 0, 1, 2, 3, 4 | ticks behind the touch of each level, ascending; negative: inside the spread |
    | ``ladder.max_size`` | 5 | largest volume at a level, and of a take [order_size] |
    | ``reward.pnl`` | 1 | weight of the change of equity marked at the mid |
    | ``reward.inventory`` | 0 | penalty per second and squared lot of inventory |
    | ``randomise.flows`` |  | presets, one of which an episode's order flow is, each as often; none: market.flow |
    | ``randomise.ranges`` |  | (setting, low, high): settings of the market drawn uniformly |
    | ``randomise.factors`` |  | (setting, low, high): factors drawn log-uniformly that settings are multiplied by |
    | ``randomise.variants`` | 32 | markets drawn up, of which each episode plays one |
    | ``randomise.seed`` | 0 | what the markets are drawn up from |

    ## Version history

    * v0: first version.
    """  # noqa: E501

    task: ClassVar[str | None] = None
    """What every environment of this class does; None: what the configuration says."""
    metadata: dict[str, Any] = {"render_modes": list(RENDER_MODES), "render_fps": RENDER_FPS}  # noqa: RUF012

    def __init__(
        self,
        config: EnvConfig | Mapping[str, Any] | None = None,
        *,
        render_mode: str | None = None,
        log_capacity: int = 0,
        **settings: Any,
    ) -> None:
        self.config = make_config(config, of_task(self.task, config, settings), EnvConfig)
        self.render_mode = check_render_mode(render_mode)
        self.observation_schema = ObservationSchema.of(self.config)
        self.action_schema = action_schema(self.config)
        self.observation_space = self.observation_schema.space()
        self.action_space = self.action_schema.space()
        self._core = EnvCore(self.config, 1, log_capacity=check_count("log_capacity", log_capacity, 0))
        self._renderer: Renderer | None = None
        if render_mode is not None:
            self._renderer = Renderer(
                self.observation_schema,
                self.config.market.tick_size,
                self.config.id,
                history=render_mode == "rgb_array",
            )
        self._keyed = False  # whether the core has a key to derive the next episode from
        self._running = False
        self._was_reset = False
        self._bind()

    def _bind(self) -> None:
        """Keep hold of the core's buffers: looking them up costs as much as reading them."""
        core = self._core
        self._decode = self.action_schema.decode
        self._orders = np.zeros((1, self.action_schema.width), dtype=np.int64)
        self._wide = self.action_schema.width != 3
        self._order = self._orders[0]
        self._obs = core.obs[0]
        self._reward, self._terminated, self._truncated = core.reward, core.terminated, core.truncated
        self._values = core.info[: len(INFO_KEYS), 0]
        self._more_keys, self._more = core.INFO_KEYS[len(INFO_KEYS) :], core.info[len(INFO_KEYS) :, 0]

    def __getstate__(self) -> dict[str, Any]:
        """Everything but the views of the core's buffers, which a copy must not share."""
        return {name: value for name, value in self.__dict__.items() if name not in _VIEWS}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Restore a copied or pickled environment: it goes on bit for bit."""
        self.__dict__.update(state)
        self._bind()

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.float32], dict[str, Any]]:
        """Start an episode.

        Args:
            seed: episodes from here on are a function of it. None: the next episode of the last seed; if
                there was none, fresh entropy.
            options: ``{"start": time}``: where in the recorded day a replay starts, ns since midnight; else
                the place is drawn from the seed.

        Returns:
            The observation, float32 of shape ``(len(observation_schema),)``, and the info.

        Raises:
            ConfigError: an unknown option, or a start that is not possible.
        """
        check_options(options, ("start",))
        starts = None
        if options and options.get("start") is not None:
            starts = np.array([check_count("reset option 'start'", options["start"], 0)], dtype=np.int64)
        super().reset(seed=seed)
        keys = None
        if seed is not None or not self._keyed:
            keys = np.array([draw_key(self.np_random)], dtype=np.uint64)
        self._core.reset(keys, None, starts)
        self._keyed = True
        self._running = self._was_reset = True
        observation, info = self._obs.copy(), self._info()
        if self._renderer is not None:
            self._record(observation, info, start=True)
        return observation, info

    def step(self, action: Any) -> tuple[NDArray[np.float32], float, bool, bool, dict[str, Any]]:
        """Act, and let the market run to the next decision.

        Args:
            action: an element of ``action_space``.

        Returns:
            Observation, reward (the sum of the ``reward_*`` terms in the info), terminated, truncated, info.

        Raises:
            ActionError: not an element of ``action_space``; nothing has happened.
            ResetNeeded: before the first reset, or after the end of an episode.
        """
        if not self._running:
            raise self._needs_reset()
        order = self._order
        if self._wide:
            order[:] = self._decode(action)
        else:
            order[0], order[1], order[2] = self._decode(action)
        self._core.step(self._orders)
        terminated, truncated = self._terminated.item(), self._truncated.item()
        if terminated or truncated:
            self._running = False
        observation, info = self._obs.copy(), self._info()
        if self._renderer is not None:
            self._record(observation, info, start=False)
        return observation, self._reward.item(), terminated, truncated, info

    def _info(self) -> dict[str, Any]:
        # Written out: building it from a list of keys would take twice as long, in every step.
        pnl, penalty, net_pnl, inventory, mid, fees, time, unclosed, variant = self._values.tolist()
        info = {
            "reward_pnl": pnl,
            "reward_inventory": penalty,
            "net_pnl": net_pnl,
            "inventory": int(inventory),
            "mid": mid,
            "fees": fees,
            "time": time,
            "unclosed": int(unclosed),
            "variant": int(variant),
        }
        for key, value in zip(self._more_keys, self._more.tolist(), strict=True) if self._more_keys else ():
            info[key] = int(value) if key in INTEGER_KEYS else value
        return info

    def _needs_reset(self) -> ResetNeeded:
        if not self._was_reset:
            return ResetNeeded("Cannot call `step()` before `reset()`: no episode has been started")
        return ResetNeeded(
            "Cannot call `step()` after the end of an episode: call `reset()` to start the next one"
        )

    def _record(self, observation: NDArray[np.float32], info: dict[str, Any], start: bool) -> None:
        assert self._renderer is not None
        self._renderer.record(observation, info["mid"], info["net_pnl"], info["time"], start)
        if self.render_mode == "human":
            self._renderer.show()

    def render(self) -> Any:
        """A frame of the latest observation.

        Returns:
            ``ansi``: text; ``rgb_array``: uint8 of shape (540, 960, 3); ``human``: None, the ladder is on the
            terminal.

        Raises:
            ResetNeeded: before the first reset.
        """
        if not self._was_reset:
            raise ResetNeeded("Cannot call `render()` before `reset()`: there is no market to show yet")
        if self._renderer is None:
            gymnasium.logger.warn(
                "render() was called without a render mode: nothing is drawn. "
                f"Give one to gymnasium.make: render_mode= one of {', '.join(RENDER_MODES)}."
            )
            return None
        if self.render_mode == "human":
            return None  # shown at every reset and step
        return self._renderer.ansi() if self.render_mode == "ansi" else self._renderer.rgb()

    @property
    def market_time(self) -> int:
        """Market time of the latest observation, ns since the start of the episode."""
        return int(self._core.time_ns[0])

    @property
    def reference_price(self) -> float:
        """Level of the price in ticks: what turns a fractional move into ticks. See `EnvCore`."""
        return self._core.reference_price

    @property
    def reference_spread(self) -> float:
        """Usual spread in ticks: what strategies scale their distances to. See `EnvCore`."""
        return self._core.reference_spread

    def drain_logs(self) -> Logs:
        """Fills, orders and mids logged since the last call, as structured arrays; see `EnvCore.drain`.

        Raises:
            ConfigError: made without ``log_capacity``.
            LogOverflowError: more was logged since the last call than that.
        """
        if not self._core.log_capacity:
            raise ConfigError("nothing is logged: make the environment with log_capacity=, for example 4096")
        return self._core.drain()
