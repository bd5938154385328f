"""A session as a folder: what it is now in files of one generation, what it did in parts that are only ever added.

``session.json`` names the files that belong together, and is replaced as the last act of a save: whatever else lies in
the folder after a crash is of no account, and is swept away by the next save. Numbers and text only; loading runs no
code but the strategies' own.
"""

from __future__ import annotations

import json
import os
import re
from collections import Counter, deque
from collections.abc import Callable, Mapping
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from hft_gym.config import build, to_dict
from hft_gym.errors import CheckpointError, ConfigError
from hft_gym.files import digest, read_arrays, read_checked, replace_file, write_arrays
from hft_gym.live.config import SessionConfig
from hft_gym.live.floor import POINTS, TAPE_LENGTH, Floor
from hft_gym.live.tenure import Tenure
from hft_gym.live.view import Alert, Point, Print
from hft_gym.market import Market

if TYPE_CHECKING:
    from hft_gym.live.session import LiveSession

__all__ = ["NAME", "load", "save"]

FORMAT, VERSION = "hft_gym session", 3
NAME = "session.json"
_MANY = 64
"""Parts after which a save writes the whole past as one."""
_OURS = re.compile(r"(market-\d+-\d+|state-\d+|past-\d+)\.npz")
_DAMAGE = (OSError, ValueError, LookupError, TypeError, AttributeError)
"""What a file raises that holds something else than we wrote."""
S = TypeVar("S", bound="LiveSession")


def _tenures(floor: Floor) -> list[Tenure]:
    return [*floor.past, *(trader.tenure for trader in floor.everybody)]


def _keys(tenures: list[Tenure]) -> list[str]:
    """A name for each tenure that stays: the participant, and which of its tenures it is."""
    seen: Counter[int] = Counter()
    keys = []
    for tenure in tenures:
        keys.append(f"{tenure.participant}-{seen[tenure.participant]}")
        seen[tenure.participant] += 1
    return keys


def save(session: LiveSession, folder: str | os.PathLike[str]) -> None:
    """See `LiveSession.save`."""
    where = Path(folder)
    where.mkdir(parents=True, exist_ok=True)
    saved = session.saved if session.saved is not None and session.saved["folder"] == str(where.resolve()) else None
    generation = 1 + (_last_generation(where) if saved is None else saved["generation"])
    rows: dict[str, int] = {} if saved is None or len(saved["parts"]) >= _MANY else dict(saved["rows"])
    parts: dict[str, str] = dict(saved["parts"]) if saved is not None and rows else {}
    fresh: dict[str, NDArray[Any]] = {}
    now: dict[str, int] = {}
    values: dict[str, NDArray[Any]] = {}
    floors: dict[str, Any] = {}
    for i, (symbol, floor) in enumerate(session.floors.items()):
        tenures = _tenures(floor)
        for k, tenure in zip(_keys(tenures), tenures, strict=True):
            for name, records in tenure.parts().items():
                key = f"{i}.{k}.{name}"
                # The last row may still be overwritten: it is always written anew.
                seen = max(rows.get(key, 0) - (name == "path"), 0)
                now[key] = len(records)
                if len(records) > seen:
                    fresh[f"{key}.{seen}"] = records[seen:]
        market = f"market-{generation}-{i}.npz"
        floor.market.save(where / market)
        for trader in floor.traders:
            assert trader.seat is not None
            values[f"{i}.{trader.participant}.env"] = trader.seat.env
            values[f"{i}.{trader.participant}.obs"] = trader.seat.obs
            for n, array in enumerate(_flat(trader.memory)):
                values[f"{i}.{trader.participant}.memory.{n}"] = array
        floors[symbol] = {
            "market": market,
            "digest": digest((where / market).read_bytes()),
            "past": len(floor.past),
            "tenures": [_about(t) for t in tenures],
            "traders": [{**t.state(), "memory": _shape(t.memory)} for t in floor.everybody],
            "tape": list(floor.tape),
            "points": list(floor.points),
            "numbers": [floor.shown, floor.traded, floor.turnover, floor.last_price, floor.anchor],
            "flags": [floor.opened, floor.suspended],
        }
    if fresh or not parts:
        part = f"past-{generation}.npz"
        parts[part] = write_arrays(where / part, fresh)
    state = f"state-{generation}.npz"
    states = {state: write_arrays(where / state, values)}
    text = {
        "format": FORMAT,
        "version": VERSION,
        "generation": generation,
        "config": to_dict(session.config),
        "origin": session.origin,
        "now": session.origin + session.time_ns,
        "players": [p.name for p in session.players],
        "alerts": list(session.alerts.found),
        "floors": floors,
        "state": states,
        "parts": parts,
    }
    body = json.dumps(text)
    replace_file(where / NAME, json.dumps({"digest": digest(body.encode()), "session": body}))
    session.saved = {"folder": str(where.resolve()), "generation": generation, "rows": now, "parts": parts}
    wanted = {NAME, state, *parts, *(f["market"] for f in floors.values())}
    for path in where.iterdir():
        if path.name not in wanted and _OURS.fullmatch(path.name):
            path.unlink(missing_ok=True)


