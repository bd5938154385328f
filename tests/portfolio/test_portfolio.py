"""`Portfolio`: a day by hand, conservation, the two ways to split a profit, and the market's own account beside it."""

from __future__ import annotations

import doctest
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hft_gym import (
    ConfigError,
    Market,
    OrderError,
    OrderSide,
    Portfolio,
    PriceError,
    QuantityError,
    SideError,
    SymbolError,
)
from hft_gym.portfolio import Lot, ledger

BID, ASK = OrderSide.BID, OrderSide.ASK


def test_docstring() -> None:
    assert doctest.testmod(ledger, extraglobs={"OrderSide": OrderSide}).failed == 0


def test_a_day_by_hand() -> None:
    book = Portfolio(initial_cash=10_000)
    book.apply_fill("A", BID, 100, 10.0, fee=1.0, time=1)
    book.apply_fill("A", BID, 100, 11.0, fee=1.0, time=2)  # average 10.50
    book.apply_fill("A", ASK, 150, 12.0, fee=1.5, time=3)  # 150 · 1.50 = 225; FIFO 100 · 2 + 50 · 1 = 250
    book.apply_fill("B", ASK, 20, 50.0, fee=-0.2, time=4)
    book.mark("A", 11.5, time=5)
    book.mark("B", 51.0, time=6)
    a, b = book.position("A"), book.position("B")
    assert (a.quantity, a.average_cost, a.unrealised_pnl) == (50, 10.5, 50)
    assert (a.realised_pnl, a.fifo_realised_pnl) == (225, 250)
    assert (b.quantity, b.average_cost, b.value, b.unrealised_pnl, b.fees) == (-20, 50.0, -1020.0, -20.0, -0.2)
    assert book.lots("A") == (Lot(50, 11.0, 2),) and book.lots("B") == (Lot(-20, 50.0, 4),)
    assert book.cash == 10_000 - 1000 - 1100 + 1800 + 1000 - 3.3
    assert (book.realised_pnl, book.unrealised_pnl, book.fees) == (225, 30, 3.3)
    assert book.equity == 10_000 + 225 + 30 - 3.3
    assert (book.net_exposure, book.gross_exposure) == (575 - 1020, 575 + 1020)
    assert set(book.positions) == {"A", "B"}

    history, trades = book.history(), book.trades()
    assert list(history.index) == [1, 2, 3, 4, 5, 6] and list(history["event"]) == ["fill"] * 4 + ["mark"] * 2
    assert history["equity"].iloc[-1] == book.equity and history["cash"].iloc[-1] == book.cash
    assert list(trades["realised_pnl"]) == [0, 0, 225, 0] and list(trades["fifo_realised_pnl"]) == [0, 0, 250, 0]
    assert list(trades["side"]) == ["buy", "buy", "sell", "sell"] and list(trades["position"]) == [100, 200, 50, -20]


def test_a_fill_that_turns_the_position_opens_at_its_price() -> None:
    book = Portfolio()
    book.apply_fill("A", BID, 3, 10.0)
    book.apply_fill("A", ASK, 5, 12.0)
    held = book.position("A")
    assert (held.quantity, held.average_cost, held.realised_pnl, held.fifo_realised_pnl) == (-2, 12.0, 6.0, 6.0)
    assert book.lots("A") == (Lot(-2, 12.0, 0),)


def test_tenths_are_tenths() -> None:
    book = Portfolio(initial_cash=0)
    for _ in range(10):
        book.apply_fill("BTC", BID, 0.1, 0.1, fee=0.1)
    assert book.cash_exact == Fraction(-11, 10) and book.position("BTC").quantity == 1
    assert sum([0.1] * 10) != 1.0  # what floats would have made of it
    book.apply_fill("BTC", ASK, Decimal("1"), Fraction(1, 10))
    assert book.realised_exact == 0 and book.equity == -1.0 and book.positions == {}


fills = st.tuples(
    st.sampled_from(["A", "B"]),
    st.sampled_from([BID, ASK]),
    st.decimals("0.001", 50, places=3),
    st.decimals("-5", 500, places=2),
    st.decimals("-1", 1, places=4),
    st.booleans(),
)


