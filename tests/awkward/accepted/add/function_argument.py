"""The operation is handed over as a constant: a @triton.jit function, and flags that switch parts of the kernel."""

import torch
import triton
import triton.language as tl


@triton.jit
def _plus(a, b):
    return a + b


@triton.jit
def _minus(a, b):
    return a - b


@triton.jit
def _zip(x_ptr, y_ptr, out_ptr, n, scale, OP: tl.constexpr, MODE: tl.constexpr, NEGATE: tl.constexpr, B: tl.constexpr):
    at = tl.program_id(0) * B + tl.arange(0, B)
    y = tl.load(y_ptr + at, mask=at < n)
    if NEGATE:
        y = -y
    value = OP(tl.load(x_ptr + at, mask=at < n), y)
    if MODE == "scaled":
        value *= scale
    elif MODE == "plain":
        tl.static_assert(scale is None)
    tl.store(out_ptr + at, value, mask=at < n)


def add(x, y):
    out = torch.empty_like(x)
    n = x.numel()
    if n % 2:
        _zip[(triton.cdiv(n, 64),)](x, y, out, n, None, OP=_plus, MODE="plain", NEGATE=False, B=64)
    else:
        _zip[(triton.cdiv(n, 64),)](x, y, out, n, 1.0, OP=_minus, MODE="scaled", NEGATE=True, B=64)
    return out
