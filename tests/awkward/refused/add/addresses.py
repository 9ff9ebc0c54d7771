"""Addresses instead of tensors, as kernels had them before Triton took tensors; that of the sums is of no output."""

import torch
import triton
import triton.language as tl


@triton.jit
def _add(x_ptr, y_ptr, sums, n, BLOCK: tl.constexpr):
    sums_ptr = sums.to(tl.pointer_type(tl.float32))
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    tl.store(sums_ptr + at, tl.load(x_ptr + at, mask=at < n) + tl.load(y_ptr + at, mask=at < n), mask=at < n)


def add(x, y):
    sums = torch.empty_like(x)
    _add[(triton.cdiv(x.numel(), 64),)](x, y, sums.data_ptr(), x.numel(), BLOCK=64)
    return sums.clone()