def load(
    cls: type[S], folder: str | os.PathLike[str], prepare: Callable[[SessionConfig], S] | None = None
) -> S:
    """See `LiveSession.load`; *prepare* makes the session without its markets, default: ``cls.prepared``."""
    where = Path(folder)
    text = read(where)
    try:
        session = (prepare or cls.prepared)(build(SessionConfig, text["config"]))
        session.origin = text["origin"]
        for player, name in zip(session.players, text["players"], strict=True):
            player.name = name
        session.alerts.found.extend(Alert(*row) for row in text["alerts"])
        session.alerts.numbers = count(1 + max((a.number for a in session.alerts.found), default=0))
        ((state, wanted),) = text["state"].items()
        values = read_arrays(where / state, "saved session", wanted)
        past = [read_arrays(where / part, "saved session", wanted) for part, wanted in text["parts"].items()]
        for i, (symbol, told) in enumerate(text["floors"].items()):
            read_checked(where / told["market"], "saved session", told["digest"])
            market = session.market_from(where / told["market"], symbol)
            session.floors[symbol] = _floor(session, market, told, values, past, i)
    except _DAMAGE as error:
        raise CheckpointError(f"{where} is damaged, or of another version ({type(error).__name__}: {error})") from error
    rows = {
        f"{i}.{k}.{name}": len(records)
        for i, floor in enumerate(session.floors.values())
        for k, tenure in zip(_keys(_tenures(floor)), _tenures(floor), strict=True)
        for name, records in tenure.parts().items()
    }
    session.saved = {
        "folder": str(where.resolve()), "generation": text["generation"], "rows": rows, "parts": text["parts"]
    }  # fmt: skip
    return session


def read(where: Path) -> dict[str, Any]:
    """What ``session.json`` says, checked.

    Raises:
        CheckpointError: no session there, damaged, or of another version.
    """
    try:
        outer = json.loads((where / NAME).read_bytes())
        if outer["digest"] != digest(outer["session"].encode()):
            raise ValueError("its content has another digest than it says")
        text: dict[str, Any] = json.loads(outer["session"])
    except FileNotFoundError as error:
        raise CheckpointError(f"{where}: there is no saved session") from error
    except _DAMAGE as error:
        raise CheckpointError(f"{where / NAME} is damaged, or no saved session ({error})") from error
    if text.get("format") != FORMAT or text.get("version") != VERSION:
        raise CheckpointError(
            f"{where} is {text.get('format')!r} of version {text.get('version')!r}; allowed is version {VERSION}"
        )
    return text


def _floor(
    session: LiveSession, market: Market, told: Mapping[str, Any], values: Mapping[str, NDArray[Any]],
    past: list[dict[str, NDArray[Any]]], i: int,
) -> Floor:  # fmt: skip
    floor = Floor(market, session.players, session.config.interval, session.alerts)
    tenures = [Tenure(**about) for about in told["tenures"]]
    for k, tenure in zip(_keys(tenures), tenures, strict=True):
        for part in past:
            for name in tenure.parts():
                for key, records in part.items():
                    head, _, seen = key.rpartition(".")
                    if head == f"{i}.{k}.{name}":
                        tenure.cut(name, int(seen))
                        tenure.restore({name: records})
    floor.past = tenures[: told["past"]]
    for trader, tenure, state in zip(floor.everybody, tenures[told["past"] :], told["traders"], strict=True):
        trader.tenure = tenure
        trader.restore(state)
        if trader.seat is None or trader.player is None:
            continue
        p = trader.participant
        trader.seat.env[...] = values[f"{i}.{p}.env"]
        trader.policy = trader.player.policy(trader.seat)
        trader.seat.obs[...] = values[f"{i}.{p}.obs"]
        arrays = iter([values[f"{i}.{p}.memory.{n}"] for n in range(_count(state["memory"]))])
        trader.memory = _restored(state["memory"], arrays)
    floor.tape = deque((Print(*row) for row in told["tape"]), maxlen=TAPE_LENGTH)
    floor.points = deque((Point(*row) for row in told["points"]), maxlen=POINTS)
    floor.shown, floor.traded, floor.turnover, floor.last_price, floor.anchor = told["numbers"]
    floor.opened, floor.suspended = told["flags"]
    return floor


def _about(tenure: Tenure) -> dict[str, Any]:
    names = ("name", "kind", "symbol", "participant", "begin", "origin_units", "config", "ended")
    return {name: getattr(tenure, name) for name in names}


def _last_generation(where: Path) -> int:
    try:
        return int(read(where)["generation"])
    except CheckpointError:
        return 0


# What a policy remembers: nothing, an array, or a tuple of such.


def _shape(memory: Any) -> Any:
    if memory is None:
        return None
    if isinstance(memory, np.ndarray):
        return "array"
    if isinstance(memory, (tuple, list)):
        return [_shape(part) for part in memory]
    raise ConfigError(f"a strategy remembers a {type(memory).__name__}; only arrays and tuples of them can be saved")


def _flat(memory: Any) -> list[NDArray[Any]]:
    if memory is None:
        return []
    return [memory] if isinstance(memory, np.ndarray) else [array for part in memory for array in _flat(part)]


def _count(shape: Any) -> int:
    return 0 if shape is None else 1 if shape == "array" else sum(map(_count, shape))


def _restored(shape: Any, arrays: Any) -> Any:
    if shape is None:
        return None
    return next(arrays) if shape == "array" else tuple(_restored(part, arrays) for part in shape)
