"""Comparing an answer with the truth, element by element, in steps of the answer's own number format."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from geak_evaluator.proof.numbers import Array, step
from geak_evaluator.schema.dtypes import resolve
from geak_evaluator.schema.verdict import Mismatch

_CHUNK = 1 << 20


@dataclass(frozen=True)
class Agreement:
    """How one output compares."""

    steps: float
    mismatch: Mismatch | None = None


def compare(path: str, got: Array, truth: Array, format: str, tolerance: float) -> Agreement:
    """Whether every element is within the tolerance; NaN agrees only with NaN, and infinity with the same infinity."""
    if resolve(format).kind != "float":
        wrong = got != truth if tolerance == 0 else np.abs(got.astype(np.float64) - truth) > tolerance
        return Agreement(0.0, _mismatch(path, got, truth, wrong) if wrong.any() else None)
    floor = _scale(truth)
    worst, wrong = 0.0, np.zeros(truth.shape, bool)
    for part in _chunks(truth.shape):
        errors = _errors(got[part], truth[part], format, floor)
        wrong[part] = errors > tolerance
        if errors.size:
            worst = max(worst, float(errors.max()))
    return Agreement(worst, _mismatch(path, got, truth, wrong) if wrong.any() else None)


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
    if math.isnan(mismatch.got) and not math.isnan(mismatch.expected):
        got += " (never written?)"
    return f"wrong at {where}: got {got}, expected {expected}; {share}{pattern}"


def _mismatch(path: str, got: Array, truth: Array, wrong: Array) -> Mismatch:
    first = tuple(int(i) for i in np.unravel_index(int(np.argmax(wrong)), wrong.shape))
    count = int(wrong.sum())
    return Mismatch(path, first, got[first].item(), truth[first].item(), count, wrong.size, _pattern(wrong, count))


def _pattern(wrong: Array, count: int) -> str:
    if count == wrong.size:
        return "everything"
    if wrong.ndim == 0:
        return ""
    columns = wrong.reshape(-1, wrong.shape[-1])
    bad_columns, bad_rows = np.flatnonzero(columns.any(axis=0)), np.flatnonzero(columns.any(axis=1))
    width, height = columns.shape[1], columns.shape[0]
    if _tail(bad_columns, width):
        return f"only from column {bad_columns[0]} of {width} on: look at the mask of the last tile"
    if _tail(bad_rows, height):
        return f"only from row {bad_rows[0]} of {height} on: look at the mask of the last rows"
    if height > 1 and bad_rows.size == 1:
        return f"only in row {bad_rows[0]}"
    if width > 1 and bad_columns.size == 1:
        return f"only in column {bad_columns[0]}"
    return f"{bad_rows.size} of {height} rows"


def _tail(indices: Array, size: int) -> bool:
    """Whether these are the last few of so many, without a gap."""
    return bool(size > 3 and indices[-1] == size - 1 and indices[-1] - indices[0] + 1 == indices.size <= size // 2)


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
