"""Number formats as numpy sees them: bytes to float64 or int64 and back, including those numpy has no name for."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from geak_evaluator.schema.dtypes import Format, resolve
from geak_evaluator.schema.layout import Slot

Array = npt.NDArray[Any]
Bytes = bytes | memoryview

_NUMPY: dict[str, np.dtype[Any]] = {
    "fp64": np.dtype("<f8"),
    "fp32": np.dtype("<f4"),
    "fp16": np.dtype("<f2"),
    "int8": np.dtype("i1"),
    "int16": np.dtype("<i2"),
    "int32": np.dtype("<i4"),
    "int64": np.dtype("<i8"),
    "uint8": np.dtype("u1"),
    "uint16": np.dtype("<u2"),
    "uint32": np.dtype("<u4"),
    "uint64": np.dtype("<u8"),  # as int64 from 2**63 on negative, and still told apart
    "bool": np.dtype("u1"),
}


class Stored:
    """A tensor as it lies in memory, widened part by part: all at once would take up to eight times the memory."""

    def __init__(self, raw: Array, format: str) -> None:
        self._raw, self._format = raw, format
        self.shape: tuple[int, ...] = raw.shape

    def __getitem__(self, part: Any) -> Array:
        return _widened(self._raw[part], self._format)


def decode(data: Bytes, name: str) -> Array:
    """The values behind raw bytes: float64 for every float format, int64 for the others."""
    return _widened(_raw(data, name), name)


def stored(data: Bytes, slot: Slot) -> Stored:
    """The slot whose storage bytes these are, to be decoded in parts."""
    raw = _raw(data, slot.format)
    if slot.elements == 0:
        return Stored(np.zeros(slot.shape, raw.dtype), slot.format)
    strides = tuple(stride * raw.itemsize for stride in slot.strides)
    return Stored(np.lib.stride_tricks.as_strided(raw, slot.shape, strides, writeable=False), slot.format)


def tensor(data: Bytes, slot: Slot) -> Array:
    """The values of a slot whose storage bytes these are, in its shape."""
    flat = decode(data, slot.format)
    if slot.elements == 0:
        return np.zeros(slot.shape, flat.dtype)
    strides = tuple(stride * flat.itemsize for stride in slot.strides)
    return np.lib.stride_tricks.as_strided(flat, slot.shape, strides, writeable=False)


def _raw(data: Bytes, name: str) -> Array:
    return np.frombuffer(data, np.uint8 if name.startswith("fp8") else "<u2" if name == "bf16" else _NUMPY[name])


def _widened(raw: Array, name: str) -> Array:
    if name.startswith("fp8"):
        values: Array = _fp8(name)[raw]
        return values
    with np.errstate(invalid="ignore"):
        if name == "bf16":
            return (raw.astype(np.uint32) << np.uint32(16)).view(np.float32).astype(np.float64)
        return raw.astype(np.float64 if resolve(name).kind == "float" else np.int64, copy=False)


def gaps_agree(before: bytes, after: bytes, slot: Slot) -> bool:
    """Whether two states of a slot's memory hold the same between its elements."""
    if slot.elements in (0, math.prod(slot.shape)):
        return True
    width = len(before) // slot.elements
    covered = np.zeros(slot.elements, bool)
    np.lib.stride_tricks.as_strided(covered, slot.shape, slot.strides)[...] = True
    first, second = (np.frombuffer(data, np.uint8).reshape(slot.elements, width)[~covered] for data in (before, after))
    return bool(np.array_equal(first, second))


def step(values: Array, format: Format) -> Array:
    """The distance between neighbouring numbers of a format at each value's magnitude."""
    _, exponent = np.frexp(values)
    exponent = np.where(np.isfinite(values) & (values != 0), exponent - 1, format.min_exponent)
    steps: Array = np.exp2(np.maximum(exponent, format.min_exponent).astype(np.float64) - format.mantissa)
    return steps


@lru_cache(maxsize=8)
def _fp8(name: str) -> Array:
    """All 256 values of an 8-bit format."""
    format = resolve(name)
    bits = np.arange(256)
    sign = np.where(bits & 0x80, -1.0, 1.0)
    mantissa_size = 1 << format.mantissa
    exponent, mantissa = (bits & 0x7F) >> format.mantissa, bits & (mantissa_size - 1)
    bias = 1 - format.min_exponent
    normal = np.exp2((exponent - bias).astype(np.float64)) * (1 + mantissa / mantissa_size)
    tiny = np.exp2(float(format.min_exponent)) * (mantissa / mantissa_size)
    values = sign * np.where(exponent == 0, tiny, normal)
    if name.endswith("fnuz"):
        values[0x80] = np.nan
    elif name == "fp8_e4m3fn":
        values[[0x7F, 0xFF]] = np.nan
    else:
        top = exponent == 31
        values = np.where(top, np.where(mantissa == 0, sign * np.inf, np.nan), values)
    return values


POISON = 0xFF
"""A byte that makes NaN in every float format, and an unlikely number in every other."""


def poison(size: int, byte: int = POISON) -> bytes:
    """What memory holds that nobody has written."""
    return bytes([byte]) * size


def poisoned(data: bytes) -> bool:
    """Whether nobody has written a single byte of it."""
    return data.count(POISON) == len(data)


def untouched(values: Array, name: str) -> Array:
    """Which values are still those of poisoned memory; a NaN that was computed has other bits."""
    kept = np.ascontiguousarray(values).view(np.int64)
    same: Array = kept == decode(poison(resolve(name).bytes), name).view(np.int64)
    return same
