"""Policies of a comparison played once more with other latencies, fees and fills, and in other markets.

Every setting is played on the same seeds: in a simulated market these are common random numbers, so a change is the
setting's, not the luck's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, TypeAlias, cast

import numpy as np
import numpy.typing as npt

import baselines
from baselines import tuned
from hft_gym.config import build, did_you_mean, to_dict
from hft_gym.data.formats import detect, open_source
from hft_gym.data.issues import IssueLog
from hft_gym.envs.config import EnvConfig
from hft_gym.envs.vector import HFTMarketVectorEnv
from hft_gym.errors import ConfigError
from hft_gym.evaluation import Episodes, Policy
from hft_gym.market.config import FeeConfig, LatencyConfig, MarketConfig
from hft_gym.market.records import SUBUNITS
from hft_gym.report import Bootstrap, Panel
from hft_gym.report.grids import Grid, Player, make_grid
from hft_gym.report.markouts import SOON, mid2_after

__all__ = ["OPTIONS", "Play", "check", "matrix", "sensitivity", "through"]

Floats: TypeAlias = npt.NDArray[np.float64]
Play: TypeAlias = Callable[[str, str, Policy, EnvConfig], Floats]
"""(name, setting, policy, environment) -> net P&L of each episode, on the seeds of the comparison."""

OPTIONS = ("latency", "fees", "fill")
LATENCY = (0.0, 1.0, 10.0, 50.0, 200.0)
"""Factors on every latency of the market."""
FEES = (0.0, 0.1, 0.25, 0.5, 1.0)
"""Ticks a lot on top of the fee of every fill."""
QUEUES = ("front", "proportional", "back")


def check(options: Sequence[str], config: EnvConfig, markets: Sequence[str] = ()) -> None:
    """Refuse what cannot be played, before anything is.

    Raises:
        ConfigError: an unknown option or market; a latency, a fee or a market that cannot be changed, or that the
            episodes draw.
    """
    for word in options:
        if word not in OPTIONS:
            raise ConfigError(f"sensitivity: unknown {word!r}{did_you_mean(word, OPTIONS)}")
    if "latency" in options and config.market.latency == _scaled(config.market.latency, 0.0):
        raise ConfigError("sensitivity: every latency of this market is 0, so there is nothing to multiply")
    ranges, factors = ([drawn[0] for drawn in some] for some in (config.randomise.ranges, config.randomise.factors))
    # A factor on a latency commutes with the grid's; a fee drawn anew, or multiplied, hides what is added to it.
    for option, drawn in (("latency", ranges), ("fees", [*ranges, *factors])):
        names = [name for name in drawn if name.startswith(f"{option}.")]
        if option in options and names:
            raise ConfigError(
                f"sensitivity: {', '.join(names)} is drawn anew for each episode (randomise), so the settings of "
                f"{option!r} would not be played; leave out one of the two"
            )
    if markets and config.feed is not None:
        raise ConfigError("matrix: the feed is a recorded day; the matrix is of simulated markets")
    flows = [*config.randomise.flows, *(name for name in ranges if name.startswith("flow"))]
    if markets and flows:
        raise ConfigError(
            f"matrix: each episode draws its order flow (randomise: {', '.join(flows)}), so none of "
            f"{', '.join(markets)} would be played; leave out one of the two"
        )
    for name in markets:
        _elsewhere(name, config)


def sensitivity(
    option: str, config: EnvConfig, runs: Sequence[Episodes], players: Mapping[str, Policy], play: Play,
    bootstrap: Bootstrap | None = None,
) -> Grid:  # fmt: skip
    """One option's grid.

    Args:
        option: one of `OPTIONS`.
        config: the environment of the comparison.
        runs: what the policies did in it, with logs.
        players: the policies by the names of *runs*.
        play: plays one in another environment, on the same seeds.
        bootstrap: how intervals are made.
    """
    here = {run.name: run.net_pnl for run in runs if run.name in players}
    if option == "fill" and not _level_two(config):
        exact, hard = "queue, as simulated", "only if traded through"
        played = {Player(run.name): {exact: run.net_pnl, hard: through(run)} for run in runs if run.name in players}
        text = (
            f"net P&L an episode; passive fills after which the mid was not beyond their price within {SOON:g} s are "
            "taken back, valued at the last mid; decisions are those of the simulated queue"
        )
        base = {(player, setting): (player, exact) for player in played for setting in (exact, hard)}
        return make_grid(option, "Fill model", text, played, base, bootstrap)
    variants, home, heading, text = _variants(option, config)
    played = {}
    for name, policy in players.items():
        played[Player(name)] = {
            setting: here[name] if setting == home else play(name, f"{option} {setting}", policy, where)
            for setting, where in variants.items()
        }
    base = {(player, setting): (player, home) for player in played for setting in variants}
    return make_grid(option, heading, text, played, base, bootstrap)


def _level_two(config: EnvConfig) -> bool:
    """Whether own fills rest on a model of the queues, which a recording of levels alone does not show."""
    if config.feed is None:
        return False
    path = Path(config.feed)
    name = detect(path)
    if name == "archive":
        name = open_source(path, IssueLog(), ()).meta.source
    return name in ("binance", "coinbase")


def _variants(option: str, config: EnvConfig) -> tuple[dict[str, EnvConfig], str, str, str]:
    """Settings by name, the one of the comparison, a heading and a text."""
    market = config.market
    if option == "latency":
        latency = market.latency
        scaled = {f"× {f:g}": replace(market, latency=_scaled(latency, f)) for f in LATENCY}
        made = {name: replace(config, market=variant) for name, variant in scaled.items()}
        text = (
            f"net P&L an episode; every latency times a factor; × 1 is {latency.order_ns / 1e6:g} ms for an order, "
            f"{latency.market_data_ns / 1e6:g} ms for the book"
        )
        return made, "× 1", "Latency", text
    if option == "fees":
        made = {f"+ {f:g}": replace(config, market=replace(market, fees=_dearer(market, f))) for f in FEES}
        return made, "+ 0", "Fees", "net P&L an episode; ticks a lot on top of the fee of every fill"
    plain = to_dict(config)
    made = {q: build(EnvConfig, {**plain, "replay": {**plain["replay"], "queue_model": q}}) for q in QUEUES}
    text = "net P&L an episode; where in a queue unexplained decreases are taken from"
    return made, config.replay.queue_model, "Fill model", text


def _scaled(latency: LatencyConfig, factor: float) -> LatencyConfig:
    return LatencyConfig(**{name: round(factor * value) for name, value in to_dict(latency).items()})


def _dearer(market: MarketConfig, ticks: float) -> FeeConfig:
    fees = market.fees
    more = ticks if fees.unit == "per_lot" else 1e4 * ticks / market.initial_price
    maker, taker = (round((rate + more) * SUBUNITS) / SUBUNITS for rate in (fees.maker, fees.taker))
    return replace(fees, maker=maker, taker=taker)


def through(run: Episodes) -> Floats:
    """(E,) net P&L without the passive fills that the price did not go through, ticks·lots.

    A fill counts as traded through if within a second the mid was beyond its price, against it. What is taken back is
    what the fill was worth at the episode's last mid, and its fee. It is a bound, not a market: the strategy would
    have decided otherwise had it not been filled.
    """
    panel = Panel(run)
    fills = run.fills
    passive = panel.ordinary & fills["maker"]
    beyond = panel.sign * (mid2_after(panel, SOON) - 2 * fills["price"]) < 0
    lucky = passive & ~beyond
    episode = panel.fill_episode[lucky]
    last = panel.mid2_at(episode, panel.duration_ns[episode])
    worth = panel.sign[lucky] * panel.quantity[lucky] * (last - 2 * fills["price"][lucky]) / 2
    return cast(Floats, run.net_pnl - panel.per_episode(worth - fills["fee"][lucky] / SUBUNITS, episode))


def matrix(
    markets: Sequence[str],
    config: EnvConfig,
    players: Mapping[str, Policy],
    scripted: Mapping[str, str],
    play: Play,
    bootstrap: Bootstrap | None = None,
) -> Grid:
    """Policies tuned for, or trained in, one market and played in the others.

    Args:
        markets: presets by name, or TOML files; of each the order flow is played, and what it brings for that.
        config: everything else of the environment.
        players: the policies of the comparison.
        scripted: those of them that are scripted and were given no parameters -> the baseline's name; they take part
            once for each market that has tuned parameters of them, and once as they are where none has.
        play: plays one in an environment, on the same seeds.
        bootstrap: how intervals are made.
    """
    found_there = {name: _elsewhere(name, config) for name in dict.fromkeys(markets)}
    where = {name: there for name, (there, _) in found_there.items()}
    played: dict[Player, dict[str, Floats]] = {}
    base: dict[tuple[Player, str], tuple[Player, str]] = {}
    for name, policy in players.items():
        sources: dict[str, Any] = {}
        for market, there in where.items():
            found = tuned.record(scripted[name], there) if name in scripted else None
            if found is not None:
                sources[market] = found["parameters"]
        for market, parameters in sources.items():
            cells = {}
            for target, there in where.items():
                strategy = baselines.make(scripted[name], HFTMarketVectorEnv(1, there), **parameters)
                cells[target] = play(name, f"from {market} in {target}", strategy, there)
                base[Player(name, market), target] = Player(name, target), target
            played[Player(name, market)] = cells
        if not sources:
            player = Player(name, _home(policy))
            played[player] = {target: play(name, f"in {target}", policy, there) for target, there in where.items()}
    text = (
        "net P&L an episode; rows: policy and the market whose tuned parameters (or training) it brings; columns: the "
        "market whose order flow it is played in, fees, latencies and all else as above; changes are against the "
        "parameters tuned for the column"
    )
    told = [f"{name} brings its own {', '.join(own)}" for name, (_, own) in found_there.items() if own]
    note = f"in place of what is set: {'; '.join(told)}" if told else ""
    return make_grid("matrix", "Other markets", text, played, base, bootstrap, note)


def _elsewhere(name: str, config: EnvConfig) -> tuple[EnvConfig, tuple[str, ...]]:
    """The environment with another market's order flow, and what was set that the other market overrides.

    Whatever somebody set (it is not what the own flow comes with) is kept: fees, latencies, limits, sizes. Only where
    the other market, too, brings it with its flow (the sizes of a preset, the settings of a file), that wins.
    """
    market, there = config.market, MarketConfig.named(name)
    if there.order_flow == market.order_flow:
        return config, ()
    given = {part: value for part, value in _given(market).items() if value != getattr(there, part)}
    own = _given(there, usual=MarketConfig())
    kept = {part: value for part, value in given.items() if part not in own}
    return replace(config, market=replace(there, **kept)), tuple(part for part in given if part in own)


def _given(market: MarketConfig, usual: MarketConfig | None = None) -> dict[str, Any]:
    """The parts of a market beside its flow that are not those of *usual*; default: what its flow comes with."""
    if usual is None:
        usual = MarketConfig(flow=market.flow)
    names = [field.name for field in fields(MarketConfig) if field.name != "flow"]
    return {name: getattr(market, name) for name in names if getattr(market, name) != getattr(usual, name)}


def _home(policy: Policy) -> str:
    """The market that an agent was trained in."""
    trained_in = getattr(policy, "config", None)
    return (tuned.preset_of(build(EnvConfig, dict(trained_in))) or "") if isinstance(trained_in, Mapping) else ""
