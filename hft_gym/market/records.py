"""The market's state and logs as NumPy records: what one market, one participant, one order, one fill looks like.

Money is counted in whole sub-units, :data:`SUBUNITS` to one tick·lot, in 64 bits: fees of 0.0001 tick a lot are
exact and a position of 10,000 lots at 1,000,000 ticks uses 1e14 of 9e18. Times are nanoseconds since the market
opened, prices ticks, quantities lots; ``mid2`` is bid + ask, the mid in half-ticks.
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np

SUBUNITS = 10_000
"""Sub-units of money in one tick·lot."""

MARKET_STATE = np.dtype(
    [
        ("time", "i8"),
        ("key", "u8"),
        ("messages", "i8"),
        ("trades", "i8"),
        ("volume", "i8", (2,)),
        ("hidden_volume", "i8"),
        ("fees", "i8"),
        ("next_arrival", "i8"),
        ("n_messages", "i8"),
        ("sequence", "i8"),
        ("events", "i8"),
        ("touch", "i8", (2,)),
        ("n_fills", "i8"),
        ("n_orders", "i8"),
        ("n_mids", "i8"),
        ("lost", "i8"),
        ("closing", "i8"),
        ("own_resting", "i8"),
        ("env", "i8"),
        ("episode", "i8"),
        ("muted", "i8"),
    ]
)
"""One market: clock; random key; book messages, trades and volume by aggressor side so far; fees collected [sub-units];
earliest arrival and number of messages in flight; next message's sequence number; what happened in the last
:func:`advance` (bits ``EVENT_*``); touch at the last look; records in the logs and records lost because a log was
full; 1 while a position is being closed; resting orders of participants; index and episode number for the logs; 1
while mids are not logged (warm-up)."""

EVENT_FILL, EVENT_TRADE, EVENT_TOUCH, EVENT_END, EVENT_ANY = 1, 2, 4, 8, 16
"""What :func:`hft_gym.market.kernel.advance` can stop at, as bits; ``EVENT_END`` is the end of a replayed file,
``EVENT_ANY`` every event."""

class RiskReason(IntEnum):
    """Which limit a message or a price broke (:class:`hft_gym.RiskLimits`)."""

    POSITION = 0
    ORDER_SIZE = 1
    NOTIONAL = 2
    OPEN_ORDERS = 3
    ORDER_RATE = 4
    CANCEL_RATE = 5
    PRICE_COLLAR = 6
    LOSS = 7
    DRAWDOWN = 8
    SELF_TRADE = 9
    REDUCE_ONLY = 10
    KILLED = 11


class RiskMode(IntEnum):
    """What a participant may still do."""

    NORMAL = 0
    REDUCE_ONLY = 1
    KILLED = 2


NO_LIMIT = 2**62
MAX_RATE = 128
"""Most messages that a rate limit can allow in its window."""
RISK = np.dtype(
    [
        ("watched", "i8"),
        ("mode", "i8"),
        ("passed", "i8"),
        ("last", "i8"),
        ("peak2", "i8"),
        ("max_position", "i8"),
        ("max_order_size", "i8"),
        ("max_notional", "i8"),
        ("max_open_orders", "i8"),
        ("max_order_rate", "i8"),
        ("max_cancel_rate", "i8"),
        ("rate_window", "i8"),
        ("collar2", "i8"),
        ("max_loss", "i8"),
        ("max_drawdown", "i8"),
        ("no_self_trade", "i8"),
        ("on_breach", "i8"),
        ("breaches", "i8", (len(RiskReason),)),
        ("n_sent", "i8", (2,)),
        ("last_sent", "i8", (2,)),
        ("sent", "i8", (2 * MAX_RATE,)),
    ]
)
"""One participant's limits and where it stands with them: whether prices can break one; the mode; the limit that the
price has passed now and the one broken last (-1: none); the highest equity so far [half sub-units]; then the limits
(:data:`NO_LIMIT`: none; money in half sub-units, the collar in half-ticks) and what a breach leads to; breaches
so far by reason; number and last time [ns] of the orders and cancels sent, and the times of the last of them."""

ACCOUNT = np.dtype(
    [
        ("cash", "i8"),
        ("position", "i8"),
        ("cost", "i8"),
        ("fees", "i8"),
        ("bought", "i8"),
        ("sold", "i8"),
        ("maker_volume", "i8"),
        ("taken", "i8", (2,)),
        ("open", "i8", (2,)),
        ("n_open", "i8"),
        ("n_resting", "i8"),
        ("in_flight", "i8"),
        ("orders_sent", "i8"),
        ("cancels_sent", "i8"),
        ("refused", "i8"),
        ("mid2", "i8"),
        ("logged_mid2", "i8"),
        ("stream", "u8", (1,)),
        ("unclosed", "i8"),
        ("risk", RISK),
    ]
)
"""One participant: cash after fees and cost of the position [sub-units]; position [lots]; fees paid; lots bought,
sold, filled passively, and taken by side; lots of working orders by side, in flight included; working orders, those
resting, and messages in flight; orders and cancels sent; orders and changes refused because a table or the book was
full; others' mid, and as last logged; latency stream; lots that could not be closed at book prices; risk limits and
where it stands with them."""

IN_FLIGHT, RESTING = 1, 2
OWN = np.dtype(
    [
        ("id", "i8"),
        ("price", "i8"),
        ("time_sent", "i8"),
        ("time_arrival", "i8"),
        ("time_entry", "i8"),
        ("queue_entry", "i8"),
        ("quantity", "i8"),
        ("remaining", "i8"),
        ("slot", "u4"),
        ("state", "u1"),
        ("side", "u1"),
        ("time_in_force", "u1"),
        ("cancel_sent", "u1"),
    ]
)
"""A participant's order, from sending to its end (``state`` 0: free entry)."""

