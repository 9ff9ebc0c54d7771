"""Recorded calls of one form, the axes that are found in them, and the parts of a spec that come of it."""

from __future__ import annotations

import keyword
from dataclasses import dataclass, field
from typing import Any

from geak_evaluator.schema.expr import RESERVED

Column = tuple["int | None", ...]
"""A size in each of the calls; None where the argument was None."""


@dataclass
class Suggestion:
    """The parts of a spec, as source."""

    axes: dict[str, str] = field(default_factory=dict)
    dtypes: dict[str, str] = field(default_factory=dict)
    inputs: dict[str, str] = field(default_factory=dict)
    cases: list[str] = field(default_factory=list)
    shapes: dict[str, tuple[str, ...]] = field(default_factory=dict)
    sizes: list[dict[str, object]] = field(default_factory=list)
    """The same as `cases`, as data."""
    left: list[tuple[str, ...]] = field(default_factory=list)
    """By case: the optional inputs that are None there."""
    calls: list[dict[str, Any]] = field(default_factory=list)
    """The calls that the cases are, in their order."""
    notes: list[str] = field(default_factory=list)
    """What was left out, and why."""


class Calls:
    """The calls of one form: the same arguments, each of one rank or None."""

    def __init__(self, calls: list[dict[str, Any]]) -> None:
        self.calls = calls
        self.names: dict[Column, str] = {}
        self.columns: dict[str, Column] = {}

    def column(self, name: str, pick: Any) -> tuple[Any, ...]:
        """Something of one argument in each call; None where it was None."""
        return tuple(None if call["args"].get(name) is None else pick(call["args"][name]) for call in self.calls)

    def axis(self, column: Column, wish: str, taken: set[str]) -> str:
        """The axis that this size is: one that was equal wherever both are known, or a new one."""
        for known, name in list(self.names.items()):
            pairs = [(a, b) for a, b in zip(known, column, strict=True) if a is not None and b is not None]
            if pairs and all(a == b for a, b in pairs):
                joined = tuple(b if a is None else a for a, b in zip(known, column, strict=True))
                del self.names[known]
                self.names[joined], self.columns[name] = name, joined
                return name
        name = free(wish, {*taken, *self.columns})
        self.names[column], self.columns[name] = name, column
        return name


def note(result: Suggestion, text: str) -> None:
    """Says something of the calls, once."""
    if text not in result.notes:
        result.notes.append(text)


def free(wish: str, taken: set[str]) -> str:
    """A name that nothing has yet and that means nothing else."""
    wish = wish if not keyword.iskeyword(wish) and wish not in RESERVED else wish + "_"
    return wish if wish not in taken else next(f"{wish}_{i}" for i in range(2, 10_000) if f"{wish}_{i}" not in taken)
