"""Configuration as frozen dataclasses: built from plain mappings, checked, written back as JSON-able dicts.

A configuration class is an ordinary frozen dataclass. `setting` declares a field with its allowed range, and
``__post_init__`` calls `validate`, so that a wrong value fails wherever it is written::

    @dataclass(frozen=True)
    class LatencyConfig:
        order_ns: int = setting(200_000, low=0, doc="constant part of the way to the exchange, ns")

        def __post_init__(self) -> None:
            validate(self)

    build(LatencyConfig, {"order_ms": 1})
    # ConfigError: unknown setting 'order_ms' of LatencyConfig; did you mean 'order_ns'? ...
"""

from __future__ import annotations

import dataclasses
import difflib
import math
import types
import typing
from collections.abc import Hashable, Mapping, Sequence
from enum import Enum
from functools import cache
from numbers import Integral, Real
from os import PathLike
from pathlib import Path
from typing import Any, Literal, TypeVar, Union, cast, get_args, get_origin

from hft_gym.errors import ConfigError

__all__ = ["build", "did_you_mean", "field_doc", "no_effect", "setting", "to_dict", "validate"]

T = TypeVar("T")


def setting(
    default: Any = dataclasses.MISSING,
    *,
    factory: Any = dataclasses.MISSING,
    low: float | None = None,
    high: float | None = None,
    above: float | None = None,
    below: float | None = None,
    min_length: int | None = None,
    max_length: int | None = None,
    infinite: bool = False,
    doc: str = "",
) -> Any:
    """A dataclass field with a range.

    Args:
        default: the default value.
        factory: instead of a default, a function that makes it.
        low: the least value allowed. The bounds hold for each element of a tuple.
        high: the greatest value allowed.
        above: a lower bound that is itself excluded.
        below: an upper bound that is itself excluded.
        min_length: the least length of a tuple or string.
        max_length: the greatest length of a tuple or string.
        infinite: whether infinity is a value (NaN never is).
        doc: one line, shown by command lines.
    """
    given = {"low": low, "high": high, "above": above, "below": below}
    given |= {"min_length": min_length, "max_length": max_length}
    limits = {name: bound for name, bound in given.items() if bound is not None}
    metadata = {"limits": limits, "infinite": infinite, "help": doc}  # tyro shows "help"
    if factory is not dataclasses.MISSING:
        return dataclasses.field(default_factory=factory, metadata=metadata)
    if default is not dataclasses.MISSING:
        return dataclasses.field(default=default, metadata=metadata)
    return dataclasses.field(metadata=metadata)


def field_doc(cls: type, name: str) -> str:
    """The ``doc`` line of a field, or an empty string."""
    fields = {f.name: f for f in dataclasses.fields(cls)}
    return str(fields[name].metadata.get("help", ""))


def did_you_mean(name: str, allowed: Sequence[str]) -> str:
    """A suffix for an error message: the nearest allowed name and the whole list.

    >>> did_you_mean("levles", ["levels", "seed"])
    "; did you mean 'levels'? Allowed: levels, seed"
    """
    near = difflib.get_close_matches(str(name), list(allowed), n=1, cutoff=0.6)
    hint = f"; did you mean {near[0]!r}?" if near else "."
    return f"{hint} Allowed: {', '.join(allowed) or 'none'}"


def build(cls: type[T], mapping: Mapping[str, Any] | T | str | PathLike[str] | None, where: str = "") -> T:
    """A configuration from a mapping of settings; absent settings take their defaults.

    Nested dataclasses are built from nested mappings, lists become tuples, whole floats become ints where an
    int is wanted. An instance of ``cls`` passes through; a name or a path is looked up where ``cls`` has a class
    method ``named``.

    Args:
        cls: a dataclass.
        mapping: settings by name; None stands for none.
        where: the path of this mapping in a larger one, for error messages (``"market.latency"``).

    Raises:
        ConfigError: unknown or missing setting, wrong type, value out of range.
    """
    if isinstance(mapping, cls):
        return mapping
    named: Any = getattr(cls, "named", None)
    if isinstance(mapping, (str, PathLike)) and named is not None:
        try:
            return cast(T, named(mapping))
        except ConfigError as error:
            raise ConfigError(f"{where}: {error}" if where else str(error)) from None
    if mapping is None:
        mapping = {}
    if not isinstance(mapping, Mapping):
        expected = f"a mapping of settings or a {cls.__name__}"
        raise ConfigError(f"{where or cls.__name__}: expected {expected}, got {_show(mapping)}")
    hints = _hints(cls)
    fields = {f.name: f for f in dataclasses.fields(cls) if f.init}  # type: ignore[arg-type]
    for name in mapping:
        if name not in fields:
            raise ConfigError(_unknown(cls, str(name), where, list(fields)))
    values = {n: _convert(hints[n], v, _join(where, n), fields[n].metadata) for n, v in mapping.items()}
    for name, f in fields.items():
        if name not in values and f.default is f.default_factory is dataclasses.MISSING:
            raise ConfigError(f"{_join(where, name)}: this setting has no default and must be given")
    try:
        return cls(**values)
    except ConfigError as error:
        # A check in __post_init__ does not know where in the larger configuration it stands.
        if where and not str(error).startswith(where):
            raise ConfigError(f"{where}: {error}") from None
        raise


