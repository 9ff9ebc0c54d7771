"""The case that configurations are compiled for: of sizes as they are in practice, and small enough to be recorded."""

from __future__ import annotations

from collections.abc import Iterator

from geak_evaluator.schema import domain, layout
from geak_evaluator.schema.dtypes import resolve
from geak_evaluator.schema.spec import Case, Spec

_MOST_ELEMENTS = 1 << 20
_MOST_SHOWN = 12
_SMALL = 64
"""A size is not made smaller than that."""


def ordinary(spec: Spec, target: str) -> Iterator[Case]:
    """Cases to compile for, the best first: what a spec is timed at, made smaller; then those that it shows.

    Sizes that a power of two divides let Triton widen loads and stores, as the large ones of practice do; those that a
    spec shows are chosen to be awkward.
    """
    for bench in spec.bench if spec.contract != "module" else ():  # how large its parameters are is not said here
        smaller = _smaller(spec, domain.expand(spec, (bench,))[0], target)
        if smaller is not None:
            yield smaller
    yield from sorted(shown(spec, target), key=lambda case: -_elements(spec, case, target))
    every = domain.expand(spec, spec.cases) or (Case({}),)
    yield min(every, key=lambda case: _elements(spec, case, target))


def shown(spec: Spec, target: str) -> tuple[Case, ...]:
    """The cases that a spec shows, as far as they are small enough to be recorded many times."""
    every = domain.expand(spec, spec.cases) or (Case({}),)
    return tuple(case for case in every if _elements(spec, case, target) <= _MOST_ELEMENTS)[:_MOST_SHOWN]


def wider(spec: Spec, case: Case, target: str) -> tuple[Case, ...]:
    """The same case in the widest of the types that it may have: what fits there, fits in the others."""
    types = {name: choices for name, choices in spec.dtypes.items() if case.sizes.get(name) in choices}
    widest = {name: max(choices, key=lambda one: resolve(one, target).bytes) for name, choices in types.items()}
    found = Case({**case.sizes, **widest}, without=case.without)
    same = all(
        resolve(str(case.sizes[name]), target).bytes == resolve(one, target).bytes for name, one in widest.items()
    )
    fits = domain.holds(spec, domain.with_scalars(spec, found.sizes))
    return () if same or not fits else (found,)


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
