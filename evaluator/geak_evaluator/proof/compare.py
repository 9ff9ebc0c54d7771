"""Comparing an answer with the truth, element by element, in steps of the answer's own number format."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from geak_evaluator.proof.numbers import Array, Stored, step, untouched
from geak_evaluator.schema.dtypes import resolve
from geak_evaluator.schema.verdict import Mismatch

_CHUNK = 1 << 17
"""Elements that are looked at together: each takes some hundred bytes meanwhile."""
_SUMMED = 1 << 20
"""Elements that are squared and summed together, which takes ten bytes for each."""
_FEW = 8
"""Of fewer rows or columns, some that lie together are wrong by chance as easily as by a mask."""


UNWRITTEN = "never written? look at the grid and the mask of the store"


@dataclass(frozen=True)
class Agreement:
    """How one output compares."""

    steps: float
    mismatch: Mismatch | None = None


def compare(path: str, got: Array | Stored, truth: Array, format: str, tolerance: float) -> Agreement:
    """Whether every element is within the tolerance; NaN agrees only with NaN, and infinity with the same infinity."""
    is_float = resolve(format).kind == "float"
    floor = scale(truth) if is_float else 0.0
    worst, wrong = 0.0, None
    for part in _chunks(truth.shape, _CHUNK):
        if is_float:
            far = errors(got[part], truth[part], format, floor)
            worst = max(worst, float(far.max(initial=0.0)))
            beyond = far > tolerance
        elif tolerance == 0:
            beyond = got[part] != truth[part]
        else:
            beyond = np.abs(got[part].astype(np.float64) - truth[part]) > tolerance
        if beyond.any():
            wrong = np.zeros(truth.shape, bool) if wrong is None else wrong
            wrong[part] = beyond
    return Agreement(worst, None if wrong is None else _mismatch(path, got, truth, wrong, format))


def errors(got: Array, truth: Array, format: str, floor: float) -> Array:
    """The error of each element in steps, measured at the element's size or the output's typical size if larger."""
    kind = resolve(format)
    finite = np.isfinite(truth)
    with np.errstate(invalid="ignore", over="ignore"):
        # A truth that does not fit the format rounds to infinity, which is one step beyond its largest number.
        beyond = kind.largest + float(step(np.asarray(kind.largest), kind))
        known = np.clip(np.where(finite, truth, 0.0), -beyond, beyond)
        given = np.where(finite & ~np.isnan(got), np.clip(got, -beyond, beyond), got)
        steps = step(np.maximum(np.abs(known), min(floor, kind.largest)), kind)
        same = (np.isnan(truth) & np.isnan(got)) | (got == truth)
        found: Array = np.where(same, 0.0, np.where(finite & ~np.isnan(got), np.abs(given - known) / steps, np.inf))
    return found


def scale(truth: Array) -> float:
    """The typical magnitude of an output: next to it, an element that cancelled to almost nothing is no smaller."""
    total, count = 0.0, 0
    for part in _chunks(truth.shape, _SUMMED):
        values = truth[part]
        values = values[np.isfinite(values)]
        with np.errstate(over="ignore"):
            total += float(np.sum(np.square(values, out=values)))
        count += values.size
    return float(np.sqrt(total / count)) if count and np.isfinite(total) else 0.0


def _chunks(shape: tuple[int, ...], most: int) -> Iterator[tuple[Any, ...]]:
    """What to index such a tensor with to see it in pieces of at most so many elements."""
    if not shape:
        yield (...,)
        return
    row = math.prod(shape[1:]) or 1
    if row > most:
        for index in range(shape[0]):
            yield from ((index, *rest) for rest in _chunks(shape[1:], most))
        return
    rows = max(1, most // row)
    for start in range(0, shape[0], rows):
        yield (slice(start, start + rows),)


def describe(mismatch: Mismatch, *, several: bool) -> str:
    """A mismatch as a person reads it."""
    index = ", ".join(map(str, mismatch.index))
    where = f"{mismatch.output}[{index}]" if several else f"[{index}]"
    share = f"{mismatch.wrong} of {mismatch.elements} elements"
    pattern = f", {mismatch.pattern}" if mismatch.pattern else ""
    got, expected = (f"{v:.6g}" if isinstance(v, float) else str(v) for v in (mismatch.got, mismatch.expected))
    handed = " (the gradient that comes in is not contiguous)" if mismatch.output.startswith("grad.") else ""
    return f"wrong at {where}: got {got}, expected {expected}; {share}{pattern}{handed}"


def _mismatch(path: str, got: Array | Stored, truth: Array, wrong: Array, format: str) -> Mismatch:
    first = tuple(int(i) for i in np.unravel_index(int(np.argmax(wrong)), wrong.shape))
    count = int(wrong.sum())
    where, tail = _pattern(wrong, count)
    left = 0
    for part in _chunks(wrong.shape, _CHUNK):
        values = got[part][wrong[part]]
        surely = where.startswith("only from")  # -1 may well be what was written
        left += int((untouched(values, format) & (np.isnan(values) | surely)).sum())
    if left == count:
        where += f", {UNWRITTEN}"
    elif left:
        where += f", {left} of them never written?"
    elif tail:
        where += f": look at the mask of the last {tail}"
    where = where.removeprefix(", ")
    return Mismatch(path, first, got[first].item(), truth[first].item(), count, wrong.size, where)


def _pattern(wrong: Array, count: int) -> tuple[str, str]:
    """Where the wrong elements lie, in words; and if they are the last few, what it is that ends there."""
    if count == wrong.size:
        return "everything", ""
    if wrong.ndim == 0:
        return "", ""
    table = wrong.reshape(-1, wrong.shape[-1])
    height, width = table.shape
    rows, columns = np.flatnonzero(table.any(axis=1)), np.flatnonzero(table.any(axis=0))
    column = "column" if wrong.ndim > 1 else "element"
    for indices, size, name, tile in ((columns, width, column, "tile"), (rows, height, "row", "rows")):
        if _adjacent(indices) and indices[-1] == size - 1 and indices[0] > 0 and size >= _FEW:
            return f"only from {name} {indices[0]} of {size} on", tile if indices.size <= size // 2 else ""
    for indices, size, name in ((rows, height, "row"), (columns, width, column)):
        if size > 1 and indices.size == 1:
            return f"only in {name} {indices[0]}", ""
    if count == rows.size * columns.size:  # a block without a hole; any other is as likely to be chance
        for indices, size, name in ((columns, width, column), (rows, height, "row")):
            if size < _FEW:
                continue
            if indices.size < size and _adjacent(indices):
                return f"only {name}s {indices[0]} to {indices[-1]} of {size}", ""
            if 2 < indices.size < size and len(steps := set(np.diff(indices).tolist())) == 1:
                return f"only one {name} in {steps.pop()}, from {name} {indices[0]} on", ""
    return (f"in {rows.size} of {height} rows" if height > 1 else ""), ""


def _adjacent(indices: Array) -> bool:
    return bool(indices[-1] - indices[0] + 1 == indices.size)


def picked(got: Array | Stored, truth: Array, values: Stored) -> Array:
    """The indices that were given, but the true ones wherever those given are as good."""
    told = np.empty(truth.shape, truth.dtype)
    for part in _chunks(values.shape[:-1], max(1, _CHUNK // max(values.shape[-1], 1))):
        told[part] = np.where(ties(got[part], truth[part], values[part]), got[part], truth[part])
    return told


def ties(got: Array, truth: Array, values: Array) -> Array:
    """Which indices are wrong when any index of an equal value along the last dimension is right."""
    inside = (got >= 0) & (got < values.shape[-1])
    single = got.ndim == values.ndim - 1
    picked, wanted = (
        (np.where(inside, got, 0), truth) if not single else (np.where(inside, got, 0)[..., None], truth[..., None])
    )
    equal = np.take_along_axis(values, picked, -1) == np.take_along_axis(values, wanted, -1)
    wrong: Array = ~(equal[..., 0] if single else equal) | ~inside
    if not single:
        ordered = np.sort(got, axis=-1)
        twice = (ordered[..., 1:] == ordered[..., :-1]).any(axis=-1, keepdims=True)
        wrong = wrong | twice
    return wrong
