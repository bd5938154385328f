"""Mutual excitation: a multivariate Hawkes process with kernels that are sums of exponentials.

The activity of a kind ``i`` of events is ``a_i(t) = background_i + sum over events j, decays k of jump_ijk exp(-decay_k
s)``, ``s`` the time since the event; it multiplies whatever rate the flow gives that kind (Hawkes 1971, Biometrika
58:83; Bacry, Mastromatteo and Muzy 2015, arXiv:1502.04592). Simulation is exact (Ogata 1981): see
:mod:`hft_gym.flow.state`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hft_gym._jit import U, cold, inlined, kernel
from hft_gym.config import did_you_mean, setting, validate
from hft_gym.errors import ConfigError
from hft_gym.flow.random import decay, draw, unit
from hft_gym.flow.state import CANCEL, INFORMED, JUMP, LIMIT, METAORDER

KINDS = ("limit_bid", "limit_ask", "cancel_bid", "cancel_ask", "market_buy", "market_sell")
"""The kinds of events, in the order of the kernels' index; a cancellation is of an order on that side."""
LIMIT_BID, LIMIT_ASK, CANCEL_BID, CANCEL_ASK, MARKET_BUY, MARKET_SELL = range(6)
MAX_DECAYS = 4
LANES = 8  # kinds, padded: the loops over them become vector instructions

HAWKES = np.dtype(
    [
        ("n_decays", "i8"),
        ("scales_informed", "i8"),
        ("scales_jumps", "i8"),
        ("mean_share", "f8"),
        ("participants", "f8"),
        ("decay", "f8", (MAX_DECAYS,)),
        ("background", "f8", (LANES,)),
        ("jump", "f8", (LANES * MAX_DECAYS * LANES,)),
        ("kick", "f8", (LANES * LANES,)),
        ("start", "f8", (MAX_DECAYS * LANES,)),
    ],
    align=True,
)
"""Number of decays (0: no excitation); whether informed arrivals and jumps follow; share of the best queue whose taking
excites by 1 (0: every market order does); what a participant's order excites by, over that; decays [1/ns]; background;
what an event of kind j adds, at ``(j * MAX_DECAYS + k) * LANES + i``, and its sum over k at ``j * LANES + i``; the
parts at the opening: their mean."""


@dataclass(frozen=True)
class HawkesConfig:
    """Events that make further events more likely.

    ``branching[k][i][j]`` is the mean number of events of kind ``kinds[i]`` that one of kind ``kinds[j]`` causes
    directly through the kernel that decays at ``decays[k]`` per second. The spectral radius of the sum over k must be
    below 1. Market orders of metaorders, of informed traders and of participants excite as those of the flow.

    With ``mean_share`` a market order excites in proportion to the share of the best queue that it took, as in a marked
    process (Bacry, Mastromatteo and Muzy 2015, section 2.4): without it many small orders push the price further than a
    large one pulls it back, and whoever trades so earns from his own impact (Huberman and Stanzl 2004, Econometrica
    72:1247). The share of an order that goes beyond the best queue is 1.

    A branching number is relative to the kind's rate at activity 1: for cancellations, that of limit orders on the same
    side, which they balance.
    """

    branching: tuple[tuple[tuple[float, ...], ...], ...] = setting(
        doc="events caused, [decay][kind caused][causing kind]"
    )
    decays: tuple[float, ...] = setting(
        (1.0,), low=1e-6, high=1e6, min_length=1, max_length=MAX_DECAYS, doc="decay rates of the kernels [1/s]"
    )
    kinds: tuple[str, ...] = setting(KINDS, doc="kinds of events that excite and are excited")
    background: tuple[float, ...] | None = setting(
        None, low=0.0, doc="activity without excitation, by kind; None: such that the mean activity is 1"
    )
    scales_informed: bool = setting(
        True, doc="informed traders arrive at a rate that follows the market orders' activity"
    )
    scales_jumps: bool = setting(
        False, doc="the fundamental value jumps at a rate that follows the market orders' activity"
    )
    mean_share: float | None = setting(
        None,
        above=0.0,
        high=1.0,
        doc="share of the best queue that a market order takes on average: it excites by its own over this one; "
        "None: every market order alike",
    )
    participants: float = setting(
        1.0,
        low=0.0,
        high=1.0,
        doc="what a participant's market order excites by, over what another of its size does",
    )

    def __post_init__(self) -> None:
        validate(self)
        n = len(self.kinds)
        if n == 0:
            raise ConfigError(f"kinds: must name at least one of {', '.join(KINDS)}")
        for kind in self.kinds:
            if kind not in KINDS:
                raise ConfigError(f"kinds: unknown kind of event {kind!r}{did_you_mean(kind, KINDS)}")
        if len(set(self.kinds)) < n:
            raise ConfigError(f"kinds: {self.kinds} names a kind twice")
        shape = (len(self.decays), n, n)
        rows = [len(r) for m in self.branching for r in m]
        if len(self.branching) != shape[0] or any(len(m) != n for m in self.branching) or any(r != n for r in rows):
            raise ConfigError(
                f"branching: must hold {shape[0]} matrices (one a decay) of {n} x {n} (kinds caused x causing kinds)"
            )
        if not (np.array(self.branching) >= 0.0).all():
            raise ConfigError("branching: every number must be at least 0")
        if self.background is not None and len(self.background) != n:
            raise ConfigError(f"background: must have {n} values, one a kind, got {len(self.background)}")
        if self.radius >= 1.0:
            raise ConfigError(
                f"branching: its spectral radius is {self.radius:.4f}; it must be below 1, or the events of "
                "one cause never end"
            )

    @property
    def total(self) -> NDArray[np.float64]:
        """Events caused directly, over all decays: the matrix of the kernels' norms, ``(kinds, kinds)``."""
        return np.array(self.branching, np.float64).sum(axis=0)

    @property
    def radius(self) -> float:
        """Spectral radius of :attr:`total`: the share of events that others caused."""
        return float(np.abs(np.linalg.eigvals(self.total)).max())

    def fill(self, record: Any, rates: NDArray[np.float64]) -> None:
        """Write the compiled form to *record*; *rates* are those of the six :data:`KINDS` at activity 1 [1/s].

        :raises ConfigError: if a kind has no rate, or no background of at least 0 gives a mean activity of 1.
        """
        at = [KINDS.index(k) for k in self.kinds]
        for kind, i in zip(self.kinds, at, strict=True):
            if not rates[i] > 0.0:
                raise ConfigError(f"kinds: {kind} has no rate that excitation could multiply")
        r, total = rates[at], self.total
        if self.background is None:
            background = 1.0 - total @ r / r
            if (background < 0.0).any():
                worst = int(background.argmin())
                raise ConfigError(
                    f"branching: {self.kinds[worst]} would happen {total[worst] @ r:.4g} times a second by excitation, "
                    f"its rate is {r[worst]:.4g}; lower its row or give background"
                )
        else:
            background = np.array(self.background)
        mean = np.linalg.solve(np.eye(len(at)) - total, background * r)  # events a second
        record["n_decays"] = len(self.decays)
        record["scales_informed"], record["scales_jumps"] = self.scales_informed, self.scales_jumps
        record["mean_share"], record["participants"] = self.mean_share or 0.0, self.participants
        record["background"] = 1.0
        record["background"][at] = background
        record["decay"][: len(self.decays)] = np.array(self.decays) * 1e-9
        jump = np.zeros((LANES, MAX_DECAYS, LANES))
        start = np.zeros((MAX_DECAYS, LANES))
        for k, (rate, matrix) in enumerate(zip(self.decays, np.array(self.branching), strict=True)):
            for i, a in enumerate(at):
                jump[at, k, a] = matrix[i] * rate / r[i]
                start[k, a] = matrix[i] @ mean / r[i]
        record["jump"], record["kick"] = jump.ravel(), jump.sum(axis=1).ravel()
        record["start"] = start.ravel()