def validate(config: Any) -> None:
    """Check types and ranges of a dataclass instance; call it from ``__post_init__``.

    Values are normalised as `build` does it (a list becomes a tuple, ``1e9`` an int, a mapping the nested
    dataclass), which also keeps frozen configurations hashable.

    Raises:
        ConfigError: wrong type or value out of range.
    """
    cls = type(config)
    hints = _hints(cls)
    for f in dataclasses.fields(cls):
        value = getattr(config, f.name)
        converted = _convert(hints[f.name], value, f.name, f.metadata)
        if converted is not value:
            object.__setattr__(config, f.name, converted)


def no_effect(config: Any, names: Sequence[str], why: str) -> None:
    """Refuse settings that somebody changed and that would do nothing.

    Args:
        config: a dataclass.
        names: of its fields without effect.
        why: the end of the sentence, such as ``"without a replay"``.

    Raises:
        ConfigError: one of them is not at its default.
    """
    fields = {f.name: f for f in dataclasses.fields(config)}
    for name in names:
        made, value = fields[name].default_factory, getattr(config, name)
        if value != (fields[name].default if made is dataclasses.MISSING else made()):
            raise ConfigError(f"{name}: {value!r} has no effect {why}")


def to_dict(config: Any) -> dict[str, Any]:
    """The configuration as nested dicts, lists, strings and numbers.

    ``json.dumps`` takes it and `build` reads it back.
    """
    return {f.name: _plain(getattr(config, f.name)) for f in dataclasses.fields(config) if f.init}


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return to_dict(value)
    if isinstance(value, Enum):
        return value.name
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, (tuple, list)):
        return [_plain(v) for v in value]
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, (bool, str)) or value is None:
        return value
    if isinstance(value, Integral):
        return int(value)
    if isinstance(value, Real):
        return float(value)
    raise ConfigError(f"{_show(value)} cannot be written as JSON")


def _hints(cls: type) -> dict[str, Any]:
    return _resolved_hints(cls)


@cache
def _resolved_hints(cls: Hashable) -> dict[str, Any]:
    return typing.get_type_hints(cls)


def _join(where: str, name: str) -> str:
    return f"{where}.{name}" if where else name


def _show(value: Any) -> str:
    text = repr(value)
    return f"{text if len(text) <= 80 else text[:77] + '...'} ({type(value).__name__})"


def _unknown(cls: type, name: str, where: str, allowed: list[str]) -> str:
    message = f"{where + ': ' if where else ''}unknown setting {name!r} of {cls.__name__}"
    if not difflib.get_close_matches(name, allowed, n=1, cutoff=0.75):
        # Perhaps a setting of a nested configuration, given one level too high.
        inner = [p for p in _nested_names(cls) if p.rsplit(".", 1)[1] == name]
        if inner:
            return f"{message}; did you mean {inner[0]!r}? Allowed: {', '.join(allowed)}"
    return message + did_you_mean(name, allowed)


def _nested_names(cls: type, prefix: str = "") -> list[str]:
    names: list[str] = []
    for name, hint in _hints(cls).items():
        for arm in (hint, *get_args(hint)):
            if isinstance(arm, type) and dataclasses.is_dataclass(arm):
                names += [f"{prefix}{name}.{f.name}" for f in dataclasses.fields(arm)]
                names += _nested_names(arm, f"{prefix}{name}.")
    return names


def _convert(hint: Any, value: Any, where: str, metadata: Mapping[str, Any]) -> Any:
    """``value`` as the annotated type ``hint``, or a ConfigError that says what was expected."""
    origin = get_origin(hint)
    if hint is Any:
        return value
    if origin in (Union, types.UnionType):
        return _convert_union(get_args(hint), value, where, metadata)
    if origin is Literal:
        for choice in get_args(hint):
            if type(choice) is type(value) and choice == value:
                return value
        choices = [str(c) for c in get_args(hint)]
        tail = did_you_mean(value, choices) if isinstance(value, str) else f". Allowed: {', '.join(choices)}"
        raise ConfigError(f"{where}: got {_show(value)}{tail}")
    if hint is None or hint is type(None):
        if value is None:
            return None
        raise ConfigError(f"{where}: expected None, got {_show(value)}")
    if origin is tuple or hint is tuple:
        return _convert_tuple(get_args(hint), value, where, metadata)
    if origin in (dict, Mapping):
        if not isinstance(value, Mapping):
            raise ConfigError(f"{where}: expected a mapping, got {_show(value)}")
        inner = get_args(hint)[1]
        return {str(k): _convert(inner, v, _join(where, str(k)), metadata) for k, v in value.items()}
    if isinstance(hint, type) and dataclasses.is_dataclass(hint):
        return build(hint, value, where)
    return _convert_scalar(hint, value, where, metadata)


