"""The page docs/metrics.md, made from the registry: ``python -m hft_gym.report.metrics_page > docs/metrics.md``."""

from __future__ import annotations

from hft_gym.report.metrics import GROUPS, METRICS, Metric
from hft_gym.report.pooling import POOLINGS, SET

__all__ = ["LEFT_OUT", "NOT_WHOLE", "page"]

LEFT_OUT = {
    30: "amends: a ladder's reductions and `Market.modify` leave no record of their own; otherwise environments cancel "
    "and send anew",
}
"""Number in the list of 72 -> why no metric has it."""

NOT_WHOLE = {
    45: "the share is of the lots that were ahead at entry; the level's whole volume is not logged",
    51: "whether the level was gone is read off the decision grid, a step late at most",
    55: "a step's volume counts at the mid of its end; the prices of other people's trades are not logged",
    58: "to the end of the episode, where the position is closed; not beyond it",
}
"""Number -> what of its definition is missing."""

HEAD = """# Metrics

What `hft_gym.METRICS` holds, made from it by `python -m hft_gym.report.metrics_page > docs/metrics.md`, and held so by
a test.

```python
import baselines
from hft_gym import PerformanceMetrics
from hft_gym.envs.vector import HFTMarketVectorEnv
from hft_gym.evaluation import evaluate, held_out_seeds

maker = baselines.make("market-making", HFTMarketVectorEnv(1))
episodes = evaluate(maker, seeds=held_out_seeds(8), episode_steps=200)
metrics = PerformanceMetrics(episodes)
print(metrics["sharpe_ratio"])               # Estimate(value, low, high, episodes)
print(metrics.values_of("markout_5s"))       # one value per episode
print(metrics.reason("markout_60s"))         # why there is none
print(metrics.attribution(by=["symbol"]).T)  # where the P&L came from, exact
```

`hft-gym compare --metrics all` prints them with their intervals, `--metrics execution drawdown` some of the groups.

W is equity (ticks·lots, net of fees), dW its change over a clock interval (1 s unless told otherwise), q the position
(lots), m the others' mid (ticks), P a fill's price, x its lots, D +1 for an own buy and -1 for an own sell, T the
episode's length. Lots, ticks and seconds are as in [market.md](market.md); times `tick_size` money is currency.
*Ordinary* fills are those of the strategy's own orders; the forced close at an episode's end is not among them.

- **Annual** figures count the seconds of the session (`Session`: 6.5 hours on 252 days unless told otherwise).
- **Undefined** is NaN with a reason (`PerformanceMetrics.reason`, `undefined` in the JSON), never an error or infinity.
- **No.** is the number in the list of 72 that the project set out with.
- **Sign**: + more is better, − less is better.
"""


def page() -> str:
    """The whole page as Markdown."""
    numbers = {m.number for m in METRICS.values() if m.number is not None}
    lines = [HEAD]
    lines.append(f"{len(METRICS)} metrics; they cover {len(numbers)} of the 72.\n")
    for group, title in GROUPS.items():
        members = [m for m in METRICS.values() if m.group == group]
        lines.append(f"## {title[0].upper()}{title[1:]} (`{group}`)\n")
        lines.append("| name | no. | unit | formula | pooling | sign | source |\n|---|---|---|---|---|---|---|")
        lines += [_row(m) for m in members]
        lines.append("")
    lines.append("## Pooling\n")
    lines.append("How a set of episodes gets one value. Intervals resample episodes.\n")
    lines += [f"- `{name}`: {p.text}" for name, p in POOLINGS.items()]
    lines.append(f"- `{SET}`: of the set as a whole; a single episode has no value\n")
    lines.append("## Not here\n")
    lines += [f"- {n}: {why}." for n, why in sorted(LEFT_OUT.items())]
    lines.append("\nOnly in part:\n")
    lines += [f"- {n}: {why}." for n, why in sorted(NOT_WHOLE.items())]
    return "\n".join(lines) + "\n"


def _row(m: Metric) -> str:
    sign = {1: "+", -1: "−", 0: ""}[m.sign]
    number = "" if m.number is None else str(m.number)
    cells = (f"`{m.name}`", number, m.unit, m.formula.replace("|", "\\|"), m.pooling, sign, m.source)
    return "| " + " | ".join(cells) + " |"


if __name__ == "__main__":
    print(page(), end="")
