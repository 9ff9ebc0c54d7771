"""Kernels in a dict, chosen by whether the size is a multiple of the block; launched with .run."""

import torch
import triton
import triton.language as tl


@triton.jit
def _even(x_ptr, y_ptr, out_ptr, n, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    tl.store(out_ptr + at, tl.load(x_ptr + at) + tl.load(y_ptr + at))


@triton.jit
def _ragged(x_ptr, y_ptr, out_ptr, n, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    tl.store(out_ptr + at, tl.load(x_ptr + at, mask=at < n) + tl.load(y_ptr + at, mask=at < n), mask=at < n)


KERNELS = {True: _even, False: _ragged}


def add(x, y):
    out = torch.empty_like(x)
    n = x.numel()
    KERNELS[n % 64 == 0].run(x, y, out, n, 64, grid=(triton.cdiv(n, 64),), warmup=False, num_warps=1)
    return out
