"""Which cases a verdict runs: those that a spec shows, in which order and which of them again, and the hidden ones."""

from __future__ import annotations

import random
from math import prod

from geak_evaluator.proof import shapes
from geak_evaluator.schema import domain, layout
from geak_evaluator.schema.spec import Case, Scalar, Spec, Value

_GATE_ELEMENTS = 1 << 14
"""The gate takes the first case that is no larger: a spec's first is its author's idea of an ordinary one."""
_LONG_ELEMENTS = 1 << 17
"""Larger cases are not run again with each configuration."""
_IN_TURN = 3
"""Among how many of the smallest cases other values and configurations take turns."""


class Choice:
    """The cases of one spec, as they are on one target."""

    def __init__(self, spec: Spec, target: str, hidden: int) -> None:
        """With so many `hidden` ones, drawn anew."""
        self._spec, self._target = spec, target
        self.shown = domain.expand(spec, spec.cases) or (Case({}),)
        self.hidden = shapes.hidden(spec, hidden, random.SystemRandom())

    def size(self, case: Case) -> int:
        """How many elements its inputs have."""
        return sum(prod(slot.shape) for slot in layout.inputs(self._spec, case, self._target))

    def in_order(self) -> list[Case]:
        """The shown ones, that of the gate first."""
        return sorted(self.shown, key=lambda case: self.size(case) > _GATE_ELEMENTS)

    def telling(self) -> list[Case]:
        """The smallest case, and those of which an axis is the longest: what a block is too short for shows there."""
        ordered = sorted(self.shown, key=self.size)
        small = [case for case in ordered if self.size(case) <= _LONG_ELEMENTS] or ordered[:1]
        length = {name: [case.sizes.get(name, 0) for case in small] for name in self._spec.axes}
        longest = [small[sizes.index(max(sizes))] for sizes in sorted(length.values(), key=max, reverse=True)]
        return list({str(case): case for case in (ordered[0], *longest, *ordered)}.values())[:_IN_TURN]

    def by_numbers(self) -> list[list[Case]]:
        """The smallest with each choice of numbers that are arguments: an epsilon shows in few of them."""
        found: dict[tuple[Value, ...], list[Case]] = {}
        for case in sorted(self.shown, key=self.size):
            numbers = tuple(
                value for name, value in case.sizes.items() if isinstance(self._spec.inputs.get(name), Scalar)
            )
            found.setdefault(numbers, []).append(case)
        return [cases[:_IN_TURN] for cases in found.values()][:_IN_TURN]

    def ragged(self) -> list[Case]:
        """Those of the hidden that no tile fits; all of them, if each fits one."""
        found = [case for case in self.hidden if shapes.kind(case, self._spec) == shapes.RAGGED]
        return found or list(self.hidden)

    def one_hidden(self) -> list[Case]:
        """Any of the hidden, if there are some."""
        return random.SystemRandom().sample(self.hidden, min(len(self.hidden), 1))
