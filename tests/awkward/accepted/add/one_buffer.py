"""Scratch and output are slices of one buffer; views by as_strided, unflatten and expand."""

import torch
import triton
import triton.language as tl


@triton.jit
def _copy(src_ptr, dst_ptr, n, stride, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    tl.store(dst_ptr + at * stride, tl.load(src_ptr + at, mask=at < n), mask=at < n)


@triton.jit
def _add(pairs_ptr, out_ptr, n, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    pair = tl.load(pairs_ptr + at[:, None] * 2 + tl.arange(0, 2)[None, :], mask=(at < n)[:, None], other=0.0)
    tl.store(out_ptr + at, tl.sum(pair, axis=1), mask=at < n)


def add(x, y):
    n = x.numel()
    grid = (triton.cdiv(n, 64),)
    buffer = torch.empty(3 * n, device=x.device, dtype=x.dtype)
    pairs, out = buffer[: 2 * n].unflatten(0, (n, 2)), torch.as_strided(buffer, (n,), (1,), 2 * n)
    for column, source in zip(pairs.unbind(-1), (x, y), strict=True):
        _copy[grid](source, column, n, column.stride(0), BLOCK=64)
    _add[grid](pairs, out, n, BLOCK=64)
    return out.expand(1, n).squeeze_(0)
