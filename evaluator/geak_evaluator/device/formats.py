"""The floating formats that numpy lacks, as bit patterns in numpy arrays: bfloat16, the fp8 family and tf32."""

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.float32]


def decode_bf16(bits: NDArray[np.uint16]) -> F32:
    """The values of bfloat16 bit patterns, exactly, as fp32."""
    return (np.asarray(bits).astype(np.uint32) << np.uint32(16)).view(np.float32)


def encode_bf16(values: NDArray[Any], toward_zero: bool = False) -> NDArray[np.uint16]:
    """The bfloat16 bit patterns nearest to the values (ties to even), or next to them towards zero."""
    narrow = np.ascontiguousarray(values, dtype=np.float32).reshape(np.shape(values))
    bits = narrow.view(np.uint32)
    if toward_zero:
        rounded = bits >> np.uint32(16)
    else:
        rounded = (bits + np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1))) >> np.uint32(16)
    # A NaN whose payload sits in the low half would otherwise round to an infinity.
    return np.where(np.isnan(narrow), np.uint32(0x7FC0), rounded).astype(np.uint16)


def round_tf32(values: NDArray[Any]) -> F32:
    """The values rounded to the ten mantissa bits that tf32 and xf32 matrix units keep (ties to even)."""
    narrow = np.ascontiguousarray(values, dtype=np.float32).reshape(np.shape(values))
    bits = narrow.view(np.uint32)
    rounded = (bits + np.uint32(0x0FFF) + ((bits >> np.uint32(13)) & np.uint32(1))) & np.uint32(0xFFFFE000)
    return np.where(np.isfinite(narrow), rounded, bits).astype(np.uint32).view(np.float32)


def round_bf16(values: NDArray[Any]) -> F32:
    """The values rounded to bfloat16, still as fp32."""
    return decode_bf16(encode_bf16(values))


@dataclass(frozen=True)
class Fp8:
    """One fp8 format: its split, its bias, and which of its codes are not finite."""

    exponent_bits: int
    mantissa_bits: int
    bias: int
    nan: int | None  # the code that a NaN becomes; None where the format has none
    infinity: int | None  # codes from here on (sign apart) are infinity and NaN
    unsigned_zero: bool  # the fnuz formats spend the code of minus zero on their NaN


# By the names that Triton gives to the types.
FP8: dict[str, Fp8] = {
    "fp8e4nv": Fp8(4, 3, 7, 0x7F, 0x7F, False),
    "fp8e5": Fp8(5, 2, 15, 0x7F, 0x7C, False),
    "fp8e4b8": Fp8(4, 3, 8, 0x80, None, True),
    "fp8e5b16": Fp8(5, 2, 16, 0x80, None, True),
    "fp8e4b15": Fp8(4, 3, 15, None, None, False),
}


@cache
def _values(name: str) -> F32:
    form = FP8[name]
    codes = np.arange(128)
    exponent, mantissa = codes >> form.mantissa_bits, codes & ((1 << form.mantissa_bits) - 1)
    fraction = mantissa / (1 << form.mantissa_bits)
    positive = np.where(
        exponent == 0, fraction * 2.0 ** (1 - form.bias), (1 + fraction) * 2.0 ** (exponent - form.bias)
    )
    if form.infinity is not None:
        positive[form.infinity :] = np.nan
        if name == "fp8e5":
            positive[form.infinity] = np.inf
    both = np.concatenate([positive, -positive]).astype(np.float32)
    if form.unsigned_zero:
        both[0x80] = np.nan
    return both


def decode_fp8(bits: NDArray[np.uint8], name: str) -> F32:
    """The values of fp8 bit patterns, exactly, as fp32."""
    return np.asarray(_values(name)[np.asarray(bits).view(np.uint8)], dtype=np.float32)


def encode_fp8(values: NDArray[Any], name: str, toward_zero: bool = False) -> NDArray[np.uint8]:
    """The fp8 bit patterns nearest to the values (ties to even); what is too large becomes the largest finite."""
    form = FP8[name]
    wide = np.asarray(values, dtype=np.float64)
    finite = _values(name)[:128].astype(np.float64)
    finite = finite[: form.infinity] if form.infinity is not None else finite
    size = np.minimum(np.nan_to_num(np.abs(wide), nan=0.0, posinf=finite[-1]), finite[-1])
    # The positive codes are in the order of their values, so a code is a rank; midpoints are exact in float64.
    below = np.searchsorted(finite, size, side="right") - 1
    above = np.minimum(below + 1, len(finite) - 1)
    middle = (finite[below] + finite[above]) / 2
    up = (size > middle) | ((size == middle) & (below % 2 == 1))
    codes = np.where(up & (not toward_zero), above, below).astype(np.uint8)
    negative = np.signbit(wide) & ~((codes == 0) & form.unsigned_zero)
    codes = codes | (negative.astype(np.uint8) << np.uint8(7))
    return np.where(np.isnan(wide) & (form.nan is not None), np.uint8(form.nan or 0), codes).astype(np.uint8)


def float_to_int(values: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    """The values truncated as the devices truncate: saturating at 32 or 64 bits, and zero for a NaN."""
    bits = 64 if dtype.itemsize == 8 else 32
    register = np.dtype(f"{'u' if dtype.kind == 'u' else ''}int{bits}")
    limits = np.iinfo(register)
    wide = np.trunc(np.nan_to_num(values.astype(np.float64), nan=0.0))
    # Compared in float64, where the upper limit of 64 bits rounds up: hence >=, not >.
    high, low = wide >= float(limits.max), wide <= float(limits.min)
    inside = np.where(high | low, 0.0, wide).astype(register)
    whole = np.where(high, register.type(limits.max), np.where(low, register.type(limits.min), inside))
    return np.asarray(whole.astype(dtype))
