"""The device math libraries' functions by their symbols (__nv_tanhf, __ocml_tanh_f32, ...), on numpy arrays."""

import re
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from geak_evaluator.device.errors import beyond
from geak_evaluator.device.formats import float_to_int

Array = NDArray[Any]
Function = Callable[..., Any]


def by_torch(name: str) -> Function:
    """A torch function (also of torch.special) as a function on numpy arrays."""
    function = getattr(torch.special, name, None) or getattr(torch, name)

    def call(*arrays: Array) -> Array:
        tensors = [torch.from_numpy(np.ascontiguousarray(np.atleast_1d(array))) for array in arrays]
        return np.asarray(function(*tensors).numpy()).reshape(np.broadcast_shapes(*(a.shape for a in arrays)))

    return call


def fma(x: Array, y: Array, z: Array) -> Array:
    """x * y + z rounded once (in float64 the product of two fp32 is exact)."""
    if z.dtype == np.float64:
        return np.asarray(x * y + z)
    return np.asarray((x.astype(np.float64) * y.astype(np.float64) + z.astype(np.float64)).astype(z.dtype))


def erf(x: Array) -> Array:
    """The error function."""
    return np.asarray(by_torch("erf")(x))


def _round_away(x: Array) -> Array:
    whole = np.trunc(x)
    return np.asarray(whole + np.where(np.abs(x - whole) >= 0.5, np.copysign(x.dtype.type(1), x), x.dtype.type(0)))


def _bits(x: Array) -> Array:
    return x.view(f"u{x.itemsize}")


def _clz(x: Array) -> Array:
    width = x.itemsize * 8
    shifts = np.arange(width, dtype=_bits(x).dtype)
    seen = (_bits(x)[..., None] >> shifts) & _bits(x).dtype.type(1)
    highest = np.where(seen.any(-1), width - 1 - np.argmax(seen[..., ::-1], -1), -1)
    return np.asarray(width - 1 - highest)


def _popc(x: Array) -> Array:
    shifts = np.arange(x.itemsize * 8, dtype=_bits(x).dtype)
    return np.asarray(((_bits(x)[..., None] >> shifts) & _bits(x).dtype.type(1)).sum(-1))


def _ffs(x: Array) -> Array:
    shifts = np.arange(x.itemsize * 8, dtype=_bits(x).dtype)
    seen = (_bits(x)[..., None] >> shifts) & _bits(x).dtype.type(1)
    return np.asarray(np.where(seen.any(-1), np.argmax(seen, -1) + 1, 0))


def mulhi(x: Array, y: Array) -> Array:
    """The high half of a product."""
    bits = x.itemsize * 8
    if bits < 64:
        wide = np.dtype(f"{x.dtype.kind}{x.itemsize * 2}")
        return np.asarray(((x.astype(wide) * y.astype(wide)) >> bits).astype(x.dtype))
    if x.dtype.kind == "i":
        return np.asarray(((x.astype(object) * y.astype(object)) >> bits).astype(x.dtype))
    # In 32-bit halves; the sums below can not overflow.
    low, half = np.uint64(0xFFFFFFFF), np.uint64(32)
    x0, x1, y0, y1 = x & low, x >> half, y & low, y >> half
    middle = x1 * y0 + ((x0 * y0) >> half)
    rest = (middle & low) + x0 * y1
    return np.asarray(x1 * y1 + (middle >> half) + (rest >> half))


def _mul24(x: Array, y: Array) -> Array:
    def low(a: Array) -> Array:
        a = a & np.asarray(0xFFFFFF, dtype=a.dtype)
        return np.asarray(np.where(a & 0x800000, a - 0x1000000, a)) if a.dtype.kind == "i" else a

    return np.asarray((low(x).astype(np.int64) * low(y).astype(np.int64)).astype(x.dtype))


def _ilogb(x: Array) -> Array:
    return np.asarray(np.frexp(x)[1] - 1)


def _norm(*parts: Array) -> Array:
    return np.asarray(np.sqrt(sum(p.astype(np.float64) ** 2 for p in parts)).astype(parts[0].dtype))


