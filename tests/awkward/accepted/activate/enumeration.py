"""A bound that lets a NaN through, by a member of one of Triton's enumerations."""

import triton
import triton.language as tl


@triton.jit
def _gelu(x_ptr, n, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    x = tl.load(x_ptr + at, mask=at < n)
    inner = 0.7978845608 * (x + 0.044715 * x * x * x)
    bounded = tl.minimum(tl.maximum(inner, -30.0, tl.PropagateNan.ALL), 30.0, propagate_nan=tl.PropagateNan.ALL)
    grown = tl.exp(2 * bounded)
    tl.store(x_ptr + at, x * grown / (grown + 1), mask=at < n)  # nothing cancels where it is near 0


def activate(x):
    _gelu[(triton.cdiv(x.numel(), 128),)](x, x.numel(), BLOCK=128)
