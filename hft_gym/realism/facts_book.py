"""Facts about the book and its messages: spread, queues, depth, kinds, sizes, places and times of orders."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hft_gym.market.tape import Tape, TapeKind
from hft_gym.realism.facts import NO_CURVE, Curve, Measured, Sample, ccdf, fact, quantiles
from hft_gym.realism.series import NS, hill, weighted_quantile
from hft_gym.types import OrderSide

_SHARES = (0.05, 0.25, 0.5, 0.75, 0.95, 0.99)


@fact(
    "spread",
    "Spread",
    formula="distribution of ask - bid over time",
    source="Bouchaud, Mezard, Potters 2002; LOB-Bench 'spread'",
    x="spread [ticks]",
    y="share of time",
    values={"mean": "ticks", "median": "ticks", "q05": "ticks", "q95": "ticks", "share_one_tick": ""},
)
def _spread(sample: Sample) -> Measured:
    q = sample.quotes
    wide, index = np.unique(q.spread, return_inverse=True)
    share = np.bincount(index, q.duration) / q.duration.sum()
    low, median, high = weighted_quantile(q.spread, q.duration, (0.05, 0.5, 0.95))
    values = {"mean": float(wide @ share), "median": median, "q05": low, "q95": high}
    values["share_one_tick"] = float(share[wide == 1].sum())
    return Measured(values, Curve(wide.astype(float), share))


@fact(
    "touch",
    "Queue at the touch",
    formula="volume at the best bid and at the best ask, over time",
    source="Bouchaud, Mezard, Potters 2002 (Gamma law)",
    x="volume [lots]",
    y="share of time with at least x",
    log="xy",
    values={"mean": "lots", "median": "lots", "q95": "lots"},
)
def _touch(sample: Sample) -> Measured:
    q = sample.quotes
    volume = np.concatenate([q.bid_volume, q.ask_volume])
    weight = np.tile(q.duration, 2)
    median, high = weighted_quantile(volume, weight, (0.5, 0.95))
    values = {"mean": float(volume @ weight / weight.sum()), "median": median, "q95": high}
    order = np.argsort(volume)
    above = 1.0 - (np.cumsum(weight[order]) - weight[order]) / weight.sum()
    x = np.unique(np.round(np.geomspace(max(volume.min(), 1), volume.max(), 60)))
    y = above[np.minimum(np.searchsorted(volume[order], x), len(volume) - 1)]
    return Measured(values, Curve(x, y))


@fact(
    "depth",
    "Depth by level",
    formula="mean over time of the volume at the k-th best price, both sides",
    source="Bouchaud, Mezard, Potters 2002; Potters, Bouchaud 2003",
    x="level",
    y="volume [lots]",
    values={"level_2_over_1": "", "level_5_over_1": "", "peak_level": ""},
)
def _depth(sample: Sample) -> Measured:
    tape = sample.tape
    levels = tape.levels
    if levels < 2 or len(tape) < 2:
        nan = float("nan")
        return Measured(dict.fromkeys(("level_2_over_1", "level_5_over_1", "peak_level"), nan), NO_CURVE)
    weight = np.diff(np.append(tape["time"], max(tape.end, int(tape["time"][-1])))).astype(float)
    if not weight.sum() > 0:
        weight[:] = 1.0
    mean = (np.tensordot(weight, tape.book[:, :, 1] + tape.book[:, :, 3], (0, 0)) / 2.0) / weight.sum()
    values = {
        "level_2_over_1": float(mean[1] / mean[0]) if mean[0] else float("nan"),
        "level_5_over_1": float(mean[4] / mean[0]) if levels >= 5 and mean[0] else float("nan"),
        "peak_level": float(np.argmax(mean) + 1),
    }
    return Measured(values, Curve(np.arange(1.0, levels + 1), mean))


@fact(
    "events",
    "Kinds of messages",
    formula="share of each kind; cancellations / limit orders; changes of the book per second",
    source="LOBSTER's message types",
    x="kind (1 limit, 2 reduce, 3 cancel, 4 execute, 5 hidden)",
    y="share",
    values={
        "limit": "",
        "reduce": "",
        "cancel": "",
        "execute": "",
        "hidden": "",
        "cancel_per_limit": "",
        "per_second": "1/s",
        "trades_per_second": "1/s",
        "mid_changes_per_second": "1/s",
        "mid_change": "ticks",
    },
)
def _events(sample: Sample) -> Measured:
    tape, q = sample.tape, sample.quotes
    kinds = np.arange(1, 6)
    share = np.bincount(tape["kind"], minlength=6)[1:6] / max(len(tape), 1)
    values = {kind.name.lower(): float(share[kind - 1]) for kind in TapeKind}
    values["cancel_per_limit"] = float(share[2] / share[0]) if share[0] else float("nan")
    values["per_second"] = len(tape) / tape.seconds
    values["trades_per_second"] = len(sample.trades) / tape.seconds
    moves = np.diff(q.mid)
    moves = np.abs(moves[moves != 0])
    values["mid_changes_per_second"] = len(moves) / tape.seconds
    values["mid_change"] = float(moves.mean()) if len(moves) else float("nan")
    return Measured(values, Curve(kinds.astype(float), share))


def _sizes(name: str, size: NDArray[np.int64]) -> Measured:
    values = quantiles(size, _SHARES, "size")
    values["mean"] = float(size.mean()) if len(size) else float("nan")
    values["tail_index"] = hill(size, 0.05)
    return Measured(values, ccdf(size))


_SIZE_VALUES = {f"size_q{round(100 * q):02d}": "lots" for q in _SHARES} | {"mean": "lots", "tail_index": ""}


@fact(
    "limit_sizes",
    "Sizes of limit orders",
    formula="quantiles; tail index alpha of P(Q > x) ~ x^-alpha by Hill (1975) on the largest 5 %",
    source="Maslov, Mills 2001 (alpha about 1 for limit orders)",
    x="size [lots]",
    y="share at least as large",
    log="xy",
    values=_SIZE_VALUES,
)
def _limit_sizes(sample: Sample) -> Measured:
    tape = sample.tape
    return _sizes("limit", tape["quantity"][tape["kind"] == TapeKind.LIMIT])


@fact(
    "market_sizes",
    "Sizes of trades",
    formula="visible volume of one aggressor at one time: quantiles; Hill tail index on the largest 5 %",
    source="Gopikrishnan et al. 2000 (alpha about 1.5); Maslov, Mills 2001",
    x="size [lots]",
    y="share at least as large",
    log="xy",
    values=_SIZE_VALUES,
)
def _market_sizes(sample: Sample) -> Measured:
    return _sizes("market", sample.trades.volume)


def placement_distances(tape: Tape) -> NDArray[np.int64]:
    """Ticks of each limit order behind its own side's best price before it (negative: inside the spread)."""
    new = tape["kind"] == TapeKind.LIMIT
    bid_side = tape["side"] == OrderSide.BID
    best = np.where(bid_side, tape.before("bid"), tape.before("ask"))
    known = np.where(bid_side, tape.before("bid_volume"), tape.before("ask_volume")) > 0
    distance = np.where(bid_side, best - tape["price"], tape["price"] - best)
    found: NDArray[np.int64] = distance[new & known]
    return found


