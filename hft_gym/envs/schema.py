"""What the numbers of an observation and of an action mean: names, units, bounds, and how to address them.

Everything that reads observations (strategies, wrappers, reports) asks the schema by name instead of counting
columns; the environments take their spaces from it, and the data sheet of `HFTMarketEnv` is checked against
it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from hft_gym.config import did_you_mean
from hft_gym.envs.actions import ActionSchema

if TYPE_CHECKING:
    from hft_gym.envs.config import EnvConfig

__all__ = ["MAX_LOTS", "MAX_TICKS", "ActionSchema", "Column", "Columns", "ObservationSchema"]

MAX_TICKS = 2.0**23
"""Bound of every offset, in ticks: half-ticks up to here are exact in float32."""
MAX_LOTS = 2.0**24
"""Bound of every size and count: whole numbers up to here are exact in float32."""
MAX_VALUE = 2.0**50
"""Bound of money columns, in ticks·lots: what the accounts' 64-bit sub-units can hold."""
MAX_SECONDS = 1e6
"""Bound of time columns."""


@dataclass(frozen=True)
class Column:
    """One column of the observation.

    Attributes:
        name: unique name.
        unit: unit in words; "1" for a pure number.
        low, high: closed bounds; no value lies outside.
        description: one line.
    """

    name: str
    unit: str
    low: float
    high: float
    description: str


def _book_columns(levels: int) -> list[Column]:
    blocks = (
        ("bid_offset", "ticks", -MAX_TICKS, MAX_TICKS, "price of bid level {k} minus the mid; 0 if absent"),
        ("bid_size", "lots", 0.0, MAX_LOTS, "others' volume at bid level {k}; 0 if absent"),
        ("ask_offset", "ticks", -MAX_TICKS, MAX_TICKS, "price of ask level {k} minus the mid; 0 if absent"),
        ("ask_size", "lots", 0.0, MAX_LOTS, "others' volume at ask level {k}; 0 if absent"),
    )
    return [
        Column(f"{name}_{k}", unit, low, high, text.format(k=k))
        for name, unit, low, high, text in blocks
        for k in range(1, levels + 1)
    ]


_MARKET_COLUMNS = (
    Column("spread", "ticks", 0.0, MAX_TICKS, "best ask minus best bid; 0 if a side is empty"),
    Column("imbalance", "1", -1.0, 1.0, "(bid - ask) / (bid + ask) of the sizes at the touch"),
    Column("mid_change", "ticks", -MAX_TICKS, MAX_TICKS, "change of the mid since the last decision"),
    Column("buy_volume", "lots", 0.0, MAX_LOTS, "bought by other takers since the last decision"),
    Column("sell_volume", "lots", 0.0, MAX_LOTS, "sold by other takers since the last decision"),
    Column(
        "trades", "count", 0.0, MAX_LOTS, "fills in the market since the last decision, own ones included"
    ),
    Column("elapsed", "s", 0.0, MAX_SECONDS, "market time since the last decision"),
    Column("volatility", "ticks/√s", 0.0, MAX_TICKS, "recent volatility of the mid, exponentially weighted"),
)

_OWN_COLUMNS = (
    Column("inventory", "lots", -MAX_LOTS, MAX_LOTS, "own position; negative is short"),
    Column("own_bid_offset", "ticks", -MAX_TICKS, MAX_TICKS, "price of the (best) own bid minus the mid; 0 if none"),
    Column("own_bid_size", "lots", 0.0, MAX_LOTS, "remaining quantity of the own bids; 0 if none"),
    Column(
        "own_bid_ahead", "lots", -1.0, MAX_LOTS, "volume ahead of the (best) own bid; -1 if not yet acknowledged"
    ),
    Column("own_ask_offset", "ticks", -MAX_TICKS, MAX_TICKS, "price of the (best) own ask minus the mid; 0 if none"),
    Column("own_ask_size", "lots", 0.0, MAX_LOTS, "remaining quantity of the own asks; 0 if none"),
    Column(
        "own_ask_ahead", "lots", -1.0, MAX_LOTS, "volume ahead of the (best) own ask; -1 if not yet acknowledged"
    ),
    Column("bought", "lots", 0.0, MAX_LOTS, "own buys filled since the last decision"),
    Column("sold", "lots", 0.0, MAX_LOTS, "own sells filled since the last decision"),
    Column("in_flight", "count", 0.0, MAX_LOTS, "own messages sent whose outcome is not yet known"),
    Column("unrealised_pnl", "ticks·lots", -MAX_VALUE, MAX_VALUE, "open position marked at the mid"),
    Column("time_left", "1", 0.0, 1.0, "share of the episode that is left; 1 at the start, 0 at the end"),
)


