"""Sizes and a table are made on the CPU and brought over; a scalar of the CPU's fills what the device allocates."""

import torch
import triton
import triton.language as tl


@triton.jit
def _add(x_ptr, y_ptr, out_ptr, sizes_ptr, signs_ptr, BLOCK: tl.constexpr):
    n = tl.load(sizes_ptr)
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    x = tl.load(x_ptr + at, mask=at < n) * tl.load(signs_ptr)
    tl.store(out_ptr + at, x + tl.load(y_ptr + at, mask=at < n) * tl.load(signs_ptr + 1), mask=at < n)


def add(x, y):
    sizes = torch.tensor([x.numel()], dtype=torch.int32)
    assert sizes.is_cpu
    assert x.is_cuda
    signs = torch.ones(2).to(x)
    out = torch.empty_like(x).fill_(torch.tensor(0.0))
    _add[(triton.cdiv(x.numel(), 64),)](x, y, out, sizes.to(x.device), signs, BLOCK=64)
    return out.to("cpu").to(x.device)
