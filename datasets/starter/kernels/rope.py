"""One program a token: it reads its row of the tables once and rotates block after block of heads."""

import triton
import triton.language as tl


@triton.jit
def _rope(x_ptr, cos_ptr, sin_ptr, positions_ptr, H, D: tl.constexpr, BLOCK_H: tl.constexpr, BLOCK_D: tl.constexpr):
    token = tl.program_id(0).to(tl.int64)
    position = tl.load(positions_ptr + token)
    half: tl.constexpr = D // 2
    lanes = tl.arange(0, BLOCK_D)
    cos = tl.load(cos_ptr + position * half + lanes, mask=lanes < half, other=0.0)[None, :]
    sin = tl.load(sin_ptr + position * half + lanes, mask=lanes < half, other=0.0)[None, :]
    for start in range(0, H, BLOCK_H):
        heads = start + tl.arange(0, BLOCK_H)
        inside = (heads < H)[:, None] & (lanes < half)[None, :]
        first = x_ptr + token * H * D + heads[:, None] * D + lanes[None, :]
        a = tl.load(first, mask=inside, other=0.0).to(tl.float32)
        b = tl.load(first + half, mask=inside, other=0.0).to(tl.float32)
        tl.store(first, (a * cos - b * sin).to(x_ptr.dtype.element_ty), mask=inside)
        tl.store(first + half, (b * cos + a * sin).to(x_ptr.dtype.element_ty), mask=inside)


def rope(x, cos, sin, positions):
    """Rotates every head of contiguous x in place."""
    S, H, D = x.shape
    _rope[(S,)](x, cos, sin, positions, H, D, BLOCK_H=8, BLOCK_D=triton.next_power_of_2(D // 2), num_warps=4)
