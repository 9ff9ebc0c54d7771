"""A loop that ends by what it has done, and an early return of programs that have nothing to do."""

import torch
import triton
import triton.language as tl


@triton.jit
def _add(x_ptr, y_ptr, out_ptr, n, BLOCK: tl.constexpr):
    pid = tl.program_id(0)
    if pid * BLOCK >= n:
        return
    start = pid * BLOCK
    while start < n:
        at = start + tl.arange(0, BLOCK)
        value = tl.load(x_ptr + at, mask=at < n) + tl.load(y_ptr + at, mask=at < n)
        tl.store(out_ptr + at, value, mask=at < n)
        start += tl.num_programs(0) * BLOCK


def add(x, y):
    assert x.is_cuda, "a tensor on the device"
    out = torch.empty_like(x)
    _add[(7,)](x, y, out, x.numel(), BLOCK=64)
    return out
