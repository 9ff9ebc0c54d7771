"""One program a run of rows and block of columns."""

import torch
import triton
import triton.language as tl


@triton.jit
def _segment_sum(x_ptr, offsets_ptr, y_ptr, D, BLOCK_N: tl.constexpr, BLOCK_D: tl.constexpr):
    segment = tl.program_id(0).to(tl.int64)
    cols = tl.program_id(1) * BLOCK_D + tl.arange(0, BLOCK_D)
    first = tl.load(offsets_ptr + segment)
    end = tl.load(offsets_ptr + segment + 1)
    total = tl.zeros((BLOCK_N, BLOCK_D), tl.float32)
    for start in range(first, end, BLOCK_N):
        rows = start + tl.arange(0, BLOCK_N)
        inside = (rows < end)[:, None] & (cols < D)[None, :]
        total += tl.load(x_ptr + rows[:, None] * D + cols[None, :], mask=inside, other=0.0).to(tl.float32)
    tl.store(y_ptr + segment * D + cols, tl.sum(total, axis=0), mask=cols < D)


def segment_sum(x, offsets):
    """fp32 sums of the runs of rows of contiguous x that offsets bounds."""
    G, D = offsets.shape[0] - 1, x.shape[1]
    y = torch.empty((G, D), dtype=torch.float32, device=x.device)
    BLOCK_N, BLOCK_D = 32, min(triton.next_power_of_2(D), 128)
    _segment_sum[(G, triton.cdiv(D, BLOCK_D))](x, offsets, y, D, BLOCK_N, BLOCK_D, num_warps=4)
    return y