FUNCTIONS: dict[str, Function] = {
    **{
        name: getattr(np, name)
        for name in [
            "exp",
            "exp2",
            "expm1",
            "log",
            "log2",
            "log10",
            "log1p",
            "sqrt",
            "cbrt",
            "sin",
            "cos",
            "tan",
            "sinh",
            "cosh",
            "tanh",
            "floor",
            "ceil",
            "trunc",
            "rint",
            "isnan",
            "isinf",
            "isfinite",
            "signbit",
            "copysign",
            "nextafter",
            "fmod",
            "hypot",
            "ldexp",
        ]
    },
    **{
        name: by_torch(name)
        for name in [
            "erfc",
            "erfinv",
            "lgamma",
            "erfcx",
            "i0",
            "i1",
            "bessel_j0",
            "bessel_j1",
            "bessel_y0",
            "bessel_y1",
        ]
    },
    **{f"a{name}": getattr(np, f"arc{name}") for name in ["sin", "cos", "tan", "sinh", "cosh", "tanh", "tan2"]},
    "erf": erf,
    "fabs": np.abs,
    "abs": np.abs,
    "llabs": np.abs,
    "iabs": np.abs,
    "j0": by_torch("bessel_j0"),
    "j1": by_torch("bessel_j1"),
    "y0": by_torch("bessel_y0"),
    "y1": by_torch("bessel_y1"),
    "cyl_bessel_i0": by_torch("i0"),
    "cyl_bessel_i1": by_torch("i1"),
    "normcdf": by_torch("ndtr"),
    "normcdfinv": by_torch("ndtri"),
    "erfcinv": lambda x: by_torch("erfinv")(1 - x),
    "tgamma": lambda x: np.where(x > 0, 1, np.sign(np.sin(np.pi * x))) * np.exp(by_torch("lgamma")(x)),
    "nearbyint": np.rint,
    "llrint": lambda x: float_to_int(np.rint(x), np.dtype(np.int64)),
    "llround": lambda x: float_to_int(_round_away(x), np.dtype(np.int64)),
    "round": _round_away,
    "rsqrt": lambda x: 1 / np.sqrt(x),
    "rcbrt": lambda x: 1 / np.cbrt(x),
    "rcp64h": np.reciprocal,
    "exp10": lambda x: np.power(x.dtype.type(10), x),
    "sinpi": lambda x: np.sin(np.pi * np.remainder(x, 2)),
    "cospi": lambda x: np.cos(np.pi * np.remainder(x, 2)),
    "pow": np.power,
    "powi": np.power,
    "pown": np.power,
    "fdim": lambda x, y: np.maximum(x - y, 0),
    "remainder": lambda x, y: x - y * np.rint(x / y),
    "fma": fma,
    "add": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "div": np.divide,
    "fdivide": np.divide,
    "rcp": np.reciprocal,
    "saturate": lambda x: np.clip(np.nan_to_num(x, nan=0.0), 0, 1),
    "finite": np.isfinite,
    "scalbn": np.ldexp,
    "ilogb": _ilogb,
    "logb": lambda x: _ilogb(x).astype(x.dtype),
    "norm3d": _norm,
    "norm4d": _norm,
    "rnorm3d": lambda *parts: 1 / _norm(*parts),
    "rnorm4d": lambda *parts: 1 / _norm(*parts),
    "rhypot": lambda *parts: 1 / _norm(*parts),
    "clz": _clz,
    "popc": _popc,
    "popcount": _popc,
    "ffs": _ffs,
    "mulhi": mulhi,
    "mul64hi": mulhi,
    "mul24": _mul24,
    "hadd": lambda x, y: (x.astype(object) + y.astype(object)) // 2,
    "rhadd": lambda x, y: (x.astype(object) + y.astype(object) + 1) // 2,
    "sad": lambda x, y, z: np.abs(x.astype(np.int64) - y.astype(np.int64)) + z,
}

_ROUND_TO_INT: dict[str, Function] = {"rn": np.rint, "rz": np.trunc, "rd": np.floor, "ru": np.ceil}


def _candidates(symbol: str) -> list[str]:
    for prefix in ("__nv_fast_", "__nv_", "__ocml_", "__ockl_", "__triton_hip_fast_", "__triton_hip_"):
        if symbol.startswith(prefix):
            name = symbol[len(prefix) :]
            break
    else:
        return []
    names = [name]
    names += [re.sub(r"_[fu](32|64)$", "", name)]  # __ocml_tanh_f32
    names += [name[:-1]] if name[-1:] in "fdl" else []  # __nv_tanhf, __nv_isnand
    names += [name[:-2]] if name.endswith("ll") else []  # __nv_clzll
    names += [re.sub(r"^u", "", name)]  # __nv_umulhi
    nearest = re.fullmatch(r"([fd])?(add|sub|mul|div|rcp|sqrt|rsqrt|fma|fmaf)_rn", name)
    names += [nearest.group(2).replace("fmaf", "fma")] if nearest else []
    return names


@cache
def lookup(symbol: str) -> Function:
    """The function behind a symbol of libdevice or of the ROCm device library; raises Unsupported if there is none."""
    to_int = re.fullmatch(r"__nv_(?:float|double)2(int|uint|ll|ull)_(rn|rz|rd|ru)", symbol)
    if to_int:
        kind, mode = to_int.groups()
        dtype = np.dtype({"int": np.int32, "uint": np.uint32, "ll": np.int64, "ull": np.uint64}[kind])
        return lambda x: float_to_int(_ROUND_TO_INT[mode](x), dtype)
    if re.fullmatch(r"__nv_(u?int|u?ll)2(float|double)_rn|__nv_double2float_rn", symbol):
        return lambda x: x  # the caller converts to the type that the symbol returns
    if re.fullmatch(r"__nv_(float|double|u?int|longlong)_as_\w+", symbol):
        return lambda x: x.view(f"{'i' if x.dtype.kind == 'f' else 'f'}{x.itemsize}")
    for name in _candidates(symbol):
        if name in FUNCTIONS:
            return FUNCTIONS[name]
    raise beyond(f"'{symbol}' of the device's math library")
