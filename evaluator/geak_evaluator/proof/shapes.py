"""Hidden cases: sizes from a spec's domain that it does not show, near those that it does."""

from __future__ import annotations

import random
from dataclasses import replace
from math import prod

from geak_evaluator.schema import domain, expr
from geak_evaluator.schema.spec import Axis, Case, Scalar, Spec, Value

_STRETCH = 2
"""How far a hidden size may go beyond the largest that is shown; work grows with it."""
_SMALL = 64
_TILES = (256, 128, 64)
_FEW_ELEMENTS = 1 << 11
RAGGED = "a size that is no multiple of a tile"


def hidden(spec: Spec, count: int, rng: random.Random) -> tuple[Case, ...]:
    """Up to so many cases of the domain that no shown case has; fewer where there are no more small ones.

    Sizes that are no multiple of a tile and sizes that are whole tiles take turns, where the domain has both: a kernel
    may have a branch for either.
    """
    near = replace(spec, axes={name: _near(name, axis, spec) for name, axis in spec.axes.items()})
    shown = [case.sizes for case in domain.expand(spec, spec.cases)]
    allowed = max([_FEW_ELEMENTS, *(_elements(spec, Case(sizes)) for sizes in shown)])
    found: list[Case] = []
    for attempt in range(50 * count):
        sizes = domain.draw(near, rng, tries=20)
        if len(found) == count or sizes is None:
            break
        whole = {name: tiles for name, axis in near.axes.items() if (tiles := _whole(sizes[name], axis))}
        if attempt % 2 and whole:
            name = rng.choice(list(whole))
            sizes[name] = whole[name]
        elif whole and attempt < 25 * count and not any(_ragged(sizes[name]) for name in whole):
            continue
        sizes |= {n: rng.choice(s.choices) for n, s in spec.inputs.items() if isinstance(s, Scalar) and s.choices}
        without = tuple(n for n, t in spec.tensors.items() if t.optional and rng.random() < 0.5)
        case = Case(sizes, without=without)
        fresh = sizes not in shown and case not in found
        if fresh and domain.holds(spec, domain.with_scalars(spec, sizes)) and _elements(spec, case) <= allowed:
            found.append(case)
    return tuple(found)


def kind(case: Case, spec: Spec) -> str:
    """All that may be told of a hidden case: the class of its sizes."""
    shown = {(name, size) for one in spec.cases for name, size in one.sizes.items()}
    sizes = [size for name, size in case.sizes.items() if name in spec.axes and isinstance(size, int)]
    fresh = [size for name, size in case.sizes.items() if name in spec.axes and (name, size) not in shown]
    if 0 in fresh:
        return "a size of 0"
    if 1 in fresh:
        return "a size of 1"
    if any(map(_ragged, fresh or sizes)):
        return RAGGED
    return "sizes that no case shows"


def _ragged(size: Value) -> bool:
    return isinstance(size, int) and size % 16 != 0


def _whole(size: Value, axis: Axis) -> int:
    """The next multiple of a tile; 0 where there is none in the axis."""
    assert isinstance(size, int)
    return next((whole for tile in _TILES if (whole := -(-size // tile) * tile) in axis), 0)


def _near(name: str, axis: Axis, spec: Spec) -> Axis:
    if axis.choices:
        return axis
    largest = max((s for case in spec.cases if isinstance(s := case.sizes.get(name), int)), default=axis.min)
    most = max(min(axis.max, max(_STRETCH * largest, _SMALL)), axis.min)
    if most // axis.multiple_of * axis.multiple_of < axis.min:
        most = axis.max
    return replace(axis, max=most)


def _elements(spec: Spec, case: Case) -> int:
    try:
        sizes = domain.with_scalars(spec, case.sizes)
        return sum(prod(domain.shape(t.shape, sizes)) for t in spec.tensors.values())
    except expr.ExprError:
        return 1 << 62
