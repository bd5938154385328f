"""One market as the kernels pass it: its slice of every array of the batch."""

from __future__ import annotations

from typing import Any, NamedTuple

from hft_gym.book.ladder import Book


class Exchange(NamedTuple):
    """The book, the flow's and the participants' state, and the logs of one market (see
    :mod:`hft_gym.market.records`)."""

    book: Book
    fills: Any
    state: Any
    param: Any
    flow_state: Any
    flow: Any
    live: Any
    account: Any
    own: Any
    message: Any
    fill_log: Any
    order_log: Any
    mid_log: Any
    agents: Any
    replay: Any
