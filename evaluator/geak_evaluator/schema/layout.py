"""Where tensors lie in a shared memory: format, shape, strides, offset; computed by the judge, checked when told."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from geak_evaluator.schema import domain, dtypes
from geak_evaluator.schema.spec import Case, Spec, Value

_ALIGN = 256
_APART = 1 << 14
"""Bytes between tensors that belong to none: what reaches past one would else lie within the next, and go unnoticed."""
MAX_RANK = 16


@dataclass(frozen=True)
class Slot:
    """One tensor's place."""

    path: str
    """The argument's name, or where in a nest of outputs it stands."""
    format: str
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    """In elements."""
    offset: int = 0

    @property
    def elements(self) -> int:
        """How many elements its storage spans, gaps included."""
        if 0 in self.shape:
            return 0
        return 1 + sum((size - 1) * stride for size, stride in zip(self.shape, self.strides, strict=True))

    @property
    def bytes(self) -> int:
        """How many bytes its storage spans."""
        return self.elements * dtypes.resolve(self.format).bytes

    @property
    def end(self) -> int:
        """The first byte behind it."""
        return self.offset + self.bytes


def contiguous(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Row-major strides."""
    strides = []
    step = 1
    for size in reversed(shape):
        strides.append(step)
        step *= max(size, 1)
    return tuple(reversed(strides))


def place(slots: Iterable[Slot], start: int = 0) -> tuple[Slot, ...]:
    """Lays tensors out one behind another, each on its own cache lines and well away from the next."""
    placed = []
    offset = start
    for slot in slots:
        offset = math.ceil((offset + _APART) / _ALIGN) * _ALIGN
        placed.append(replace(slot, offset=offset))
        offset += slot.bytes
    return tuple(placed)


def extent(slots: Iterable[Slot]) -> int:
    """The bytes that a memory needs to hold them all."""
    return max((slot.end for slot in slots), default=0)


def inputs(spec: Spec, case: Case, target: str) -> tuple[Slot, ...]:
    """The tensor inputs of one case on one target."""
    sizes: Mapping[str, Value] = domain.with_scalars(spec, case.sizes)
    slots = []
    for name, tensor in spec.tensors.items():
        if name in case.without:
            continue
        shape = domain.shape(tensor.shape, sizes)
        strides = domain.shape(tensor.strides, sizes) if tensor.strides else contiguous(shape)
        slots.append(Slot(name, spec.format(tensor.dtype, sizes, target).name, shape, strides))
    return place(slots)


def check(slots: Iterable[Slot], limit: int) -> str:
    """What is wrong with a layout that a child told us; empty where nothing is."""
    for slot in slots:
        if slot.format not in dtypes.FORMATS:
            return f"{slot.path}: there is no format {slot.format!r}"
        if len(slot.shape) > MAX_RANK or len(slot.strides) != len(slot.shape):
            return f"{slot.path}: {len(slot.shape)} dimensions with {len(slot.strides)} strides"
        if any(not 0 <= n <= limit for n in (*slot.shape, *slot.strides, slot.offset)):
            return f"{slot.path}: shape {slot.shape} with strides {slot.strides} at {slot.offset}"
        # Also where strides of 0 or a size of 0 make the storage small: numpy must be able to hold the shape.
        if math.prod(max(n, 1) for n in slot.shape) * dtypes.FORMATS[slot.format].bytes > limit:
            return f"{slot.path}: shape {slot.shape} is too large"
        if slot.end > limit:
            return f"{slot.path}: it ends at byte {slot.end} of {limit}"
    return ""
