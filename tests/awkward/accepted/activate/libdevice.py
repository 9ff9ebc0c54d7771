"""The target's mathematical library, imported from wherever this version of Triton has it."""

import triton
import triton.language as tl

try:
    from triton.language.extra import libdevice
    from triton.language.extra.libdevice import tanh
except ImportError:
    from triton.language.extra.cuda import libdevice
    from triton.language.extra.cuda.libdevice import tanh


@triton.jit
def _gelu(x_ptr, n, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    x = tl.load(x_ptr + at, mask=at < n, other=0.0)
    inner = 0.7978845608028654 * (x + 0.044715 * libdevice.pow(x, 3.0))
    tl.store(x_ptr + at, 0.5 * x * (1 + tanh(inner)), mask=at < n)


def activate(x):
    _gelu[(triton.cdiv(x.numel(), 256),)](x, x.numel(), BLOCK=256)
