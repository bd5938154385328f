"""Which resting orders belong to the flow, and what must be noted before a message may fill a participant."""

from __future__ import annotations

from hft_gym._jit import I64, U, inlined, kernel
from hft_gym.book.ladder import Book
from hft_gym.market.accounts import refresh_mid
from hft_gym.market.exchange import Exchange


@inlined
def strike_off(ex: Exchange, place: int) -> None:
    """Take the order at *place* off the list of live ones; the last one takes its place."""
    book: Book = ex.book
    n = ex.flow_state["n_live"] - 1
    last = I64(ex.live[U(n)])
    ex.live[U(place)] = last
    book.order[U(last - book.head["first"])]["tag"] = place
    ex.flow_state["n_live"] = n


@inlined
def forget(ex: Exchange, slot: int) -> None:
    """An order of the flow left the book: take it off the list of live ones (or the replay's table of handles)."""
    book: Book = ex.book
    tag = I64(book.order[U(slot - book.head["first"])]["tag"])
    if ex.flow_state["replaying"] != 0:
        ex.live[U(tag)] = 0
    else:
        strike_off(ex, tag)


@inlined
def remember(ex: Exchange, slot: int, handle: int) -> None:
    """An order of the flow rests in *slot*: list it as live (or under its replay *handle*)."""
    book: Book = ex.book
    tag = handle
    if handle < 0:
        tag = ex.flow_state["n_live"]
        ex.flow_state["n_live"] = tag + 1
    ex.live[U(tag)] = slot
    book.order[U(slot - book.head["first"])]["tag"] = tag


@kernel
def mark_participants(ex: Exchange, taker: int) -> None:
    """Note the mid just before a message, for every participant that it may fill."""
    for p in range(1, ex.account.shape[0]):
        if p == taker or ex.account[U(p)]["n_resting"] > 0:
            refresh_mid(ex, p)
