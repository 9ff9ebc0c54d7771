"""A Python function that Triton would call while it compiles."""

import torch
import triton
import triton.language as tl


@triton.constexpr_function
def _half(block):
    return block // 2


@triton.jit
def _block(x_ptr, y_ptr, out_ptr, at, n):
    tl.store(out_ptr + at, tl.load(x_ptr + at, mask=at < n) + tl.load(y_ptr + at, mask=at < n), mask=at < n)


@triton.jit
def _add(x_ptr, y_ptr, out_ptr, n, BLOCK: tl.constexpr):
    HALF: tl.constexpr = _half(BLOCK)
    for i in tl.static_range(2):
        _block(x_ptr, y_ptr, out_ptr, tl.program_id(0) * BLOCK + i * HALF + tl.arange(0, HALF), n)


def add(x, y):
    out = torch.empty_like(x)
    _add[(triton.cdiv(x.numel(), 64),)](x, y, out, x.numel(), BLOCK=64)
    return out
