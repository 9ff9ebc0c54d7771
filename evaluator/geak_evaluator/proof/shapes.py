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
MUCH = 4
"""So many times the largest that is shown is far beyond it."""
RAGGED = "a size that is no multiple of a tile"
FAR = "a size far beyond those shown"


def hidden(spec: Spec, count: int, rng: random.Random) -> tuple[Case, ...]:
    """Up to so many cases of the domain that no shown case has; fewer where there are no more small ones.

    Sizes that are no multiple of a tile and sizes that are whole tiles take turns, where the domain has both: a kernel
    may have a branch for either.
    """
    nearby = replace(spec, axes={name: _near(name, axis, spec) for name, axis in spec.axes.items()})
    shown = [case.sizes for case in domain.expand(spec, spec.cases)]
    allowed = most_shown(spec)
    found: list[Case] = []
    for attempt in range(50 * count):
        sizes = domain.draw(nearby, rng, tries=20)
        if len(found) == count or sizes is None:
            break
        whole = {name: tiles for name, axis in nearby.axes.items() if (tiles := _whole(sizes[name], axis))}
        if attempt % 2 and whole:
            name = rng.choice(list(whole))
            sizes[name] = whole[name]
        elif whole and attempt < 25 * count and not any(_ragged(sizes[name]) for name in whole):
            continue
        sizes |= {n: rng.choice(s.choices) for n, s in spec.inputs.items() if isinstance(s, Scalar) and s.choices}
        without = tuple(n for n, t in spec.tensors.items() if t.optional and rng.random() < 0.5)
        case = Case(sizes, without=without)
        fresh = sizes not in shown and case not in found
        if fresh and domain.holds(spec, domain.with_scalars(spec, sizes)) and elements(spec, case) <= allowed:
            found.append(case)
    return tuple(found)


def kind(case: Case, spec: Spec) -> str:
    """All that may be told of a hidden case: the class of its sizes."""
    shown = {(name, size) for one in spec.cases for name, size in one.sizes.items()}
    sizes = [size for name, size in case.sizes.items() if name in spec.axes and isinstance(size, int)]
    fresh = [size for name, size in case.sizes.items() if name in spec.axes and (name, size) not in shown]
    if elements(spec, case) > most_shown(spec) or any(_is_far(spec, *one) for one in case.sizes.items()):
        return FAR
    if 0 in fresh:
        return "a size of 0"
    if 1 in fresh:
        return "a size of 1"
    if any(map(_ragged, fresh or sizes)):
        return RAGGED
    return "sizes that no case shows"


def near(spec: Spec, name: str) -> int:
    """Up to where the sizes of an axis are no further than the shown ones from each other."""
    largest = max((s for case in spec.cases if isinstance(s := case.sizes.get(name), int)), default=spec.axes[name].min)
    return max(_STRETCH * largest, _SMALL)


def far(spec: Spec, name: str) -> int:
    """Beyond this a size of an axis is far from all that are shown."""
    return MUCH // _STRETCH * near(spec, name)


def most_shown(spec: Spec) -> int:
    """The elements of the largest case that is shown."""
    return max([_FEW_ELEMENTS, *(elements(spec, case) for case in domain.expand(spec, spec.cases))])


def elements(spec: Spec, case: Case) -> int:
    """How many elements a case hands to a kernel; more than can be where that has no value."""
    try:
        sizes = domain.with_scalars(spec, case.sizes)
        return sum(prod(domain.shape(t.shape, sizes)) for t in spec.tensors.values())
    except expr.ExprError:
        return 1 << 62


def _is_far(spec: Spec, name: str, size: Value) -> bool:
    return isinstance(size, int) and name in spec.axes and not spec.axes[name].choices and size > far(spec, name)


def _ragged(size: Value) -> bool:
    return isinstance(size, int) and size % 16 != 0


def _whole(size: Value, axis: Axis) -> int:
    """The next multiple of a tile; 0 where there is none in the axis."""
    assert isinstance(size, int)
    return next((whole for tile in _TILES if (whole := -(-size // tile) * tile) in axis), 0)


def _near(name: str, axis: Axis, spec: Spec) -> Axis:
    if axis.choices:
        return axis
    most = max(min(axis.max, near(spec, name)), axis.min)
    if most // axis.multiple_of * axis.multiple_of < axis.min:
        most = axis.max
    return replace(axis, max=most)
