"""Reports: episodes in, numbers and pictures out.

>>> from hft_gym.report import METRICS
>>> METRICS["max_drawdown"].formula
'max_t (max_{s<=t} W_s - W_t), >= 0'

`METRICS` is the registry; `PerformanceMetrics` gives all of them for one policy, `compare` for several on common
seeds, `print_comparison` and `write` bring a comparison to the terminal and into a folder.
"""

from hft_gym.report.aggregate import (
    effective_sample_size,
    holm,
    improvement_probability,
    interquartile_mean,
    paired_p_value,
    performance_profile,
    stratified_estimate,
)
from hft_gym.report.attribution import attribution_table
from hft_gym.report.comparison import Comparison, Row, compare, summarise
from hft_gym.report.flags import FLAGS, Evidence, Flag
from hft_gym.report.metrics import GROUPS, METRICS, Metric, evaluate_metrics, load, metric
from hft_gym.report.overfitting import Trials, overfitting_probability
from hft_gym.report.panel import Panel, Session
from hft_gym.report.performance import PerformanceMetrics
from hft_gym.report.seeds import Learner, across_seeds
from hft_gym.report.sharpe import (
    deflated_sharpe,
    expected_maximum,
    minimum_track_record,
    probabilistic_sharpe,
)
from hft_gym.report.statistics import Bootstrap, Estimate, mean_interval, paired_difference
from hft_gym.report.table import print_comparison
from hft_gym.report.writers import write

load()

__all__ = [
    # metrics
    "GROUPS",
    "METRICS",
    "Metric",
    "Panel",
    "PerformanceMetrics",
    "Session",
    "attribution_table",
    "evaluate_metrics",
    "metric",
    # comparisons
    "Comparison",
    "Evidence",
    "FLAGS",
    "Flag",
    "Row",
    "compare",
    "print_comparison",
    "summarise",
    "write",
    # statistics
    "Bootstrap",
    "Estimate",
    "Learner",
    "Trials",
    "across_seeds",
    "deflated_sharpe",
    "effective_sample_size",
    "expected_maximum",
    "holm",
    "improvement_probability",
    "interquartile_mean",
    "mean_interval",
    "minimum_track_record",
    "overfitting_probability",
    "paired_difference",
    "paired_p_value",
    "performance_profile",
    "probabilistic_sharpe",
    "stratified_estimate",
]
