"""Plain tuples of pointers and sizes, unrolled in the kernel."""

import torch
import triton
import triton.language as tl


@triton.jit
def _sum(pointers, out_ptr, sizes, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    total = tl.zeros((BLOCK,), tl.float32)
    for i in tl.static_range(len(pointers)):
        total += tl.load(pointers[i] + at, mask=at < sizes[i], other=0.0)
    tl.store(out_ptr + at, total, mask=at < sizes[0])


def add(x, y):
    out = torch.empty_like(x)
    _sum[(triton.cdiv(x.numel(), 64),)]((x, y), out, (x.numel(), y.numel()), BLOCK=64)
    return out
