"""Shared by all tests. Markers stand in pyproject.toml; the reader of real data in tests/data_files.py."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.browser import chromium, new_visit, visit  # noqa: F401  (here: Playwright starts once a process)

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def python(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run a script in a fresh interpreter, away from the checkout: ``python(code, *arguments, cwd=, env=)``.

    The package must be installed (``pip install -e .``), as the Makefile does.
    """

    def run(
        code: str,
        *arguments: str,
        cwd: Path = tmp_path,
        env: dict[str, str] | None = None,
        timeout: float = 120,
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", code, *arguments],
            cwd=cwd,
            env={**os.environ, **(env or {})},
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    return run


@pytest.fixture
def verified(request: pytest.FixtureRequest):
    """``verified(quantity, published, ours, within)`` checks and records.

    Instead of the tolerance: ``at_least=`` is for controls, which must be off by more; ``above=`` is for p-values,
    where *published* is not looked at.
    """
    failures = []

    def check(quantity, published, ours, within=None, at_least=None, above=None):
        published, ours = float(published), float(ours)
        deviation = abs(ours - published)
        if above is not None:
            published, tolerance, passed = None, f"> {above:.4g}", ours > above
        elif at_least is not None:
            tolerance, passed = f"off by > {at_least:.3g}", deviation > at_least
        else:
            tolerance, passed = f"+- {within:.3g}", deviation <= within
        request.node.user_properties.append(("verified", (quantity, published, ours, tolerance, passed)))
        if not passed:
            failures.append(f"{quantity}: {ours:.5f} against {published}, allowed {tolerance}")

    yield check
    assert not failures, "\n".join(failures)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what the tests of tests/verify compared with exact results, as one table."""
    rows = [
        value
        for reports in terminalreporter.stats.values()
        for report in reports
        if getattr(report, "when", "") == "call"
        for name, value in report.user_properties
        if name == "verified"
    ]
    if rows:
        terminalreporter.section("verified against published and exact results")
        width = max(len(row[0]) for row in rows)
        say = terminalreporter.write_line
        say(f"{'quantity':{width}}  {'published':>9}  {'ours':>9}  {'tolerance':14}  pass")
        for quantity, published, ours, tolerance, passed in rows:
            known = f"{'':9}" if published is None else f"{published:9.4f}"
            say(f"{quantity:{width}}  {known}  {ours:9.4f}  {tolerance:14}  {'yes' if passed else 'NO'}")
