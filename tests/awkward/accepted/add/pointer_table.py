"""Addresses in a tensor, made from a list, as grouped kernels have them."""

import torch
import triton
import triton.language as tl


@triton.jit
def _sum(table_ptr, out_ptr, n, COUNT: tl.constexpr, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    total = tl.zeros((BLOCK,), tl.float32)
    for i in range(COUNT):
        pointer = tl.load(table_ptr + i).to(tl.pointer_type(tl.float32))
        total += tl.load(pointer + at, mask=at < n, other=0.0)
    tl.store(out_ptr + at, total, mask=at < n)


def add(x, y):
    out = torch.empty_like(x)
    table = torch.tensor([x.data_ptr(), y.data_ptr()], dtype=torch.int64, device=x.device)
    _sum[(triton.cdiv(x.numel(), 64),)](table, out, x.numel(), COUNT=2, BLOCK=64)
    return out
