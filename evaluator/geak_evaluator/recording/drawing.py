"""How the inputs of seen calls are drawn: a fill that all calls agree with, or numbers one by one."""

from __future__ import annotations

import math
from typing import Any

from geak_evaluator.recording.suggest import Calls, Suggestion

_RESERVED = frozenset({"min", "max", "abs", "cdiv"})


def is_tensor(value: Any) -> bool:
    """Whether it is one, as a description has it."""
    return isinstance(value, dict) and "tensor" in value


def renamed(name: str) -> str:
    """A name that means nothing else in a spec's expressions."""
    return f"{name}_" if name in _RESERVED else name


def _infos(calls: Calls, name: str) -> list[dict[str, Any]]:
    given = [call["args"].get(name) for call in calls.calls]
    return [v["drawn"] for v in given if v is not None and v.get("drawn")]


def drawn(calls: Calls, name: str, dtype: str) -> str:
    """A fill that all calls agree with; "" leaves it to the format, or to literal values."""
    infos = _infos(calls, name)
    if not infos:
        return ""
    if "share" in infos[0]:
        shares = {info["share"] for info in infos if "share" in info}
        return {frozenset({1.0}): "ones", frozenset({0.0}): "zeros"}.get(frozenset(shares), "mask")
    if "std" in infos[0]:
        return _floats(infos)
    infos = [info for info in infos if "distinct" in info]
    if all(info["distinct"] == 1 for info in infos):
        if (axis := _equal(calls, name)) and infos[0]["min"] > 2:
            return f"constant({axis})"
        if len({info["min"] for info in infos}) == 1:
            return f"constant({infos[0]['min']})"
    if all(info.get("permutation") for info in infos):
        axis = _axis(calls, name)
        return f"permutation({axis})" if axis else ""
    random = all(info["distinct"] > 16 for info in infos) and not all(info.get("sorted") for info in infos)
    if random or any("values" not in info for info in infos):
        low, high = min(info["min"] for info in infos), max(info["max"] for info in infos)
        return f"integers({0 if 0 <= low < 8 else low}, {_bound(calls, name) or high + 1})"
    return ""


def _bound(calls: Calls, name: str) -> str:
    """An axis that the numbers stay just below in every call, as indices into it do."""
    given = [call["args"].get(name) for call in calls.calls]
    highs = [v["drawn"].get("max", -1) + 1 if is_tensor(v) and v.get("drawn") else None for v in given]
    for axis, sizes in calls.columns.items():
        pairs = [(h, n) for h, n in zip(highs, sizes, strict=True) if h is not None and n is not None]
        if pairs and all(8 < h <= n <= 1.25 * h + 2 for h, n in pairs):
            return axis
    return ""


def _floats(infos: list[dict[str, Any]]) -> str:
    infos = [info for info in infos if "std" in info]
    low, high = min(info["min"] for info in infos), max(info["max"] for info in infos)
    if low == high:
        return "zeros" if low == 0 else f"constant({low!r})"
    if low >= 0:
        return "uniform(0, 1)" if high <= 1 else f"uniform({math.floor(low)}, {math.ceil(high)})"
    return ""


def _axis(calls: Calls, name: str) -> str:
    """The axis that is the last dimension of an input."""
    column = calls.column(name, lambda v: v["tensor"][-1])
    return next((axis for axis, known in calls.columns.items() if known == column), "")


def _equal(calls: Calls, name: str) -> str:
    """An axis that the one number of an input is, in every call."""
    given = [call["args"].get(name) for call in calls.calls]
    numbers = [v["drawn"].get("min") if is_tensor(v) and v.get("drawn") else None for v in given]
    for axis, sizes in calls.columns.items():
        if all(a is None or a == b for a, b in zip(numbers, sizes, strict=True)):
            return axis
    return ""


def literal(found: Suggestion, name: str) -> bool:
    """Whether an input holds whole numbers that follow no rule."""
    text = found.inputs[name]
    if not text.startswith("Tensor") or "fill=" in text:
        return False
    given = [call["args"].get(name) for call in found.calls]
    return any(is_tensor(v) and "values" in v.get("drawn", {}) for v in given)
