"""What of a recorded call bears on its result: work for a decision on the host alone is no part of a plan."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any, TypeVar

from geak_evaluator.schema import plan

T = TypeVar("T")


@dataclass(frozen=True)
class Noted:
    """A step, with the storages that it reads and those that it writes."""

    step: plan.Step
    reads: frozenset[int] = frozenset()
    writes: frozenset[int] = frozenset()


def needed(steps: Sequence[Noted], roots: set[int]) -> set[int]:
    """The storages that something goes into on whose way to a launch, or to one of the `roots`, it is."""
    found = set(roots)
    before = -1
    while len(found) > before:
        before = len(found)
        for noted in reversed(steps):
            if isinstance(noted.step, plan.Launch) or noted.writes & found:
                found |= noted.reads | noted.writes
    return found


def bears(noted: Noted, found: set[int]) -> bool:
    """Whether a step belongs in the plan."""
    return isinstance(noted.step, plan.Launch) or bool(noted.writes & found)


def renumbered(item: T, numbers: dict[int, int]) -> T:
    """A part of a plan in which storages have other numbers: what was left out must not be seen in them."""
    found: Any = item
    if isinstance(item, tuple):
        found = tuple(renumbered(part, numbers) for part in item)
    elif isinstance(item, dict):
        found = {name: renumbered(part, numbers) for name, part in item.items()}
    elif isinstance(item, plan.View | plan.Allocate):
        found = replace(item, storage=numbers[item.storage])
    elif is_dataclass(item) and not isinstance(item, type):
        values = {field.name: renumbered(getattr(item, field.name), numbers) for field in fields(item)}
        found = type(item)(**values)
    return found  # type: ignore[no-any-return]
