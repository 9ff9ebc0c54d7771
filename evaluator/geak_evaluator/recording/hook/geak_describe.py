"""What is kept of an argument: never a tensor's values. It stands alone, as the recorder does."""

from __future__ import annotations

import inspect
import math
from typing import Any

_TEXT = 100  # characters kept of a string
_ITEMS = 64  # items kept of a list


def describe(value: Any, tensor: Any, depth: int = 0) -> Any:
    """What is kept of an argument, as nested tuples: shapes and formats, scalars, capped strings, type names."""
    if value is None or type(value) is int:
        return value
    if type(value) is bool:
        return ("bool", value)  # a name of its kind: True, 1 and 1.0 would be one key
    if isinstance(value, float):
        value = float(value)
        return ("float", value if math.isfinite(value) else str(value))
    if isinstance(value, str):
        return ("str", str(value)[:_TEXT])
    if tensor is not None and isinstance(value, tensor):
        shape = tuple(n if type(n) is int else -1 for n in value.shape)
        try:
            strides = None if value.is_contiguous() else tuple(int(n) for n in value.stride())
        except Exception:  # sparse and nested ones have none
            strides = None
        return ("tensor", shape, str(value.dtype).replace("torch.", ""), strides)
    if isinstance(value, (tuple, list)) and depth < 8:
        items = tuple(describe(v, tensor, depth + 1) for v in value[:_ITEMS])
        return ("tuple" if isinstance(value, tuple) else "list", items, len(value))
    if isinstance(value, dict) and depth < 8:
        pairs = list(value.items())[:_ITEMS]
        return ("dict", tuple((str(k)[:_TEXT], describe(v, tensor, depth + 1)) for k, v in pairs), len(value))
    if type(value).__module__ == "torch" and type(value).__name__ == "dtype":
        return ("dtype", str(value).replace("torch.", ""))
    return ("object", f"{type(value).__module__}.{type(value).__qualname__}"[:_TEXT])


def signature(function: Any, method: bool) -> list[dict[str, Any]]:
    """The arguments of a function: names, kinds and defaults."""
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        return []
    result = []
    for parameter in parameters[1 if method else 0 :]:
        entry: dict[str, Any] = {"name": parameter.name, "kind": parameter.kind.name.lower()}
        if parameter.default is not inspect.Parameter.empty:
            entry["default"] = describe(parameter.default, None)
        result.append(entry)
    return result
