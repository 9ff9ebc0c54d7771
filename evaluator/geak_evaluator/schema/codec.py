"""Dataclasses to JSON and back, strictly: an unknown key, a missing one or a wrong type is an error with its path."""

from __future__ import annotations

import dataclasses
import enum
import json
import math
import sys
import types
import typing
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, TypeVar

T = TypeVar("T")


class WireError(ValueError):
    """A message that is not what it should be, with the place in it."""


def loads(text: str | bytes, *, limit: int = 1 << 24) -> Any:
    """Parses JSON of unknown origin: bounded, and every failure is a WireError."""
    if len(text) > limit:
        raise WireError(f"a message of {len(text)} bytes is over the limit of {limit}")
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise WireError(f"not JSON: {str(error)[:200]}") from None


def dumps(value: Any) -> str:
    """One line of ASCII for a dataclass (or plain data), with inf and nan as strings."""
    # ASCII: foreign text holds lone surrogates, which no stream would take.
    return json.dumps(to_json(value), allow_nan=False, separators=(",", ":"))


def to_json(value: Any) -> Any:
    """Plain JSON data for a dataclass tree; fields that hold their default are left out."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: to_json(v) for f in dataclasses.fields(value) if (v := getattr(value, f.name)) != _default(f)}
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, Mapping):
        return {str(k): to_json(v) for k, v in value.items()}
    if isinstance(value, tuple | list):
        return [to_json(v) for v in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value


def from_json(cls: type[T], data: Any, path: str = "$") -> T:
    """The dataclass that `to_json` wrote, or a WireError that names the place."""
    try:
        result: T = _read(cls, data, path)
    except RecursionError:
        raise WireError(f"{path}: nested too deeply") from None
    return result


def _default(field: dataclasses.Field[Any]) -> Any:
    if field.default is not dataclasses.MISSING:
        return field.default
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    return dataclasses.MISSING


@lru_cache(maxsize=256)
def _hints(cls: type) -> dict[str, Any]:
    return typing.get_type_hints(cls)


def _read(hint: Any, data: Any, path: str, names: Mapping[str, Any] = types.MappingProxyType({})) -> Any:
    """`names` is where a type that contains itself is looked up."""
    if isinstance(hint, str | typing.ForwardRef):
        hint = names[hint if isinstance(hint, str) else hint.__forward_arg__]
    if hint is Any:
        return data
    if isinstance(hint, type) and dataclasses.is_dataclass(hint):
        return _read_dataclass(hint, data, path)
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        try:
            return hint(data)
        except ValueError:
            raise WireError(f"{path}: {data!r} is none of {[m.value for m in hint]}") from None
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return _read_union(args, data, path, names)
    if origin is typing.Literal:
        if data in args and not (isinstance(data, bool) and True not in args):
            return data
        raise WireError(f"{path}: {data!r} is none of {list(args)}")
    if origin is tuple and isinstance(data, list):
        if len(args) == 2 and args[1] is Ellipsis:
            return tuple(_read(args[0], item, f"{path}[{i}]", names) for i, item in enumerate(data))
        if len(args) == len(data):
            pairs = enumerate(zip(args, data, strict=True))
            return tuple(_read(a, item, f"{path}[{i}]", names) for i, (a, item) in pairs)
    if isinstance(data, dict) and isinstance(origin, type) and issubclass(origin, Mapping):
        return {k: _read(args[1], v, f"{path}.{k}", names) for k, v in data.items()}
    if hint is float and isinstance(data, str) and data in ("inf", "-inf", "nan"):
        return float(data)
    if hint is float and type(data) in (int, float):
        try:
            return float(data)
        except OverflowError:
            raise WireError(f"{path}: a number of {len(str(data))} digits is too large") from None
    if hint in (int, str, bool) and type(data) is hint:
        return data
    if hint in (None, type(None)) and data is None:
        return None
    raise WireError(f"{path}: expected {_name(hint)}, got {type(data).__name__}")


def _read_dataclass(cls: type, data: Any, path: str) -> Any:
    if not isinstance(data, dict):
        raise WireError(f"{path}: expected {cls.__name__}, got {type(data).__name__}")
    fields = {f.name: f for f in dataclasses.fields(cls)}
    if unknown := sorted(set(data) - set(fields)):
        raise WireError(f"{path}: {cls.__name__} has no {', '.join(map(repr, unknown[:5]))}")
    hints, names = _hints(cls), vars(sys.modules[cls.__module__])
    values = {name: _read(hints[name], item, f"{path}.{name}", names) for name, item in data.items()}
    missing = [n for n, f in fields.items() if n not in values and _default(f) is dataclasses.MISSING]
    if missing:
        raise WireError(f"{path}: {cls.__name__} needs {', '.join(missing)}")
    try:
        return cls(**values)
    except (TypeError, ValueError) as error:
        raise WireError(f"{path}: {error}") from None


def _read_union(options: tuple[Any, ...], data: Any, path: str, names: Mapping[str, Any]) -> Any:
    inner = []
    for option in options:
        try:
            return _read(option, data, path, names)
        except WireError as error:
            if not str(error).startswith(f"{path}: expected "):
                inner.append(str(error))  # it was meant to be this one
    if inner:
        raise WireError(max(inner, key=len))
    raise WireError(f"{path}: expected {' or '.join(map(_name, options))}, got {type(data).__name__}")


def _name(hint: Any) -> str:
    kind = typing.get_origin(hint) or hint
    return "None" if kind in (None, type(None)) else kind.__name__ if isinstance(kind, type) else str(kind)
