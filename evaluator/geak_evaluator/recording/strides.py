"""How far apart a tensor's elements lie, as expressions over the axes."""

from __future__ import annotations

import itertools
from math import prod

from geak_evaluator.recording.calls import Calls, Column, Suggestion, note


def strides_of(calls: Calls, name: str, shape: list[str], result: Suggestion) -> list[str]:
    """Strides as expressions over the axes, where every call agrees with them; none where it is contiguous."""
    seen = [c["args"][name] for c in calls.calls if c["args"].get(name) is not None]
    strided = [v for v in seen if "strides" in v]
    if not strided:
        return []
    if len(strided) < len(seen):
        note(result, f"{name} is contiguous in some calls and not in others; it is declared contiguous")
        return []
    texts = []
    for i in range(len(shape)):
        column = calls.column(name, lambda v, i=i: v["strides"][i])
        text = _expression(calls, column)
        if text is None:
            note(result, f"the strides of {name} follow no axis ({seen[0]['strides']}); it is declared contiguous")
            return []
        texts.append(text)
    return texts


def steps_of(calls: Calls, shapes: dict[str, list[str]], strides: dict[str, list[str]]) -> dict[tuple[int, ...], str]:
    """How far apart the rows of tensors are, as expressions, by what that was in each call."""
    found: dict[tuple[int, ...], str] = {}
    for name, shape in shapes.items():
        given = [call["args"].get(name) for call in calls.calls]
        if None in given or (not strides[name] and any("strides" in v for v in given if v is not None)):
            continue
        for i in range(len(shape)):
            inner = [size for size in shape[i + 1 :] if size != "1"]
            text = strides[name][i] if strides[name] else " * ".join(inner) or "1"
            column = tuple(v["strides"][i] if "strides" in v else prod(v["tensor"][i + 1 :]) for v in given if v)
            found.setdefault(column, text)
    return found


def _expression(calls: Calls, column: Column) -> str | None:
    for factor in (0, 1, 2, 3, 4):
        if all(v is None or v == factor for v in column):
            return str(factor)
    for count in (1, 2, 3):
        for names in itertools.combinations(calls.columns, count):
            for factor in (1, 2, 3, 4):
                if all(v is None or v == factor * _times(calls, names, i) for i, v in enumerate(column)):
                    return " * ".join([*names, *([str(factor)] if factor > 1 else [])])
    return None


def _times(calls: Calls, names: tuple[str, ...], call: int) -> int:
    product = 1
    for name in names:
        product *= calls.columns[name][call] or 0
    return product
