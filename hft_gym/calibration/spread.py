"""The model ``spread-hawkes``: everything depends on the spread, and excites; last, its distance from the data is made
small.

First come the estimators (:mod:`hft_gym.calibration.placement`, :mod:`hft_gym.calibration.hawkes`); then six
multipliers of what they found are searched for the simulated tape that is nearest to the data by the mean scores of
LOB-Bench (a minimum-distance estimator: Gourieroux, Monfort and Renault 1993, J. Applied Econometrics 8:S85).
Estimators look at one mechanism at a time; the multipliers mend what their interplay in a simulated book makes of it.
As the search looks at the scores themselves, only data that it has not seen says how good they are.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hft_gym.calibration.hawkes import HawkesFit, fit_hawkes
from hft_gym.calibration.placement import fit_placement, size_table, untruncated_sizes, weighted_table
from hft_gym.flow.hawkes import KINDS, MAX_DECAYS, HawkesConfig
from hft_gym.market.config import MarketConfig
from hft_gym.market.market import Market
from hft_gym.market.tape import Tape, TapeKind
from hft_gym.realism.cst import CstFit, fit_cst
from hft_gym.realism.lob_bench import lob_bench
from hft_gym.realism.series import trades
from hft_gym.realism.tapes import in_shares, simulate_tape

__all__ = ["KNOBS", "SpreadFit", "fit_spread", "nearest"]

Floats = NDArray[np.float64]
DECAYS = ((0.3, 3.0, 50.0, 1_000.0), (0.3, 10.0, 300.0, 10_000.0), (0.3, 30.0, 3_000.0, 300_000.0))
"""Sets of decays [1/s] of which the likeliest is taken."""
KNOBS = {
    "activity": "background of all events",
    "excitation": "branching numbers",
    "cancel": "cancel rates",
    "cancel depth": "power of 1 + offset / 4 on the cancel rates",
    "inside": "weight of limit orders inside the spread",
    "newest": "odds that a cancellation withdraws the newest order",
}
"""What the search changes: logarithms of factors, but for the power."""
START = (0.7, -0.05, 0.0, 0.0, 0.0, 0.0)
STEP = (0.3, 0.03, 0.3, 0.3, 0.3, 0.4)
PARTICIPANTS = 0.25
"""What a participant's market order excites by, over the flow's. The data tell what follows the average trade, which
may have been sent for a reason, and not what follows one sent for none. Chosen by tests/audit/test_impact.py: at one
half, buying single lots in thin queues and selling all at once still earned in MSFT's market, at a quarter it does not.
"""
BURST, CHUNK = 20.0, 5
"""A market whose activity over so many seconds is this many times the data's is out of hand."""


@dataclass(frozen=True)
class SpreadFit:
    """Estimates before the search, and the market that they make with given *knobs*."""

    plain: CstFit
    hawkes: HawkesFit
    mean_share: float
    placement: Any
    arrivals: float
    taking: float
    branching: Floats
    limit_sizes: tuple[tuple[int, ...], tuple[float, ...]]
    market_sizes: tuple[tuple[int, ...], tuple[float, ...]]

    def market(self, knobs: Any) -> MarketConfig:
        """The market at *knobs*, in the order of :data:`KNOBS`."""
        activity, excitation, cancel, depth, inside, newest = (float(v) for v in knobs)
        fitted = self.placement.config
        odds = fitted.newest_share / (1.0 - fitted.newest_share) * np.exp(newest)
        weights, rates = np.array(fitted.weights), np.array(fitted.cancel_rates)
        weights[:, np.array(fitted.offsets) < 0] *= np.exp(inside)
        rates *= np.exp(cancel) * (1.0 + np.array(fitted.cancel_offsets) / 4.0) ** depth
        placement = replace(
            fitted,
            weights=tuple(map(tuple, (weights / weights.sum(1, keepdims=True)).tolist())),
            cancel_rates=tuple(map(tuple, rates.tolist())),
            newest_share=float(odds / (1.0 + odds)),
        )
        branching = self.branching * np.exp(min(excitation, 0.0))
        mean = np.array([self.arrivals] * 4 + [self.taking] * 2)
        background = (1.0 - branching.sum(axis=0) @ mean / mean) * np.exp(activity)
        flow = self.plain.flow()
        flow = replace(
            flow,
            limit_rates=(self.arrivals,),
            distance_width=1,
            cancel_rates=(0.0,),
            market_rate=self.taking,
            limit_lots=self.limit_sizes[0],
            limit_sizes=self.limit_sizes[1],
            market_lots=self.market_sizes[0],
            market_sizes=self.market_sizes[1],
            market_reach=0,
            placement=placement,
            hawkes=HawkesConfig(
                branching=tuple(tuple(tuple(row) for row in m) for m in branching.tolist()),
                decays=tuple(self.hawkes.decays.tolist()),
                background=tuple(background.tolist()),
                mean_share=self.mean_share,
                participants=PARTICIPANTS,
            ),
        )
        return self.plain.market(flow=flow)


