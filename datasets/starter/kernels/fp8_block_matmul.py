"""One program a tile of C, which lies within one block of rows of W; each step takes a whole block of 128 columns."""

import triton
import triton.language as tl


@triton.jit
def _fp8_block_matmul(
    a_ptr, w_ptr, a_scale_ptr, w_scale_ptr, c_ptr, M, N, K, BM: tl.constexpr, BN: tl.constexpr, BLOCK: tl.constexpr
):
    rows = (tl.program_id(0) * BM + tl.arange(0, BM)).to(tl.int64)
    cols = (tl.program_id(1) * BN + tl.arange(0, BN)).to(tl.int64)
    depth = tl.arange(0, BLOCK)
    blocks = K // BLOCK
    a_scale_row = a_scale_ptr + rows * blocks
    w_scale_row = w_scale_ptr + tl.program_id(1) * BN // BLOCK * blocks
    acc = tl.zeros((BM, BN), tl.float32)
    for block in range(blocks):
        k = block * BLOCK + depth
        a = tl.load(a_ptr + rows[:, None] * K + k[None, :], mask=(rows < M)[:, None], other=0.0)
        w = tl.load(w_ptr + cols[None, :] * K + k[:, None], mask=(cols < N)[None, :], other=0.0)
        a_scale = tl.load(a_scale_row + block, mask=rows < M, other=0.0)
        w_scale = tl.load(w_scale_row + block)
        acc += tl.dot(a, w) * (a_scale * w_scale)[:, None]
    c_tile = c_ptr + rows[:, None] * N + cols[None, :]
    tl.store(c_tile, acc.to(c_ptr.dtype.element_ty), mask=(rows < M)[:, None] & (cols < N)[None, :])


def fp8_block_matmul(a, w, a_scale, w_scale, *, out):
    """Fills contiguous out with A @ W.T of contiguous fp8 matrices with scales by block."""
    (M, K), N = a.shape, w.shape[0]
    BM, BN, BLOCK = 64, 64, 128
    grid = (triton.cdiv(M, BM), triton.cdiv(N, BN))
    _fp8_block_matmul[grid](a, w, a_scale, w_scale, out, M, N, K, BM, BN, BLOCK, num_warps=4)