@fact(
    "placement",
    "Places of limit orders",
    formula="D = ticks behind the own best price; P(D >= x) ~ x^-mu by Hill on the farthest 10 % of those behind it",
    source="Bouchaud, Mezard, Potters 2002 (mu 0.6); Zovko, Farmer 2002 (mu 1.5)",
    x="1 + ticks behind the own best price",
    y="share at least as far",
    log="xy",
    values={"inside": "", "at_best": "", "behind": "", "tail_index": ""},
)
def _placement(sample: Sample) -> Measured:
    distance = placement_distances(sample.tape)
    n = max(len(distance), 1)
    values = {
        "inside": float((distance < 0).sum() / n),
        "at_best": float((distance == 0).sum() / n),
        "behind": float((distance > 0).sum() / n),
        "tail_index": hill(distance[distance > 0] + 0.5, 0.1),
    }
    return Measured(values, ccdf(1 + distance[distance >= 0]))


@fact(
    "interarrival",
    "Times between messages",
    formula="seconds from each change of the book to the next; coefficient of variation (Poisson: 1)",
    source="Engle, Russell 1998; 'Get Real' (Vyetrenko et al. 2020): lognormal or Weibull",
    x="time [s]",
    y="share at least as long",
    log="xy",
    values={"q10": "s", "q50": "s", "q90": "s", "variation": ""},
)
def _interarrival(sample: Sample) -> Measured:
    gap = np.diff(sample.tape["time"]) / NS
    if not len(gap) or not gap.mean() > 0:
        nan = float("nan")
        return Measured(dict.fromkeys(("q10", "q50", "q90", "variation"), nan), NO_CURVE)
    low, median, high = np.quantile(gap, (0.1, 0.5, 0.9))
    values = {"q10": float(low), "q50": float(median), "q90": float(high), "variation": float(gap.std() / gap.mean())}
    return Measured(values, ccdf(gap))


def lifetimes(tape: Tape, end: TapeKind) -> NDArray[np.float64]:
    """Seconds from entry to *end* (CANCEL, or the first EXECUTE) of the limit orders that entered on the tape."""
    entered, ended = tape.records[tape["kind"] == TapeKind.LIMIT], tape.records[tape["kind"] == end]
    if not len(entered) or not len(ended):
        return np.zeros(0)
    _, first = np.unique(ended["order_id"], return_index=True)
    ended = ended[first]
    order = np.argsort(entered["order_id"], kind="stable")
    ids = entered["order_id"][order]
    at = np.minimum(np.searchsorted(ids, ended["order_id"]), len(ids) - 1)
    known = ids[at] == ended["order_id"]
    found: NDArray[np.float64] = (ended["time"][known] - entered["time"][order[at[known]]]) / NS
    return found


@fact(
    "lifetimes",
    "Lifetimes of orders",
    formula="seconds from entry to the full cancellation, and to the first execution; Hill on the longest 5 %",
    source="Challet, Stinchcombe 2001; 'Get Real': density exponents 2.1 (cancellation), 1.5 (execution)",
    x="time to cancellation [s]",
    y="share at least as long",
    log="xy",
    values={
        "cancel_q10": "s",
        "cancel_q50": "s",
        "cancel_q90": "s",
        "cancel_tail": "",
        "execute_q10": "s",
        "execute_q50": "s",
        "execute_q90": "s",
    },
)
def _lifetime(sample: Sample) -> Measured:
    cancelled, executed = lifetimes(sample.tape, TapeKind.CANCEL), lifetimes(sample.tape, TapeKind.EXECUTE)
    values = quantiles(cancelled, (0.1, 0.5, 0.9), "cancel") | quantiles(executed, (0.1, 0.5, 0.9), "execute")
    values["cancel_tail"] = hill(cancelled, 0.05)
    return Measured(values, ccdf(cancelled))