def fit_spread(
    tape: Tape,
    time: Floats,
    kind: NDArray[np.int64],
    rows: NDArray[np.int64],
    mark: Floats,
    mean_share: float,
    mirrored: Callable[..., Floats],
    lot: int,
) -> SpreadFit:
    """The estimates, of the events *time*, *kind*, *rows* and *mark* (see `fit_placement`).

    *mean_share* of the best queue is what a market order takes; *mirrored* makes one matrix of both sides'.

    Market orders take from the best price only (in the sample stocks 2 to 4 % take more); their sizes are those of the
    trades, corrected for what was offered.

    Raises:
        ConfigError: the tape lacks limit orders, cancellations or trades.
    """
    plain = fit_cst(tape)
    fits = [fit_hawkes(time, kind, len(KINDS), tape.seconds, d, mark) for d in DECAYS]
    best = max(fits, key=lambda f: f.log_likelihood)
    assert len(best.decays) <= MAX_DECAYS
    r, t = tape.records, trades(tape)
    limit = r["quantity"][r["kind"] == TapeKind.LIMIT]
    arrivals, taking = len(limit) / (2.0 * tape.seconds), len(t) / (2.0 * tape.seconds)
    return SpreadFit(
        plain,
        best,
        mean_share,
        fit_placement(tape, time, kind, rows, mark, best),
        arrivals,
        taking,
        mirrored(best.branching, arrivals, taking),
        size_table(limit, lot),
        weighted_table(*untruncated_sizes(t.volume, t.touch), lot),
    )


def stays_in_hand(market: MarketConfig, rate: float, seconds: float, seed: int) -> bool:
    """Whether no burst of :data:`BURST` times *rate* [1/s], nor a quarter or four times it on average, happens."""
    made = Market(replace(market, warm_up_ns=0), seed, log_capacity=0)
    total = 0
    for _ in range(max(int(seconds / CHUNK), 1)):
        n = len(made.record(CHUNK * 10**9, 0))
        total += n
        if n > BURST * rate * CHUNK + 1_000:
            return False
    return 0.25 < total / seconds / rate < 4.0


def distance(market: MarketConfig, tape: Tape, lot: int, seeds: tuple[int, ...]) -> float:
    """Mean L1 plus half the mean Wasserstein score, averaged over *seeds*; infinite for markets out of hand."""
    rate, found = len(tape) / tape.seconds, 0.0
    for seed in seeds:
        if not stays_in_hand(market, rate, min(tape.seconds, 300.0), seed):
            return float("inf")
        made = in_shares(simulate_tape(market, tape.seconds, seed=seed, levels=tape.levels), lot)
        if not 0.25 * len(tape) < len(made) < 4 * len(tape):
            return float("inf")
        mean = lob_bench(tape, made, draws=2).summary
        found += (mean["l1"]["mean"][0] + 0.5 * mean["wasserstein"]["mean"][0]) / len(seeds)
    return found


def nearest(
    fit: SpreadFit,
    tape: Tape,
    lot: int,
    evaluations: int,
    seeds: tuple[int, ...] = (0,),
    say: Callable[[str], None] = lambda text: None,
) -> tuple[Floats, float]:
    """The knobs found by searching along one after the other with adapting steps, and their distance."""
    best, step = np.array(START), np.array(STEP)
    value = distance(fit.market(best), tape, lot, seeds)
    used, i, failed = 1, 0, 0
    while used < evaluations and failed < 4 * len(best):
        for sign in (1.0, -1.0):
            tried = best.copy()
            tried[i] += sign * step[i]
            found = distance(fit.market(tried), tape, lot, seeds)
            used += 1
            if found < value:
                best, value = tried, found
                step[i] *= 1.3 * sign
                failed = 0
                break
        else:
            step[i] *= 0.5
            failed += 1
        say(f"searching, {used} of {evaluations}: distance {value:.3f}")
        i = (i + 1) % len(best)
    return best, value
