"""Launch parameters looked up by size, kept by lru_cache and in a dict; the launcher is bound with partial."""

import functools

import torch
import triton
import triton.language as tl

_GRIDS = {}


@triton.jit
def _add(x_ptr, y_ptr, out_ptr, n, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    tl.store(out_ptr + at, tl.load(x_ptr + at, mask=at < n) + tl.load(y_ptr + at, mask=at < n), mask=at < n)


@functools.lru_cache(maxsize=128)
def _block(n):
    return min(256, max(16, triton.next_power_of_2(n)))


def _launch(x, y, *, warps):
    out = torch.empty_like(x)
    n = x.numel()
    key = (n, x.dtype)
    if key not in _GRIDS:
        _GRIDS[key] = (triton.cdiv(n, _block(n)),)
    _add[_GRIDS[key]](x, y, out, n, BLOCK=_block(n), num_warps=warps)
    return out


add = functools.partial(_launch, warps=2)