def _convert_union(arms: tuple[Any, ...], value: Any, where: str, metadata: Mapping[str, Any]) -> Any:
    if value is None and type(None) in arms:
        return None
    for arm in arms:  # an exact match wins: a str stays a str where a str is allowed
        if isinstance(arm, type) and type(value) is arm:
            return _convert(arm, value, where, metadata)
    if isinstance(value, Mapping):  # then the error of the nested configuration is the one to show
        for arm in arms:
            if isinstance(arm, type) and dataclasses.is_dataclass(arm):
                return build(arm, value, where)
    failures: list[str] = []
    for arm in arms:
        if arm is type(None):
            continue
        try:
            return _convert(arm, value, where, metadata)
        except ConfigError as error:
            failures.append(str(error))
    if len(failures) == 1:
        raise ConfigError(failures[0] + (" (None is allowed too)" if type(None) in arms else ""))
    raise ConfigError(" / ".join(failures))


def _convert_tuple(inner: tuple[Any, ...], value: Any, where: str, metadata: Mapping[str, Any]) -> Any:
    if isinstance(value, (str, bytes, Mapping)) or not hasattr(value, "__iter__"):
        raise ConfigError(f"{where}: expected a sequence, got {_show(value)}")
    items = list(value)
    if not inner or inner[-1] is Ellipsis:
        hints: list[Any] = [inner[0] if inner else Any] * len(items)
    else:
        hints = list(inner)
        if len(items) != len(hints):
            raise ConfigError(f"{where}: expected {len(hints)} values, got {len(items)}: {_show(value)}")
    _check_length(items, where, metadata)
    pairs = enumerate(zip(hints, items, strict=True))
    converted = tuple(_convert(h, v, f"{where}[{i}]", metadata) for i, (h, v) in pairs)
    same = type(value) is tuple and all(a is b for a, b in zip(converted, items, strict=True))
    return value if same else converted


def _convert_scalar(hint: Any, value: Any, where: str, metadata: Mapping[str, Any]) -> Any:
    if hint is bool:
        if isinstance(value, bool) or type(value).__name__ in ("bool_", "bool"):
            return bool(value)
        raise ConfigError(f"{where}: expected true or false, got {_show(value)}")
    if hint is int:
        whole = isinstance(value, Real) and math.isfinite(value) and float(value).is_integer()
        if isinstance(value, bool) or not (isinstance(value, Integral) or whole):
            raise ConfigError(f"{where}: expected a whole number, got {_show(value)}")
        number = value if type(value) is int else int(value)
        _check_range(number, where, metadata)
        return number
    if hint is float:
        if isinstance(value, bool) or not isinstance(value, (Real, float)):
            raise ConfigError(f"{where}: expected a number, got {_show(value)}")
        real = value if isinstance(value, float) else float(value)
        if math.isnan(real) or (math.isinf(real) and not metadata.get("infinite", False)):
            what = "a number or inf" if metadata.get("infinite", False) else "a finite number"
            raise ConfigError(f"{where}: expected {what}, got {real}")
        _check_range(real, where, metadata)
        return real
    if hint is str:
        if not isinstance(value, str):
            raise ConfigError(f"{where}: expected a string, got {_show(value)}")
        _check_length(value, where, metadata)
        return value
    if isinstance(hint, type) and issubclass(hint, Enum):
        return _convert_enum(hint, value, where)
    if hint is Path and isinstance(value, (str, Path)):
        return Path(value)
    if isinstance(hint, type) and isinstance(value, hint):
        return value
    raise ConfigError(f"{where}: expected {getattr(hint, '__name__', hint)}, got {_show(value)}")


def _convert_enum(hint: type[Enum], value: Any, where: str) -> Enum:
    if isinstance(value, hint):
        return value
    for member in hint:
        if value == member.name or (not isinstance(value, bool) and value == member.value):
            return member
    names = [m.name for m in hint]
    raise ConfigError(f"{where}: got {_show(value)}{did_you_mean(str(value), names)}")


def _check_range(value: float, where: str, metadata: Mapping[str, Any]) -> None:
    limits = metadata.get("limits", {})
    bad = (
        value < limits.get("low", -math.inf)
        or value > limits.get("high", math.inf)
        or ("above" in limits and value <= limits["above"])
        or ("below" in limits and value >= limits["below"])
    )
    if bad:
        words = {"low": "at least", "high": "at most", "above": "above", "below": "below"}
        allowed = " and ".join(f"{w} {limits[k]}" for k, w in words.items() if k in limits)
        raise ConfigError(f"{where}: must be {allowed}, got {value}")


def _check_length(value: Sequence[Any], where: str, metadata: Mapping[str, Any]) -> None:
    limits = metadata.get("limits", {})
    low, high = limits.get("min_length", 0), limits.get("max_length", math.inf)
    if not low <= len(value) <= high:
        raise ConfigError(f"{where}: must have between {low} and {high} elements, got {len(value)}")
