"""Two launches: both products of the hidden layer and their gating in one, the product down from it in another."""

import torch
import triton
import triton.language as tl


@triton.jit
def _hidden(x_ptr, gate_ptr, up_ptr, h_ptr, M, D, F, BM: tl.constexpr, BN: tl.constexpr, BK: tl.constexpr):
    rows = (tl.program_id(0) * BM + tl.arange(0, BM)).to(tl.int64)
    cols = (tl.program_id(1) * BN + tl.arange(0, BN)).to(tl.int64)
    gate = tl.zeros((BM, BN), tl.float32)
    up = tl.zeros((BM, BN), tl.float32)
    for start in range(0, D, BK):
        k = start + tl.arange(0, BK)
        w_tile = cols[None, :] * D + k[:, None]
        w_mask = (k < D)[:, None] & (cols < F)[None, :]
        x = tl.load(x_ptr + rows[:, None] * D + k[None, :], mask=(rows < M)[:, None] & (k < D)[None, :], other=0.0)
        gate = tl.dot(x, tl.load(gate_ptr + w_tile, mask=w_mask, other=0.0), gate)
        up = tl.dot(x, tl.load(up_ptr + w_tile, mask=w_mask, other=0.0), up)
    h = gate / (1.0 + tl.exp(-gate)) * up
    h_tile = h_ptr + rows[:, None] * F + cols[None, :]
    tl.store(h_tile, h.to(h_ptr.dtype.element_ty), mask=(rows < M)[:, None] & (cols < F)[None, :])


@triton.jit
def _linear(x_ptr, w_ptr, y_ptr, M, N, K, BM: tl.constexpr, BN: tl.constexpr, BK: tl.constexpr):
    rows = (tl.program_id(0) * BM + tl.arange(0, BM)).to(tl.int64)
    cols = (tl.program_id(1) * BN + tl.arange(0, BN)).to(tl.int64)
    acc = tl.zeros((BM, BN), tl.float32)
    for start in range(0, K, BK):
        k = start + tl.arange(0, BK)
        x = tl.load(x_ptr + rows[:, None] * K + k[None, :], mask=(rows < M)[:, None] & (k < K)[None, :], other=0.0)
        w = tl.load(w_ptr + cols[None, :] * K + k[:, None], mask=(k < K)[:, None] & (cols < N)[None, :], other=0.0)
        acc = tl.dot(x, w, acc)
    y_tile = y_ptr + rows[:, None] * N + cols[None, :]
    tl.store(y_tile, acc.to(y_ptr.dtype.element_ty), mask=(rows < M)[:, None] & (cols < N)[None, :])


class GatedMLP(torch.nn.Module):
    """down(silu(gate(x)) * up(x)) for contiguous x."""

    def __init__(self, dim, hidden):
        super().__init__()
        self.gate = torch.nn.Linear(dim, hidden, bias=False, dtype=torch.bfloat16)
        self.up = torch.nn.Linear(dim, hidden, bias=False, dtype=torch.bfloat16)
        self.down = torch.nn.Linear(hidden, dim, bias=False, dtype=torch.bfloat16)

    def forward(self, x):
        (M, D), F = x.shape, self.gate.weight.shape[0]
        h = torch.empty((M, F), dtype=x.dtype, device=x.device)
        y = torch.empty_like(x)
        BM, BN, BK = 64, 64, 32
        rows = triton.cdiv(M, BM)
        _hidden[(rows, triton.cdiv(F, BN))](x, self.gate.weight, self.up.weight, h, M, D, F, BM, BN, BK, num_warps=4)
        _linear[(rows, triton.cdiv(D, BN))](h, self.down.weight, y, M, D, F, BM, BN, BK, num_warps=4)
        return y
