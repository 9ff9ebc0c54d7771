"""Views of the halves, written into the destination."""

import triton
import triton.language as tl


@triton.jit
def _rotate(left_ptr, right_ptr, a_ptr, out_ptr, heads, stride, HALF: tl.constexpr, BH: tl.constexpr):
    t = tl.program_id(0)
    d = tl.arange(0, HALF)
    angle = tl.load(a_ptr + t * HALF + d)[None, :]
    cos, sin = tl.cos(angle), tl.sin(angle)
    h = tl.arange(0, BH)
    at = t * stride + h[:, None] * 2 * HALF + d[None, :]
    mask = (h < heads)[:, None]
    left = tl.load(left_ptr + at, mask=mask).to(tl.float32)
    right = tl.load(right_ptr + at, mask=mask).to(tl.float32)
    tl.store(out_ptr + at, (left * cos - right * sin).to(tl.float16), mask=mask)
    tl.store(out_ptr + at + HALF, (right * cos + left * sin).to(tl.float16), mask=mask)


def rope(x, angle, *, out):
    tokens, heads, dim = x.shape
    left, right = x.split(dim // 2, dim=-1)
    _rotate[(tokens,)](left, right, angle, out, heads, x.stride(0), HALF=dim // 2, BH=triton.next_power_of_2(heads))
