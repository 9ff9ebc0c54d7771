"""One program a tile of the result; bias and activation are applied to the accumulator."""

import torch
import triton
import triton.language as tl


@triton.jit
def _linear_gelu(x_ptr, weight_ptr, bias_ptr, y_ptr, M, N, K, BM: tl.constexpr, BN: tl.constexpr, BK: tl.constexpr):
    rows = (tl.program_id(0) * BM + tl.arange(0, BM)).to(tl.int64)
    cols = (tl.program_id(1) * BN + tl.arange(0, BN)).to(tl.int64)
    depth = tl.arange(0, BK)
    acc = tl.zeros((BM, BN), tl.float32)
    for k in range(0, K, BK):
        inside = k + depth < K
        x_tile = x_ptr + rows[:, None] * K + (k + depth)[None, :]
        w_tile = weight_ptr + cols[None, :] * K + (k + depth)[:, None]
        x = tl.load(x_tile, mask=(rows < M)[:, None] & inside[None, :], other=0.0)
        w = tl.load(w_tile, mask=inside[:, None] & (cols < N)[None, :], other=0.0)
        acc = tl.dot(x, w, acc)
    if bias_ptr is not None:
        acc += tl.load(bias_ptr + cols, mask=cols < N, other=0.0).to(tl.float32)[None, :]
    inner = 0.7978845608028654 * (acc + 0.044715 * acc * acc * acc)
    y = acc * tl.sigmoid(2.0 * inner)  # (1 + tanh(t)) / 2 is the sigmoid of 2 t
    y_tile = y_ptr + rows[:, None] * N + cols[None, :]
    tl.store(y_tile, y.to(y_ptr.dtype.element_ty), mask=(rows < M)[:, None] & (cols < N)[None, :])


def linear_gelu(x, weight, bias):
    """gelu(x @ weight.T + bias) of contiguous tensors; bias may be None."""
    (M, K), N = x.shape, weight.shape[0]
    y = torch.empty((M, N), dtype=x.dtype, device=x.device)
    BM, BN, BK = 64, 64, 32
    grid = (triton.cdiv(M, BM), triton.cdiv(N, BN))
    _linear_gelu[grid](x, weight, bias, y, M, N, K, BM, BN, BK, num_warps=4)
    return y
