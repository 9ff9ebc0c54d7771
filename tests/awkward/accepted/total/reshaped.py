"""A contiguous copy where the view has none, flattened."""

import torch
import triton
import triton.language as tl


@triton.jit
def _total(x_ptr, start_ptr, out_ptr, n, BLOCK: tl.constexpr):
    total = tl.load(start_ptr)
    for start in range(0, n, BLOCK):
        at = start + tl.arange(0, BLOCK)
        total += tl.sum(tl.load(x_ptr + at, mask=at < n, other=0.0))
    tl.store(out_ptr, total)


def total(x, start):
    if not x.is_contiguous():
        x = x.contiguous()
    flat = x.reshape(-1)
    out = torch.empty_like(start)
    _total[(1,)](flat, start, out, flat.numel(), BLOCK=512)
    return out
