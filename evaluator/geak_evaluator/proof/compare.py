"""Comparing an answer with the truth, element by element, in steps of the answer's own number format."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from geak_evaluator.proof.numbers import Array, step, untouched
from geak_evaluator.schema.dtypes import resolve
from geak_evaluator.schema.verdict import Mismatch

_CHUNK = 1 << 20
_FEW = 8
"""Of fewer rows or columns, some that lie together are wrong by chance as easily as by a mask."""


@dataclass(frozen=True)
class Agreement:
    """How one output compares."""

    steps: float
    mismatch: Mismatch | None = None


def compare(path: str, got: Array, truth: Array, format: str, tolerance: float) -> Agreement:
    """Whether every element is within the tolerance; NaN agrees only with NaN, and infinity with the same infinity."""
    if resolve(format).kind != "float":
        wrong = got != truth if tolerance == 0 else np.abs(got.astype(np.float64) - truth) > tolerance
        return Agreement(0.0, _mismatch(path, got, truth, wrong, format) if wrong.any() else None)
    floor = _scale(truth)
    worst, wrong = 0.0, np.zeros(truth.shape, bool)
    for part in _chunks(truth.shape):
        errors = _errors(got[part], truth[part], format, floor)
        wrong[part] = errors > tolerance
        if errors.size:
            worst = max(worst, float(errors.max()))
    return Agreement(worst, _mismatch(path, got, truth, wrong, format) if wrong.any() else None)


def _errors(got: Array, truth: Array, format: str, floor: float) -> Array:
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
        errors: Array = np.where(same, 0.0, np.where(finite & ~np.isnan(got), np.abs(given - known) / steps, np.inf))
    return errors


def _scale(truth: Array) -> float:
    """The typical magnitude of an output: next to it, an element that cancelled to almost nothing is no smaller."""
    total, count = 0.0, 0
    for part in _chunks(truth.shape):
        values = truth[part]
        values = values[np.isfinite(values)]
        with np.errstate(over="ignore"):
            total += float(np.sum(np.square(values)))
        count += values.size
    return float(np.sqrt(total / count)) if count and np.isfinite(total) else 0.0


def _chunks(shape: tuple[int, ...]) -> Iterator[tuple[slice, ...]]:
    if not shape:
        yield ()
        return
    row = int(np.prod(shape[1:], dtype=np.int64)) or 1
    rows = max(1, _CHUNK // row)
    for start in range(0, shape[0], rows):
        yield (slice(start, start + rows),)


def describe(mismatch: Mismatch, *, several: bool) -> str:
    """A mismatch as a person reads it."""
    index = ", ".join(map(str, mismatch.index))
    where = f"{mismatch.output}[{index}]" if several else f"[{index}]"
    share = f"{mismatch.wrong} of {mismatch.elements} elements"
    pattern = f", {mismatch.pattern}" if mismatch.pattern else ""
    got, expected = (f"{v:.6g}" if isinstance(v, float) else str(v) for v in (mismatch.got, mismatch.expected))
    return f"wrong at {where}: got {got}, expected {expected}; {share}{pattern}"


def _mismatch(path: str, got: Array, truth: Array, wrong: Array, format: str) -> Mismatch:
    first = tuple(int(i) for i in np.unravel_index(int(np.argmax(wrong)), wrong.shape))
    count = int(wrong.sum())
    where, tail = _pattern(wrong, count)
    left = untouched(got[wrong], format)
    left &= np.isnan(got[wrong]) | where.startswith("only from")  # -1 may well be what was written
    if left.all():
        where += ", never written? look at the grid and the mask of the store"
    elif left.any():
        where += f", {left.sum()} of them never written?"
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
