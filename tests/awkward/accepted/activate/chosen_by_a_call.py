"""Conditions that only the file's own Python can tell choose where a function is imported from, and what another is."""

import importlib
import os

import triton
import triton.language as tl


def at_least(package, *wanted):
    found = importlib.import_module(package).__version__
    return tuple(int(part) for part in found.split(".")[:2]) >= wanted


if at_least("triton", 3, 0) and not os.environ.get("NO_LIBDEVICE"):
    try:
        from triton.language.extra.libdevice import tanh
    except ModuleNotFoundError:
        from triton.language.extra.cuda.libdevice import tanh
else:
    from triton.language.math import no_such_function as tanh

if os.environ.get("ROUGHLY", "0") == "1":

    @triton.jit
    def _cube(x):
        return x

elif at_least("triton", 3, 0):
    THIRD = tl.constexpr(0.044715)

    if at_least("triton", 99, 0):

        @triton.jit
        def _cube(x):
            return x * 2

    else:

        @triton.jit
        def _cube(x):
            return THIRD * x * x * x

    BLOCK = 128
else:
    BLOCK = 64


@triton.jit
def _gelu(x_ptr, n, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    x = tl.load(x_ptr + at, mask=at < n, other=0.0)
    tl.store(x_ptr + at, 0.5 * x * (1 + tanh(0.7978845608028654 * (x + _cube(x)))), mask=at < n)


def activate(x):
    _gelu[(triton.cdiv(x.numel(), BLOCK),)](x, x.numel(), BLOCK=BLOCK)
