"""The package's module under a short name, its function used as an attribute."""

import activations as act
import triton
import triton.language as tl


@triton.jit
def _gelu(x_ptr, n, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    tl.store(x_ptr + at, act.gelu(tl.load(x_ptr + at, mask=at < n)), mask=at < n)


def activate(x):
    _gelu[act.grid(x.numel())](x, x.numel(), BLOCK=64)
