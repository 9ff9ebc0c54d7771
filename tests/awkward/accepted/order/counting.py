"""By counting: running sums over a comparison with every value, then a flip."""

import torch
import triton
import triton.language as tl


@triton.jit
def _order(x_ptr, sorted_ptr, count_ptr, n: tl.constexpr, VALUES: tl.constexpr):
    row = tl.program_id(0)
    at, value = tl.arange(0, n), tl.arange(0, VALUES)
    x = tl.load(x_ptr + row * n + at)
    count = tl.sum((x[:, None] == value[None, :]).to(tl.int32), axis=0)
    tl.atomic_add(count_ptr + value, count)
    ends = tl.cumsum(count, 0)
    ascending = tl.sum((at[:, None] >= ends[None, :]).to(tl.int32), axis=1)
    tl.store(sorted_ptr + row * n + at, tl.flip(ascending, 0))


def order(x):
    out = torch.empty_like(x)
    count = torch.zeros(8, dtype=torch.int32, device=x.device)
    _order[(x.shape[0],)](x, out, count, x.shape[1], 8, num_warps=2)
    return out, count
