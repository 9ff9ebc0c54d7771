"""A callable object behind a decorator that turns gradients off."""

import torch
import triton
import triton.language as tl


@triton.jit
def _add(x_ptr, y_ptr, out_ptr, n, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    tl.store(out_ptr + at, tl.load(x_ptr + at, mask=at < n) + tl.load(y_ptr + at, mask=at < n), mask=at < n)


class Add:
    def __init__(self, block):
        self.block = block

    @torch.inference_mode()
    def __call__(self, x, y):
        if x.shape != y.shape:
            raise ValueError(f"{x.shape} and {y.shape}")
        out = torch.empty(x.shape, dtype=torch.promote_types(x.dtype, y.dtype), device=x.device)
        _add[(triton.cdiv(x.numel(), self.block),)](x, y, out, x.numel(), BLOCK=self.block)
        return out


add = Add(128)
