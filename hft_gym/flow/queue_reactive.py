"""The queue-reactive model of Huang, Lehalle and Rosenbaum (2015, J. American Statistical Association 110:107).

Queues ``Q(+-i)``, i = 1..K, stand ``i - 1/2`` ticks from a reference price. Limit orders, cancellations and market
orders of one average event size (AES) come at intensities that depend on the size of the queue, in AES. When the mid
moves, the reference price follows with probability theta, provided that the first queue on that side is empty; then,
with probability theta_reinit, all queues are drawn anew from their invariant law.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hft_gym._jit import I64, U, inlined, kernel
from hft_gym.book.ladder import BID, Book, best_price, is_empty, key_of, sentinel, volume_at
from hft_gym.config import setting, validate
from hft_gym.errors import ConfigError
from hft_gym.flow.hawkes import CANCEL_BID, LIMIT_BID, MARKET_BUY
from hft_gym.flow.random import ALIAS, draw, fill_alias_table, high_unit, low_unit, sample
from hft_gym.flow.state import CANCEL, EXTRA, LIMIT, MARKET, wind

MAX_QUEUES, MAX_CLASSES, MAX_SIZE = 8, 4, 64
_LOW = np.uint64(0xFFFFFFFF)
_S32 = np.uint64(32)

QUEUES = np.dtype(
    [
        ("queues", "i8"),
        ("aes", "i8"),
        ("independent", "i8"),
        ("small", "i8"),
        ("usual", "i8"),
        ("theta", "f8"),
        ("theta_reinit", "f8"),
        ("classes", "i8", (MAX_QUEUES,)),
        ("pick", ALIAS, (3,)),
        ("accept", "f4", (3 * MAX_QUEUES * MAX_CLASSES * MAX_SIZE,)),
        ("law", "f8", (MAX_QUEUES * MAX_SIZE,)),
    ],
    align=True,
)
"""Queues a side; lots of an event; 1 if the queues are independent (model I); largest small and usual queue;
probabilities; number of classes of each queue; law of the queue of a candidate event, and the share accepted (kind,
queue, class, size), by kind LIMIT, MARKET, CANCEL; distribution function of the size that a queue is drawn anew
with."""

Table = tuple[tuple[tuple[float, ...], ...], ...]


@dataclass(frozen=True)
class QueueReactiveConfig:
    """Intensities as functions of the queue, in events per second and side.

    ``limit[i][c][n]`` is the intensity of limit orders at queue ``i + 1`` (the first is next to the reference price) in
    class ``c`` when it holds n AES; the last value holds for larger queues. The classes of the first queue are one
    (models I, IIa) or four, by the opposite first queue (empty, small, usual, large: model IIb); those of the second
    one or two: the first queue of the side holds orders, or is empty (models IIa and IIb); further queues have one.
    Cancellations and market orders alike; at n = 0 theirs are 0. Model III is any of these with ``theta`` > 0.

    Market orders take the best price. In model I, where queues are independent by definition, one that falls to a queue
    behind the best one withdraws that queue's oldest order instead.
    """

    limit: Table = setting((((1.0,),),), low=0.0, doc="limit orders per second")
    cancel: Table = setting(
        (((0.0, 0.2, 0.4, 0.6, 0.8),),), low=0.0, doc="cancellations per second"
    )
    market: Table = setting(
        (((0.0, 0.5),),), low=0.0, doc="market orders per second"
    )
    aes: int = setting(1, low=1, high=10**6, doc="average event size: the lots of every order")
    small: int = setting(3, low=1, high=MAX_SIZE, doc="largest opposite queue in the class small [AES] (model IIb)")
    usual: int = setting(10, low=1, high=2**20, doc="largest opposite queue in the class usual [AES] (model IIb)")
    theta: float = setting(0.0, low=0.0, high=1.0, doc="probability that the reference price follows a move of the mid")
    theta_reinit: float = setting(
        0.0, low=0.0, high=1.0, doc="probability that the book is then drawn anew from its invariant law"
    )
    redraw: tuple[tuple[float, ...], ...] | None = setting(
        None, low=0.0, doc="weights of the sizes 0, 1, ... [AES] of each queue drawn anew; None: the invariant law"
    )

    def __post_init__(self) -> None:
        validate(self)
        k = len(self.limit)
        if not 1 <= k <= MAX_QUEUES:
            raise ConfigError(f"limit: must have 1 to {MAX_QUEUES} queues, got {k}")
        for name in ("limit", "cancel", "market"):
            table = getattr(self, name)
            if len(table) != k:
                raise ConfigError(f"{name}: has {len(table)} queues, limit has {k}; they must agree")
            for i, classes in enumerate(table):
                if len(classes) != len(self.limit[i]):
                    raise ConfigError(f"{name}[{i}]: has {len(classes)} classes, limit has {len(self.limit[i])}")
                for c, rates in enumerate(classes):
                    if not 1 <= len(rates) <= MAX_SIZE:
                        raise ConfigError(f"{name}[{i}][{c}]: must have 1 to {MAX_SIZE} values, got {len(rates)}")
                    if min(rates) < 0.0:
                        raise ConfigError(f"{name}[{i}][{c}]: intensities must be at least 0, got {min(rates)}")
                    if name != "limit" and rates[0] != 0.0:
                        raise ConfigError(
                            f"{name}[{i}][{c}][0]: must be 0, got {rates[0]}: an empty queue has no orders"
                        )
        allowed = {0: (1, 4), 1: (1, 2)}
        for i, classes in enumerate(self.limit):
            if len(classes) not in allowed.get(i, (1,)):
                raise ConfigError(f"limit[{i}]: has {len(classes)} classes, allowed are {allowed.get(i, (1,))}")
        if self.usual < self.small:
            raise ConfigError(f"usual is {self.usual}; it must be at least small, {self.small}")
        if self.redraw is not None and len(self.redraw) != k:
            raise ConfigError(f"redraw: must have {k} laws, one a queue, got {len(self.redraw)}")
        for i, law in enumerate(self.redraw or ()):
            if not 1 <= len(law) <= MAX_SIZE or not sum(law) > 0.0 or min(law) < 0.0:
                raise ConfigError(f"redraw[{i}]: must be 1 to {MAX_SIZE} weights of at least 0, one of them positive")

    @property
    def model(self) -> str:
        """The paper's name: "I", "IIa", "IIb" or "III"."""
        if self.theta > 0.0:
            return "III"
        if len(self.limit[0]) == 4:
            return "IIb"
        return "IIa" if len(self.limit) > 1 and len(self.limit[1]) == 2 else "I"

    def rates(self, name: str, queue: int, c: int) -> NDArray[np.float64]:
        """Intensities of *name* by size 0..63 of *queue* (0: the first) in class *c*."""
        given = getattr(self, name)[queue][c]
        return np.array([given[min(n, len(given) - 1)] for n in range(MAX_SIZE)])

    def law(self, queue: int) -> NDArray[np.float64]:
        """The law of *queue*'s size (0: the first queue) on 0..63 AES that it is drawn anew with.

        Unless given, the invariant law of its birth-and-death chain: pi(n) = pi(0) prod_{j=1..n} limit(j - 1) /
        (cancel(j) + market(j)); of queues with classes, in the class in which the opposite queue is usual, the first
        one not empty. """
        if self.redraw is not None:
            weights = np.zeros(MAX_SIZE)
            weights[: len(self.redraw[queue])] = self.redraw[queue]
            return weights / weights.sum()
        c = 2 if len(self.limit[queue]) == 4 else 0
        up = self.rates("limit", queue, c)
        down = self.rates("cancel", queue, c) + self.rates("market", queue, c)
        weights = np.ones(MAX_SIZE)
        for n in range(1, MAX_SIZE):
            if down[n] == 0.0 and up[n - 1] > 0.0:
                raise ConfigError(f"cancel: queue {queue + 1} has no way down from {n} AES, so it has no invariant law")
            weights[n] = weights[n - 1] * up[n - 1] / down[n] if up[n - 1] > 0.0 else 0.0
        weights /= weights.sum()
        if weights[-1] > 1e-3:
            raise ConfigError(
                f"limit: queue {queue + 1} would hold {MAX_SIZE - 1} AES or more with probability {weights[-1]:.3g}; "
                "raise its cancellations"
            )
        return weights

    def means(self) -> dict[str, float]:
        """Mean number of events of each kind per second and side, if each queue has its law; used by excitation."""
        found = {}
        for name in ("limit", "cancel", "market"):
            c = [2 if len(classes) == 4 else 0 for classes in self.limit]
            found[name] = float(sum(self.rates(name, i, c[i]) @ self.law(i) for i in range(len(self.limit))))
        return found

    def fill(self, record: Any) -> dict[str, float]:
        """Write the compiled form to *record*; returns the largest total rate of each kind of event and side [1/s]."""
        k = len(self.limit)
        record["queues"], record["aes"] = k, self.aes
        record["small"], record["usual"] = self.small, self.usual
        record["theta"], record["theta_reinit"] = self.theta, self.theta_reinit
        record["classes"][:k] = [len(c) for c in self.limit]
        record["independent"] = all(len(c) == 1 for c in self.limit)
        accept = np.zeros((3, MAX_QUEUES, MAX_CLASSES, MAX_SIZE))
        total = {}
        for kind, name in ((LIMIT, "limit"), (MARKET, "market"), (CANCEL, "cancel")):
            largest = np.zeros(k)
            for i in range(k):
                tables = [self.rates(name, i, c) for c in range(len(self.limit[i]))]
                largest[i] = max(t.max() for t in tables)
                for c, table in enumerate(tables):
                    accept[kind, i, c] = table / largest[i] if largest[i] > 0.0 else 0.0
            total[name] = float(largest.sum())
            if total[name] > 0.0:
                fill_alias_table(record["pick"][kind], largest)
        record["accept"] = accept.ravel()
        law = np.zeros((MAX_QUEUES, MAX_SIZE))
        if self.theta > 0.0 or self.redraw is not None or all(sum(c[0]) > 0.0 for c in self.limit):
            for i in range(k):
                law[i] = np.cumsum(self.law(i))
        record["law"] = law.ravel()
        return total


