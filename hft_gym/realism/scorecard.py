"""The scorecard: facts and scores of a simulated market against real data, between two yardsticks.

The yardsticks: plain Cont–Stoikov–Talreja flow fitted to the same data, which any better model should beat, and real
data of another hour, which no model need be nearer than.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from hft_gym.config import build, to_dict
from hft_gym.errors import ConfigError
from hft_gym.market.config import MarketConfig
from hft_gym.market.tape import Tape
from hft_gym.realism.cst import CstFit, fit_cst
from hft_gym.realism.facts import FACTS, Fact, Measured, measure
from hft_gym.realism.impact import Impact, metaorder_impact
from hft_gym.realism.lob_bench import LobBench, lob_bench
from hft_gym.realism.tapes import in_shares, simulate_tape, split
from hft_gym.report.table import number
from hft_gym.report.writers import json_text

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["Scorecard", "scorecard"]

REAL, OTHER, MARKET, CST = "real", "real, another hour", "market", "CST"
COLUMNS = (REAL, OTHER, MARKET, CST)
SCORED = (OTHER, MARKET, CST)
SCORE_COLUMNS = tuple(f"{metric} {column}" for metric in ("L1", "W1") for column in SCORED)
HOUR = 3_600.0


@dataclass(frozen=True)
class Scorecard:
    """A market against real data.

    Attributes:
        facts: column ("real", "real, another hour", "market", "CST") -> fact -> figures and curve.
        scores: column ("real, another hour", "market", "CST") -> LOB-Bench's scores against "real".
        impact: column ("market", "CST") -> the experiment on metaorders; empty where it was left out.
        cst: the fitted yardstick.
        meta: how it was made.
    """

    facts: dict[str, dict[str, Measured]]
    scores: dict[str, LobBench]
    impact: dict[str, Impact]
    cst: CstFit
    meta: dict[str, Any] = field(default_factory=dict)

    def ratios(self) -> dict[str, dict[str, float]]:
        """Mean distance of the market over the two yardsticks': ``{"l1": {"over_cst": ..., "over_real": ...}, ...}``.

        Half of CST's and twice that of real data are what a calibrated market should reach.
        """
        found = {}
        for metric in ("l1", "wasserstein"):
            mean = {column: self.scores[column].summary[metric]["mean"][0] for column in self.scores}
            found[metric] = {"over_cst": mean[MARKET] / mean[CST], "over_real": mean[MARKET] / mean[OTHER]}
        return found

    def fact_rows(self) -> Iterator[tuple[Fact, str, str, list[str]]]:
        """Every figure of every fact: the fact, the figure, its unit, and its values by :data:`COLUMNS`."""
        for name, fact in FACTS.items():
            for figure, unit in fact.values.items():
                yield fact, figure, unit, [number(self.facts[column][name].values[figure]) for column in COLUMNS]

    def score_rows(self) -> Iterator[tuple[str, list[str]]]:
        """Every score: its name, and its values by :data:`SCORE_COLUMNS`."""
        for name in self.scores[MARKET].scores:
            row = [self.scores[column].scores[name] for column in SCORED]
            yield name, [number(s.l1) for s in row] + [number(s.wasserstein) for s in row]

    def summary_rows(self) -> Iterator[tuple[str, list[tuple[str, str]]]]:
        """Mean, median and interquartile mean of the scores: value and interval by :data:`SCORE_COLUMNS`."""
        for statistic in ("mean", "median", "iqm"):
            found = [self.scores[c].summary[m][statistic] for m in ("l1", "wasserstein") for c in SCORED]
            yield statistic, [(number(v), f"[{number(low)}, {number(high)}]") for v, low, high in found]

    def impact_scores(self) -> list[str]:
        """The impact score [ticks] by :data:`SCORED`."""
        return [number(self.scores[column].impact) for column in SCORED]

    def facts_table(self) -> Table:
        """Every figure of every fact, a column each for the real data, the yardsticks and the market."""
        from rich.table import Table

        table = Table(title=f"Stylised facts against {self.meta.get('data', 'real data')}", title_justify="left")
        table.add_column("fact", no_wrap=True)
        table.add_column("figure", no_wrap=True)
        table.add_column("unit", style="dim")
        for column in COLUMNS:
            table.add_column(column, justify="right", style="bold" if column == MARKET else "")
        for fact, figure, unit, cells in self.fact_rows():
            first = figure == next(iter(fact.values))
            if first:
                table.add_section()
            table.add_row(fact.title if first else "", figure, unit, *cells)
        if self.impact:
            table.add_section()
            laws = [self.impact[column] for column in (MARKET, CST)]
            for i, (figure, values) in enumerate(
                (
                    ("exponent", [law.law.exponent for law in laws]),
                    ("r2", [law.law.r2 for law in laws]),
                    ("left_after_5", [float(law.relaxed[-1]) for law in laws]),
                )
            ):
                title = "Impact of metaorders" if i == 0 else ""
                table.add_row(title, figure, "", "—", "—", *(number(v) for v in values))
        return table

    def scores_table(self) -> Table:
        """LOB-Bench's scores, L1 and Wasserstein-1 of each column against the real data."""
        from rich.table import Table

        table = Table(title="LOB-Bench scores against the real data (99 % intervals)", title_justify="left")
        table.add_column("score", no_wrap=True)
        for column in SCORE_COLUMNS:
            table.add_column(column, justify="right", style="bold" if column.endswith(MARKET) else "")
        for name, cells in self.score_rows():
            table.add_row(name, *cells)
        table.add_section()
        for statistic, intervals in self.summary_rows():
            table.add_row(statistic, *(f"{v}\n[dim]\\{interval}[/dim]" for v, interval in intervals), style="bold")
        table.add_row("impact score [ticks]", *self.impact_scores(), "", "", "")
        return table

    def verdicts(self) -> list[str]:
        """What the mean scores say, in sentences."""
        found = []
        for metric, name in (("l1", "L1"), ("wasserstein", "Wasserstein-1")):
            ratio = self.ratios()[metric]
            found.append(
                f"{name}: the market is {number(ratio['over_cst'])} times as far from the real data as CST "
                f"and {number(ratio['over_real'])} times as far as another hour of real data."
            )
        return found

    def to_json(self) -> str:
        """Everything, with the curves and how it was made."""
        document = {
            "meta": self.meta,
            "ratios": self.ratios(),
            "facts": {
                name: {
                    "title": fact.title,
                    "formula": fact.formula,
                    "source": fact.source,
                    "units": dict(fact.values),
                    "values": {column: self.facts[column][name].values for column in COLUMNS},
                    "curves": {
                        column: {axis: getattr(self.facts[column][name].curve, axis).tolist() for axis in "xy"}
                        for column in COLUMNS
                    },
                }
                for name, fact in FACTS.items()
            },
            "scores": {
                column: {
                    "scores": {name: score._asdict() for name, score in bench.scores.items()},
                    "summary": bench.summary,
                    "impact": bench.impact,
                    "impact_by_event": bench.impact_by_event,
                }
                for column, bench in self.scores.items()
            },
            "impact": {
                column: {
                    "participation": impact.participation.tolist(),
                    "impact": impact.impact.tolist(),
                    "error": impact.error.tolist(),
                    "after": list(impact.after),
                    "relaxed": impact.relaxed.tolist(),
                    "law": impact.law._asdict(),
                }
                for column, impact in self.impact.items()
            },
        }
        return json_text(document)


