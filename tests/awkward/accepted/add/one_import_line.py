"""Several modules in one import statement, as models like to write it."""

import torch, triton, math  # noqa: E401, I001
import triton.language as tl


@triton.jit
def _add(x_ptr, y_ptr, out_ptr, n, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    tl.store(out_ptr + at, tl.load(x_ptr + at, mask=at < n) + tl.load(y_ptr + at, mask=at < n), mask=at < n)


def add(x, y):
    out = torch.empty_like(x)
    _add[(math.ceil(x.numel() / 256),)](x, y, out, x.numel(), BLOCK=256)
    return out