@inlined
def queue_price(state: Any, side: int, i: int) -> int:
    """Price of queue *i* = 1, 2, ... of *side* [ticks]."""
    return state["reference"] - (i - 1) if side == BID else state["reference"] + i


@kernel
def accepted(book: Book, state: Any, queues: Any, kind: int, side: int, i: int) -> float:
    """Share of the candidate events of *kind* at queue *i* of *side* that happen, the book being as it is."""
    aes = queues["aes"]
    size = (volume_at(book, side, queue_price(state, side, i)) + aes - 1) // aes
    c = 0
    if i <= 2 and queues["classes"][U(i - 1)] > 1:
        watched = 1 - side if i == 1 else side
        other = (volume_at(book, watched, queue_price(state, watched, 1)) + aes - 1) // aes
        if i == 2:
            c = 1 if other == 0 else 0
        elif other > 0:
            c = 1 if other <= queues["small"] else (2 if other <= queues["usual"] else 3)
    at = ((kind * MAX_QUEUES + i - 1) * MAX_CLASSES + c) * MAX_SIZE + min(size, MAX_SIZE - 1)
    return np.float64(queues["accept"][U(at)])


@kernel
def flow_order_at(book: Book, side: int, price: int, share: float) -> int:
    """Place in the list of live orders of one of the flow's orders at *price*: the oldest for *share* 0, the newest
    towards 1; -1 if there is none."""
    index = key_of(side, price) - book.head["base"][side]
    if index < 0 or index >= book.head["levels"]:
        return -1
    node, first = book.node, book.head["first"]
    level = sentinel(book, side, index)
    n = 0
    slot = I64(node[U(level)]["next"])
    while slot != level:
        if book.order[U(slot - first)]["participant"] == 0:
            n += 1
        slot = I64(node[U(slot)]["next"])
    if n == 0:
        return -1
    left = I64(share * n)
    slot = I64(node[U(level)]["next"])
    while True:
        if book.order[U(slot - first)]["participant"] == 0:
            if left == 0:
                return I64(book.order[U(slot - first)]["tag"])
            left -= 1
        slot = I64(node[U(slot)]["next"])


