"""From a tape to a market: the models that can be calibrated, their parameters with errors, their residuals."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from os import PathLike
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hft_gym.calibration.hawkes import Residual, exponential_residual, fit_hawkes, hawkes_residuals
from hft_gym.calibration.queues import NAMES, fit_queues, queue_residuals
from hft_gym.calibration.spread import KNOBS, fit_spread, nearest
from hft_gym.calibration.writing import as_module, changed, rounded, toml_lines
from hft_gym.config import build, did_you_mean
from hft_gym.errors import ConfigError
from hft_gym.flow import FlowConfig
from hft_gym.flow.hawkes import KINDS, HawkesConfig
from hft_gym.flow.metaorders import MetaorderConfig
from hft_gym.flow.random import TABLE_SIZE
from hft_gym.market.config import MarketConfig
from hft_gym.market.tape import Tape, TapeKind
from hft_gym.realism.cst import fit_cst
from hft_gym.realism.series import autocorrelation, decay_exponent, mids_on_grid, quotes, remembers, trades
from hft_gym.realism.tapes import read_tape, simulate_tape
from hft_gym.types import OrderSide

__all__ = ["MODELS", "Calibration", "Parameter", "calibrate"]

Floats = NDArray[np.float64]
Say = Callable[[str], None]


@dataclass(frozen=True)
class Parameter:
    """One estimate: *value* with its standard *error* (NaN: not known, or at a bound)."""

    name: str
    value: float
    error: float
    unit: str


@dataclass(frozen=True)
class Calibration:
    """A model fitted to a tape.

    Attributes:
        model: its name.
        market: the market with the fitted flow.
        lot: shares (lots of the data) that one of its lots stands for.
        parameters: the estimates.
        residuals: by kind of event, the time-rescaled intervals under the model.
        poisson: the same under constant rates, for comparison.
    """

    model: str
    market: MarketConfig
    lot: int
    parameters: tuple[Parameter, ...]
    residuals: dict[str, Residual]
    poisson: dict[str, Residual]

    def to_toml(self, header: str = "") -> str:
        """The market's settings where they differ from the defaults, as `MarketConfig.named` reads it."""
        lines = [f"# {line}" for line in header.splitlines()]
        lines += [f"# model {self.model}; one lot is {self.lot} of the data's"]
        return "\n".join(lines + toml_lines(changed(self.market))) + "\n"

    def to_module(self, title: str, command: str) -> str:
        """The same as a preset: a Python module with the flow ``FLOW``, the market's other settings ``SETTINGS`` and
        the shares of one lot ``LOT``."""
        title = f"{title} One lot is {self.lot} of the data's."
        return as_module(changed(self.market), self.lot, title, command)


# -- what all models share -------------------------------------------------------------------------------------------


def natural_lot(tape: Tape) -> int:
    """The smallest of 1, 2, 5, 10, 20, 50, ... shares of which 64 hold 99 % of the limit orders."""
    size = tape["quantity"][tape["kind"] == TapeKind.LIMIT]
    wanted = float(np.quantile(size, 0.99)) / TABLE_SIZE if len(size) else 1.0
    lot = 1
    for factor in (1, 10, 100, 1_000, 10_000, 100_000):
        for step in (1, 2, 5):
            lot = factor * step
            if lot >= wanted:
                return lot
    return lot


def size_weights(sizes: Any, lot: int) -> tuple[float, ...]:
    """Shares of the sizes 1, 2, ... lots, rounded up; what is larger than 64 counts as 64."""
    lots = np.clip(np.ceil(np.asarray(sizes) / lot).astype(np.int64), 1, TABLE_SIZE)
    counts = np.bincount(lots, minlength=2)[1:]
    return tuple((counts / counts.sum()).tolist())


