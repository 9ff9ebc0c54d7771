"""What a kernel tells the compiler of how numbers lie: it widens loads and stores by that, and asks nobody."""

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

_WIDEST = 32
"""Bytes, or elements of one: no load or store is wider, and of what is said beyond that no compiler makes anything."""


def _multiple(data: Array, values: Sequence[int], unit: int) -> bool:
    """The first number of each run along a dimension is a multiple of what is said of that dimension.

    Of a block that runs on along one dimension, `[16, 16]` is often said of both: along the other no two numbers follow
    each other or are alike, so that nothing is widened there.
    """
    values = [math.gcd(value, _WIDEST) for value in values]
    if data.size == 1:
        return not (data % data.dtype.type(values[0])).any()
    runs = [_runs(np.moveaxis(data, axis, 0), unit) for axis in range(len(values))]
    for axis, value in enumerate(values):
        lines, first = np.moveaxis(data, axis, 0), ~runs[axis]
        if value > 1 and (lines[first] % lines.dtype.type(value)).any():
            apart = len(lines) > 1 and first.all() and not (lines[1:] == lines[:-1]).any()
            if not apart or not any(run.any() for run in runs):
                return False
    return True


def _runs(lines: Array, unit: int) -> NDArray[np.bool_]:
    """Which numbers follow the one before them along the first axis."""
    follows = np.zeros(lines.shape, np.bool_)
    follows[1:] = lines[1:] == lines[:-1] + lines.dtype.type(unit)
    return follows


def _contiguous(data: Array, values: Sequence[int], unit: int) -> bool:
    """Numbers run on within each group, or fall back to where there is something: `% M` and `where(at < M, at, 0)`.

    What those load behind the end is never stored, and many a kernel promises so of them.
    """
    for groups in _groups(data, values):
        steps = np.arange(len(groups), dtype=groups.dtype) * groups.dtype.type(unit)
        if (groups > groups[0] + steps.reshape(-1, *[1] * (groups.ndim - 1))).any():
            return False
    return True


def _constant(data: Array, values: Sequence[int], unit: int) -> bool:
    """All are the same within each group."""
    return all((groups == groups[0]).all() for groups in _groups(data, values))


def _groups(data: Array, values: Sequence[int]) -> Iterator[Array]:
    """For each dimension: as many as are said that follow each other along it, as the first axis."""
    for axis, value in enumerate(values):
        lines = np.moveaxis(data, axis, 0)
        size = min(math.gcd(max(value, 1), _WIDEST), lines.shape[0])
        yield np.moveaxis(lines.reshape(-1, size, *lines.shape[1:]), 1, 0)


HOLDS: dict[str, Callable[[Array, Sequence[int], int], bool]] = {
    "multiple_of": _multiple,
    "max_contiguous": _contiguous,
    "max_constancy": _constant,
}
"""Whether a hint is so, by its name: of numbers, or of addresses that lie `unit` bytes apart."""
