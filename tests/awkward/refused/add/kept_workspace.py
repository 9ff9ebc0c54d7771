"""A buffer that is kept from one call to the next."""

import torch
import triton
import triton.language as tl

_WORKSPACE = {}


@triton.jit
def _add(x_ptr, y_ptr, out_ptr, n, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    tl.store(out_ptr + at, tl.load(x_ptr + at, mask=at < n) + tl.load(y_ptr + at, mask=at < n), mask=at < n)


def add(x, y):
    n = x.numel()
    if n not in _WORKSPACE:
        _WORKSPACE[n] = torch.empty(n, dtype=x.dtype, device=x.device)
    scratch = _WORKSPACE[n]
    _add[(triton.cdiv(n, 64),)](x, y, scratch, n, BLOCK=64)
    return scratch.clone()
