"""The benchmark's core: cases measured in turns, medians, ratios against targets.

A *group* (a function marked with :func:`group`) builds a :class:`Plan`: cases that are measured alternately,
run after run, so that a machine that slows down slows all of them, and ratios formed run by run from the
figures of the same turn. New rows are a new function in one of the ``rows_*`` modules.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from hft_gym.errors import MissingExtraError

Goal = tuple[str, float]
"""``("<=", bound)`` or ``(">=", bound)``."""


class Unavailable(Exception):
    """A group or case cannot be measured here; the message says why. It is reported, not an error."""


@dataclass(frozen=True)
class Options:
    """What a run of the benchmark may spend.

    Attributes:
        quick: short runs and fewer of them, for a first look; figures are noisier.
        repeats: measurements of each case.
        threads: threads of the parallel rows.
    """

    quick: bool = False
    repeats: int = 7
    threads: int = 2

    def pick(self, full: int, quick: int) -> int:
        """*full*, or *quick* in a quick run."""
        return quick if self.quick else full


@dataclass(frozen=True)
class Case:
    """One thing to measure: *run* performs it once and returns its figure in *unit*.

    Attributes:
        messages: book messages per step of what was measured, called after the runs; None where a step
            has no meaning.
        once: measured a single time (slow start-ups).
    """

    name: str
    unit: str
    run: Callable[[], float]
    messages: Callable[[], float] | None = None
    least: Goal | None = None
    aim: Goal | None = None
    note: str = ""
    once: bool = False


@dataclass(frozen=True)
class Ratio:
    """A quotient of two cases of the same plan, formed run by run."""

    name: str
    numerator: str
    denominator: str
    least: Goal | None = None
    aim: Goal | None = None
    note: str = ""
    unit: str = "x"


@dataclass(frozen=True)
class Plan:
    """What a group measures; *close* is called afterwards, also when a case failed."""

    cases: Sequence[Case]
    ratios: Sequence[Ratio] = ()
    close: Callable[[], None] | None = None


@dataclass
class Row:
    """One figure: the median of its runs, their range, and how it stands to its targets."""

    group: str
    name: str
    unit: str = ""
    value: float | None = None
    low: float | None = None
    high: float | None = None
    runs: list[float] = field(default_factory=list)
    messages_per_step: float | None = None
    least: Goal | None = None
    aim: Goal | None = None
    note: str = ""
    status: str = "measured"
    """``measured``, ``skipped`` or ``failed``; the last two explain themselves in *note*."""

    @property
    def met(self) -> str:
        """``aim``, ``least`` or ``missed``; empty without a target or a figure."""
        if self.value is None or (self.least is None and self.aim is None):
            return ""
        if self.aim is not None and _holds(self.value, self.aim):
            return "aim"
        if self.least is not None:
            return "least" if _holds(self.value, self.least) else "missed"
        return ""

    def to_dict(self) -> dict[str, Any]:
        """JSON-able, with ``met`` among the keys."""
        return {**asdict(self), "met": self.met}


Builder = Callable[[Options], Plan]
GROUPS: dict[str, tuple[str, Builder]] = {}
"""Name -> (title, builder), in order of registration."""


def group(name: str, title: str) -> Callable[[Builder], Builder]:
    """Register the decorated plan builder as the group *name*."""

    def register(builder: Builder) -> Builder:
        GROUPS[name] = (title, builder)
        return builder

    return register


def clock(work: Callable[[], object]) -> float:
    """Seconds that *work* takes."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def measure(name: str, options: Options, report: Callable[[Row], None] | None = None) -> list[Row]:
    """Build and measure the group *name*; call *report* with every row as soon as it is known.

    A group that cannot be had here gives one row that says so; so does one that fails.
    """
    rows: list[Row] = []

    def emit(row: Row) -> None:
        rows.append(row)
        if report is not None:
            report(row)

    plan: Plan | None = None
    try:
        plan = GROUPS[name][1](options)
        runs = _interleave(plan.cases, options.repeats, emit, name)
        for case in plan.cases:
            if case.name in runs:
                emit(_case_row(name, case, runs[case.name]))
        for ratio in plan.ratios:
            if ratio.numerator in runs and ratio.denominator in runs:
                emit(_ratio_row(name, ratio, runs[ratio.numerator], runs[ratio.denominator]))
    except (Unavailable, MissingExtraError) as reason:
        emit(Row(name, f"all of {name}", note=str(reason), status="skipped"))
    except Exception as error:
        emit(Row(name, f"all of {name}", note=_describe(error), status="failed"))
    finally:
        if plan is not None and plan.close is not None:
            plan.close()
    return rows


def _interleave(
    cases: Iterable[Case], repeats: int, emit: Callable[[Row], None], group_name: str
) -> dict[str, list[float]]:
    """Measure *cases* in turns; one that is unavailable or fails is reported and left out of later turns."""
    runs: dict[str, list[float]] = {}
    active = list(cases)
    for turn in range(repeats):
        for case in list(active):
            if case.once and turn:
                continue
            try:
                runs.setdefault(case.name, []).append(case.run())
            except Exception as error:
                active.remove(case)
                runs.pop(case.name, None)
                skipped = isinstance(error, (Unavailable, MissingExtraError))
                note, status = (str(error), "skipped") if skipped else (_describe(error), "failed")
                emit(Row(group_name, case.name, note=note, status=status))
    return runs


def _describe(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


def _case_row(group_name: str, case: Case, runs: list[float]) -> Row:
    messages = case.messages() if case.messages is not None else None
    return Row(
        group_name,
        case.name,
        case.unit,
        statistics.median(runs),
        min(runs),
        max(runs),
        runs,
        messages,
        case.least,
        case.aim,
        case.note,
    )


def _ratio_row(group_name: str, ratio: Ratio, above: list[float], below: list[float]) -> Row:
    # A case measured once is compared with every run of the other.
    if len(above) == 1:
        above = above * len(below)
    if len(below) == 1:
        below = below * len(above)
    runs = [a / b for a, b in zip(above, below, strict=True)]
    return Row(
        group_name,
        ratio.name,
        ratio.unit,
        statistics.median(runs),
        min(runs),
        max(runs),
        runs,
        None,
        ratio.least,
        ratio.aim,
        ratio.note,
    )


def _holds(value: float, goal: Goal) -> bool:
    relation, bound = goal
    return value <= bound if relation == "<=" else value >= bound
