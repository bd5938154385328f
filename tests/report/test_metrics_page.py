"""docs/metrics.md says what the registry holds."""

import pytest

from hft_gym.report import GROUPS, METRICS
from hft_gym.report.metrics_page import LEFT_OUT, NOT_WHOLE, page
from tests.report.test_metrics import EXPECTED
from tests.test_readme import ROOT


def test_the_page_is_the_registry():
    shown = (ROOT / "docs" / "metrics.md").read_text()
    assert shown == page(), "python -m hft_gym.report.metrics_page > docs/metrics.md"


def test_all_72_are_there_or_said_to_be_left_out():
    numbers = {m.number for m in METRICS.values()} - {None}
    assert numbers | set(LEFT_OUT) == set(range(1, 73)) and not numbers & set(LEFT_OUT)
    assert len(numbers) >= 60 and set(NOT_WHOLE) <= numbers


@pytest.mark.parametrize("group", list(GROUPS))
def test_every_group_has_metrics(group):
    assert any(m.group == group for m in METRICS.values())


def test_every_metric_is_tested_by_hand():
    assert set(EXPECTED) == set(METRICS)
