"""An operator of torch's in the older way: a schema, and an implementation for the GPU."""

import torch
import triton
import triton.language as tl

_LIBRARY = torch.library.Library("awkward_older", "DEF")
_LIBRARY.define("add(Tensor x, Tensor y) -> Tensor")


@triton.jit
def _add(x_ptr, y_ptr, out_ptr, n, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    tl.store(out_ptr + at, tl.load(x_ptr + at, mask=at < n) + tl.load(y_ptr + at, mask=at < n), mask=at < n)


@torch.library.impl(_LIBRARY, "add", "CUDA")
def _on_cuda(x, y):
    out = torch.empty_like(x)
    _add[(triton.cdiv(x.numel(), 64),)](x, y, out, x.numel(), BLOCK=64)
    return out


def add(x, y):
    return torch.ops.awkward_older.add(x, y)
