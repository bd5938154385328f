"""The examples in docstrings run."""

import doctest
import importlib

import pytest


@pytest.mark.parametrize(
    "name",
    ["types", "config", "book.ticks", "book.reference", "book.compiled"],
)
def test_examples_in_docstrings(name):
    result = doctest.testmod(importlib.import_module(f"hft_gym.{name}"))
    assert result.attempted and not result.failed
