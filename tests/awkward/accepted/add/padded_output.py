"""Inputs padded to whole blocks, an output in a larger buffer, of which a narrowed view is returned."""

import torch.nn.functional as F
import triton
import triton.language as tl

BLOCK = 64


@triton.jit
def _add(x_ptr, y_ptr, out_ptr, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    tl.store(out_ptr + at, tl.load(x_ptr + at) + tl.load(y_ptr + at))


def add(x, y):
    n = x.numel()
    blocks = triton.cdiv(n, BLOCK)
    whole = blocks * BLOCK
    if whole > n:
        x, y = F.pad(x, (0, whole - n)), F.pad(y, (0, whole - n), value=1.0)
    out = x.new_empty(whole)
    _add[(blocks,)](x, y, out, BLOCK)
    return out.narrow(0, 0, n)
