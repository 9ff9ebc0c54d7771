"""Every program leaves its part; the one that comes last, by a counter, adds them up."""

import torch
import triton
import triton.language as tl


@triton.jit
def _sum(x_ptr, part_ptr, count_ptr, y_ptr, n, PARTS: tl.constexpr, BLOCK: tl.constexpr):
    part, row = tl.program_id(0), tl.program_id(1)
    total = tl.zeros((BLOCK,), tl.float32)
    for start in range(part * BLOCK, n, PARTS * BLOCK):
        at = start + tl.arange(0, BLOCK)
        total += tl.load(x_ptr + row * n + at, mask=at < n, other=0.0)
    tl.store(part_ptr + row * PARTS + part, tl.sum(total))
    tl.debug_barrier()
    done = tl.atomic_add(count_ptr + row, 1, sem="acq_rel")
    if done == PARTS - 1:
        parts = tl.load(part_ptr + row * PARTS + tl.arange(0, PARTS), volatile=True)
        tl.store(y_ptr + row, tl.sum(parts))


def row_sum(x):
    rows, n = x.shape
    parts = 4
    scratch = torch.empty((rows, parts), dtype=torch.float32, device=x.device)
    count = torch.zeros((rows,), dtype=torch.int32, device=x.device)
    y = torch.empty_like(scratch[:, 0], memory_format=torch.contiguous_format)
    _sum[(parts, rows)](x, scratch, count, y, n, PARTS=parts, BLOCK=128)
    return y
