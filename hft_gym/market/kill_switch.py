"""The kill switch: withdraw every order, drop every message, trade the position away."""

from __future__ import annotations

from hft_gym._jit import U, cold, kernel
from hft_gym.book.kernel import IOC
from hft_gym.book.ladder import ASK, BID, MAX_PRICE
from hft_gym.market.accounts import NO_KEY, others_best, withdraw
from hft_gym.market.entering import enter_once
from hft_gym.market.exchange import Exchange
from hft_gym.market.messages import drop_messages, entries_per_participant
from hft_gym.market.records import EndReason, RiskMode
from hft_gym.market.risk import look_at_equity

_RISK = int(EndReason.RISK_KILLED)
_MODE_KILLED = int(RiskMode.KILLED)


@cold
def watch_limits(ex: Exchange) -> None:
    """After an event: look at every participant's equity, and carry out the kill switches that were thrown.

    A position that the book cannot take is traded away with the next events, one during a halt after it.
    """
    for p in range(1, ex.account.shape[0]):
        account = ex.account[U(p)]
        risk = account["risk"]
        if risk["watched"] == 0:
            continue
        look_at_equity(ex, p)
        if risk["mode"] == _MODE_KILLED and (account["n_open"] > 0 or account["position"] != 0):
            kill(ex, p)


@kernel
def kill(ex: Exchange, p: int) -> None:
    """End all that *p* has working and trade what it holds against the book."""
    account = ex.account[U(p)]
    if account["n_open"] > 0:
        drop_messages(ex, p)
        per = entries_per_participant(ex)
        for o in range((p - 1) * per, p * per):
            withdraw(ex, p, o, _RISK)
    position = account["position"]
    if position == 0 or ex.state["time"] < ex.flow_state["halted_until"]:
        return
    side = ASK if position > 0 else BID
    if others_best(ex, p, 1 - side) != NO_KEY:
        enter_once(ex, side, MAX_PRICE if side == BID else -MAX_PRICE, abs(position), IOC, p)
