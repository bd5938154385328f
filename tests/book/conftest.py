"""The fixture that runs an example on every book."""

import pytest

from tests.book.helpers import BOOKS, SYMBOL


@pytest.fixture(params=BOOKS)
def new_book(request):
    """Make a book: ``new_book(max_orders=...)``."""
    return lambda **arguments: BOOKS[request.param](SYMBOL, **arguments)


@pytest.fixture
def book(new_book):
    """An empty book; its invariants are checked when the test is done."""
    made = new_book()
    yield made
    made.check()
