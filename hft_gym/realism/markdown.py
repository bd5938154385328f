"""A scorecard as a page of Markdown: scores, facts, and the command that made them."""

from __future__ import annotations

from hft_gym.realism.scorecard import COLUMNS, SCORE_COLUMNS, Scorecard

__all__ = ["markdown"]


def markdown(card: Scorecard, name: str) -> str:
    """The page of *card*, the market being called *name*."""
    meta = card.meta
    lines = [f"# Scorecard: {name} against {meta['data']}", ""]
    if "command" in meta:
        lines += ["```console", f"$ {meta['command']}", "```", ""]
    parts = f"Reference: part {meta['part']} of {meta['parts']} of the data, {meta['seconds']:.0f} s."
    lines += [f"{parts} Other real part: {meta['other']}. CST: fitted to part {meta['fitted']}.", ""]
    lines += [line for sentence in card.verdicts() for line in (sentence, "")]
    lines.append("A calibrated market should be at most half as far as CST and twice as far as the other part:")
    lines.append("")
    for metric, title in (("l1", "L1"), ("wasserstein", "Wasserstein-1")):
        ratio = card.ratios()[metric]
        words = ["reached" if ratio[k] <= most else "missed" for k, most in (("over_cst", 0.5), ("over_real", 2.0))]
        lines.append(f"- {title} against CST: {words[0]}; against the other part: {words[1]}.")
    lines += ["", "## Scores (0: alike; mean with 99 % interval)", ""]
    lines += [_row("score", *SCORE_COLUMNS), "|---|" + "---|" * len(SCORE_COLUMNS)]
    lines += [_row(score.replace("|", "given"), *cells) for score, cells in card.score_rows()]
    for statistic, intervals in card.summary_rows():
        lines.append(_row(f"**{statistic}**", *(f"**{value}** {interval}" for value, interval in intervals)))
    lines.append("| impact score [ticks] | " + " | ".join(card.impact_scores()) + " | | | |")
    lines += ["", "## Facts", "", _row("fact", "figure", "unit", *COLUMNS), "|---|---|---|" + "---|" * len(COLUMNS)]
    for fact, figure, unit, cells in card.fact_rows():
        lines.append(_row(fact.title if figure == next(iter(fact.values)) else "", figure, unit, *cells))
    return "\n".join(lines) + "\n"


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"
