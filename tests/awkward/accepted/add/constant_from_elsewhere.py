"""A constant that Python computes, from the environment."""

import os

import torch
import triton
import triton.language as tl

BLOCK = tl.constexpr(int(os.environ.get("ADD_BLOCK", "64")))


@triton.jit
def _add(x_ptr, y_ptr, out_ptr, n):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    tl.store(out_ptr + at, tl.load(x_ptr + at, mask=at < n) + tl.load(y_ptr + at, mask=at < n), mask=at < n)


def add(x, y):
    out = torch.empty_like(x)
    _add[(triton.cdiv(x.numel(), BLOCK.value),)](x, y, out, x.numel())
    return out