@kernel
def calm(state: Any, hawkes: Any, now: int) -> None:
    """Set the excitement at the opening to its mean."""
    for i in range(LANES):
        state["factor"][i] = hawkes["background"][i]
    for k in range(MAX_DECAYS):
        for i in range(LANES):
            part = hawkes["start"][k * LANES + i]
            state["excitement"][k * LANES + i] = part
            state["factor"][i] += part
    state["excitement_time"] = now


@inlined
def catch_up(state: Any, hawkes: Any, now: int) -> None:
    """Let the excitement decay until *now*."""
    elapsed = now - state["excitement_time"]
    if elapsed == 0 or hawkes["n_decays"] == 0:
        return
    state["excitement_time"] = now
    excitement, factor, background = state["excitement"], state["factor"], hawkes["background"]
    for i in range(LANES):
        factor[U(i)] = background[U(i)]
    for k in range(hawkes["n_decays"]):
        share = decay(np.float64(elapsed) * hawkes["decay"][U(k)])
        for i in range(LANES):
            part = excitement[U(k * LANES + i)] * share
            excitement[U(k * LANES + i)] = part
            factor[U(i)] += part


@inlined
def excite(state: Any, hawkes: Any, kind: int) -> None:
    """An event of *kind* happened now, the time of the last :func:`catch_up`."""
    excitement, factor = state["excitement"], state["factor"]
    at = kind * (MAX_DECAYS * LANES)
    for n in range(hawkes["n_decays"] * LANES):
        excitement[U(n)] += hawkes["jump"][U(at + n)]
    for i in range(LANES):
        factor[U(i)] += hawkes["kick"][U(kind * LANES + i)]


@cold
def excite_by(state: Any, hawkes: Any, kind: int, mark: float) -> None:
    """As :func:`excite`, *mark* times as much."""
    excitement, factor = state["excitement"], state["factor"]
    at = kind * (MAX_DECAYS * LANES)
    for n in range(hawkes["n_decays"] * LANES):
        excitement[U(n)] += mark * hawkes["jump"][U(at + n)]
    for i in range(LANES):
        factor[U(i)] += mark * hawkes["kick"][U(kind * LANES + i)]


@kernel
def activity(state: Any, hawkes: Any, k: int) -> float:
    """The activity that clock *k* follows, as of the last :func:`catch_up`."""
    factor = state["factor"]
    if k == LIMIT:
        return 0.5 * (factor[LIMIT_BID] + factor[LIMIT_ASK])
    if k == CANCEL:
        return max(factor[CANCEL_BID], factor[CANCEL_ASK])
    if k == METAORDER:
        return max(factor[MARKET_BUY], factor[MARKET_SELL])
    if (k == JUMP and hawkes["scales_jumps"] == 0) or (k == INFORMED and hawkes["scales_informed"] == 0):
        return 1.0
    return 0.5 * (factor[MARKET_BUY] + factor[MARKET_SELL])


@kernel
def admitted(state: Any, hawkes: Any, k: int, now: int) -> bool:
    """Whether the candidate due now on clock *k* happens; one draw."""
    catch_up(state, hawkes, now)
    return unit(draw(state["streams"], k)) * state["ceiling"][k] < activity(state, hawkes, k)
