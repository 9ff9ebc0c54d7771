"""A fresh tensor is computed, and copied to the destination; pairs are joined and split in the kernel."""

import torch
import triton
import triton.language as tl


@triton.jit
def _rotate(x_ptr, a_ptr, y_ptr, D: tl.constexpr):
    row, t = tl.program_id(1) * tl.num_programs(0) + tl.program_id(0), tl.program_id(1)
    halves = tl.arange(0, 2)[None, :] * (D // 2) + tl.arange(0, D // 2)[:, None]
    left, right = tl.split(tl.load(x_ptr + row * D + halves).to(tl.float32))
    angle = tl.load(a_ptr + t * (D // 2) + tl.arange(0, D // 2))
    cos, sin = tl.cos(angle), tl.sin(angle)
    y = tl.join(left * cos - right * sin, left * sin + right * cos)
    tl.store(y_ptr + row * D + halves, y.to(y_ptr.type.element_ty))


def rope(x, angle, out):
    tokens, heads, dim = x.shape
    y = torch.empty_like(x)
    _rotate[(heads, tokens)](x, angle, y, D=dim)
    out.copy_(y)
    return out
