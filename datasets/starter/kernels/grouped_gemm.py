"""The grid covers, for every expert, as many tiles as all rows would need; those past an expert's rows end at once."""

import torch
import triton
import triton.language as tl


@triton.jit
def _grouped_gemm(x_ptr, w_ptr, offsets_ptr, y_ptr, N, K, BM: tl.constexpr, BN: tl.constexpr, BK: tl.constexpr):
    expert = tl.program_id(2)
    first = tl.load(offsets_ptr + expert)
    end = tl.load(offsets_ptr + expert + 1)
    start = first + tl.program_id(0) * BM
    if start < end:
        rows = (start + tl.arange(0, BM)).to(tl.int64)
        cols = tl.program_id(1) * BN + tl.arange(0, BN)
        depth = tl.arange(0, BK)
        weights = w_ptr + expert.to(tl.int64) * K * N
        acc = tl.zeros((BM, BN), tl.float32)
        for k in range(0, K, BK):
            inside = k + depth < K
            x_tile = x_ptr + rows[:, None] * K + (k + depth)[None, :]
            w_tile = weights + (k + depth).to(tl.int64)[:, None] * N + cols[None, :]
            x = tl.load(x_tile, mask=(rows < end)[:, None] & inside[None, :], other=0.0)
            w = tl.load(w_tile, mask=inside[:, None] & (cols < N)[None, :], other=0.0)
            acc = tl.dot(x, w, acc)
        y_tile = y_ptr + rows[:, None] * N + cols[None, :]
        tl.store(y_tile, acc.to(y_ptr.dtype.element_ty), mask=(rows < end)[:, None] & (cols < N)[None, :])


def grouped_gemm(x, w, offsets):
    """Each run of rows of x times its expert's matrix; all tensors are contiguous."""
    (M, K), (E, _, N) = x.shape, w.shape
    y = torch.empty((M, N), dtype=x.dtype, device=x.device)
    BM, BN, BK = 32, 64, 32
    _grouped_gemm[(triton.cdiv(M, BM), triton.cdiv(N, BN), E)](x, w, offsets, y, N, K, BM, BN, BK, num_warps=4)
    return y
