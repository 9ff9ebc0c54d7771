"""One program a block of columns, down which it walks twice: for the mean, then for the squared distances to it."""

import torch
import triton
import triton.language as tl


@triton.jit
def _column_stats(x_ptr, mean_ptr, var_ptr, M, N, BLOCK_M: tl.constexpr, BLOCK_N: tl.constexpr):
    cols = tl.program_id(0) * BLOCK_N + tl.arange(0, BLOCK_N)
    rows = tl.arange(0, BLOCK_M)
    total = tl.zeros((BLOCK_M, BLOCK_N), tl.float32)
    for start in range(0, M, BLOCK_M):
        inside = (start + rows < M)[:, None] & (cols < N)[None, :]
        index = (start + rows).to(tl.int64)[:, None] * N + cols[None, :]
        total += tl.load(x_ptr + index, mask=inside, other=0.0).to(tl.float32)
    mean = tl.sum(total, axis=0) / M
    total = tl.zeros((BLOCK_M, BLOCK_N), tl.float32)
    for start in range(0, M, BLOCK_M):
        inside = (start + rows < M)[:, None] & (cols < N)[None, :]
        index = (start + rows).to(tl.int64)[:, None] * N + cols[None, :]
        away = tl.load(x_ptr + index, mask=inside, other=0.0).to(tl.float32) - mean[None, :]
        total += tl.where(inside, away * away, 0.0)
    tl.store(mean_ptr + cols, mean, mask=cols < N)
    tl.store(var_ptr + cols, tl.sum(total, axis=0) / M, mask=cols < N)


def column_stats(x):
    """Mean and variance of each column of a contiguous matrix."""
    M, N = x.shape
    mean = torch.empty((N,), dtype=torch.float32, device=x.device)
    var = torch.empty((N,), dtype=torch.float32, device=x.device)
    BLOCK_M, BLOCK_N = 64, 64
    _column_stats[(triton.cdiv(N, BLOCK_N),)](x, mean, var, M, N, BLOCK_M, BLOCK_N, num_warps=4)
    return mean, var
