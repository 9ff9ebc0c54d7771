"""How the inputs of seen calls are drawn: a fill that all calls agree with, or numbers one by one."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

from geak_evaluator.recording.calls import Calls, Suggestion
from geak_evaluator.schema.expr import RESERVED


def is_tensor(value: Any) -> bool:
    """Whether it is one, as a description has it."""
    return isinstance(value, dict) and "tensor" in value


def renamed(name: str) -> str:
    """A name that means nothing else in a spec's expressions."""
    return f"{name}_" if name in RESERVED else name


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
        if not axis or (all(info.get("sorted") for info in infos) and _one_more(calls, axis)):
            return ""
        return f"permutation({axis})"
    random = all(info["distinct"] > 16 for info in infos) and not all(info.get("sorted") for info in infos)
    if random or any("values" not in info for info in infos):
        low, high = min(info["min"] for info in infos), max(info["max"] for info in infos)
        bound = _bound(calls, name)
        if bound and low >= 0 and _apart(calls, name):
            return f"permutation({bound})"
        return f"integers({0 if 0 <= low < 8 else low}, {bound or high + 1})"
    return ""


_LUCK = 3.0
"""Pairs of equal numbers that were to be expected: with so many, having none of them is a rule."""


def _apart(calls: Calls, name: str) -> bool:
    """Whether no number of a row was seen twice where chance would have repeated some: slots, not samples."""
    pairs = 0.0
    for value in (call["args"].get(name) for call in calls.calls):
        if not is_tensor(value) or not value.get("drawn"):
            continue
        info, count = value["drawn"], math.prod(value["tensor"])
        if len(value["tensor"]) != 1 or info.get("distinct") != count:
            return False
        pairs += count * (count - 1) / 2 / (info["max"] + 1)
    return pairs > _LUCK


def _bound(calls: Calls, name: str) -> str:
    """What the numbers stay just below in every call, as indices do: an axis, or two that were always laid together."""
    given = [call["args"].get(name) for call in calls.calls]
    highs = [v["drawn"].get("max", -1) + 1 if is_tensor(v) and v.get("drawn") else None for v in given]
    for axis, sizes in calls.columns.items():
        if _just_below(highs, sizes):
            return axis
    for (a, left), (b, right) in itertools.combinations(calls.columns.items(), 2):
        product = [x and y and x * y for x, y in zip(left, right, strict=True)]
        if len(set(product)) > 2 and _just_below(highs, product):
            return f"{a} * {b}"
    return ""


def _just_below(highs: Sequence[int | None], sizes: Sequence[int | None]) -> bool:
    pairs = [(h, n) for h, n in zip(highs, sizes, strict=True) if h is not None and n is not None]
    return bool(pairs) and all(8 < h <= n <= 1.25 * h + 2 for h, n in pairs)


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


def _one_more(calls: Calls, axis: str) -> bool:
    """Whether an axis always had one more than another, as the ends of a list's parts have."""
    sizes = calls.columns[axis]
    others = [known for name, known in calls.columns.items() if name != axis]
    return any(all(a and b and a == b + 1 for a, b in zip(sizes, one, strict=True)) for one in others)


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
