"""Beside it in the file are kernels that nobody launches here, and that could not be judged."""

import os

import torch
import triton
import triton.language as tl

BYTES = {"fp32": 4}


@triton.jit
def _add(x_ptr, y_ptr, out_ptr, n, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    tl.store(out_ptr + at, tl.load(x_ptr + at, mask=at < n) + tl.load(y_ptr + at, mask=at < n), mask=at < n)


@triton.jit
def _of_a_vendor(x_ptr, n):
    tl.store(x_ptr, tl.core.sys.maxsize + n)


@triton.jit
def _of_the_environment(x_ptr, lanes: tl.constexpr = os.environ):
    tl.store(x_ptr, BYTES["fp32"])


def add(x, y):
    out = torch.empty_like(x)
    _add[(triton.cdiv(x.numel(), 64),)](x, y, out, x.numel(), BLOCK=64)
    return out
