"""The estimators of Huang, Lehalle and Rosenbaum (2015, section 2.3): intensities as functions of queue size.

Queues stand around a reference price; the intensity of a kind of events at a queue of n units is the number of such
events that met it at that size over the time that it had it, with the Poisson count's standard error.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hft_gym.calibration.hawkes import Residual, exponential_residual
from hft_gym.errors import ConfigError
from hft_gym.flow.queue_reactive import MAX_QUEUES, MAX_SIZE, QueueReactiveConfig
from hft_gym.market.tape import Tape, TapeKind
from hft_gym.types import OrderSide

__all__ = ["QueueFit", "fit_queues", "queue_residuals", "reference_price"]

Floats = NDArray[np.float64]
NAMES = ("limit", "cancel", "market")


@dataclass(frozen=True)
class QueueFit:
    """Intensities by queue i (0: next to the reference price) and size n = 0 ... 63 [AES], both sides taken together.

    Attributes:
        rates, errors: of "limit", "cancel" and "market": ``(K, 64)`` events per second and side, NaN where the queue
            never had that size.
        seconds: ``(K, 64)`` time at each size, of both sides.
        law: ``(K, 64)`` share of time at each size.
        aes: average event size [lots of the data].
        moves, reversals: changes of the reference price, and how many of them went back on the one before.
    """

    rates: dict[str, Floats]
    errors: dict[str, Floats]
    seconds: Floats
    law: Floats
    aes: float
    moves: int
    reversals: int

    def smooth_law(self, least_share: float = 0.01) -> Floats:
        """``(K, 64)``: the law of the sizes that a queue had for at least *least_share* of the time, and those between,
        averaged over neighbours; from the largest of them on it falls by three tenths from size to size.

        Raises:
            ConfigError: a queue that had no size for that long.
        """
        found = np.zeros_like(self.law)
        for i, law in enumerate(self.law):
            known = np.flatnonzero(law[1 : MAX_SIZE - 1] >= least_share) + 1
            if not len(known):
                raise ConfigError(f"queue {i + 1} was hardly ever there; calibrate fewer queues")
            top = int(known[-1])
            padded = np.pad(law[: top + 1], 1, mode="edge")
            smooth = np.maximum((padded[:-2] + padded[1:-1] + padded[2:]) / 3.0, 1e-4)
            smooth[0] = max(law[0], 1e-4)
            found[i, : top + 1] = smooth
            found[i, top + 1 :] = smooth[-1] * 0.7 ** np.arange(1, MAX_SIZE - top)
        total: Floats = found / found.sum(axis=1, keepdims=True)
        return total

    def config(self, theta: float = 1.0, theta_reinit: float = 0.0, least_share: float = 0.01) -> QueueReactiveConfig:
        """The model with these intensities, an order being one lot (of *aes* lots of the data).

        Cancellations and market orders come as estimated; limit orders come so that each queue, left alone, has the
        data's law (`smooth_law`): limit(n - 1) = (cancel(n) + market(n)) law(n) / law(n - 1). Their own estimates would
        do the same if all orders were of one size; as they are not, queues would grow for ever. Rates of sizes that a
        queue had for less than *least_share* of the time are bursts that happened to meet them: the nearest other
        size's hold instead.

        Raises:
            ConfigError: a queue that was hardly ever there.
        """
        law = self.smooth_law(least_share)
        tables: dict[str, list[Any]] = {name: [] for name in NAMES}
        for i in range(len(law)):
            known = np.flatnonzero(self.law[i, 1 : MAX_SIZE - 1] >= least_share) + 1
            nearest = known[np.argmin(np.abs(np.arange(MAX_SIZE)[:, None] - known), axis=1)]
            cancel, market = self.rates["cancel"][i][nearest], self.rates["market"][i][nearest]
            cancel[0] = market[0] = 0.0
            limit = np.zeros(MAX_SIZE)
            limit[:-1] = (cancel[1:] + market[1:]) * law[i, 1:] / law[i, :-1]
            for name, rates in zip(NAMES, (limit, cancel, market), strict=True):
                tables[name].append((tuple(rates.tolist()),))
        made: dict[str, Any] = {name: tuple(rows) for name, rows in tables.items()}
        redraw = tuple(tuple(row.tolist()) for row in law)
        return QueueReactiveConfig(**made, aes=1, theta=theta, theta_reinit=theta_reinit, redraw=redraw)


def reference_price(bid: Any, ask: Any) -> NDArray[np.int64]:
    """The tick just below the reference price, which lies half a tick above it.

    With an odd spread the reference price is the mid; with an even one the half tick beside it that is nearer to the
    reference price before (paper, section 2.2).
    """
    both = np.asarray(bid, np.int64) + np.asarray(ask, np.int64)
    found = np.empty(len(both), np.int64)
    last = int(both[0]) // 2 if len(both) else 0
    for k, twice in enumerate(both.tolist()):
        half = twice // 2
        if twice % 2:
            last = half
        else:
            last = half if last >= half else half - 1
        found[k] = last
    return found


def fit_queues(tape: Tape, queues: int = 3) -> QueueFit:
    """Fit to a tape with depth.

    A trade is one market order, met by the queue that it executes at first; what of an order is executed at several
    prices counts at each. Sizes beyond 63 AES count as 63.

    Args:
        tape: the data.
        queues: K, how many queues a side.

    Raises:
        ConfigError: no depth, or more queues than the model takes.
    """
    if not 1 <= queues <= MAX_QUEUES or tape.levels < 1 or len(tape) < 2:
        raise ConfigError(
            f"queues is {queues}, the tape has {len(tape)} records of {tape.levels} levels; needed are 1 to "
            f"{MAX_QUEUES} queues and a tape with depth"
        )
    states = queue_states(tape, queues)
    seconds = np.zeros((queues, MAX_SIZE))
    for side in range(2):
        for i in range(queues):
            use = states.two_sided
            seconds[i] += np.bincount(states.sizes[side, i][use], states.duration[use], MAX_SIZE)
    counts = {name: np.zeros((queues, MAX_SIZE)) for name in NAMES}
    for name in NAMES:
        for side in range(2):
            for i in range(queues):
                hit = states.hits(name, side, i)
                counts[name][i] += np.bincount(states.sizes[side, i][:-1][hit], minlength=MAX_SIZE)
    exposure = np.where(seconds > 0, seconds, np.nan)
    changes = np.sign(np.diff(states.reference[states.two_sided]))
    changes = changes[changes != 0]
    return QueueFit(
        {name: counts[name] / exposure for name in NAMES},
        {name: np.sqrt(counts[name]) / exposure for name in NAMES},
        seconds,
        seconds / seconds.sum(axis=1, keepdims=True),
        states.aes,
        len(changes),
        int((changes[1:] == -changes[:-1]).sum()),
    )


def queue_residuals(tape: Tape, fit: QueueFit) -> dict[str, Residual]:
    """Time-rescaled intervals by kind and side ("limit bid" ...) under the fitted intensities of all queues."""
    queues = len(fit.seconds)
    states = queue_states(tape, queues)
    found = {}
    for name in NAMES:
        for side, word in ((OrderSide.BID, "bid"), (OrderSide.ASK, "ask")):
            rate = sum(np.nan_to_num(fit.rates[name][i])[states.sizes[side, i]] for i in range(queues))
            # The state before record k lasts until it: the integral up to record k includes it.
            integral = np.cumsum(np.where(states.two_sided, rate, 0.0) * states.duration)[:-1]
            hit = np.zeros(len(tape), bool)
            for i in range(queues):
                hit |= states.hits(name, side, i)
            found[f"{name} {word}"] = exponential_residual(np.diff(integral[hit]))
    return found


@dataclass(frozen=True)
class QueueStates:
    """The queues over time: one state before the first record and one after each.

    Attributes:
        tape: what they are of.
        aes: average event size [lots].
        sizes: ``(2, K, n + 1)`` by side and queue [AES], at most 63.
        duration: ``(n + 1,)`` [s].
        reference: ``(n + 1,)`` as `reference_price`.
        two_sided: ``(n + 1,)``.
        rows: ``(n,)`` by kind of event.
    """

    tape: Tape
    aes: float
    sizes: NDArray[np.int64]
    duration: Floats
    reference: NDArray[np.int64]
    two_sided: NDArray[np.bool_]
    rows: dict[str, NDArray[np.bool_]]

    def hits(self, name: str, side: int, i: int) -> NDArray[np.bool_]:
        """The records that are events of kind *name* at queue *i* of *side*."""
        r, before = self.tape.records, self.reference[:-1]
        at = before - r["price"] if side == OrderSide.BID else r["price"] - before - 1
        found: NDArray[np.bool_] = self.rows[name] & (r["side"] == side) & (at == i) & self.two_sided[:-1]
        return found


def queue_states(tape: Tape, queues: int) -> QueueStates:
    """The first *queues* of each side around the reference price, in average event sizes."""
    r = tape.records
    aes = float(r["quantity"][r["kind"] != TapeKind.HIDDEN].mean())
    books = np.concatenate([tape.opening[None], tape.book])
    time = np.concatenate([[tape.start], r["time"], [max(tape.end, int(r["time"][-1]))]])
    reference = reference_price(books[:, 0, 2], books[:, 0, 0])
    sizes = np.zeros((2, queues, len(books)), np.int64)
    for side, column in ((OrderSide.BID, 2), (OrderSide.ASK, 0)):
        for i in range(queues):
            price = reference - i if side == OrderSide.BID else reference + 1 + i
            at = (books[:, :, column] == price[:, None]) & (books[:, :, column + 1] > 0)
            volume = (books[:, :, column + 1] * at).sum(axis=1)
            sizes[side, i] = np.minimum(np.ceil(volume / aes), MAX_SIZE - 1)
    kind = r["kind"]
    executed = kind == TapeKind.EXECUTE
    # Fills of one order at one price are one market order.
    again = np.zeros(len(r), bool)
    again[1:] = executed[1:] & executed[:-1] & (np.diff(r["time"]) == 0) & (r["price"][1:] == r["price"][:-1])
    again[1:] &= r["side"][1:] == r["side"][:-1]
    rows = {
        "limit": kind == TapeKind.LIMIT,
        "cancel": (kind == TapeKind.CANCEL) | (kind == TapeKind.REDUCE),
        "market": executed & ~again,
    }
    two_sided = (books[:, 0, 1] > 0) & (books[:, 0, 3] > 0)
    return QueueStates(tape, aes, sizes, np.diff(time) / 1e9, reference, two_sided, rows)
