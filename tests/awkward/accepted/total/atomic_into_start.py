"""Atomics into a copy of the start, over the transposed view; a scalar tensor is made from a Python number."""

import torch
import triton
import triton.language as tl


@triton.jit
def _add(x_ptr, weight_ptr, out_ptr, n, stride, BLOCK: tl.constexpr):
    at = tl.arange(0, BLOCK)
    row = tl.load(x_ptr + tl.program_id(0) * stride + at, mask=at < n, other=0.0)
    tl.atomic_add(out_ptr, tl.sum(row) * tl.load(weight_ptr))


def total(x, start):
    columns = x.t()
    out = start.clone()
    weight = torch.tensor(1.0, device=x.device)
    _add[(columns.shape[0],)](columns, weight, out, columns.shape[1], columns.stride(0), BLOCK=64)
    return out.reshape(1)[0]
