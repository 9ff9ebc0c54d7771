"""The inner loops of machine code: what one wave issues in a turn, what it keeps busy, and what it waits for.

A turn is played by the wave alone, a few times over: `amd_loops` in the order of the instructions, with the waits that
the compiler wrote; `nvidia_loops` as the registers of the PTX ask for it, since ptxas has yet to put it in order.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

TURNS, TIMED = 8, 4
"""Turns that are played, and how many of the last are timed: those before fill the pipeline."""
MOST = 16
"""Loops of one kernel that are looked at."""


@dataclass
class Played:
    """Where one wave is while its loop is played."""

    now: float = 0.0
    ready: dict[str, float] = field(default_factory=dict)
    """When a register has its value."""
    matrix_free: float = 0.0
    memory: list[float] = field(default_factory=list)
    """When each access that is on its way will be there, in the order in which they were issued."""
    shared: list[float] = field(default_factory=list)
    passed: dict[str, float] = field(default_factory=dict)
    """When a unit is through with the last of them."""
    groups: list[float] = field(default_factory=list)
    """The same of groups of asynchronous copies; and what is in the group that is open."""
    copying: float = 0.0
    products: list[float] = field(default_factory=list)
    """Of groups of asynchronous products."""

    def value_of(self, registers: Sequence[str]) -> float:
        """When all of these registers have their values."""
        return max((self.ready.get(name, 0.0) for name in registers), default=0.0)

    def write(self, registers: Sequence[str], when: float) -> None:
        """These registers have their values then."""
        for name in registers:
            self.ready[name] = when


def per_turn(ends: Sequence[float]) -> float:
    """Cycles from one turn to the next, by when each of the turns ended."""
    return (ends[-1] - ends[-1 - TIMED]) / TIMED


def left_over(queue: list[float], most: int) -> float:
    """When no more than so many of a queue are on their way; they come back in order."""
    if len(queue) <= most:
        return 0.0
    gone = queue[: len(queue) - most]
    del queue[: len(queue) - most]
    return max(gone)


def innermost(code: Sequence[str], label: re.Pattern[str], branch: re.Pattern[str]) -> list[Sequence[str]]:
    """The bodies of loops that hold no other: from a label to the last branch back to it."""
    at = {found[1]: n for n, line in enumerate(code) if (found := label.match(line))}
    ends: dict[int, int] = {}
    for n, line in enumerate(code):
        found = branch.search(line)
        if found and at.get(found[1], n) < n:
            ends[at[found[1]]] = n
    inner = [
        (start, end)
        for start, end in ends.items()
        if not any(start <= other and last <= end and (start, end) != (other, last) for other, last in ends.items())
    ]
    return [code[start + 1 : end + 1] for start, end in sorted(inner)][:MOST]
