"""One program a tile of one product; both operands are read through their strides."""

import torch
import triton
import triton.language as tl


@triton.jit
def _batched_matmul(
    a_ptr, w_ptr, c_ptr, M, N, K, a_b, a_m, a_k, w_b, w_n, w_k, BM: tl.constexpr, BN: tl.constexpr, BK: tl.constexpr
):
    batch = tl.program_id(0).to(tl.int64)
    rows = (tl.program_id(1) * BM + tl.arange(0, BM)).to(tl.int64)
    cols = (tl.program_id(2) * BN + tl.arange(0, BN)).to(tl.int64)
    depth = tl.arange(0, BK).to(tl.int64)
    acc = tl.zeros((BM, BN), tl.float32)
    for k in range(0, K, BK):
        inside = k + depth < K
        a_tile = a_ptr + batch * a_b + rows[:, None] * a_m + (k + depth)[None, :] * a_k
        w_tile = w_ptr + batch * w_b + (k + depth)[:, None] * w_k + cols[None, :] * w_n
        a = tl.load(a_tile, mask=(rows < M)[:, None] & inside[None, :], other=0.0)
        w = tl.load(w_tile, mask=inside[:, None] & (cols < N)[None, :], other=0.0)
        acc = tl.dot(a, w, acc)
    c_tile = c_ptr + (batch * M + rows[:, None]) * N + cols[None, :]
    tl.store(c_tile, acc.to(c_ptr.dtype.element_ty), mask=(rows < M)[:, None] & (cols < N)[None, :])


def batched_matmul(a, w):
    """A[b] @ W[b].T for tensors of any strides."""
    (B, M, K), N = a.shape, w.shape[1]
    c = torch.empty((B, M, N), dtype=a.dtype, device=a.device)
    BM, BN, BK = 64, 64, 32
    grid = (B, triton.cdiv(M, BM), triton.cdiv(N, BN))
    _batched_matmul[grid](a, w, c, M, N, K, *a.stride(), *w.stride(), BM, BN, BK, num_warps=4)
    return c
