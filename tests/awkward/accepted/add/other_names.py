"""Triton and its language under other names, and jit under its own."""

import torch
import triton as tr
import triton.language as T
from triton import autotune, cdiv
from triton import jit as kernel
from triton.language import constexpr, load, store

LANES = T.constexpr(32)
HALF: constexpr = constexpr(LANES.value // 2)


@kernel
def _offsets(pid, BLOCK: constexpr):
    return pid * BLOCK + T.arange(0, BLOCK)


@autotune([tr.Config({"BLOCK": 64}), tr.Config({"BLOCK": 128})], key=[])
@tr.jit
def _add(x_ptr, y_ptr, out_ptr, n, BLOCK: T.constexpr):
    at = _offsets(T.program_id(0), BLOCK)
    T.static_assert(BLOCK % LANES == 0)
    store(out_ptr + at, load(x_ptr + at, mask=at < n) + load(y_ptr + at, mask=at < n), mask=at < n)


def add(x, y):
    out = torch.empty_like(x)
    _add[lambda meta: (cdiv(x.numel(), meta["BLOCK"]),)](x, y, out, x.numel())
    return out
