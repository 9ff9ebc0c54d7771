"""The branches of a seed's wrapper: types, flags and inputs left out, for which code is emitted one by one."""

from __future__ import annotations

import itertools
import math
import random
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeVar

from geak_evaluator.schema import domain, expr
from geak_evaluator.schema.spec import Axis, Case, Scalar, Spec, Value

MOST = 48
"""More branches than that make no file that anybody would read."""
_FEW_CHOICES = 2
Choice = TypeVar("Choice")
_MULTIPLE = re.compile(r"(\w+) % (\w+) == 0")


class CannotSeed(Exception):
    """Why a compiler writes no kernel for a spec; a sentence, with a next step where there is one."""


@dataclass(frozen=True)
class Branch:
    """One choice of everything that the emitted code does not leave open."""

    types: dict[str, str] = field(default_factory=dict)
    scalars: dict[str, Value] = field(default_factory=dict)
    axes: dict[str, int] = field(default_factory=dict)
    without: tuple[str, ...] = ()
    hints: dict[str, int] = field(default_factory=dict)
    """For every axis a size like those that count."""
    multiples: dict[str, int] = field(default_factory=dict)
    """What the size of an axis is always a multiple of, where that is more than 1."""

    @property
    def sizes(self) -> dict[str, Value]:
        """The hints and everything chosen, as a case has them."""
        return {**self.hints, **self.types, **self.scalars}


def branches(spec: Spec, baked: frozenset[str] = frozenset()) -> tuple[Branch, ...]:
    """Every branch of a spec; `baked` are the numbers whose value the emitted code depends on."""
    free: dict[str, tuple[Value, ...]] = {}
    for name, item in spec.inputs.items():
        if isinstance(item, Scalar) and item.choices and (item.type != "float" or name in baked):
            free[name] = item.choices
    statics = {name: axis.choices for name, axis in spec.axes.items() if 0 < len(axis.choices) <= _FEW_CHOICES}
    optional = [name for name, tensor in spec.tensors.items() if tensor.optional]
    subsets = [c for n in range(len(optional) + 1) for c in itertools.combinations(optional, n)]
    found: list[Branch] = []
    for types in _choices(spec.dtypes):
        for scalars in _choices(free):
            for axes in _choices(statics):
                for without in subsets:
                    branch = Branch(types, scalars, axes, without, multiples=_multiples(spec, {**scalars, **axes}))
                    hints = _hints(spec, branch)
                    if hints is not None:
                        found.append(replace(branch, hints=hints))
    if len(found) > MOST:
        raise CannotSeed(
            f"its choices make {len(found)} kinds of call, each with code of its own, and {MOST} are the most; "
            "leave fewer choices open in the spec"
        )
    if not found:
        raise CannotSeed("no sizes of its domain were found to compile for; check its axes and relations")
    return tuple(found)


def _choices(free: Mapping[str, tuple[Choice, ...]]) -> Iterator[dict[str, Choice]]:
    for chosen in itertools.product(*free.values()):
        yield dict(zip(free, chosen, strict=True))


def _multiples(spec: Spec, chosen: dict[str, Value]) -> dict[str, int]:
    """Multiples are told only where sizes are divided: they make a wrapper harder to read."""
    texts = [
        t for tensor in (*spec.tensors.values(), *(leaf for _, leaf in domain.outputs(spec))) for t in tensor.shape
    ]
    divided = {n for text in (*texts, *spec.where) if "//" in text or "%" in text for n in expr.names_in(text)}
    found = {n: math.gcd(*a.choices) if a.choices else a.multiple_of for n, a in spec.axes.items() if n in divided}
    for relation in spec.where:
        match = _MULTIPLE.fullmatch(relation)
        if match and match[1] in found:
            by = chosen.get(match[2], int(match[2]) if match[2].isdigit() else 1)
            found[match[1]] = math.lcm(found[match[1]], int(by))
    return {name: number for name, number in found.items() if number > 1 and name not in chosen}


def _hints(spec: Spec, branch: Branch) -> dict[str, int] | None:
    """Sizes near the first that is timed, no two the same and none of 1 where that can be."""
    for case in (*spec.bench, *spec.cases, None):
        sizes = dict(case.sizes) if case else domain.draw(spec, random.Random(0))
        if sizes is None:
            continue
        hints = {name: branch.axes.get(name, int(sizes[name])) for name in spec.axes}
        apart = dict(hints)
        for name, axis in spec.axes.items():
            if name not in branch.axes:
                step = branch.multiples.get(name, axis.multiple_of)
                apart[name] = _apart(apart, name, axis, step)
        for tried in (apart, hints):
            whole: dict[str, Value] = {**tried, **branch.types, **branch.scalars}
            if domain.holds(spec, domain.with_scalars(spec, whole)):
                return tried
    return None


def _apart(hints: dict[str, int], name: str, axis: Axis, step: int) -> int:
    others = {size for other, size in hints.items() if other != name}
    size = max(-(-hints[name] // step) * step, 2 if axis.max >= 2 else 1)
    while (size in others or size not in axis) and size < axis.max:
        size += 1
    return size if size in axis and size % step == 0 else hints[name]


def case(spec: Spec, branch: Branch) -> Case:
    """The case whose sizes are the hints."""
    return Case(domain.with_scalars(spec, branch.sizes), without=branch.without)
