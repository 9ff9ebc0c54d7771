"""Nothing is launched where there is nothing to add."""

import torch
import triton
import triton.language as tl


@triton.jit
def _sum(x_ptr, y_ptr, n, BLOCK: tl.constexpr):
    row = tl.program_id(0)
    at = tl.arange(0, BLOCK)
    total = tl.load(x_ptr + row * n + at, mask=at < n, other=0.0).to(tl.float32).sum(axis=0)
    tl.store(y_ptr + row, total)


def row_sum(x):
    rows, n = x.shape
    if x.numel() == 0:
        return x.new_zeros(rows, dtype=torch.float32)
    y = x.new_empty((rows,), dtype=torch.float32)
    _sum[(rows,)](x, y, n, BLOCK=triton.next_power_of_2(n))
    return y
