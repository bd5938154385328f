"""The fixture that compares a figure with its exact value and adds it to the table at the end of the run."""

import pytest


@pytest.fixture
def verified(request):
    """``verified(quantity, exact, ours, within)`` checks and records; ``at_least=`` is for controls."""
    failures = []

    def check(quantity, exact, ours, within=None, at_least=None):
        exact, ours = float(exact), float(ours)
        allowed = f"<= {within}" if at_least is None else f"> {at_least}"
        request.node.user_properties.append(("verified", (quantity, exact, ours, ours - exact, allowed)))
        deviation = abs(ours - exact)
        if not (deviation <= within if at_least is None else deviation > at_least):
            failures.append(f"{quantity}: {ours:.5f} against {exact:.5f}, allowed {allowed}")

    yield check
    assert not failures, "\n".join(failures)
