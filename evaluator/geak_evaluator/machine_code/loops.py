"""The inner loops of machine code: what one wave issues in a turn, what it keeps busy, and what it waits for.

A turn is played by the wave alone, a few times over: `amd_loops` in the order of the instructions, with the waits that
the compiler wrote; `nvidia_loops` as the registers of the PTX ask for it, since ptxas has yet to put it in order.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections import Counter, defaultdict
from collections.abc import Sequence

from geak_evaluator.machine_code.cores import Core
from geak_evaluator.schema.machine_code import Counts, Loop

TURNS, TIMED = 8, 4
"""Turns that are played, and how many of the last are timed: those before fill the pipeline."""
MOST = 16
"""Loops of one kernel that are looked at."""


class Played(ABC):
    """One wave or warp on one core, while its loop is played."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self.now = 0.0
        self.ready: dict[str, float] = {}
        """When a register has its value."""
        self.matrix_free = 0.0
        """When the matrix unit is."""
        self.area = 0
        """Elements of the result of its last matrix instruction."""
        self.tally: Counter[str] = Counter()
        self.busy: defaultdict[str, float] = defaultdict(float)
        """Of this turn: what it issued, and the cycles for which a unit was kept busy."""

    def value_of(self, registers: Sequence[str]) -> float:
        """When all of these registers have their values."""
        return max((self.ready.get(name, 0.0) for name in registers), default=0.0)

    def write(self, registers: Sequence[str], when: float) -> None:
        """These registers have their values then."""
        for name in registers:
            self.ready[name] = when

    def compute(self, *, special: bool) -> int:
        """How long an instruction on the lanes keeps them busy."""
        cost = self._core.special if special else self._core.vector
        self.tally["special" if special else "vector"] += 1
        self.busy["vector"] += cost
        return cost

    def multiply(self, start: float, shape: tuple[int, int, str]) -> float:
        """When a matrix instruction begins: not before the unit is free."""
        operations, self.area, words = shape
        cost = operations / self._core.matrix.get(words, self._core.matrix["fp16"])
        start = max(start, self.matrix_free)
        self.matrix_free = start + cost
        self.busy["matrix"] += cost
        self.tally["operations"] += operations
        return start

    @abstractmethod
    def step(self, name: str, operands: str) -> None:
        """One instruction."""

    @abstractmethod
    def turn(self) -> None:
        """What is to be done when the loop turns."""

    def loop(self, code: Sequence[tuple[str, str]], counts: Counts) -> Loop:
        """Its loop, by the instructions with their operands."""
        ends = []
        for _ in range(TURNS):
            self.tally.clear()
            self.busy.clear()
            for name, operands in code:
                self.step(name, operands)
            self.turn()
            ends.append(self.now)
        span = max((ends[-1] - ends[-1 - TIMED]) / TIMED, self.busy["issue"])
        return Loop(
            counts=counts,
            vector=self.tally["vector"],
            special=self.tally["special"],
            scalar=self.tally["scalar"],
            waits=self.tally["waits"],
            operations=self.tally["operations"],
            area=self.area,
            span=round(span, 2),
            busy={unit: round(self.busy[unit], 2) for unit in ("issue", "vector", "matrix", "shared", "memory")},
        )


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
