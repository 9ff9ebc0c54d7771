"""Hidden cases far beyond those that a spec shows: one axis near its end, or more elements than any shown case has.

A kernel may be right at every size that is small, and cut, or leave out, what is large.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from math import prod

from geak_evaluator.proof import shapes
from geak_evaluator.schema import domain, expr
from geak_evaluator.schema.spec import Axis, Case, Scalar, Spec

MOST_ELEMENTS = 1 << 19
"""Of inputs and outputs together: the interpreter carries out an operation on so many in some milliseconds."""
_STEP = 8
"""How much smaller the next case of a row is, where one is more than can be carried out."""
_DRAWS = 16
_WIDER = 8
"""How many times the elements of the largest shown case a wide one may have."""

Row = tuple[Case, ...]
"""Cases of one kind, the largest first: one of them is enough."""


def rows(spec: Spec, count: int, rng: random.Random) -> tuple[Row, ...]:
    """What to try, in this order, where so many cases are wanted: rows of long cases, and one of wide ones.

    A single one is long and has more elements than any that is shown, where there is such a case; of several the second
    is wide.
    """
    most = shapes.most_shown(spec)
    names = [name for name, axis in spec.axes.items() if not axis.choices and axis.max > shapes.far(spec, name)]
    rng.shuffle(names)
    found = [row for name in names if (row := tuple(_long(spec, name, rng)))]
    found.sort(key=lambda row: shapes.elements(spec, row[0]) <= most)
    large = sum(shapes.elements(spec, row[0]) > most for row in found)
    found.insert(1 if count > 1 else rng.randint(large, len(found)), _wide(spec, rng))
    return tuple(row for row in found if row)


def _long(spec: Spec, name: str, rng: random.Random) -> Iterator[Case]:
    """One axis near its end, or as near as a case may come, and the others as small as the domain allows."""
    axis = spec.axes[name]
    end = min(axis.max, MOST_ELEMENTS)
    size = rng.randint(end - end // 4, end)
    while size > shapes.far(spec, name):
        case = _slim(spec, name, size - size % axis.multiple_of, rng)
        if case is not None and _volume(spec, case) <= MOST_ELEMENTS:
            yield case
            size //= _STEP
        else:
            size -= size // 4


def _slim(spec: Spec, name: str, size: int, rng: random.Random) -> Case | None:
    """The smallest of some cases in which the other axes are as small as they may be, or as long as this one."""
    least = {other: axis.choices or (_up(axis.min, axis),) for other, axis in spec.axes.items()}
    alike = {other: (*sizes, _up(size, spec.axes[other])) for other, sizes in least.items()}
    for choices in (least, alike):
        axes = {
            other: Axis(choices=tuple(dict.fromkeys(one for one in sizes if one in spec.axes[other])))
            for other, sizes in choices.items()
        }
        axes[name] = Axis(choices=(size,))
        drawn = [case for _ in range(_DRAWS) if (case := _drawn(spec, axes, rng)) is not None]
        if drawn:
            return min(drawn, key=lambda case: _volume(spec, case))
    return None


def _up(size: int, axis: Axis) -> int:
    return -(-size // axis.multiple_of) * axis.multiple_of


def _wide(spec: Spec, rng: random.Random) -> Row:
    """More elements than any shown case has, by no axis alone."""
    most = shapes.most_shown(spec)
    axes = {
        name: axis if axis.choices else replace(axis, max=max(min(axis.max, shapes.far(spec, name)), axis.min))
        for name, axis in spec.axes.items()
    }
    drawn = (_drawn(spec, axes, rng) for _ in range(12 * _DRAWS))
    wide = [
        case
        for case in drawn
        if case is not None
        and shapes.MUCH * most <= shapes.elements(spec, case) <= _WIDER * most
        and _volume(spec, case) <= MOST_ELEMENTS
    ]
    return tuple(sorted(wide[:2], key=lambda case: -_volume(spec, case)))


def _drawn(spec: Spec, axes: dict[str, Axis], rng: random.Random) -> Case | None:
    sizes = domain.draw(replace(spec, axes=axes), rng, tries=8)
    if sizes is None:
        return None
    sizes |= {n: rng.choice(s.choices) for n, s in spec.inputs.items() if isinstance(s, Scalar) and s.choices}
    without = tuple(n for n, t in spec.tensors.items() if t.optional and rng.random() < 0.5)
    try:
        inside = domain.holds(spec, domain.with_scalars(spec, sizes))
    except expr.ExprError:
        inside = False
    return Case(sizes, without=without) if inside else None


def _volume(spec: Spec, case: Case) -> int:
    """The elements of inputs and declared outputs."""
    try:
        sizes = domain.with_scalars(spec, case.sizes)
        made = sum(prod(domain.shape(leaf.shape, sizes)) for _, leaf in domain.outputs(spec))
    except expr.ExprError:
        return 1 << 62
    return shapes.elements(spec, case) + made
