"""What is shown while one waits: a training's bar with its latest figures, a comparison's bar for each policy."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

    from train.callback import Progress

__all__ = ["PolicyBars", "ProgressBar"]


class ProgressBar:
    """A progress bar with the latest figures, and a line for each validation; nothing without a console."""

    def __init__(self, console: Console | None) -> None:
        self.console, self.bar, self.task = console, None, None
        if console is None:
            return
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

        columns = (
            TextColumn("training"),
            BarColumn(24),
            TextColumn("{task.percentage:3.0f}%"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[now]}"),
        )
        self.bar = Progress(*columns, console=console, transient=True)
        self.task = self.bar.add_task("", total=1.0, now="")
        self.played, self.since = -1, time.monotonic()

    def __enter__(self) -> ProgressBar:
        if self.bar is not None:
            self.bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.bar is not None:
            self.bar.stop()

    def update(self, progress: Progress, means: Mapping[str, float], done: float) -> None:
        """Show where it stands: ``done`` is the share of the budget that is used."""
        if self.bar is None or self.console is None or self.task is None:
            return
        if "validation/deterministic" in means:
            best = "  the best so far: kept" if progress.best["steps"] == progress.steps else ""
            self.console.print(
                f"{progress.steps / 1e6:6.2f} M decisions, {progress.seconds:4.0f} s: validation P&L "
                f"{means['validation/deterministic']:+7.2f} deterministic, "
                f"{means['validation/stochastic']:+7.2f} stochastic{best}",
                highlight=False,
            )
            return
        if self.played < 0:
            self.played = progress.steps
        rate = (progress.steps - self.played) / max(time.monotonic() - self.since, 1e-9)
        text = f"{progress.steps / 1e6:.2f} M at {rate / 1e3:.0f} k/s"
        if means:
            text += (
                f"  P&L {means['episode/pnl']:+.1f}  |inventory| {means['episode/inventory']:.1f}"
                f"  lots {means['episode/filled_lots']:.0f}"
            )
        self.bar.update(self.task, completed=done, now=text)


class PolicyBars:
    """One bar for each policy, or nothing at all without a console."""

    def __init__(self, console: Console | None) -> None:
        self.bars: Any = None
        if console is not None:
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

            columns = (
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TimeElapsedColumn(),
            )
            self.bars = Progress(*columns, console=console, transient=True)

    def __enter__(self) -> PolicyBars:
        if self.bars is not None:
            self.bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.bars is not None:
            self.bars.stop()

    def task(self, name: str) -> Any:
        """A function (done, total) that moves a bar of this name; None without a console."""
        if self.bars is None:
            return None
        task = self.bars.add_task(name, total=None)
        return lambda done, total: self.bars.update(task, completed=done, total=total)