@settings(deadline=None, max_examples=60)
@given(st.lists(fills, max_size=25))
def test_conservation(rows: list[Any]) -> None:
    book = Portfolio(initial_cash=1000)
    paid, cash = Fraction(0), Fraction(1000)
    held = {"A": Fraction(0), "B": Fraction(0)}
    price = dict(held)
    for time, (symbol, side, quantity, at, fee, marked) in enumerate(rows):
        if marked:
            book.mark(symbol, float(at), time)
        else:
            sign = 1 if side == BID else -1
            book.apply_fill(symbol, side, float(quantity), float(at), float(fee), time)
            held[symbol] += sign * Fraction(quantity)
            cash -= sign * Fraction(quantity) * Fraction(at) + Fraction(fee)
            paid += Fraction(fee)
        price[symbol] = Fraction(at)
        # An accounting of two lines is the reference for the sums.
        equity = cash + sum(held[s] * price[s] for s in held)
        assert book.cash_exact == cash and book.fees_exact == paid and book.equity_exact == equity
        assert book.equity_exact - 1000 == book.realised_exact + book.unrealised_exact - book.fees_exact
        # FIFO splits the same profit otherwise: what its lots have gained, and what it has realised.
        open_gain = _ZERO_SUM
        for s in book.symbols:
            lots = book._books[s].lots
            assert sum((q for q, _, _ in lots), _ZERO_SUM) == held[s]
            assert len({q > 0 for q, _, _ in lots}) <= 1  # never long and short at once
            open_gain += sum((q * (price[s] - p) for q, p, _ in lots), _ZERO_SUM)
            if held[s] == 0:
                assert book.position(s).realised_pnl == book.position(s).fifo_realised_pnl
        assert book.equity_exact - 1000 == book.fifo_realised_exact + open_gain - book.fees_exact
    frame = book.history()
    assert len(frame) == len(rows)
    if rows:
        parts = frame["realised_pnl"] + frame["unrealised_pnl"] - frame["fees"]
        assert (frame["equity"] - 1000 - parts).abs().max() < 1e-6
        assert book.trades()["realised_pnl"].sum() == pytest.approx(book.realised_pnl, abs=1e-6)


_ZERO_SUM = Fraction(0)


@pytest.mark.parametrize("seed", range(3))
def test_agrees_with_the_account_of_a_market(seed: int) -> None:
    """Orders at random into a market with fees in basis points; the fills alone give the same account, to the last
    sub-unit of its average cost."""
    import random

    draw = random.Random(seed)
    market = Market({"fees": {"maker": -0.3, "taker": 0.7, "unit": "bps"}, "tick_size": 0.05}, seed=seed)
    tick = Fraction(1, 20)
    book = Portfolio(0, tick_sizes={"SIM": 0.05}, money_unit=tick / 10_000)
    for _ in range(150):
        side = draw.choice([BID, ASK])
        at = market.best(side) if draw.random() < 0.6 else None
        for order in market.working_orders(1)[:-8]:
            market.cancel(1, order.order_id)
        market.submit(1, side, draw.randint(1, 7), price=at)
        market.run_for(20_000_000)
    fills = market.fills()
    assert len(fills) > 100
    for fill in fills:
        fee = int(fill["fee"]) * tick / 10_000
        side, price = OrderSide(int(fill["side"])), market.to_price(int(fill["price"]))
        book.apply_fill("SIM", side, int(fill["quantity"]), price, float(fee), int(fill["time"]))
    account = market.account(1)
    book.mark("SIM", float(account.mid2 * tick / 2), market.time)
    unit = tick / 10_000
    assert book.position("SIM").quantity == account.position != 0
    assert book.cash_exact == account.cash_units * unit
    assert book.fees_exact == account.fees_units * unit != 0
    assert book.realised_exact == account.realised_units * unit
    assert book.unrealised_exact == account.unrealised_units * unit
    assert book.equity_exact == account.equity_units * unit


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"symbol": ""}, SymbolError, "at least one character"),
        ({"symbol": "APPL"}, SymbolError, "did you mean 'AAPL'"),
        ({"side": 2}, SideError, "allowed are 0"),
        ({"quantity": 0}, QuantityError, "above 0"),
        ({"quantity": float("nan")}, QuantityError, "nan"),
        ({"quantity": True}, QuantityError, "True"),
        ({"price": "10"}, PriceError, "'10'"),
        ({"price": 10.003}, PriceError, "off the tick"),
        ({"fee": float("inf")}, OrderError, "fee is inf"),
        ({"time": 4}, OrderError, "not before the last, 5"),
        ({"time": 5.5}, OrderError, "whole nanoseconds"),
    ],
)
def test_bad_input_changes_nothing(change: dict[str, Any], error: type, words: str) -> None:
    book = Portfolio(tick_sizes={"AAPL": 0.01})
    book.apply_fill("AAPL", BID, 2, 10.0, time=5)
    before = (repr(book), book.lots("AAPL"), book.position("AAPL"), len(book.history()), book.symbols)
    good = {"symbol": "AAPL", "side": ASK, "quantity": 1, "price": 10.01, "fee": 0.0, "time": 6}
    with pytest.raises(error, match=words):
        book.apply_fill(**{**good, **change})
    assert before == (repr(book), book.lots("AAPL"), book.position("AAPL"), len(book.history()), book.symbols)
    book.apply_fill(**good)
    book.mark("AAPL", 10.005)  # a mid need not lie on the tick
    with pytest.raises(PriceError):
        book.mark("AAPL", float("nan"))


def test_bad_settings() -> None:
    nan = float("nan")
    ticks = ({"A": 0}, ["A"], 0.01)
    wrong = ({"initial_cash": nan}, {"initial_cash": "1"}, {"money_unit": 0}, *({"tick_sizes": t} for t in ticks))
    for bad in wrong:
        with pytest.raises(ConfigError, match=next(iter(bad)).split("_")[0]):
            Portfolio(**bad)  # type: ignore[arg-type]


def test_an_empty_portfolio() -> None:
    book = Portfolio()
    assert book.equity == book.cash == 100_000.0 and book.positions == {} and book.time is None
    assert book.history().empty and book.trades().empty and "equity" in book.history()
    assert book.position("A").quantity == 0 and book.lots("A") == () and book.symbols == ()
