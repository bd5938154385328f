"""Reports: episodes in, numbers and pictures out.

>>> from hft_gym.report import METRICS
>>> METRICS["max_drawdown"].formula
'max_t (max_{s<=t} W_s - W_t), >= 0'

`METRICS` is the registry; `summarise` gives all of them for one policy, `compare` for several on common
seeds, `print_comparison` and `write` bring a comparison to the terminal and into a folder.
"""

from hft_gym.report.comparison import Comparison, Row, compare, summarise
from hft_gym.report.metrics import METRICS, Metric, evaluate_metrics, load, metric
from hft_gym.report.panel import Panel
from hft_gym.report.statistics import Bootstrap, Estimate, mean_interval, paired_difference
from hft_gym.report.table import print_comparison
from hft_gym.report.writers import write

load()

__all__ = [
    "METRICS",
    "Bootstrap",
    "Comparison",
    "Estimate",
    "Metric",
    "Panel",
    "Row",
    "compare",
    "evaluate_metrics",
    "mean_interval",
    "metric",
    "paired_difference",
    "print_comparison",
    "summarise",
    "write",
]