def _rung_columns(rungs: int) -> list[Column]:
    blocks = (
        ("rung_size", 0.0, "own working volume at level {k} of the {side} ladder as it lies now"),
        ("rung_ahead", -1.0, "volume ahead of the first own order there; 0 if none, -1 if not yet acknowledged"),
    )
    return [
        Column(f"{side}_{name}_{k}", "lots", low, MAX_LOTS, text.format(k=k, side=side))
        for side in ("bid", "ask")
        for name, low, text in blocks
        for k in range(1, rungs + 1)
    ]


_EXECUTION_COLUMNS = (
    Column("quantity_left", "lots", -MAX_LOTS, MAX_LOTS, "left of the parent order; positive is to buy"),
    Column("share_left", "1", 0.0, 1.0, "the same as a share of the parent order"),
    Column("arrival_offset", "ticks", -MAX_TICKS, MAX_TICKS, "mid at the parent order's arrival minus the mid"),
    Column("shortfall", "ticks", -MAX_TICKS, MAX_TICKS, "shortfall so far, per lot of the parent order"),
)


class Columns:
    """Named columns of an observation, in order.

    Args:
        columns: all of them.
        groups: names of parts of them.
    """

    def __init__(self, columns: Iterable[Column], groups: Mapping[str, slice]) -> None:
        self.columns: tuple[Column, ...] = tuple(columns)
        self.names: tuple[str, ...] = tuple(c.name for c in self.columns)
        self.groups: dict[str, slice] = dict(groups)
        self._index = {name: i for i, name in enumerate(self.names)}

    def index(self, name: str) -> int:
        """Position of a column.

        Raises:
            KeyError: no such column; the message names the nearest one.
        """
        try:
            return self._index[name]
        except KeyError:
            raise KeyError(f"no column {name!r}{did_you_mean(name, self.names)}") from None

    def __getitem__(self, name: str) -> int | slice:
        """Index of a column, or slice of a group: ``observation[..., schema[name]]``, single or batched.

        Raises:
            KeyError: neither a column nor a group has this name.
        """
        group = self.groups.get(name)
        if group is not None:
            return group
        if name in self._index:
            return self._index[name]
        hint = did_you_mean(name, [*self.groups, *self.names]).split(" Allowed:")[0]
        raise KeyError(
            f"no column or group {name!r}{hint} "
            f"Groups: {', '.join(sorted(self.groups))}. Columns: schema.names"
        )

    def __contains__(self, name: object) -> bool:
        """Whether a column or a group has this name."""
        return name in self._index or name in self.groups

    def __iter__(self) -> Iterator[Column]:
        """The columns in order."""
        return iter(self.columns)

    def __len__(self) -> int:
        """Number of columns."""
        return len(self.columns)

    def __eq__(self, other: object) -> bool:
        """Schemas are equal if their columns are."""
        return isinstance(other, Columns) and self.columns == other.columns

    def __hash__(self) -> int:
        """Hash of the columns."""
        return hash(self.columns)

    @property
    def low(self) -> NDArray[np.float32]:
        """Lower bounds, float32 of shape ``(len(self),)``."""
        return np.array([c.low for c in self.columns], dtype=np.float32)

    @property
    def high(self) -> NDArray[np.float32]:
        """Upper bounds, float32 of shape ``(len(self),)``."""
        return np.array([c.high for c in self.columns], dtype=np.float32)

    def space(self) -> spaces.Space[NDArray[np.float32]]:
        """A new ``Box(float32)`` of shape ``(len(self),)`` with the finite bounds of the columns."""
        box: Any = spaces.Box(self.low, self.high, dtype=np.float32)
        return cast("spaces.Space[NDArray[np.float32]]", box)

    def as_dict(self, observation: NDArray[Any]) -> dict[str, float]:
        """One observation of shape ``(len(self),)`` as ``{name: value}``."""
        return dict(zip(self.names, (float(x) for x in observation), strict=True))

    def table(self) -> str:
        """The columns as a Markdown table."""
        return _table((str(i), c.name, c, c.description) for i, c in enumerate(self.columns))


