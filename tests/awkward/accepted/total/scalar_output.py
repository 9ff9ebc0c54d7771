"""The result has no dimensions, and the input strides of its own."""

import torch
import triton
import triton.language as tl


@triton.jit
def _total(x_ptr, start_ptr, out_ptr, m, n, stride_m, stride_n, M: tl.constexpr, N: tl.constexpr):
    rows, cols = tl.arange(0, M)[:, None], tl.arange(0, N)[None, :]
    total = tl.zeros((M, N), tl.float32)
    for start in range(0, n, N):
        at = start + cols
        total += tl.load(x_ptr + rows * stride_m + at * stride_n, mask=(rows < m) & (at < n), other=0.0)
    tl.store(out_ptr, tl.sum(tl.sum(total, 1), 0) + tl.load(start_ptr))


def total(x, start):
    out = torch.empty((), dtype=x.dtype, device=x.device)
    m, n = x.shape
    _total[(1,)](x, start, out, m, n, *x.stride(), M=triton.next_power_of_2(m), N=64)
    return out
