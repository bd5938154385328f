"""The fixture that compares a figure with its exact or published value and adds it to the table at the end of the
run."""

import pytest


@pytest.fixture
def verified(request):
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
