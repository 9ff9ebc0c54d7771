"""One reduction over a tuple, with a combine function; the mask is read as bytes."""

import torch
import triton
import triton.language as tl


@triton.jit
def _combine(sum_a, n_a, low_a, high_a, sum_b, n_b, low_b, high_b):
    return sum_a + sum_b, n_a + n_b, tl.minimum(low_a, low_b), tl.maximum(high_a, high_b)


@triton.jit
def _moments(x_ptr, mask_ptr, mean_ptr, low_ptr, high_ptr, n, BLOCK: tl.constexpr):
    row = tl.program_id(0)
    at = tl.arange(0, BLOCK)
    keep = tl.load(mask_ptr + row * n + at, mask=at < n, other=0) != 0
    x = tl.load(x_ptr + row * n + at, mask=keep, other=0.0)
    low, high = tl.where(keep, x, float("inf")), tl.where(keep, x, float("-inf"))
    total, count, low, high = tl.reduce((x, keep.to(tl.float32), low, high), 0, _combine)
    tl.store(mean_ptr + row, total / count)
    tl.store(low_ptr + row, low)
    tl.store(high_ptr + row, high)


def moments(x, mask):
    rows, n = x.shape
    mean = torch.empty(rows, device=x.device)
    low, high = torch.full_like(mean, float("inf")), torch.full_like(mean, -float("inf"))
    _moments[(rows,)](x, mask.view(torch.uint8), mean, low, high, n, BLOCK=triton.next_power_of_2(n))
    return {"mean": mean, "range": [low, high]}
