"""A sketch from what a file's own example passes alone: equal sizes are one axis, whatever the code does with them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from geak.drafting.sizes import AxisDraft
from geak_evaluator.schema.spec import Numbers, Scalar, Tensor

_FEW = 8
"""Sizes up to here stay as they are: channels of an image, a handful of heads."""


def by_example(
    axes: list[AxisDraft], declared: Mapping[str, Tensor | Scalar | Numbers], own: Mapping[str, int | tuple[int, ...]]
) -> dict[str, str] | None:
    """The declarations anew, as source, and the axes that they need; None where the example does not show them all."""
    made: dict[int, AxisDraft] = {}

    def size(value: int) -> str:
        if value <= _FEW:
            return str(value)
        axis = made.setdefault(value, AxisDraft(f"N{value}"))
        axis.own = value
        return axis.name

    texts: dict[str, str] = {}
    for name, item in declared.items():
        value = own.get(name)
        if isinstance(item, Tensor):
            if not isinstance(value, tuple):
                return None
            fill = item.fill if not item.fill or item.dtype.startswith(("fp", "bf", "T")) else "integers(0, 2)"
            more = f', fill="{fill}"' if fill else ""
            texts[name] = f'Tensor("{", ".join(map(size, value))}", "{item.dtype}"{more})'
    for name, item in declared.items():
        value = own.get(name)
        if isinstance(item, Scalar):
            texts[name] = _scalar(item, value, made)
        elif isinstance(item, Numbers):
            if not isinstance(value, tuple):
                return None
            texts[name] = numbers_text([made[one].name if one in made else str(one) for one in value], item.type)
    axes[:] = made.values()
    return texts


def numbers_text(items: Sequence[str], kind: str) -> str:
    """The source of a tuple or list of numbers."""
    inner = ", ".join(item if item.isdigit() else f'"{item}"' for item in items)
    return f"[{inner}]" if kind == "list" else f"({inner}{',' * (len(items) == 1)})"


def _scalar(item: Scalar, value: object, made: Mapping[int, AxisDraft]) -> str:
    shown: Any = item.value if not isinstance(item.value, str) else value
    if item.type == "int" and isinstance(value, int):
        shown = f'"{made[value].name}"' if value in made else value
    if item.choices:
        return f'Scalar("{item.type}", choices={item.choices!r})'
    return f'Scalar("{item.type}", {shown})'
