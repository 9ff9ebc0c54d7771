"""Strides, sizes and types passed as a wrapper finds them; results promoted, half of them written each way."""

import torch
import triton
import triton.language as tl


@triton.jit
def _add(x_ptr, y_ptr, out_ptr, n, x_stride, y_stride, scale, last, DTYPE: tl.constexpr, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    mask = (at < n) & (at <= last)
    x = tl.load(x_ptr + at * x_stride, mask=mask).to(DTYPE)
    y = tl.load(y_ptr + at * y_stride, mask=mask).to(DTYPE)
    tl.store(out_ptr + at, tl.where(x < scale, x + y, tl.fma(y, tl.full((BLOCK,), 1.0, DTYPE), x)), mask=mask)


def add(x, y):
    n = x.size(0)
    out = torch.full((2, n), float("nan"), dtype=torch.float64, device=x.device)[1].to(x.dtype)
    kind = getattr(tl, str(x.dtype).removeprefix("torch."))
    _add[(triton.cdiv(n, 128), 1)](x, y, out, n, *x.stride(), y.stride(-1), float("inf"), 2**40, kind, BLOCK=128)
    return out
