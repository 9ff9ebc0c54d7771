"""An optional scale arrives as None, which is a constant to the kernel; integers are multiplied as such."""

import torch
import triton
import triton.language as tl


@triton.jit
def _matmul(a_ptr, b_ptr, rs_ptr, cs_ptr, c_ptr, M, N: tl.constexpr, K: tl.constexpr, BM: tl.constexpr):
    rows = tl.program_id(0) * BM + tl.arange(0, BM)
    cols, ks = tl.arange(0, N), tl.arange(0, K)
    a = tl.load(a_ptr + rows[:, None] * K + ks[None, :], mask=rows[:, None] < M, other=0)
    acc = tl.dot(a, tl.load(b_ptr + ks[:, None] * N + cols[None, :]), out_dtype=tl.int32)
    c = acc.to(tl.float32) * tl.load(rs_ptr + rows, mask=rows < M)[:, None]
    if cs_ptr is not None:
        c *= tl.load(cs_ptr + cols)[None, :]
    tl.store(c_ptr + rows[:, None] * N + cols[None, :], c.to(tl.bfloat16), mask=rows[:, None] < M)


def int8_matmul(a, b, row_scale, column_scale=None):
    (m, k), n = a.shape, b.shape[-1]
    c = a.new_empty((m, n), dtype=torch.bfloat16)
    _matmul[(triton.cdiv(m, 16),)](a, b, row_scale, column_scale, c, m, n, k, BM=16)
    return c
