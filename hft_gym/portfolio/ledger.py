"""`Portfolio`: what fills and prices make of cash, in several symbols, by average cost and by FIFO lots.

Money is counted in exact fractions of the currency. A float stands for the decimal number that its shortest
representation shows, so 0.1 is one tenth; sums and products of such numbers never round. One thing has to be rounded,
as a third of a cost has no decimals: the average cost of what a partial close leaves. It is rounded to ``money_unit``
by the rule of the market's accounts, so that with ``money_unit = tick_size / 10_000`` both agree to the last digit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from hft_gym.book.refusals import whole_number
from hft_gym.book.ticks import TickGrid
from hft_gym.config import did_you_mean
from hft_gym.errors import ConfigError, OrderError, PriceError, QuantityError, SymbolError
from hft_gym.market import checks
from hft_gym.portfolio.account import Account
from hft_gym.portfolio.exact import Amount, exact, number
from hft_gym.types import OrderSide

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Lot", "Portfolio", "Position"]

_ZERO = Fraction(0)


@dataclass(frozen=True)
class Lot:
    """What is left of one opening fill."""

    quantity: float
    """Positive when bought, negative when sold short."""
    price: float
    """Of the fill [currency]."""
    time: int
    """Of the fill [ns]."""


@dataclass(frozen=True)
class Position:
    """One symbol of a portfolio at one moment; money in currency."""

    symbol: str
    quantity: float
    """Held, negative when short; an int where it is whole."""
    average_cost: float
    """Price at average cost of what is held, before fees; NaN when flat."""
    price: float
    """What it is marked at: the last mark or fill; NaN before the first."""
    value: float
    """Quantity times price."""
    realised_pnl: float
    """Of what was closed, at average cost, before fees."""
    unrealised_pnl: float
    """Value less cost."""
    fifo_realised_pnl: float
    """Of what was closed, first in, first out, before fees."""
    fees: float
    """Paid less received."""


class Portfolio:
    """Positions in several symbols, their cash and their profit.

    >>> book = Portfolio(initial_cash=1_000.0)
    >>> book.apply_fill("AAPL", OrderSide.BID, 10, 20.0, fee=0.5, time=1)
    >>> book.apply_fill("AAPL", OrderSide.BID, 10, 22.0, time=2)
    >>> book.apply_fill("AAPL", OrderSide.ASK, 10, 23.0, time=3)
    >>> book.cash, book.equity, book.realised_pnl, book.unrealised_pnl, book.fees
    (809.5, 1039.5, 20.0, 20.0, 0.5)
    >>> book.position("AAPL").fifo_realised_pnl, book.lots("AAPL")
    (30.0, (Lot(quantity=10, price=22.0, time=2),))

    At any moment, and exactly (the properties ``..._exact`` are fractions)::

        equity = initial_cash + realised_pnl + unrealised_pnl - fees = cash + sum of the positions' values

    whichever of the two ways, average cost or FIFO, splits the profit.

    Args:
        initial_cash: at the start [currency].
        tick_sizes: symbol -> tick [currency]. If given, these symbols alone can be traded, and the prices of fills must
            lie on the tick; marks need not, a mid seldom does.
        money_unit: what the average cost is rounded to after a partial close [currency].

    Raises:
        ConfigError: a cash or unit that is no finite number, a unit that is not above 0, or ticks that are no mapping.
    """

    def __init__(
        self,
        initial_cash: Amount = 100_000.0,
        *,
        tick_sizes: Mapping[str, float] | None = None,
        money_unit: Amount = 1e-12,
    ) -> None:
        cash, unit = exact(initial_cash), exact(money_unit)
        if cash is None:
            raise ConfigError(f"initial_cash is {initial_cash!r}; allowed are finite numbers")
        if unit is None or unit <= 0:
            raise ConfigError(f"money_unit is {money_unit!r}; allowed are finite numbers above 0")
        if tick_sizes is not None and not isinstance(tick_sizes, Mapping):
            raise ConfigError(f"tick_sizes is {tick_sizes!r}; allowed are mappings of symbols to ticks, or None")
        self._initial, self._unit = cash, unit
        self._grids = None if tick_sizes is None else {s: TickGrid(tick) for s, tick in tick_sizes.items()}
        self._books: dict[str, Account] = {}
        self._cash, self._value, self._cost, self._fees, self._fifo = cash, _ZERO, _ZERO, _ZERO, _ZERO
        self._time: int | None = None
        self._history: list[tuple[Any, ...]] = []
        self._trades: list[tuple[Any, ...]] = []

    # -- what happens --------------------------------------------------------------------------------------

    def apply_fill(
        self, symbol: str, side: OrderSide, quantity: Amount, price: Amount, fee: Amount = 0.0, time: int | None = None
    ) -> None:
        """Book one own fill; from now on the position is marked at its price.

        Args:
            symbol: of the instrument.
            side: ``OrderSide.BID`` bought, ``OrderSide.ASK`` sold.
            quantity: above 0.
            price: of one unit [currency].
            fee: paid; negative is a rebate [currency].
            time: [ns], not before the last one; None: the same.

        Raises:
            SymbolError, SideError, QuantityError, PriceError: a value that is not allowed.
            OrderError: a fee that is no finite number, or a time that is not allowed. In each case nothing has
                happened.
        """
        book = self._book(symbol)
        toward = checks.side(side)
        amount, paid = exact(quantity), exact(fee)
        if amount is None or amount <= 0:
            raise QuantityError(f"quantity is {quantity!r}; allowed are finite numbers above 0")
        at = self._price(symbol, price, on_tick=True)
        if paid is None:
            raise OrderError(f"fee is {fee!r}; allowed are finite numbers")
        now = self._at(time)

        realised, fifo = book.realised, book.fifo
        signed = amount if toward == OrderSide.BID else -amount
        before = book.value, book.cost
        book.fill(signed, at, paid, now, self._unit)
        self._cash -= signed * at + paid
        self._fees += paid
        self._fifo += book.fifo - fifo
        self._moved(symbol, book, before, now, "fill")
        name = "buy" if toward == OrderSide.BID else "sell"
        closed = float(book.realised - realised), float(book.fifo - fifo)
        row = (now, symbol, name, number(amount), float(at), float(paid), *closed)
        self._trades.append((*row, number(book.quantity), book.average))

    def mark(self, symbol: str, price: Amount, time: int | None = None) -> None:
        """Value a symbol at *price* [currency] from *time* [ns] on (None: the last one).

        Raises:
            SymbolError, PriceError, OrderError: as in `apply_fill`. In each case nothing has happened.
        """
        book = self._book(symbol)
        at = self._price(symbol, price, on_tick=False)
        now = self._at(time)
        before = book.value, book.cost
        book.price = at
        self._moved(symbol, book, before, now, "mark")

    def _moved(self, symbol: str, book: Account, before: tuple[Fraction, Fraction], now: int, event: str) -> None:
        """Bring the sums up to date and write the history."""
        self._books[symbol] = book
        self._time = now
        self._value += book.value - before[0]
        self._cost += book.cost - before[1]
        assert book.price is not None
        one = (now, symbol, event, number(book.quantity), float(book.price))
        whole = (self.cash, self.net_exposure, self.equity, self.realised_pnl, self.unrealised_pnl)
        self._history.append((*one, *whole, self.fees, self.fifo_realised_pnl))

    # -- what there is -------------------------------------------------------------------------------------

    def position(self, symbol: str) -> Position:
        """One symbol as it stands; flat if it was never traded.

        Raises:
            SymbolError: not a name, or none of ``tick_sizes``.
        """
        book = self._book(symbol)
        return Position(
            symbol=symbol,
            quantity=number(book.quantity),
            average_cost=book.average,
            price=float("nan") if book.price is None else float(book.price),
            value=float(book.value),
            realised_pnl=float(book.realised),
            unrealised_pnl=float(book.value - book.cost),
            fifo_realised_pnl=float(book.fifo),
            fees=float(book.fees),
        )

    def lots(self, symbol: str) -> tuple[Lot, ...]:
        """The open lots of a symbol, the first that will be closed first.

        Raises:
            SymbolError: not a name, or none of ``tick_sizes``.
        """
        return tuple(Lot(number(q), float(p), t) for q, p, t in self._book(symbol).lots)

    @property
    def symbols(self) -> tuple[str, ...]:
        """All that were traded or marked."""
        return tuple(self._books)

    @property
    def positions(self) -> dict[str, Position]:
        """Symbol -> position, of those that are not flat."""
        return {symbol: self.position(symbol) for symbol, book in self._books.items() if book.quantity}

    @property
    def initial_cash(self) -> float:
        """At the start [currency]."""
        return float(self._initial)

    @property
    def cash_exact(self) -> Fraction:
        """As `cash`, exact."""
        return self._cash

    @property
    def equity_exact(self) -> Fraction:
        """As `equity`, exact."""
        return self._cash + self._value

    @property
    def realised_exact(self) -> Fraction:
        """As `realised_pnl`, exact."""
        return self._cash - self._initial + self._fees + self._cost

    @property
    def unrealised_exact(self) -> Fraction:
        """As `unrealised_pnl`, exact."""
        return self._value - self._cost

    @property
    def fees_exact(self) -> Fraction:
        """As `fees`, exact."""
        return self._fees

    @property
    def fifo_realised_exact(self) -> Fraction:
        """As `fifo_realised_pnl`, exact."""
        return self._fifo

    @property
    def cash(self) -> float:
        """Initial cash, less what was bought, plus what was sold, less fees [currency]."""
        return float(self._cash)

    @property
    def equity(self) -> float:
        """Cash and the value of all positions [currency]."""
        return float(self.equity_exact)

    @property
    def realised_pnl(self) -> float:
        """Profit of what was closed, at average cost, before fees [currency]."""
        return float(self.realised_exact)

    @property
    def unrealised_pnl(self) -> float:
        """Value of all positions less their cost at average cost [currency]."""
        return float(self.unrealised_exact)

    @property
    def fees(self) -> float:
        """Paid less received [currency]."""
        return float(self._fees)

    @property
    def fifo_realised_pnl(self) -> float:
        """Profit of what was closed, first in, first out, before fees [currency]."""
        return float(self._fifo)

    @property
    def net_exposure(self) -> float:
        """Value of all positions, short ones negative [currency]."""
        return float(self._value)

    @property
    def gross_exposure(self) -> float:
        """Sum of the absolute values of all positions [currency]."""
        return float(sum((abs(book.value) for book in self._books.values()), _ZERO))

    @property
    def time(self) -> int | None:
        """Of the last fill or mark [ns]; None before the first."""
        return self._time

    def history(self) -> pd.DataFrame:
        """One row for each fill and mark: its symbol's position and price, then the whole portfolio after it.

        Index ``time`` [ns]; columns symbol, event ("fill" or "mark"), position, price, cash, value, equity,
        realised_pnl, unrealised_pnl, fees, fifo_realised_pnl [currency].
        """
        columns = "symbol event position price cash value equity realised_pnl unrealised_pnl fees fifo_realised_pnl"
        return _frame(self._history, columns)

    def trades(self) -> pd.DataFrame:
        """One row for each fill, and what it realised by average cost and by FIFO, before its fee.

        Index ``time`` [ns]; columns symbol, side ("buy" or "sell"), quantity, price, fee, realised_pnl,
        fifo_realised_pnl, position and average_cost after it [currency].
        """
        columns = "symbol side quantity price fee realised_pnl fifo_realised_pnl position average_cost"
        return _frame(self._trades, columns)

    def __repr__(self) -> str:
        held = ", ".join(f"{p.quantity} {symbol}" for symbol, p in self.positions.items()) or "flat"
        return f"<Portfolio: {held}; cash {self.cash:.2f}, equity {self.equity:.2f}>"

    # -- checks --------------------------------------------------------------------------------------------

    def _book(self, symbol: str) -> Account:
        """The account of a symbol; a new one is kept by `_moved` only."""
        if not isinstance(symbol, str) or not symbol:
            raise SymbolError(f"symbol is {symbol!r}; allowed are names of at least one character")
        if self._grids is not None and symbol not in self._grids:
            raise SymbolError(f"symbol is {symbol!r}{did_you_mean(symbol, tuple(self._grids))}")
        return self._books.get(symbol) or Account()

    def _price(self, symbol: str, price: Any, on_tick: bool) -> Fraction:
        if on_tick and self._grids is not None:
            grid = self._grids[symbol]
            return grid.to_ticks(price) * Fraction(repr(grid.tick_size))
        found = exact(price)
        if found is None:
            raise PriceError(f"price is {price!r}; allowed are finite numbers")
        return found

    def _at(self, time: Any) -> int:
        last = self._time
        if time is None:
            return 0 if last is None else last
        now = whole_number(time)
        if now is None or (last is not None and now < last):
            since = "" if last is None else f" not before the last, {last}"
            raise OrderError(f"time is {time!r}; allowed are whole nanoseconds{since}")
        return now


def _frame(rows: list[tuple[Any, ...]], columns: str) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame(rows, columns=["time", *columns.split()]).set_index("time")
