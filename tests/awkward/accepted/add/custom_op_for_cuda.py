"""An operator that is only defined for a GPU, and writes into what it is given."""

import torch
import triton
import triton.language as tl


@triton.jit
def _add(x_ptr, y_ptr, out_ptr, n, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    tl.store(out_ptr + at, tl.load(x_ptr + at, mask=at < n) + tl.load(y_ptr + at, mask=at < n), mask=at < n)


@torch.library.custom_op("awkward::add_out", mutates_args={"out"}, device_types="cuda")
def add_out(out: torch.Tensor, x: torch.Tensor, y: torch.Tensor) -> None:
    _add[(triton.cdiv(x.numel(), 64),)](x, y, out, x.numel(), BLOCK=64)


def add(x, y):
    out = torch.empty_like(x)
    add_out(out, x, y)
    return out