class ObservationSchema(Columns):
    """The columns of a market's observation, in order.

    Args:
        levels: price levels a side in the book snapshot.
        rungs: ticks behind the touch of each level of the ladder of own orders; none: there is no ladder.
        execution: whether there are columns of a parent order.

    >>> schema = ObservationSchema(levels=10)
    >>> schema.index("inventory")
    48
    >>> schema["bid_size"]
    slice(10, 20, None)
    >>> schema["bid_sise"]  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    KeyError: "no column or group 'bid_sise'; did you mean 'bid_size'? Groups: ask_offset, ...
    """

    def __init__(self, levels: int = 10, rungs: tuple[int, ...] = (), execution: bool = False) -> None:
        self.levels, self.rungs, self.execution = levels, tuple(rungs), execution
        n = len(self.rungs)
        ladder = _rung_columns(n)
        columns = (*_book_columns(levels), *_MARKET_COLUMNS, *_OWN_COLUMNS, *ladder)
        book, market = 4 * levels, 4 * levels + len(_MARKET_COLUMNS)
        own = market + len(_OWN_COLUMNS)
        groups = {
            "bid_offset": slice(0, levels),
            "bid_size": slice(levels, 2 * levels),
            "ask_offset": slice(2 * levels, 3 * levels),
            "ask_size": slice(3 * levels, book),
            "book": slice(0, book),
            "market": slice(book, market),
            "own": slice(market, own),
        }
        if n:
            names = ("bid_rung_size", "bid_rung_ahead", "ask_rung_size", "ask_rung_ahead")
            groups |= {name: slice(own + i * n, own + (i + 1) * n) for i, name in enumerate(names)}
        if execution:
            groups["execution"] = slice(len(columns), len(columns) + len(_EXECUTION_COLUMNS))
            columns += _EXECUTION_COLUMNS
        super().__init__(columns, groups)

    @classmethod
    def of(cls, config: EnvConfig) -> ObservationSchema:
        """The columns that an environment of this configuration shows."""
        return cls(config.levels, config.rungs, config.task == "execution")

    def __repr__(self) -> str:
        """Levels and number of columns."""
        more = f", rungs={self.rungs}" if self.rungs else ""
        more += ", execution=True" if self.execution else ""
        return f"ObservationSchema(levels={self.levels}{more}: {len(self)} columns)"

    def table(self) -> str:
        """The columns as a Markdown table; the levels of the book are folded."""
        rows = []
        folded = {"bid_offset", "bid_size", "ask_offset", "ask_size", *(g for g in self.groups if "rung" in g)}
        blocks = {s.start: s.stop - s.start for g, s in self.groups.items() if g in folded}
        i = 0
        while i < len(self.columns):
            c, n = self.columns[i], blocks.get(i, 0)
            if n:
                name = c.name.rsplit("_", 1)[0]
                text = c.description.replace(" level 1 ", " level k ").replace(" level 1;", " level k;")
                rows.append((f"{i}-{i + n - 1}", f"{name}_1..{n}", c, text))
            else:
                rows.append((str(i), c.name, c, c.description))
            i += max(n, 1)
        return _table(rows)


def _table(rows: Iterable[tuple[str, str, Column, str]]) -> str:
    head = "| index | name | unit | min | max | meaning |\n|---|---|---|---|---|---|\n"
    return head + "\n".join(
        f"| {i} | {name} | {c.unit} | {_bound(c.low)} | {_bound(c.high)} | {text} |" for i, name, c, text in rows
    )


def _bound(value: float) -> str:
    """A bound as the data sheet prints it: powers of two by name."""
    powers = {MAX_TICKS: "2^23", MAX_LOTS: "2^24", MAX_VALUE: "2^50", MAX_SECONDS: "1e6"}
    text = powers.get(abs(value), f"{abs(value):g}")
    return f"-{text}" if value < 0 else text
