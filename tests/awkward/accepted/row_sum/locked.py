"""Programs of one row take turns by a lock, and add to what the others left."""

import torch
import triton
import triton.language as tl


@triton.jit
def _sum(x_ptr, y_ptr, lock_ptr, n, BLOCK: tl.constexpr):
    row = tl.program_id(1)
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    part = tl.sum(tl.load(x_ptr + row * n + at, mask=at < n, other=0.0).to(tl.float32))
    while tl.atomic_cas(lock_ptr + row, 0, 1) == 1:
        pass
    tl.store(y_ptr + row, tl.load(y_ptr + row) + part)
    tl.debug_barrier()
    tl.atomic_xchg(lock_ptr + row, 0)


def row_sum(x):
    rows, n = x.shape
    y = torch.zeros(rows, dtype=torch.float32, device=x.device)
    locks = torch.zeros(rows, dtype=torch.int32, device=x.device)
    _sum[(triton.cdiv(n, 256), rows)](x, y, locks, n, BLOCK=256)
    return y
