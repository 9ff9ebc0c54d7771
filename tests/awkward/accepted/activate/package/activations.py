"""What kernels share: device functions and constants."""

import math

import triton
import triton.language as tl

ROOT = tl.constexpr(math.sqrt(2 / math.pi))
CUBIC = tl.constexpr(0.044715)


@triton.jit
def tanh(x):
    return 2 * tl.sigmoid(2 * x) - 1


@triton.jit
def gelu(x):
    return 0.5 * x * (1 + tanh(ROOT * (x + CUBIC * x * x * x)))


def grid(n):
    return lambda meta: (triton.cdiv(n, meta["BLOCK"]),)
