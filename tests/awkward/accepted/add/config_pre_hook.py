"""A configuration's own hook clears the output before every launch, tuned or not."""

import torch
import triton
import triton.language as tl


def _clear(nargs):
    nargs["out_ptr"].zero_()


@triton.autotune(
    configs=[triton.Config({"BLOCK": 64}, pre_hook=_clear), triton.Config({"BLOCK": 256}, pre_hook=_clear)], key=["n"]
)
@triton.jit
def _add(x_ptr, y_ptr, out_ptr, n, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    mask = at < n
    tl.atomic_add(out_ptr + at, tl.load(x_ptr + at, mask=mask), mask=mask)
    tl.atomic_add(out_ptr + at, tl.load(y_ptr + at, mask=mask), mask=mask)


def add(x, y):
    out = torch.empty_like(x)
    _add[lambda meta: (triton.cdiv(x.numel(), meta["BLOCK"]),)](x, y, out, x.numel())
    return out
