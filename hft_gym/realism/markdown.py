"""A scorecard as a page of Markdown: scores, facts, and the command that made them."""

from __future__ import annotations

from hft_gym.realism.facts import FACTS
from hft_gym.realism.scorecard import COLUMNS, CST, MARKET, OTHER, Scorecard
from hft_gym.report.table import number

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
    columns = (OTHER, MARKET, CST)
    lines += ["", "## Scores (0: alike; mean with 99 % interval)", ""]
    lines.append("| score | " + " | ".join(f"{m} {c}" for m in ("L1", "W1") for c in columns) + " |")
    lines.append("|---|" + "---|" * 6)
    for score in card.scores[MARKET].scores:
        row = [card.scores[c].scores[score] for c in columns]
        cells = [*(number(s.l1) for s in row), *(number(s.wasserstein) for s in row)]
        lines.append(f"| {score.replace('|', 'given')} | " + " | ".join(cells) + " |")
    for statistic in ("mean", "median", "iqm"):
        cells = []
        for metric in ("l1", "wasserstein"):
            for c in columns:
                value, low, high = card.scores[c].summary[metric][statistic]
                cells.append(f"**{number(value)}** [{number(low)}, {number(high)}]")
        lines.append(f"| **{statistic}** | " + " | ".join(cells) + " |")
    cells = [number(card.scores[c].impact) for c in columns]
    lines.append("| impact score [ticks] | " + " | ".join(cells) + " | | | |")
    lines += [
        "",
        "## Facts",
        "",
        "| fact | figure | unit | " + " | ".join(COLUMNS) + " |",
        "|---|---|---|" + "---|" * 4,
    ]
    for key, fact in FACTS.items():
        for i, (figure, unit) in enumerate(fact.values.items()):
            cells = [number(card.facts[c][key].values[figure]) for c in COLUMNS]
            title = fact.title if i == 0 else ""
            lines.append(f"| {title} | {figure} | {unit} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"
