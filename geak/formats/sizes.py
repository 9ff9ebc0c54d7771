"""Sizes of a call made smaller."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from geak.formats.written import Sizes
from geak_evaluator.schema import expr
from geak_evaluator.schema.observed import Sketch

_NATIVE = 4
"""So many times what a scale allows a case may have and still be run at the benchmark's own size."""


def elements(sketch: Sketch, sizes: Sizes) -> int:
    """Of all tensors that a call passes."""
    return sum(prod(_dim(d, sizes) for d in shape) for shape in sketch.shapes.values())


def _dim(text: str, sizes: Sizes) -> int:
    return int(text) if text.isdigit() else expr.integer(text, sizes)


def _names(shape: Sequence[str]) -> set[str]:
    return {name for text in shape for name in expr.names_in(text)}


def scaled(sketch: Sketch, number: int, most: int, least: int = 16) -> Sizes:
    """One call's sizes, all divided by the same power of 2 until they are few enough; none falls below `least`.

    A size that was no larger than another stays so, and a power of 2 stays one. Sizes of literal values stay.
    """
    whole = sizes = sketch.cases[number]
    held = {axis for name in sketch.values[number] for axis in _names(sketch.shapes.get(name, ()))}
    loose = [axis for axis in sketch.axes if axis not in held and whole[axis] > least]
    divisor = 1
    while elements(sketch, sizes) > (_NATIVE * most if divisor == 1 else most) and divisor < 1 << 24:
        divisor *= 2
        sizes = {**whole, **{axis: max(least, -(-whole[axis] // divisor)) for axis in loose}}
    return dict(sizes)


def in_proportion(sketch: Sketch, number: int, most: int) -> Sizes:
    """The same without a least: each size that can be is divided, so that what was a multiple of another stays one."""
    whole = sizes = sketch.cases[number]
    held = {axis for name in sketch.values[number] for axis in _names(sketch.shapes.get(name, ()))}
    divisor = 1
    while elements(sketch, sizes) > most and divisor < 1 << 24:
        divisor *= 2
        loose = [axis for axis in sketch.axes if axis not in held and whole[axis] % divisor == 0]
        sizes = {**whole, **{axis: whole[axis] // divisor for axis in loose}}
    return dict(sizes)
