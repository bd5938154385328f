"""The order book, twice: readable (`OrderBook`) and compiled (`CompiledOrderBook`), under one set of rules.

The rules are numbered in `hft_gym.book.rules`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hft_gym.book.reference import OrderBook

if TYPE_CHECKING:
    from hft_gym.book.compiled import CompiledOrderBook

__all__ = ["CompiledOrderBook", "OrderBook"]


def __getattr__(name: str) -> Any:
    """Load the compiled book, and numba with it, when it is first asked for."""
    if name == "CompiledOrderBook":
        from hft_gym.book.compiled import CompiledOrderBook

        globals()[name] = CompiledOrderBook
        return CompiledOrderBook
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
