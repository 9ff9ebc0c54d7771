"""The block follows the longest sequence, which torch finds and the wrapper reads."""

import torch
import triton
import triton.language as tl


@triton.jit
def _sum(x_ptr, starts_ptr, y_ptr, BLOCK: tl.constexpr):
    b = tl.program_id(0)
    start, end = tl.load(starts_ptr + b), tl.load(starts_ptr + b + 1)
    at = start + tl.arange(0, BLOCK)
    tl.store(y_ptr + b, tl.sum(tl.load(x_ptr + at, mask=at < end, other=0.0)))


def ragged_sum(x, starts):
    longest = int((starts[1:] - starts[:-1]).max().item())
    y = torch.empty(starts.numel() - 1, device=x.device)
    _sum[(y.numel(),)](x, starts, y, BLOCK=triton.next_power_of_2(max(longest, 1)))
    return y