NEW, CANCEL, MODIFY, REDUCE = 0, 1, 2, 3
MESSAGE = np.dtype(
    [
        ("arrival", "i8"),
        ("sequence", "i8"),
        ("order_id", "i8"),
        ("price", "i8"),
        ("quantity", "i8"),
        ("participant", "u4"),
        ("own", "u4"),
        ("kind", "u4"),
        ("pad", "u4"),
    ]
)
"""A message in flight to the exchange; messages of equal arrival are processed in the order of sending. A REDUCE takes
``quantity`` lots off an order, which keeps its place; what has been filled meanwhile is not put back."""


class EndReason(IntEnum):
    """Why an order ended."""

    FILLED = 0
    CANCELLED = 1
    REJECTED = 2
    EXPIRED = 3
    SELF_TRADE = 4
    EPISODE_END = 5
    RISK_POSITION = 6
    RISK_ORDER_SIZE = 7
    RISK_NOTIONAL = 8
    RISK_OPEN_ORDERS = 9
    RISK_ORDER_RATE = 10
    RISK_CANCEL_RATE = 11
    RISK_PRICE_COLLAR = 12
    RISK_LOSS = 13
    RISK_DRAWDOWN = 14
    RISK_SELF_TRADE = 15
    RISK_REDUCE_ONLY = 16
    RISK_KILLED = 17


FILL_LOG = np.dtype(
    [
        ("env", "u4"),
        ("episode", "u4"),
        ("participant", "u4"),
        ("side", "u1"),
        ("maker", "u1"),
        ("closing", "u1"),
        ("cancel_sent", "u1"),
        ("order_id", "i8"),
        ("time", "i8"),
        ("price", "i8"),
        ("quantity", "i8"),
        ("mid2", "i8"),
        ("queue_ahead_entry", "i8"),
        ("queue_ahead_fill", "i8"),
        ("order_age", "i8"),
        ("fee", "i8"),
    ]
)
"""One fill of a participant. ``side`` is the participant's own, ``mid2`` the others' mid just before the message
that caused it, queue positions the lots ahead when the order joined and when this message reached it (-1: it never
rested; it was the taker), ``order_age`` ns since it was sent, ``fee`` sub-units paid; ``closing`` marks the closing
of the position at an episode's end, ``cancel_sent`` a fill that came before the cancel that was on its way."""

ORDER_LOG = np.dtype(
    [
        ("env", "u4"),
        ("episode", "u4"),
        ("participant", "u4"),
        ("side", "u1"),
        ("time_in_force", "u1"),
        ("end_reason", "u1"),
        ("cancel_sent", "u1"),
        ("order_id", "i8"),
        ("price", "i8"),
        ("quantity", "i8"),
        ("filled", "i8"),
        ("time_sent", "i8"),
        ("time_entry", "i8"),
        ("time_end", "i8"),
        ("queue_ahead_entry", "i8"),
    ]
)
"""One ended order of a participant; ``time_entry`` is -1 if it never reached the book, ``queue_ahead_entry`` -1 if
it never rested; ``cancel_sent``: a cancel was sent, whether or not it came in time."""

MID_LOG = np.dtype(
    [("env", "u4"), ("episode", "u4"), ("participant", "u4"), ("pad", "u4"), ("time", "i8"), ("mid2", "i8")]
)
"""A change of the mid of the book without the participant's own orders."""

MARKET_PARAM = np.dtype(
    [
        ("order_latency", "i8"),
        ("order_jitter", "i8"),
        ("cancel_latency", "i8"),
        ("cancel_jitter", "i8"),
        ("data_latency", "i8"),
        ("maker_fee", "i8"),
        ("taker_fee", "i8"),
        ("fee_in_bps", "i8"),
        ("initial_price", "i8"),
        ("initial_depth", "i8"),
        ("warm_up", "i8"),
        ("log_fills", "i8"),
        ("log_orders", "i8"),
        ("log_mids", "i8"),
        ("risk", "i8"),
    ]
)
"""A market's parameters as the kernels read them; fees in sub-units a lot or in 1e-4 basis points."""
