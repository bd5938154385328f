"""`Conflator`: no more messages a second than asked for; what comes too soon is merged into one message a symbol."""

from __future__ import annotations

from hft_gym.feed.messages import DataKind, MarketDataMessage, merge

__all__ = ["Conflator"]

_SECOND = 10**9


class Conflator:
    """A token bucket over all symbols: in no second do more than *rate* messages pass.

    A tenth of them may come at once, the rest is spread evenly. A message that finds no token waits, merged with the
    later ones of its symbol; the symbol that waits longest goes first. ``LOST`` passes at once. What comes out depends
    on the messages and their times alone, not on how often it is asked.

    Args:
        rate: messages a second; 0: no limit.
    """

    def __init__(self, rate: float) -> None:
        self.merged = 0
        """Messages that went into others."""
        self._waiting: dict[str, MarketDataMessage] = {}
        self._tokens = 0.0
        self._at: int | None = None
        self.set_rate(rate)

    def set_rate(self, rate: float) -> None:
        """Another rate, from now on."""
        self.rate = rate
        self._most = max(rate // 10, 1.0)
        self._refill = rate if self._most == 1.0 else rate - self._most
        self._tokens = self._most if self._at is None else min(self._tokens, self._most)

    def offer(self, message: MarketDataMessage, now: int) -> list[MarketDataMessage]:
        """A message of the time *now* [ns]; returns those that pass by then."""
        if not self.rate:
            return [message]
        out = self.flush(now)
        symbol = message.symbol
        old = self._waiting.get(symbol)
        if old is not None:
            self.merged += 1
            message = merge(old, message)
        if message.kind is DataKind.LOST:
            self._waiting.pop(symbol, None)
            out.append(message)
        elif old is None and not self._waiting and self._tokens >= 1.0:
            self._tokens -= 1.0
            out.append(message)
        else:
            self._waiting[symbol] = message
        return out

    def flush(self, now: int) -> list[MarketDataMessage]:
        """Those that wait and whose turn has come by *now* [ns]."""
        out = []
        while self._waiting:
            at = self.due()
            assert at is not None
            if at > now:
                break
            self._run_to(at)
            self._tokens = max(self._tokens - 1.0, 0.0)
            out.append(self._waiting.pop(next(iter(self._waiting))))
        self._run_to(now)
        return out

    def drain(self) -> list[MarketDataMessage]:
        """All that still wait, at the end."""
        out = list(self._waiting.values())
        self._waiting.clear()
        return out

    def due(self) -> int | None:
        """When the next one that waits may pass [ns]; None: none waits."""
        if not self._waiting or self._at is None:
            return None
        return self._at + max(-int(-(1.0 - self._tokens) * _SECOND // self._refill), 0)

    def _run_to(self, now: int) -> None:
        if self._at is None:
            self._at = now
        elif now > self._at:
            self._tokens = min(self._tokens + (now - self._at) * self._refill / _SECOND, self._most)
            self._at = now