def scorecard(
    market: MarketConfig | Mapping[str, Any] | str,
    data: Tape,
    *,
    part: int = 0,
    other: int | None = None,
    lot: int = 1,
    fitted: int | None = None,
    seconds: float | None = None,
    impact: bool = True,
    repeats: int = 100,
    seed: int = 0,
    say: Callable[[str], None] = lambda text: None,
) -> Scorecard:
    """Compare a simulated market with a real tape.

    The tape is cut into hours (into halves if it has less than two); one is the reference, the next the yardstick.

    Args:
        market: its configuration, or the name of a flow preset.
        data: the real tape, with depth.
        part: number of the reference hour, from 0.
        other: number of the yardstick; None: the hour after the reference, or the one before at the end.
        lot: shares in one lot of the simulated market.
        fitted: number of the part that the CST flow is fitted to, for markets that were fitted to it too and are
            compared with what they have not seen; None: the reference.
        seconds: length of the simulated tapes; None: as long as the reference.
        impact: whether to do the experiment on metaorders too (half a minute).
        repeats: metaorders of it.
        seed: of the simulated markets.
        say: told what is being done.

    Raises:
        ConfigError: no such part, a wrong market, or data without depth.
    """
    config = build(MarketConfig, market)
    parts = split(data, max(2, int(data.seconds // HOUR)))
    chosen = part + 1 if other is None and part + 1 < len(parts) else part - 1 if other is None else other
    source = part if fitted is None else fitted
    for name, value in (("part", part), ("other", chosen), ("fitted", source)):
        if not 0 <= value < len(parts):
            raise ConfigError(f"{name} is {value}; the data has the parts 0 to {len(parts) - 1}")
    if chosen == part:
        raise ConfigError(f"other is {chosen}, as is part; a yardstick is another part of the data")
    reference = parts[part]
    length = reference.seconds if seconds is None else seconds
    depth = max(reference.levels, 1)
    say("fitting the CST flow")
    fit = fit_cst(parts[source])
    say("simulating")
    tapes = {
        REAL: reference,
        OTHER: parts[chosen],
        MARKET: in_shares(simulate_tape(config, length, seed=seed, levels=depth), lot),
        CST: in_shares(simulate_tape(fit.market(), length, seed=seed, levels=depth), fit.lot),
    }
    facts, scores = {}, {}
    for column, tape in tapes.items():
        say(f"measuring: {column}")
        facts[column] = measure(tape)
        if column != REAL:
            scores[column] = lob_bench(reference, tape, seed=seed)
    experiments = {}
    if impact:
        for column, made in ((MARKET, config), (CST, fit.market())):
            say(f"metaorders: {column}")
            experiments[column] = metaorder_impact(made, repeats=repeats, seed=seed)
    meta = {
        "data": data.symbol,
        "parts": len(parts),
        "part": part,
        "other": chosen,
        "fitted": source,
        "seconds": length,
        "lot": lot,
        "seed": seed,
        "market": to_dict(config),
        "cst_unit": fit.unit,
        "records": {column: len(tape) for column, tape in tapes.items()},
    }
    return Scorecard(facts, scores, experiments, fit, meta)