@kernel
def queue_event(book: Book, state: Any, flow: Any, kind: int, now: int) -> tuple[int, int, int, int]:
    """What the candidate event of *kind* due now comes to: side, price and quantity (0: no order) of an order, and the
    place in the list of live orders of the order that it cancels (-1: none)."""
    queues = flow["queues"]
    wind(state, kind, now)
    word, choice = draw(state["streams"], kind), draw(state["streams"], kind)
    i = sample(queues["pick"][U(kind)], I64(word & _LOW))
    first = LIMIT_BID if kind == LIMIT else (CANCEL_BID if kind == CANCEL else MARKET_BUY)
    # Which side, or neither: by activity, of which the clock's ceiling is twice the mean at least.
    mark = low_unit(choice) * 2.0 * state["ceiling"][U(kind)]
    one, two = state["factor"][U(first)], state["factor"][U(first + 1)]
    if mark >= one + two:
        return BID, 0, 0, -1
    side = 0 if mark < one else 1
    hit = 1 - side if kind == MARKET else side
    if high_unit(choice) >= accepted(book, state, queues, kind, hit, i):
        return side, 0, 0, -1
    price = queue_price(state, hit, i)
    if kind == LIMIT:
        state["happened"] = first + side
        return side, price, queues["aes"], -1
    if kind == CANCEL:
        state["happened"] = first + side
        return side, 0, 0, flow_order_at(book, side, price, np.float64(I64(word >> _S32)) / 2.0**32)
    if not is_empty(book, hit) and best_price(book, hit) == price:
        state["happened"] = first + side
        return side, price, queues["aes"], -1
    if queues["independent"] != 0:
        return side, 0, 0, flow_order_at(book, hit, price, 0.0)
    return side, 0, 0, -1


@kernel
def drawn_size(state: Any, queues: Any, i: int) -> int:
    """A size of queue *i* = 1, 2, ... from its law [AES]; one draw."""
    mark = high_unit(draw(state["streams"], EXTRA))
    n = 0
    at = (i - 1) * MAX_SIZE
    while n < MAX_SIZE - 1 and mark >= queues["law"][U(at + n)]:
        n += 1
    return n
