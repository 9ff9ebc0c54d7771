"""The case that configurations are compiled for: of sizes as they are in practice, and small enough to be recorded."""

from __future__ import annotations

from collections.abc import Iterator

from geak_evaluator.schema import domain, layout
from geak_evaluator.schema.spec import Case, Spec

_MOST_ELEMENTS = 1 << 20
_SMALL = 64
"""A size is not made smaller than that."""


def ordinary(spec: Spec, target: str) -> Iterator[Case]:
    """Cases to compile for, the best first: what a spec is timed at, made smaller; then those that it shows.

    Sizes that a power of two divides let Triton widen loads and stores, as the large ones of practice do; those that a
    spec shows are chosen to be awkward.
    """
    for bench in spec.bench:
        for case in domain.expand(spec, (bench,))[:1]:
            smaller = _smaller(spec, case, target)
            if smaller is not None:
                yield smaller
    shown = domain.expand(spec, spec.cases) or (Case({}),)
    fitting = [case for case in shown if _elements(spec, case, target) <= _MOST_ELEMENTS]
    yield from sorted(fitting, key=lambda case: -_elements(spec, case, target))
    yield from sorted(shown, key=lambda case: _elements(spec, case, target))[:1]


def _smaller(spec: Spec, case: Case, target: str) -> Case | None:
    """A case with its sizes halved in turn, from the first axis on, until it fits; None where it never does."""
    sizes = dict(case.sizes)
    for name in spec.axes:
        while _elements(spec, Case(sizes, without=case.without), target) > _MOST_ELEMENTS:
            size = sizes.get(name)
            if not isinstance(size, int) or size % 2 or size // 2 < _SMALL:
                break
            halved = {**sizes, name: size // 2}
            if not domain.holds(spec, domain.with_scalars(spec, halved)):
                break
            sizes = halved
    found = Case(sizes, without=case.without)
    return found if _elements(spec, found, target) <= _MOST_ELEMENTS else None


def _elements(spec: Spec, case: Case, target: str) -> int:
    return sum(slot.elements for slot in layout.inputs(spec, case, target))
