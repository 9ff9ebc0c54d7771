"""A kernel made inside a function, for each operation."""

import torch
import triton
import triton.language as tl


def _make(operation):
    @triton.jit
    def _zip(x_ptr, y_ptr, out_ptr, n, BLOCK: tl.constexpr):
        at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
        value = operation(tl.load(x_ptr + at, mask=at < n), tl.load(y_ptr + at, mask=at < n))
        tl.store(out_ptr + at, value, mask=at < n)

    return _zip


@triton.jit
def _plus(a, b):
    return a + b


_add = _make(_plus)


def add(x, y):
    out = torch.empty_like(x)
    _add[(triton.cdiv(x.numel(), 64),)](x, y, out, x.numel(), BLOCK=64)
    return out