def sign_memory(tape: Tape) -> Parameter:
    """Alpha = gamma + 1, the tail exponent of metaorders' sizes, from the decay gamma of the trade signs' memory
    (Lillo, Mike and Farmer 2005); NaN if they have none."""
    sign = trades(tape).sign
    last = min(1_000, len(sign) // 10)
    lags = np.arange(1, last + 1)
    rho = autocorrelation(sign, lags) if last >= 10 else np.zeros(0)
    if last < 10 or not remembers(rho, len(sign)):
        return Parameter("metaorders alpha", float("nan"), float("nan"), "")
    law = decay_exponent(lags, rho)
    return Parameter("metaorders alpha", 1.0 - law.exponent, law.error, "")


def value_volatility(tape: Tape) -> Parameter:
    """Sigma of the fundamental value from mid changes over a horizon at which the bounce is gone: five minutes, or a
    twentieth of the tape."""
    horizon = min(300.0, max(1.0, np.floor(tape.seconds / 20.0)))
    moves = np.diff(mids_on_grid(tape, horizon))
    sigma = float(moves.std() / np.sqrt(horizon)) if len(moves) > 1 else float("nan")
    return Parameter("value_volatility", sigma, sigma / np.sqrt(max(2 * len(moves), 1)), "ticks/sqrt(s)")


def events_of(tape: Tape) -> tuple[Floats, NDArray[np.int64]]:
    """Times [s since the start] and kinds (index in :data:`~hft_gym.flow.hawkes.KINDS`) of the events of a tape.

    The fills of one market order are one event; hidden executions are none.
    """
    r = tape.records
    side = r["side"].astype(np.int64)
    executed = r["kind"] == TapeKind.EXECUTE
    first = np.zeros(len(r), bool)
    first[trades(tape).first] = True
    kind = np.select(
        [
            r["kind"] == TapeKind.LIMIT,
            (r["kind"] == TapeKind.CANCEL) | (r["kind"] == TapeKind.REDUCE),
            executed & first,
        ],
        [side, 2 + side, np.where(side == OrderSide.ASK, 4, 5)],
        -1,
    )
    known = kind >= 0
    return (r["time"][known] - tape.start) / 1e9, kind[known]


def event_rows(tape: Tape) -> NDArray[np.int64]:
    """The records of the events of :func:`events_of`: of a market order's fills the first."""
    kind = tape.records["kind"]
    event = (kind == TapeKind.LIMIT) | (kind == TapeKind.CANCEL) | (kind == TapeKind.REDUCE)
    event[trades(tape).first] = True
    return np.flatnonzero(event)


def event_marks(tape: Tape) -> tuple[Floats, float]:
    """What each event of :func:`events_of` excites by, and the mean share of the best queue that a market order took:
    each of them by its share over the mean, all else by 1."""
    t = trades(tape)
    share = np.minimum(t.volume / np.maximum(t.touch, 1), 1.0)
    mean = float(share.mean())
    mark = np.ones(len(tape))
    mark[t.first] = share / mean
    return mark[event_rows(tape)], mean


def poisson_residuals(tape: Tape) -> dict[str, Residual]:
    """Time-rescaled intervals of each kind of event under constant rates."""
    time, kind = events_of(tape)
    found = {}
    for i, name in enumerate(KINDS):
        own = time[kind == i]
        found[name] = exponential_residual(np.diff(own) * len(own) / tape.seconds)
    return found


# -- the models --------------------------------------------------------------------------------------------------


Fitted = tuple[MarketConfig, int, list[Parameter], dict[str, Residual]]


def _distance_parameters(fit: Any) -> list[Parameter]:
    found = []
    for i in range(TABLE_SIZE):
        if fit.limit_rates[i] > 0:
            found.append(Parameter(f"limit_rates[{i + 1}]", fit.limit_rates[i], fit.limit_errors[i], "1/s"))
        if fit.cancel_rates[i] > 0:
            found.append(Parameter(f"cancel_rates[{i + 1}]", fit.cancel_rates[i], fit.cancel_errors[i], "1/s"))
    return found


def _cst(tape: Tape, lot: int | None, share: float, say: Say) -> Fitted:
    """Cont, Stoikov and Talreja: rates by distance, orders of the mean size."""
    if lot is not None or share:
        raise ConfigError(
            f"lot is {lot}, metaorder_share {share}; the model cst has orders of one size and none of these"
        )
    fit = fit_cst(tape)
    parameters = _distance_parameters(fit)
    parameters.append(Parameter("market_rate", fit.market_rate, fit.market_error, "1/s"))
    return fit.market(), fit.lot, parameters, poisson_residuals(tape)


def _hawkes(tape: Tape, lot: int | None, share: float, say: Say) -> Fitted:
    """Rates by distance and the laws of sizes as they are; six kinds of events that excite each other."""
    plain = fit_cst(tape)
    chosen = natural_lot(tape) if lot is None else lot
    t = trades(tape)
    rate = len(t) / (2.0 * tape.seconds)
    time, kind = events_of(tape)
    fit = fit_hawkes(time, kind, len(KINDS), tape.seconds)
    parameters = _distance_parameters(plain)
    parameters.append(Parameter("market_rate", rate, rate / np.sqrt(len(t)), "1/s"))
    for i, name in enumerate(KINDS):
        parameters.append(Parameter(f"background {name}", fit.background[i], fit.background_errors[i], "1/s"))
    for k, beta in enumerate(fit.decays):
        for i, caused in enumerate(KINDS):
            for j, cause in enumerate(KINDS):
                if fit.branching[k, i, j] > 0:
                    name = f"branching {cause} -> {caused} at {beta:g}/s"
                    parameters.append(Parameter(name, fit.branching[k, i, j], fit.branching_errors[k, i, j], ""))
    parameters.append(Parameter("spectral radius", fit.radius, float("nan"), ""))
    if fit.radius >= 1.0:
        raise ConfigError(f"the fitted spectral radius is {fit.radius:.3f}: the process would explode; take more data")
    alpha = sign_memory(tape)
    metaorders = None
    if share > 0.0:
        if not alpha.value > 1.0:
            raise ConfigError(f"metaorder_share is {share}, but the trade signs have no memory that metaorders explain")
        metaorders = MetaorderConfig(rate=2.0 * rate * share, alpha=alpha.value, sizes=size_weights(t.volume, chosen))
    limit = tape["quantity"][tape["kind"] == TapeKind.LIMIT]
    by_distance = plain.flow()
    arrivals = len(limit) / (2.0 * tape.seconds)
    scale = arrivals / sum(by_distance.limit_rates)  # what arrived where no distance could be told
    branching = _mirrored(fit.branching, arrivals, rate)
    rates = np.array([arrivals] * 4 + [rate] * 2)
    background = 1.0 - branching.sum(axis=0) @ rates / rates
    flow = replace(
        by_distance,
        limit_rates=tuple(scale * r for r in by_distance.limit_rates),
        market_rate=rate * (1.0 - share),
        limit_sizes=size_weights(limit, chosen),
        market_sizes=size_weights(t.volume, chosen),
        hawkes=HawkesConfig(branching=_nested(branching), decays=tuple(fit.decays.tolist())),
        metaorders=metaorders,
    )
    residuals = dict(zip(KINDS, hawkes_residuals(time, kind, fit), strict=True))
    market, factor = _match_activity(plain.market(flow=flow), background, len(time) / tape.seconds)
    parameters.append(Parameter("background, factor (simulated)", factor, float("nan"), ""))
    return market, chosen, parameters, residuals


def _match_activity(market: MarketConfig, background: Floats, wanted: float) -> tuple[MarketConfig, float]:
    """The market with its background multiplied by what brings its events per second to *wanted*.

    The flow takes cancellations to balance limit orders; in a book that forgets or keeps more than the data's, theirs
    differ, and excitation near criticality magnifies the difference.
    """
    factor, best = 1.0, (np.inf, market, 1.0)
    for _ in range(8):
        flow = market.order_flow
        assert flow.hawkes is not None
        hawkes = replace(flow.hawkes, background=tuple((background * factor).tolist()))
        made = replace(market, flow=replace(flow, hawkes=hawkes))
        time, _ = events_of(simulate_tape(made, 900.0, levels=0))
        ratio = len(time) / 900.0 / wanted
        best = min(best, (abs(np.log(max(ratio, 1e-9))), made, factor), key=lambda b: b[0])
        factor *= float(np.clip(ratio, 0.25, 4.0)) ** -0.7
    return best[1], best[2]


def _mirrored(branching: Floats, limit: float, market: float) -> Floats:
    """The branching of a market without sides: the mean of the matrix and its mirror.

    The flow's rates are the same for both sides (and its cancellations balance its limit orders), so that a kind may
    come out as wholly caused by others; its row is then lowered to leave it 2 % of background.
    """
    swap = [1, 0, 3, 2, 5, 4]
    found = (branching + branching[:, swap][:, :, swap]) / 2.0
    rates = np.array([limit, limit, limit, limit, market, market])
    caused = found.sum(axis=0) @ rates
    found *= np.minimum(1.0, 0.98 * rates / np.maximum(caused, 1e-12))[None, :, None]
    mirrored: Floats = found
    return mirrored


def _nested(x: Any) -> Any:
    return tuple(_nested(v) for v in x) if isinstance(x, (list, np.ndarray)) else float(x)


def _queue_reactive(tape: Tape, lot: int | None, share: float, say: Say) -> Fitted:
    """Huang, Lehalle and Rosenbaum: intensities by queue and size; theta and theta_reinit by simulated moments."""
    if lot is not None or share:
        raise ConfigError(
            f"lot is {lot}, metaorder_share {share}; the model queue-reactive counts in average event sizes"
        )
    fit = fit_queues(tape)
    parameters = []
    for name in NAMES:
        for i in range(len(fit.seconds)):
            for n in range(fit.seconds.shape[1]):
                if fit.rates[name][i, n] > 0:
                    value, error = fit.rates[name][i, n], fit.errors[name][i, n]
                    parameters.append(Parameter(f"{name}[{i + 1}] at {n} AES", value, error, "1/s"))
    last = tape.records[-1]
    base: dict[str, Any] = {
        "initial_price": max(int(last["bid"] + last["ask"]) // 2, 256),
        "warm_up_ns": 30_000_000_000,
        "max_orders": 4096,
    }
    theta, reinit, flow = _match_moves(tape, fit, base)
    parameters += [
        Parameter("theta (grid)", theta, float("nan"), ""),
        Parameter("theta_reinit (grid)", reinit, float("nan"), ""),
    ]
    return MarketConfig(flow=flow, **base), max(1, round(fit.aes)), parameters, queue_residuals(tape, fit)


def move_moments(tape: Tape) -> tuple[float, float]:
    """Standard deviation of 10 s mid changes [ticks], and the share of mid moves that go back on the one before."""
    moves = np.sign(np.diff(quotes(tape).mid))
    moves = moves[moves != 0]
    back = float((moves[1:] == -moves[:-1]).mean()) if len(moves) > 1 else float("nan")
    return float(np.diff(mids_on_grid(tape, 10.0)).std()), back


def _match_moves(tape: Tape, fit: Any, base: Mapping[str, Any]) -> tuple[float, float, FlowConfig]:
    """Theta and theta_reinit of a grid whose market comes nearest to volatility and mean reversion of the tape."""
    wanted = move_moments(tape)
    best: tuple[float, float, float] = (np.inf, 1.0, 0.0)
    for theta in (0.2, 0.4, 0.6, 0.8, 1.0):
        for reinit in (0.0, 0.3, 0.6, 0.85):
            flow = FlowConfig(
                limit_rates=(0.0,), cancel_rates=(0.0,), market_rate=0.0, queue_reactive=fit.config(theta, reinit)
            )
            found = move_moments(simulate_tape(MarketConfig(flow=flow, **base), min(tape.seconds, 1_800.0), levels=0))
            if found[0] > 0 and np.isfinite(found[1]):
                loss = np.log(found[0] / wanted[0]) ** 2 + (found[1] - wanted[1]) ** 2
                best = min(best, (float(loss), theta, reinit))
    if not np.isfinite(best[0]):
        raise ConfigError("the fitted queues never move the price; the model does not suit this data")
    chosen = FlowConfig(
        limit_rates=(0.0,), cancel_rates=(0.0,), market_rate=0.0, queue_reactive=fit.config(best[1], best[2])
    )
    return best[1], best[2], chosen


def round_lot(tape: Tape) -> int:
    """The largest of 100, 10 and 1 shares of which at least nine in ten limit orders are multiples."""
    size = tape["quantity"][tape["kind"] == TapeKind.LIMIT]
    return next(lot for lot in (100, 10, 1) if lot == 1 or (len(size) and (size % lot == 0).mean() >= 0.9))


EVALUATIONS = 26
"""Markets that the search of spread-hawkes tries."""


def _spread_hawkes(tape: Tape, lot: int | None, share: float, say: Say) -> Fitted:
    """Excitation, with places, rates and cancellations that depend on the spread, brought near by simulation."""
    if share:
        raise ConfigError(f"metaorder_share is {share}; the model spread-hawkes has no metaorders")
    chosen = round_lot(tape) if lot is None else lot
    time, kind = events_of(tape)
    mark, mean_share = event_marks(tape)
    fit = fit_spread(tape, time, kind, event_rows(tape), mark, mean_share, _mirrored, chosen)
    placed, n = fit.placement, len(fit.placement.counts)
    parameters = [
        Parameter("limit rate", fit.arrivals, fit.arrivals / np.sqrt(2.0 * fit.arrivals * tape.seconds), "1/s"),
        Parameter("market_rate", fit.taking, fit.taking / np.sqrt(2.0 * fit.taking * tape.seconds), "1/s"),
    ]
    bounds = [*placed.config.spreads, np.inf]
    for name, values, errors in (
        ("limit factor", placed.config.limit_factors, placed.limit_errors),
        ("market factor", placed.config.market_factors, placed.market_errors),
    ):
        parameters += [Parameter(f"{name}[spread <= {bounds[c]:g}]", values[c], errors[c], "") for c in range(n)]
    for c in range(n):
        for j, offset in enumerate(placed.config.cancel_offsets):
            value, error = placed.config.cancel_rates[c][j], placed.cancel_errors[c, j]
            parameters.append(Parameter(f"cancel_rate[spread <= {bounds[c]:g}, offset {offset}]", value, error, "1/s"))
    parameters.append(Parameter("newest share", placed.config.newest_share, float("nan"), ""))
    parameters.append(Parameter("mean share of the best queue", mean_share, float("nan"), ""))
    parameters.append(Parameter("spectral radius", fit.hawkes.radius, float("nan"), ""))
    knobs, found = nearest(fit, tape, chosen, EVALUATIONS, say=say)
    parameters += [Parameter(f"knob {name} (log)", v, float("nan"), "") for name, v in zip(KNOBS, knobs, strict=True)]
    parameters.append(Parameter("distance found", found, float("nan"), ""))
    residuals = dict(zip(KINDS, hawkes_residuals(time, kind, fit.hawkes, mark), strict=True))
    return fit.market(knobs), chosen, parameters, residuals


MODELS: dict[str, Callable[[Tape, int | None, float, Say], Fitted]] = {
    "cst": _cst,
    "queue-reactive": _queue_reactive,
    "hawkes": _hawkes,
    "spread-hawkes": _spread_hawkes,
}
"""The models by name."""


def calibrate(
    data: Tape | str | PathLike[str],
    model: str = "hawkes",
    *,
    lot: int | None = None,
    metaorder_share: float = 0.0,
    tick_size: float | None = None,
    say: Say = lambda text: None,
) -> Calibration:
    """Fit a model to real data.

    Args:
        data: a tape with depth, or a recorded file (see `hft_gym.realism.read_tape`).
        model: one of :data:`MODELS`.
        lot: shares of one lot of the market, for models whose orders have several sizes; None: chosen by the data.
        metaorder_share: of the market orders, this share is sent by traders who split large ones, of the fitted alpha.
        tick_size: of a file, in its currency; None: see `hft_gym.realism.read_tape`.
        say: told how a long search goes.

    Raises:
        ConfigError: no such model, an option that it does not have, or data it cannot be fitted to.
        DataError: the file cannot be read.
    """
    if model not in MODELS:
        raise ConfigError(f"unknown model {model!r}{did_you_mean(model, list(MODELS))}")
    if not 0.0 <= metaorder_share < 1.0 or (lot is not None and lot < 1):
        raise ConfigError(f"metaorder_share is {metaorder_share}, lot {lot}; allowed are 0 to below 1, and 1 or more")
    tape = data if isinstance(data, Tape) else read_tape(data, tick_size)
    if len(tape) < 1_000 or tape.levels < 1:
        raise ConfigError(f"the tape has {len(tape)} records of {tape.levels} levels; needed are 1000 of at least 1")
    market, chosen, parameters, residuals = MODELS[model](tape, lot, metaorder_share, say)
    market = build(MarketConfig, rounded(changed(replace(market, tick_size=tape.tick_size))))
    shared = (sign_memory(tape), value_volatility(tape))
    return Calibration(model, market, chosen, (*parameters, *shared), residuals, poisson_residuals(tape))
