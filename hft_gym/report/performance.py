"""`PerformanceMetrics`: every metric of one policy's episodes, by name, with intervals and reasons."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from hft_gym.errors import DataError
from hft_gym.evaluation.episodes import Episodes
from hft_gym.report.attribution import attribution_table, check_attribution
from hft_gym.report.metrics import METRICS, chosen, get
from hft_gym.report.overfitting import Trials
from hft_gym.report.panel import Floats, Panel, Session
from hft_gym.report.statistics import Bootstrap, Estimate

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["PerformanceMetrics"]


class PerformanceMetrics(Mapping[str, Estimate]):
    """The metrics of a set of episodes; a mapping from name to `Estimate`, computed when it is asked for.

    Args:
        episodes: what `hft_gym.evaluation.evaluate` returned; None: give them to `of` later.
        interval_s: clock grid of the interval metrics, seconds.
        session: trading hours that annualised figures count; default: 6.5 hours on 252 days a year.
        reference: another policy on the same seeds, for paired metrics.
        counterfactual: the same seeds without any own order, for the own impact.
        trials: what was tried before this policy was chosen, for the deflated Sharpe ratio.
        bootstrap: how intervals are made.

    Raises:
        ConfigError: a setting out of range, or companions that played other seeds.
        DataError: fills that do not explain a net P&L.

    >>> from hft_gym.report import PerformanceMetrics
    >>> metrics = PerformanceMetrics()
    >>> metrics["sharpe_ratio"]
    Traceback (most recent call last):
    hft_gym.errors.DataError: no episodes yet: PerformanceMetrics(episodes), or PerformanceMetrics().of(episodes)
    """

    def __init__(
        self,
        episodes: Episodes | None = None,
        *,
        interval_s: float = 1.0,
        session: Session | None = None,
        reference: Episodes | None = None,
        counterfactual: Episodes | None = None,
        trials: Trials | None = None,
        bootstrap: Bootstrap | None = None,
    ) -> None:
        self.bootstrap = bootstrap or Bootstrap()
        self._settings = {
            "interval_s": interval_s,
            "session": session,
            "reference": reference,
            "counterfactual": counterfactual,
            "trials": trials,
        }
        self._estimates: dict[str, Estimate] = {}
        self._panel: Panel | None = None
        if episodes is not None:
            self._panel = Panel(episodes, **self._settings)  # type: ignore[arg-type]
            check_attribution(self._panel)

    def of(self, episodes: Episodes) -> PerformanceMetrics:
        """The same settings on these episodes."""
        return PerformanceMetrics(episodes, bootstrap=self.bootstrap, **self._settings)  # type: ignore[arg-type]

    @property
    def panel(self) -> Panel:
        """The shared arrays.

        Raises:
            DataError: no episodes were given.
        """
        if self._panel is None:
            raise DataError("no episodes yet: PerformanceMetrics(episodes), or PerformanceMetrics().of(episodes)")
        return self._panel

    def __getitem__(self, name: str) -> Estimate:
        """Value and interval over all episodes; NaN where undefined (`reason` says why).

        Raises:
            ConfigError: no such metric.
            DataError: no episodes were given.
        """
        metric = get(name)
        if name not in self._estimates:
            self._estimates[name] = metric.estimate(self.panel, self.bootstrap)
        return self._estimates[name]

    def __iter__(self) -> Iterator[str]:
        return iter(METRICS)

    def __len__(self) -> int:
        return len(METRICS)

    def __contains__(self, name: object) -> bool:
        return name in METRICS

    def values_of(self, name: str) -> Floats:
        """(E,) the metric of each episode alone.

        Raises:
            ConfigError: no such metric.
            DataError: no episodes were given.
        """
        return get(name).values(self.panel)

    def reason(self, name: str, episode: int | None = None) -> str | None:
        """Why a metric has no value, over all episodes or in one of them; None if it has one.

        Raises:
            ConfigError: no such metric.
            DataError: no episodes were given.
            IndexError: no such episode.
        """
        metric = get(name)
        if episode is not None:
            return metric.reasons(self.panel)[episode]
        return metric.reason(self.panel, self.bootstrap)

    def attribution(self, by: Sequence[str] = ("policy",)) -> pd.DataFrame:
        """Where the P&L came from, in exact sub-units; see `hft_gym.report.attribution_table`."""
        return attribution_table([self.panel.episodes], by)

    def to_frame(self, metrics: Sequence[str] = ("all",)) -> pd.DataFrame:
        """One row per metric: group, unit, value, low, high, reason.

        Args:
            metrics: ``"all"``, names of groups, names of metrics.

        Raises:
            ConfigError: a word that is none of these.
            DataError: no episodes were given.
        """
        import pandas as pd

        rows = []
        for m in chosen(metrics):
            found = self[m.name]
            why = self.reason(m.name) or ""
            row = {"metric": m.name, "group": m.group, "unit": m.unit, **found._asdict(), "reason": why}
            rows.append(row)
        return pd.DataFrame(rows).set_index("metric")
