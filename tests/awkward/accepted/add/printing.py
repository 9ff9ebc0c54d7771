"""What its author left in: prints, assertions, hints."""

import torch
import triton
import triton.language as tl


@triton.jit
def _add(x_ptr, y_ptr, out_ptr, n, BLOCK: tl.constexpr, DEBUG: tl.constexpr = False):
    tl.static_print("block", BLOCK)
    tl.static_assert(BLOCK >= 16, f"a block of {BLOCK} is too small")
    tl.assume(n > 0)
    at = tl.max_contiguous(tl.multiple_of(tl.program_id(0) * BLOCK, 16) + tl.arange(0, BLOCK), BLOCK)
    mask = at < n
    tl.device_assert(at >= 0, "an offset below zero")
    x = tl.load(x_ptr + at, mask=mask, cache_modifier=".cg", eviction_policy="evict_first")
    if DEBUG:
        tl.device_print("x", x)
    tl.store(out_ptr + at, x + tl.load(y_ptr + at, mask=mask), mask=mask)
    tl.debug_barrier()


def add(x, y):
    out = torch.empty_like(x)
    _add[(triton.cdiv(x.numel(), 64),)](x, y, out, x.numel(), BLOCK=64)
    return out
